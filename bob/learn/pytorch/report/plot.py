"""A picture in numbers: lines, marks and axes."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    FloatArray: TypeAlias = NDArray[np.float64]

Shape: TypeAlias = Literal["circle", "diamond", "square", "triangle"]


@dataclass(frozen=True)
class Axis:
    """One side of a picture: its ends and the labels between them."""

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
        the same system.
    filled
        Down to the lower end of the axis.
    tag
        Where along the line the number of the system stands, from 0 to 1.
    """

    x: FloatArray
    y: FloatArray
    look: int
    name: str = ""
    stroke: Literal["own", "thin", "solid", "dashed"] = "own"
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

    Attributes
    ----------
    description
        What it shows, for those who do not see it.
    notes
        In words, what no line shows.
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
        """Where the number of a line stands; None if it has none, or is not seen."""
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


def deviates(rates: ArrayLike) -> FloatArray:
    """Quantile of the standard normal distribution."""
    from scipy.special import ndtri  # slow to import

    found: FloatArray = ndtri(np.asarray(rates, dtype=np.float64))
    return found
