"""Pictures as PDF and PNG, by matplotlib."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bob.learn.pytorch.drawing.plot import COLOURS, GREY, MEANINGS, SHAPES
from bob.learn.pytorch.files import beside

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    from bob.learn.pytorch.drawing.plot import Line, Plot, Shape


_DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (5, 2, 1.2, 2)))
_MARKERS = {"circle": "o", "diamond": "D", "square": "s", "triangle": "^"}
_HISTOGRAMS_PER_PAGE = 8
#: Letters of a legend, its line included.
_LETTERS_IN_HALF_AN_INCH = 6.6


def save(
    path: str | os.PathLike[str],
    curves: Sequence[Plot],
    histograms: Sequence[Plot] = (),
    *,
    names: Sequence[str],
) -> Path:
    """Draw large pictures, and histograms in rows below, into one PDF or PNG.

    The file appears complete or not at all, and missing folders are made. A PDF has
    pages and its text is text; a PNG has everything below each other. Equal pictures
    give equal files. Names are those of systems, by the number of their look.

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
    import matplotlib as mpl  # slow to import

    # Type 42 keeps text as text that can be searched and copied.
    with mpl.rc_context({"pdf.fonttype": 42, "font.size": 9}), beside(path) as place:
        if kind == ".pdf":
            _save_pages(place, curves, histograms, names)
        else:
            figure = (
                _page(curves[0], names)
                if len(curves) == 1 and not histograms
                else _everything(curves, histograms, names)
            )
            figure.savefig(place, format="png", dpi=150)
    return path


def _save_pages(
    place: Path,
    curves: Sequence[Plot],
    histograms: Sequence[Plot],
    names: Sequence[str],
) -> None:
    from matplotlib.backends.backend_pdf import PdfPages

    # Without its date, equal scores give equal files.
    with PdfPages(place, metadata={"CreationDate": None}) as pages:
        for plot in curves:
            pages.savefig(_page(plot, names))
        for start in range(0, len(histograms), _HISTOGRAMS_PER_PAGE):
            part = histograms[start : start + _HISTOGRAMS_PER_PAGE]
            figure = _figure(8.3, 0.4 + 2.4 * -(-len(part) // 2))
            for number, plot in enumerate(part, 1):
                _draw(figure.add_subplot(-(-len(part) // 2), 2, number), plot)
            _legend(figure, [], part)
            pages.savefig(figure)


def _page(plot: Plot, names: Sequence[str]) -> Figure:
    """Return one picture with its legend."""
    shape = _shape(plot)
    rows = len(names) + len({mark.shape for mark in plot.marks})
    text = 0.2 * rows + 0.13 * len(_notes(plot).splitlines())
    figure = _figure(6.4, 0.9 + 5.75 * shape + text)
    axes = figure.add_subplot()
    axes.set_box_aspect(shape)
    _draw(axes, plot)
    _legend(figure, names, [plot])
    return figure


def _everything(
    curves: Sequence[Plot], histograms: Sequence[Plot], names: Sequence[str]
) -> Figure:
    """Curves side by side, histograms in rows below."""
    across = len(curves)
    rows = -(-len(histograms) // across)
    height = 5.2 + 2.2 * rows + 0.18 * len(names)
    figure = _figure(5.2 * across, height)
    grid = figure.add_gridspec(1 + rows, across, height_ratios=[5.2] + [2.2] * rows)
    for column, plot in enumerate(curves):
        axes = figure.add_subplot(grid[0, column])
        axes.set_box_aspect(max(0.5, _shape(plot)))
        _draw(axes, plot)
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


def _shape(plot: Plot) -> float:
    """Return height over width, less what labels take on the page."""
    width, height = plot.size
    return (height - 58) / (width - 66)


def _notes(plot: Plot) -> str:
    return "\n".join(textwrap.fill(_escaped(note), 80) for note in plot.notes)


def _draw(axes: Axes, plot: Plot) -> None:
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
        # Constrained layout makes room for titles, and for what hangs on the axis.
        axes.annotate(
            _notes(plot),
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
        alpha = 0.13 if line.stroke == "none" else 0.2
        axes.fill(line.x, line.y, color=colour, alpha=alpha, linewidth=0)
    if line.stroke != "none":
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
        place[0],
        place[1],
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
    labels = [_plain(name) for name in names]
    if len(labels) > 1:
        labels = [f"{number} {label}" for number, label in enumerate(labels, 1)]
    shapes = {mark.shape for plot in drawn for mark in plot.marks}
    for kind, shape in SHAPES.items():
        if shape in shapes:
            keys.append(_key(shape))
            labels.append(MEANINGS[kind])
    for line in _of_histograms(drawn):
        label = f"{line.name} trials" if line.filled else f"{line.name} (histograms)"
        if label not in labels:
            keys.append(Line2D([], [], **_stroke(line)))
            labels.append(label)
    longest = max(map(len, labels), default=0)
    figure.legend(
        keys,
        labels,
        loc="outside lower left",
        frameon=False,
        handlelength=3.5,
        ncols=2 if longest <= _LETTERS_IN_HALF_AN_INCH * figure.get_figwidth() else 1,
    )


def _of_histograms(drawn: Sequence[Plot]) -> list[Line]:
    return [
        line
        for plot in drawn
        if any(line.filled and line.stroke != "none" for line in plot.lines)
        for line in plot.lines
    ]


def _key(shape: Shape) -> Line2D:
    from matplotlib.lines import Line2D

    look: dict[str, Any] = {"markerfacecolor": "white", "markeredgecolor": GREY}
    return Line2D([], [], linestyle="", marker=_MARKERS[shape], **look)


def _colour(look: int) -> str:
    return COLOURS[look % len(COLOURS)] if look >= 0 else GREY


def _plain(name: str) -> str:
    """Escape dollars, which would begin a formula."""
    return _escaped(clipped(name, 80))


def clipped(name: str, most: int) -> str:
    """Return a name in one line of so many letters at most.

    Examples
    --------
    >>> clipped("a/long/path", 7)
    'a/long…'
    """
    line = " ".join(name.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def _escaped(text: str) -> str:
    return text.replace("$", r"\$")
