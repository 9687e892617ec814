"""The DET picture: misses against false matches on normal-deviate axes.

References
----------
Martin et al., "The DET curve in assessment of detection task performance", Eurospeech
1997.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from bob.learn.pytorch.files import beside
from bob.learn.pytorch.metrics import (
    ErrorCurve,
    MetricError,
    OperatingPoint,
    resampled_curves,
)

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike, NDArray

    from bob.learn.pytorch.metrics import ScoreTable

    FloatArray: TypeAlias = NDArray[np.float64]

# Okabe and Ito's colours, which people with any colour vision tell apart.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
DASHES = ("-", (0, (6, 2)), (0, (2, 1.5)), (0, (6, 2, 1.5, 2)))
GREY = "#666666"
# What keeps the date out of a file, so that equal scores give equal files.
FORMATS: dict[str, dict[str, None]] = {
    "png": {},
    "pdf": {"CreationDate": None},
}
# In percent: the ends that an axis may have, and its labels.
TICKS = np.array(
    [0.001, 0.01, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 40, 60, 80, 90, 95, 98, 99]
)
LEVEL = 0.95


@dataclass(frozen=True)
class _System:
    """A curve with the points that are marked on it."""

    name: str
    curve: ErrorCurve
    eer: float
    cheapest: OperatingPoint
    cost: float

    @property
    def label(self) -> str:
        rate = f"EER {100 * self.eer:.2f} %" if self.eer else "EER 0 % (no error)"
        return f"{_plain(self.name)}: {rate}, minDCF {self.cost:.3f}"


def plot_det(
    path: str | os.PathLike[str],
    tables: Mapping[str, ScoreTable],
    *,
    title: str = "Detection error trade-off",
    p_target: float = 0.01,
    resamples: int = 0,
    seed: int = 0,
) -> Path:
    """Draw the curve of each table of scores into one picture.

    The file appears at once and complete, or not at all; missing folders are made.

    Parameters
    ----------
    path
        Its suffix says the format: png or pdf.
    tables
        Name of a system or of a group -> its trials. The legend names those that
        have no target or no non-target trial.
    p_target
        Prior of a target trial for the point of minDCF; both costs are 1.
    resamples
        Of the speakers, for a band that holds 95 % of the curves; 0 draws none.

    Raises
    ------
    ValueError
        The suffix is not known.
    """
    path = Path(path)
    kind = path.suffix.lower().removeprefix(".")
    if kind not in FORMATS:
        raise ValueError(
            f"{path} cannot hold a picture; let its name end in .{', .'.join(FORMATS)}"
        )
    systems = {name: _system(name, table, p_target) for name, table in tables.items()}
    drawn = [system for system in systems.values() if system]
    bands = [
        _band(tables[system.name], resamples=resamples, seed=seed) for system in drawn
    ]
    figure, axes = _empty_figure(len(systems) + 4, title=_plain(title))
    low, high = _limits(drawn)
    _prepare(axes, low=low, high=high)
    keys: dict[str, Artist] = {}
    for number, (system, band) in enumerate(zip(drawn, bands, strict=True)):
        look = {
            "color": COLOURS[number % len(COLOURS)],
            "linestyle": DASHES[number % len(DASHES)],
        }
        keys[system.label] = _draw(axes, system, band, limits=(low, high), look=look)
    missing = [name for name, system in systems.items() if system is None]
    _say(axes, drawn)
    _add_legend(figure, keys, missing, p_target=p_target, band=any(bands))
    return _save(figure, path, kind=kind)


def _system(name: str, table: ScoreTable, p_target: float) -> _System | None:
    try:
        curve = table.curve().corners()
    except MetricError:
        return None
    cheapest = curve.min_dcf_point(p_target=p_target)
    cost = cheapest.dcf(p_target=p_target)
    return _System(name, curve, curve.equal_error_rate(), cheapest, cost)


def _band(
    table: ScoreTable, *, resamples: int, seed: int
) -> tuple[FloatArray, FloatArray, FloatArray] | None:
    """False match rates, and between which miss rates 95 % of the curves lie there."""
    grid = np.concatenate([np.geomspace(1e-6, 0.1, 300), np.linspace(0.11, 0.999, 90)])
    curves = []
    for curve in resampled_curves(table, resamples=resamples, seed=seed):
        rates = curve.false_match_rates[::-1]
        last = np.searchsorted(rates, grid, side="right") - 1
        curves.append(curve.false_non_match_rates[::-1][last])
    if not curves:
        return None
    low, high = np.quantile(curves, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return grid, low, high


def _limits(systems: list[_System]) -> tuple[float, float]:
    """Ends of both axes, as rates: the marked points lie well inside."""
    low, high = 0.001, 0.4
    for system in systems:
        point = system.cheapest
        rates = system.eer / 3, point.false_match_rate, point.false_non_match_rate
        low = min([low, *(rate / 2 for rate in rates if rate > 0)])
        high = max(high, 3 * system.eer, *(1.1 * rate for rate in rates))
    first = np.searchsorted(TICKS, max(100 * low, TICKS[0]), side="right") - 1
    last = np.searchsorted(TICKS, min(100 * high, TICKS[-1]))
    return float(TICKS[first]) / 100, float(TICKS[last]) / 100


def _empty_figure(rows: int, *, title: str) -> tuple[Figure, Axes]:
    """Return square axes with room for that many rows of legend below."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # slow to import
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 6.4 + 0.21 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot(aspect="equal")
    axes.set_title(title)
    return figure, axes


def _prepare(axes: Axes, *, low: float, high: float) -> None:
    """Percent ticks at normal deviates, and the line of equal errors."""
    ends = _deviate([low, high])
    ticks = TICKS[slice(*np.searchsorted(TICKS, [99 * low, 100.5 * high]))]
    places = _deviate(ticks / 100)
    # Labels that would touch their left neighbour are left out.
    roomy = np.append(True, np.diff(places) > (ends[1] - ends[0]) / 24)
    ticks, places = ticks[roomy], places[roomy]
    for axis, name in ((axes.xaxis, "match"), (axes.yaxis, "non-match")):
        axis.set_ticks(places, labels=[f"{tick:g}" for tick in ticks])
        axis.set_label_text(f"False {name} rate (%)")
    axes.set(xlim=ends, ylim=ends, axisbelow=True)
    axes.tick_params(labelsize=9)
    axes.grid(color="#DDDDDD", linewidth=0.7)
    axes.plot(ends, ends, color=GREY, linewidth=0.8, linestyle=(0, (1, 2)))


def _draw(
    axes: Axes,
    system: _System,
    band: tuple[FloatArray, FloatArray, FloatArray] | None,
    *,
    limits: tuple[float, float],
    look: dict[str, Any],
) -> Artist:
    """Draw a curve, its band and its points; return the line for the legend."""
    low, high = limits
    # Rates beyond the limits lie outside the axes, so that lines run over the edge.
    outside = low / 50, 1 - (1 - high) / 50
    if band is not None:
        grid, bottom, top = (_deviate(np.clip(rates, *outside)) for rates in band)
        axes.fill_between(
            grid, bottom, top, color=look["color"], alpha=0.13, linewidth=0
        )
    rates = _along(system.curve.false_match_rates, system.curve.false_non_match_rates)
    (line,) = axes.plot(*_deviate(np.clip(rates, *outside)), linewidth=1.7, **look)
    cheapest = system.cheapest
    for point, marker in (
        ((system.eer, system.eer), "o"),
        ((cheapest.false_match_rate, cheapest.false_non_match_rate), "D"),
    ):
        axes.plot(
            *_deviate(np.clip(point, low, high)),
            marker=marker,
            markersize=7 if marker == "o" else 6,
            markerfacecolor="white",
            markeredgecolor=look["color"],
            markeredgewidth=1.5,
            clip_on=False,
            zorder=3,
        )
    return line


def _say(axes: Axes, systems: list[_System]) -> None:
    """Put into words what no line shows."""
    faultless = [_plain(system.name) for system in systems if not system.eer]
    if faultless:
        axes.annotate(
            "no error at the best threshold:\n" + "\n".join(faultless),
            xy=(0, 0),
            xytext=(0.06, 0.06),
            textcoords=axes.transAxes,
            xycoords=axes.transAxes,
            fontsize=9,
            arrowprops={"arrowstyle": "-", "color": GREY, "linewidth": 0.8},
            bbox={"facecolor": "white", "edgecolor": GREY, "linewidth": 0.8},
        )
    if not systems:
        axes.text(0.5, 0.5, "no curve", transform=axes.transAxes, ha="center")


def _along(*rates: FloatArray) -> FloatArray:
    """(corners,) each -> (rates, points): the corners with points between them.

    Ties make slanting lines, which are straight in rates and bent in deviates.
    """
    corners = np.arange(rates[0].size)
    between = 1 if corners.size > 1000 else 40
    points = np.linspace(0, corners[-1], corners[-1] * between + 1)
    return np.stack([np.interp(points, corners, rate) for rate in rates])


def _add_legend(
    figure: Figure,
    keys: dict[str, Artist],
    missing: list[str],
    *,
    p_target: float,
    band: bool,
) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    mark: dict[str, Any] = {
        "linestyle": "",
        "markerfacecolor": "white",
        "markeredgecolor": GREY,
    }
    keys = keys | {
        f"{_plain(name)}: no curve, it lacks target or non-target trials": Patch(
            visible=False
        )
        for name in missing
    }
    keys["equal error rate (EER)"] = Line2D([], [], marker="o", markersize=7, **mark)
    keys[rf"smallest cost (minDCF, $P_\mathrm{{target}}$ = {p_target:g})"] = Line2D(
        [], [], marker="D", markersize=6, **mark
    )
    if band:
        keys[f"{100 * LEVEL:g} % of the curves of resampled speakers"] = Patch(
            color=GREY, alpha=0.2, linewidth=0
        )
    figure.legend(
        list(keys.values()),
        list(keys),
        loc="outside lower center",
        frameon=False,
        fontsize=9,
        handlelength=3,
    )


def _save(figure: Figure, path: Path, *, kind: str) -> Path:
    with beside(path) as place:
        figure.savefig(place, format=kind, dpi=150, metadata=FORMATS[kind])
    return path


def _deviate(rates: ArrayLike) -> FloatArray:
    """Quantile of the standard normal distribution."""
    from scipy.special import ndtri  # slow to import

    deviates: FloatArray = ndtri(rates)
    return deviates


def _plain(name: str) -> str:
    """Return a name that fits a legend; a dollar would begin a formula."""
    return textwrap.shorten(name, 60).replace("$", r"\$")
