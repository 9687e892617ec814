"""Pictures in numbers: lines, marks and axes; and the DET picture.

`svg` draws it for a page, `pictures` for PDF and PNG.

References
----------
Martin et al., "The DET curve in assessment of detection task performance", Eurospeech
1997.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import ArrayLike, NDArray

    FloatArray: TypeAlias = NDArray[np.float64]

Shape: TypeAlias = Literal["circle", "diamond", "square", "triangle"]

# As the page has them on white; with dashes and numbers, any colour vision will do.
COLOURS = ("#00318b", "#c65300", "#177456", "#c66ea9", "#4a2f04", "#4f8fff", "#1c1e21")
GREY = "#6b7178"
#: Marks of operating points by their kind, and their meanings.
SHAPES: dict[str, Shape] = {
    "eer": "circle",
    "minimum": "diamond",
    "actual": "square",
    "dev": "triangle",
}
MEANINGS = {
    "eer": "equal error rate (EER)",
    "minimum": "least cost (minDCF)",
    "actual": "Bayes' threshold (actDCF), where it lies inside",
    "dev": "EER threshold of dev",
}
#: Of more systems, a picture shows less of each, so that it can be read.
MANY_SYSTEMS = 6
# In percent: the ends that an axis of rates may have, and its labels.
_PERCENT = np.array(
    [0.001, 0.01, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 40, 60, 80, 90, 95, 98, 99]
)


@dataclass(frozen=True)
class Axis:
    """A side of a picture: its ends and the labels between them."""

    label: str
    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]


@dataclass(frozen=True, eq=False)
class Line:
    """A line through points.

    Attributes
    ----------
    look
        Number of the system, which has a colour and a dash of its own; -1 is a guide.
    stroke
        ``own`` is the dash of the look; ``thin`` too, for what stands behind a line of
        the same system; ``none`` draws the area alone.
    filled
        The area inside is coloured.
    tag
        Place of the system's number along the line, from 0 to 1.
    """

    x: FloatArray
    y: FloatArray
    look: int
    name: str = ""
    stroke: Literal["own", "thin", "solid", "dashed", "none"] = "own"
    filled: bool = False
    tag: float | None = None


@dataclass(frozen=True)
class Mark:
    """A point of a system, with words that say what it is."""

    x: float
    y: float
    look: int
    shape: Shape
    name: str


@dataclass(frozen=True, eq=False)
class Plot:
    """A picture.

    The description is for those who do not see it; notes tell what no line shows.
    """

    title: str
    description: str
    x: Axis
    y: Axis
    lines: tuple[Line, ...]
    marks: tuple[Mark, ...] = ()
    size: tuple[int, int] = (480, 440)
    notes: tuple[str, ...] = field(default=())

    def tag_place(self, line: Line) -> tuple[float, float] | None:
        """Return the place of a line's number; None if it has none, or is not seen."""
        x, y = ((v - a.low) / (a.high - a.low)
                for v, a in ((line.x, self.x), (line.y, self.y)))  # fmt: skip
        seen = np.flatnonzero((x >= 0) & (x <= 1) & (y >= 0) & (y <= 1))
        if line.tag is None or not seen.size:
            return None
        steps = np.hypot(np.diff(x[seen]), np.diff(y[seen]))
        # Where the line was outside meanwhile, there is nothing to stand on.
        steps[np.diff(seen) > 1] = 0
        way = np.append(0.0, np.cumsum(steps))
        nearest = seen[np.searchsorted(way, line.tag * way[-1])]
        return float(line.x[nearest]), float(line.y[nearest])


def round_ticks(low: float, high: float, most: int) -> tuple[tuple[float, str], ...]:
    """Round numbers inside an axis, at most about as many as wanted."""
    rough = (high - low) / most
    scale = 10.0 ** math.floor(math.log10(rough))
    step = next(scale * unit for unit in (1, 2, 2.5, 5, 10) if scale * unit >= rough)
    numbers = np.arange(
        math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1
    )
    return tuple((float(place), f"{place:g}") for place in np.round(numbers * step, 10))


def _deviates(rates: ArrayLike) -> FloatArray:
    """Quantile of the standard normal distribution."""
    from scipy.special import ndtri  # slow to import

    found: FloatArray = ndtri(np.asarray(rates, dtype=np.float64))
    return found


@dataclass(frozen=True)
class DetPoint:
    """A mark upon a DET curve; its rates are fractions."""

    kind: str
    name: str
    false_match_rate: float
    false_non_match_rate: float


@dataclass(frozen=True, eq=False)
class DetCurve:
    """The errors of a system at every decision.

    Attributes
    ----------
    look
        Number of the system, for its colour and dash.
    false_match_rates, false_non_match_rates
        ``(corners,)``, fractions; straight lines between them.
    eer
        A fraction.
    points
        Decisions that are marked.
    band
        ``(3, rates)``: false match rates, and the range of false non-match rates there.
    """

    name: str
    look: int
    false_match_rates: FloatArray
    false_non_match_rates: FloatArray
    eer: float
    points: tuple[DetPoint, ...] = ()
    band: FloatArray | None = None


def det_plot(
    curves: Sequence[DetCurve],
    *,
    title: str = "Detection error trade-off (DET)",
    notes: Iterable[str] = (),
) -> Plot:
    """Return false non-match over false match rates on normal-deviate axes.

    Of many systems, only the EER is marked.
    """
    few = len(curves) <= MANY_SYSTEMS
    low, high = _rate_limits(curves, with_minima=few)
    ends = _deviates([low, high])
    outside = low / 50, 1 - (1 - high) / 50
    lines = []
    for one in curves:
        if one.band is not None:
            grid, under, over = _deviates(np.clip(one.band, *outside))
            x, y = np.append(grid, grid[::-1]), np.append(under, over[::-1])
            name = f"{one.name}, band"
            lines.append(Line(x, y, one.look, name, "none", filled=True))
    lines.append(Line(ends, ends, -1, "equal rates", "dashed"))
    marks = []
    for place, one in enumerate(curves, 1):
        x, y = _deviates(np.clip(_along(one), *outside))
        lines.append(Line(x, y, one.look, one.name, tag=tag_share(place, len(curves))))
        marks += [
            mark
            for mark in _det_marks(one, low=low, high=high)
            if few or mark.shape == SHAPES["eer"]
        ]
    faultless = [one.name for one in curves if one.eer == 0]
    if faultless:
        notes = [
            *notes, "No error at the best threshold: " + ", ".join(faultless) + "."
        ]  # fmt: skip
    rates = "; ".join(f"{one.name}: EER {100 * one.eer:.2f} %" for one in curves)
    return Plot(
        title,
        "False non-match rate over false match rate on normal-deviate axes, lower left "
        f"is better. {rates}",
        _rate_axis("False match rate (%)", low, high),
        _rate_axis("False non-match rate (%)", low, high),
        tuple(lines),
        tuple(marks),
        size=(480, 470),
        notes=tuple(notes),
    )


def tag_share(place: int, count: int) -> float | None:
    """Spread numbers along the lines, off the middle, where the EER is marked."""
    if count == 1:
        return None
    share = place / (count + 1)
    return 0.84 * share if share <= 0.5 else 1 - 0.84 * (1 - share)


def _along(one: DetCurve) -> FloatArray:
    """(2, points): ties make slanting lines, straight in rates and bent in deviates."""
    rates = one.false_match_rates, one.false_non_match_rates
    place = np.arange(rates[0].size)
    between = 1 if place.size > 1000 else 40
    points = np.linspace(0, place[-1], place[-1] * between + 1)
    return np.stack([np.interp(points, place, rate) for rate in rates])


def _det_marks(one: DetCurve, *, low: float, high: float) -> list[Mark]:
    found = []
    for point in one.points:
        rates = point.false_match_rate, point.false_non_match_rate
        if point.kind == "eer":
            rates = (one.eer, one.eer)
        # "Accept none", as Bayes' threshold decides of cosines, is no point to show.
        if max(rates) > high and point.kind in ("actual", "dev"):
            continue
        name = (
            f"{one.name}, {point.name}: FMR {100 * rates[0]:.2f} %, "
            f"FNMR {100 * rates[1]:.2f} %"
        )
        x, y = _deviates(np.clip(rates, low, high)).tolist()
        found.append(Mark(x, y, one.look, SHAPES[point.kind], name))
    return found


def _rate_limits(
    curves: Sequence[DetCurve], *, with_minima: bool
) -> tuple[float, float]:
    """Return the ends of both axes, as rates: the marked points lie well inside."""
    low, high = 0.001, 0.4
    for one in curves:
        rates = [one.eer / 3]
        for point in one.points if with_minima else ():
            if point.kind == "minimum":
                rates += [point.false_match_rate, point.false_non_match_rate]
        low = min([low, *(rate / 2 for rate in rates if rate > 0)])
        high = max(high, 3 * one.eer, *(1.1 * rate for rate in rates))
    first = np.searchsorted(_PERCENT, max(100 * low, _PERCENT[0]), side="right") - 1
    last = np.searchsorted(_PERCENT, min(100 * high, _PERCENT[-1]))
    return float(_PERCENT[first]) / 100, float(_PERCENT[last]) / 100


def _rate_axis(label: str, low: float, high: float) -> Axis:
    ends = _deviates([low, high]).tolist()
    ticks: list[tuple[float, str]] = []
    for percent in _PERCENT[(99 * low <= _PERCENT) & (100.5 * high >= _PERCENT)]:
        place = float(_deviates([percent / 100])[0])
        # Labels that would touch their neighbour are left out.
        if not ticks or place - ticks[-1][0] > (ends[1] - ends[0]) / 16:
            ticks.append((place, f"{percent:g}"))
    return Axis(label, ends[0], ends[1], tuple(ticks))
