"""The described pictures in a PDF or PNG, by matplotlib."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bob.learn.pytorch.files import beside
from bob.learn.pytorch.report import plots

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    from bob.learn.pytorch.report.plot import Line, Plot, Shape
    from bob.learn.pytorch.report.systems import Report

# As the page has them on white; with dashes and numbers, any colour vision will do.
COLOURS = ("#00318b", "#c65300", "#177456", "#c66ea9", "#4a2f04", "#4f8fff", "#1c1e21")
_DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (5, 2, 1.2, 2)))
_GREY = "#6b7178"
_MARKERS = {"circle": "o", "diamond": "D", "square": "s", "triangle": "^"}
_HISTOGRAMS_PER_PAGE = 8


def save_pictures(path: str | os.PathLike[str], report: Report) -> Path:
    """Draw curves and histograms into one file; it appears complete or not at all.

    A PDF has pages and its text is text; a PNG has everything below each other.

    Parameters
    ----------
    path
        Its suffix says the format: pdf or png.

    Raises
    ------
    ValueError
        The suffix is not known.
    """
    path = Path(path)
    kind = path.suffix.lower()
    if kind not in (".pdf", ".png"):
        raise ValueError(
            f"{path} cannot hold pictures; let its name end in .pdf or .png"
        )
    curves = [plots.det_plot(report), plots.bayes_plot(report)]
    if len(report.systems) > 1:
        curves.append(plots.interval_plot(report))
    histograms = plots.histogram_plots(report)
    names = [one.name for one in report.systems]
    import matplotlib as mpl  # slow to import

    # Type 42 keeps text as text that can be searched and copied.
    with mpl.rc_context({"pdf.fonttype": 42, "font.size": 9}), beside(path) as place:
        if kind == ".pdf":
            _save_pages(place, curves, histograms, names)
        else:
            figure = _everything(curves, histograms, names)
            figure.savefig(place, format="png", dpi=150)
    return path


def _save_pages(
    place: Path, curves: Sequence[Plot], histograms: Sequence[Plot], names: list[str]
) -> None:
    from matplotlib.backends.backend_pdf import PdfPages

    # Without its date, equal scores give equal files.
    with PdfPages(place, metadata={"CreationDate": None}) as pages:
        for plot in curves:
            figure = _figure(6.4, 6.2 * plot.size[1] / plot.size[0] + 0.2 * len(names))
            _draw(figure.add_subplot(), plot)
            _legend(figure, names, [plot])
            pages.savefig(figure)
        for start in range(0, len(histograms), _HISTOGRAMS_PER_PAGE):
            part = histograms[start : start + _HISTOGRAMS_PER_PAGE]
            figure = _figure(8.3, 0.4 + 2.4 * -(-len(part) // 2))
            for number, plot in enumerate(part, 1):
                _draw(figure.add_subplot(-(-len(part) // 2), 2, number), plot)
            _legend(figure, [], part)
            pages.savefig(figure)


def _everything(
    curves: Sequence[Plot], histograms: Sequence[Plot], names: list[str]
) -> Figure:
    """Curves side by side, histograms in rows below."""
    across = len(curves)
    rows = -(-len(histograms) // across)
    height = 5.2 + 2.2 * rows + 0.18 * len(names)
    figure = _figure(5.2 * across, height)
    grid = figure.add_gridspec(1 + rows, across, height_ratios=[5.2] + [2.2] * rows)
    for column, plot in enumerate(curves):
        _draw(figure.add_subplot(grid[0, column]), plot)
    for number, plot in enumerate(histograms):
        place = grid[1 + number // across, number % across]
        _draw(figure.add_subplot(place), plot)
    _legend(figure, names, [*curves, *histograms])
    return figure


def _figure(width: float, height: float) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _draw(axes: Axes, plot: Plot, *, width: int = 80) -> None:
    axes.set_title(_plain(plot.title), fontsize=10, loc="left")
    axes.set(xlim=(plot.x.low, plot.x.high), ylim=(plot.y.low, plot.y.high))
    for side, axis in ((axes.xaxis, plot.x), (axes.yaxis, plot.y)):
        side.set_ticks(
            [place for place, _ in axis.ticks], labels=[text for _, text in axis.ticks]
        )
        side.set_label_text(axis.label)
    axes.grid(color="#d5d9de", linewidth=0.7)
    axes.set_axisbelow(True)
    for line in plot.lines:
        _draw_line(axes, line)
    for mark in plot.marks:
        axes.plot(
            mark.x,
            mark.y,
            marker=_MARKERS[mark.shape],
            markersize=6,
            markerfacecolor="white",
            markeredgecolor=_colour(mark.look),
            markeredgewidth=1.4,
            clip_on=False,
            zorder=3,
        )
    for line in plot.lines:
        _draw_tag(axes, line, plot)
    if plot.notes:
        text = "\n".join(textwrap.fill(_escaped(note), width) for note in plot.notes)
        # Constrained layout makes room for titles, and for what hangs on the axis.
        axes.annotate(
            text,
            (0, 0),
            xytext=(0, -32),
            xycoords="axes fraction",
            textcoords="offset points",
            fontsize=7,
            va="top",
        )


def _draw_line(axes: Axes, line: Line) -> None:
    if line.filled:
        colour = _colour(line.look)
        axes.fill_between(line.x, line.y, color=colour, alpha=0.2, linewidth=0)
    axes.plot(line.x, line.y, **_stroke(line))


def _stroke(line: Line) -> dict[str, Any]:
    dashes: dict[str, Any] = {"solid": "-", "dashed": (0, (4, 3))}
    own = _DASHES[line.look % len(_DASHES)] if line.look >= 0 else "-"
    is_faint = line.look < 0 or line.stroke == "dashed"
    return {
        "color": _colour(line.look),
        "linestyle": dashes.get(line.stroke, own),
        "linewidth": 0.7 if line.stroke == "thin" else 0.9 if is_faint else 1.5,
    }


def _draw_tag(axes: Axes, line: Line, plot: Plot) -> None:
    place = plot.tag_place(line)
    if place is None:
        return
    axes.text(
        *place,
        str(line.look + 1),
        fontsize=7,
        ha="center",
        va="center",
        zorder=4,
        bbox={
            "boxstyle": "circle,pad=0.25",
            "facecolor": "white",
            "edgecolor": _colour(line.look),
        },
    )


def _legend(figure: Figure, names: Sequence[str], drawn: Sequence[Plot]) -> None:
    """Say what the lines of systems are, and the marks upon them."""
    from matplotlib.lines import Line2D

    keys = [
        Line2D([], [], color=_colour(look), linestyle=_DASHES[look % len(_DASHES)])
        for look in range(len(names))
    ]
    labels = [f"{number} {_plain(name)}" for number, name in enumerate(names, 1)]
    shapes = {mark.shape for plot in drawn for mark in plot.marks}
    for kind, shape in plots.SHAPES.items():
        if shape in shapes:
            keys.append(_key(shape))
            labels.append(plots.MEANINGS[kind])
    for line in _of_histograms(drawn):
        label = f"{line.name} trials" if line.filled else f"{line.name} (histograms)"
        if label not in labels:
            keys.append(Line2D([], [], **_stroke(line)))
            labels.append(label)
    figure.legend(
        keys, labels, loc="outside lower left", frameon=False, handlelength=3.5, ncols=2
    )


def _of_histograms(drawn: Sequence[Plot]) -> list[Line]:
    return [
        line
        for plot in drawn
        if any(line.filled for line in plot.lines)
        for line in plot.lines
    ]


def _key(shape: Shape) -> Line2D:
    from matplotlib.lines import Line2D

    look: dict[str, Any] = {"markerfacecolor": "white", "markeredgecolor": _GREY}
    return Line2D([], [], linestyle="", marker=_MARKERS[shape], **look)


def _colour(look: int) -> str:
    return COLOURS[look % len(COLOURS)] if look >= 0 else _GREY


def _plain(name: str) -> str:
    """A dollar would begin a formula."""
    return _escaped(textwrap.shorten(name, 90))


def _escaped(text: str) -> str:
    return text.replace("$", r"\$")
