"""How far a figure would move with other speakers: the speaker-level bootstrap.

Trials of one speaker resemble each other, so that an interval from trials alone is far
too narrow. Here speakers are drawn with replacement, as many as there are. A speaker
drawn k times brings k copies of each of their target trials; a non-target trial between
speakers drawn k and m times counts k * m times. (Two copies of one speaker never meet:
they are neither a new target nor a new non-target trial.) An interval is the range
between the percentiles of the figure over the resamples.

References
----------
Efron and Tibshirani, "An introduction to the bootstrap", 1993, chapter 13.
Bolle, Ratha and Pankanti, "Error analysis of pattern recognition systems - the subsets
bootstrap", Computer Vision and Image Understanding 93(1), 2004.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from bob.learn.pytorch.metrics.curve import ErrorCurve, IntArray, MetricError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

    from bob.learn.pytorch.metrics.table import Codes, ScoreTable


@dataclass(frozen=True)
class Interval:
    """Where the figure lies with the stated probability.

    NaN at both ends where no resample had a target and a non-target trial, as with a
    single speaker.
    """

    low: float
    high: float
    level: float
    resamples: int


def confidence_intervals(
    table: ScoreTable,
    measures: Mapping[str, Callable[[ErrorCurve], float]],
    *,
    level: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Interval]:
    """Percentile interval of each measure over resampled speakers.

    Resamples without a target or without a non-target trial are left out;
    `Interval.resamples` says how many were used.

    Raises
    ------
    MetricError
        No target or no non-target trial has a score, or the level is not in (0, 1).
    """
    if not 0 < level < 1:
        raise MetricError(
            f"the level of the interval is {level}; give a fraction between 0 and 1, "
            f"such as 0.95"
        )
    values: dict[str, list[float]] = {name: [] for name in measures}
    for curve in resampled_curves(table, resamples=resamples, seed=seed):
        for name, measure in measures.items():
            values[name].append(measure(curve))
    return {name: _percentiles(found, level=level) for name, found in values.items()}


def _percentiles(values: list[float], *, level: float) -> Interval:
    if not values:
        return Interval(float("nan"), float("nan"), level, 0)
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high), level, len(values))


def resampled_curves(
    table: ScoreTable, *, resamples: int = 1000, seed: int = 0
) -> Iterator[ErrorCurve]:
    """Yield the error curve of each resample that has both kinds of trial.

    Raises
    ------
    MetricError
        No target or no non-target trial has a score.
    """
    # Between two corners of the unweighted curve only one of the two counts changes,
    # so weighted counts at the corners give the whole weighted curve.
    corners = table.curve().corners()
    target, reference, probe, speakers = _speakers_in_order(table)
    random = np.random.default_rng(seed)
    for _ in range(resamples):
        drawn = random.integers(speakers, size=speakers)
        copies = np.bincount(drawn, minlength=speakers)
        target_weights = np.cumsum(copies[target])
        non_target_weights = np.cumsum(copies[reference] * copies[probe])
        if target_weights[-1] and non_target_weights[-1]:
            yield _weighted(corners, target_weights, non_target_weights)


def _speakers_in_order(table: ScoreTable) -> tuple[Codes, Codes, Codes, int]:
    """Speakers of the trials, by ascending score, and how many speakers there are.

    The speaker of each target trial; those of the reference and of the probe of each
    non-target trial. Only speakers with a scored trial are numbered.
    """
    _, claimed, real = table.subjects
    scored = ~np.isnan(table.score)
    is_target = table.is_target

    def ascending(chosen: NDArray[np.bool_]) -> NDArray[np.intp]:
        index = np.flatnonzero(chosen)
        return index[np.argsort(table.score[index])]

    targets, non_targets = ascending(scored & is_target), ascending(scored & ~is_target)
    columns = claimed[targets], claimed[non_targets], real[non_targets]
    present = np.bincount(np.concatenate(columns)) > 0
    number = np.cumsum(present, dtype=np.int32) - 1
    target, reference, probe = (number[column] for column in columns)
    return target, reference, probe, int(present.sum())


def _weighted(
    corners: ErrorCurve, targets: IntArray, non_targets: IntArray
) -> ErrorCurve:
    """Return the curve with weights, which come summed over the ascending scores."""
    misses = np.append(0, targets)[corners.misses]
    rejected = np.append(0, non_targets)[corners.non_targets - corners.false_matches]
    return replace(
        corners,
        misses=misses,
        false_matches=non_targets[-1] - rejected,
        targets=int(targets[-1]),
        non_targets=int(non_targets[-1]),
    )
