"""How far a figure would move with other speakers: the speaker-level bootstrap.

Trials of one speaker resemble each other, so that an interval from trials alone is far
too narrow. Here speakers are drawn with replacement, as many as there are. A speaker
drawn k times brings k copies of each of their target trials; a non-target trial between
speakers drawn k and m times counts k * m times. (Two copies of one speaker never meet:
they are neither a new target nor a new non-target trial.) An interval is the range
between the percentiles of the figure over the resamples, corrected for their bias: a
figure that is the best of something, as minDCF and min Cllr are, is too low on few
speakers, and lower still on resamples of them. So where more than half of the resamples
are below the figure itself, the percentiles move up.

References
----------
Efron and Tibshirani, "An introduction to the bootstrap", 1993, chapters 13 and 14
(bias-corrected percentiles: BCa with an acceleration of 0).
Bolle, Ratha and Pankanti, "Error analysis of pattern recognition systems - the subsets
bootstrap", Computer Vision and Image Understanding 93(1), 2004.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from bob.learn.pytorch.metrics.curve import FloatArray, MetricError
from bob.learn.pytorch.metrics.resampled import measured, resampled_values

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bob.learn.pytorch.metrics.resampled import Measure
    from bob.learn.pytorch.metrics.table import ScoreTable


@dataclass(frozen=True)
class Interval:
    """Where the figure lies with the stated probability.

    NaN at both ends where there is none to give: no resample had a target and a
    non-target trial, as with a single speaker; or all gave the same figure, as with two
    speakers or without an error, which does not tell how far it would move.
    """

    low: float
    high: float
    level: float
    resamples: int

    @property
    def says_something(self) -> bool:
        """Return whether this is an interval with a width, and no NaN."""
        return self.low < self.high


def confidence_intervals(
    table: ScoreTable,
    measures: Mapping[str, Measure],
    *,
    level: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Interval]:
    """Bias-corrected percentile interval of each measure over resampled speakers.

    Resamples without a target or without a non-target trial are left out;
    `Interval.resamples` says how many were used.

    Parameters
    ----------
    measures
        Name -> a figure of an `ErrorCurve`, or a `TrialMean`.

    Raises
    ------
    MetricError
        No target or no non-target trial has a score, and a measure needs the curve;
        the level is not in (0, 1), or the number of resamples negative.
    """
    check_level(level)
    values = resampled_values(table, measures, resamples=resamples, seed=seed)
    figures = measured(table, measures)
    return {
        name: corrected_percentiles(found, figures[name], level=level)
        for name, found in values.items()
    }


def check_level(level: float) -> None:
    """Refuse what is no level of confidence."""
    if not 0 < level < 1:
        raise MetricError(
            f"the level of the interval is {level}; give a fraction between 0 and 1, "
            f"such as 0.95"
        )


def percentiles(values: FloatArray, *, level: float) -> Interval:
    """Return the range that holds the middle ones of the values that are not NaN."""
    return _range(values, ((1 - level) / 2, (1 + level) / 2), level)


def corrected_percentiles(
    values: FloatArray, figure: float, *, level: float
) -> Interval:
    """Return percentiles of the values, moved as the figure lies off their median."""
    kept = values[~np.isnan(values)]
    if not kept.size:
        return _range(kept, (0, 1), level)
    # Figures of few trials repeat; the last digits of equal ones may differ.
    equal = np.isclose(kept, figure, rtol=1e-12, atol=0)
    below = np.count_nonzero((kept < figure) & ~equal) + np.count_nonzero(equal) / 2
    most = 1 - 0.5 / kept.size
    normal = NormalDist()
    moved = 2 * normal.inv_cdf(min(max(below / kept.size, 1 - most), most))
    reach = normal.inv_cdf((1 + level) / 2)
    return _range(kept, (normal.cdf(moved - reach), normal.cdf(moved + reach)), level)


def _range(values: FloatArray, shares: tuple[float, float], level: float) -> Interval:
    kept = np.sort(values[~np.isnan(values)])
    if not kept.size:
        return Interval(math.nan, math.nan, level, 0)
    if np.isfinite(kept).all():
        low, high = np.quantile(kept, shares)
    else:  # nothing lies between a number and infinity
        places = np.ceil(np.multiply(shares, kept.size)).astype(int) - 1
        low, high = kept[np.maximum(places, 0)]
    # The last digits of equal figures may differ.
    if math.isclose(low, high, rel_tol=1e-9, abs_tol=1e-12):
        low = high = math.nan
    return Interval(float(low), float(high), level, kept.size)
