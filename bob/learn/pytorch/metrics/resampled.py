"""Figures of resampled speakers: one value per draw."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from bob.learn.pytorch.metrics.curve import MetricError
from bob.learn.pytorch.metrics.means import TrialMean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

    from bob.learn.pytorch.metrics.curve import ErrorCurve, FloatArray, IntArray
    from bob.learn.pytorch.metrics.table import Codes, ScoreTable

    #: What can be resampled: a figure of the curve, or a mean over trials.
    Measure: TypeAlias = Callable[[ErrorCurve], float] | TrialMean


class _Trials(NamedTuple):
    """Speakers of the scored trials, by ascending score.

    The speaker of each target trial; those of the reference and of the probe of each
    non-target trial; how many there are. Speakers without a scored trial are none.
    """

    target: Codes
    reference: Codes
    probe: Codes
    target_scores: FloatArray
    non_target_scores: FloatArray
    speakers: int


def measured(table: ScoreTable, measures: Mapping[str, Measure]) -> dict[str, float]:
    """Each measure on all trials; NaN where they do not allow it."""
    figures, curve = dict.fromkeys(measures, float("nan")), None
    targets, non_targets = table.targets, table.non_targets
    for name, measure in measures.items():
        with suppress(MetricError):
            if isinstance(measure, TrialMean):
                figures[name] = measure.of(targets, non_targets)
            else:
                curve = curve or table.curve()
                figures[name] = measure(curve)
    return figures


def resampled_values(
    table: ScoreTable, measures: Mapping[str, Measure], *, resamples: int, seed: int
) -> dict[str, FloatArray]:
    """Each measure on each draw: ``(resamples,)``, NaN where a draw does not allow it.

    A seed gives the same draws for every table of the same trials.

    Raises
    ------
    MetricError
        No target or no non-target trial has a score, and a measure needs the curve; or
        the number of resamples is negative.
    """
    if resamples < 0:
        raise MetricError(
            f"the number of resamples is {resamples}; give 0 for none, usually 1000"
        )
    trials = _speakers_in_order(table)
    values = {name: np.full(resamples, np.nan, dtype=np.float64) for name in measures}
    of_curves: dict[str, Callable[[ErrorCurve], float]] = {}
    for name, measure in measures.items():
        if isinstance(measure, TrialMean):
            values[name] = _means(trials, measure, resamples=resamples, seed=seed)
        else:
            of_curves[name] = measure
    if of_curves:
        curves = _curves(table.curve(), trials, resamples=resamples, seed=seed)
        for draw, curve in curves:
            for name, figure in of_curves.items():
                values[name][draw] = figure(curve)
    return values


def resampled_curves(
    table: ScoreTable, *, resamples: int = 1000, seed: int = 0
) -> Iterator[ErrorCurve]:
    """Yield the error curve of each resample that has both kinds of trial.

    Raises
    ------
    MetricError
        No target or no non-target trial has a score.
    """
    curve, trials = table.curve(), _speakers_in_order(table)
    for _, resampled in _curves(curve, trials, resamples=resamples, seed=seed):
        yield resampled


def _draws(speakers: int, *, resamples: int, seed: int) -> Iterator[NDArray[np.intp]]:
    """How often each speaker is drawn, ``(speakers,)``, draw after draw."""
    random = np.random.default_rng(seed)
    for _ in range(resamples):
        drawn = random.integers(speakers, size=speakers)
        yield np.bincount(drawn, minlength=speakers)


def _curves(
    curve: ErrorCurve, trials: _Trials, *, resamples: int, seed: int
) -> Iterator[tuple[int, ErrorCurve]]:
    # Between two corners of the unweighted curve only one of the two counts changes,
    # so weighted counts at the corners give the whole weighted curve.
    corners = curve.corners()
    draws = _draws(trials.speakers, resamples=resamples, seed=seed)
    for draw, copies in enumerate(draws):
        targets = np.cumsum(copies[trials.target])
        non_targets = np.cumsum(copies[trials.reference] * copies[trials.probe])
        if targets[-1] and non_targets[-1]:
            yield draw, _weighted(corners, targets, non_targets)


def _means(
    trials: _Trials, measure: TrialMean, *, resamples: int, seed: int
) -> FloatArray:
    """``(resamples,)``, NaN where a draw lacks a kind of trial that is needed."""
    from scipy.sparse import coo_matrix  # here: it takes a moment to import

    if not trials.speakers:
        return np.full(resamples, np.nan)
    draws = _draws(trials.speakers, resamples=resamples, seed=seed)
    copies = np.array(list(draws), dtype=np.float64).reshape(-1, trials.speakers).T
    total = np.zeros(resamples)
    if measure.target is not None:
        costs = measure.target(trials.target_scores)
        total += _mean_of_sums(
            costs,
            lambda some: (
                copies.T @ np.bincount(trials.target, some, minlength=len(copies))
            ),
        )
    if measure.non_target is not None:
        pairs = trials.reference, trials.probe
        shape = (trials.speakers, trials.speakers)
        total += _mean_of_sums(
            measure.non_target(trials.non_target_scores),
            # The count of a pair of speakers is the product of both counts.
            lambda some: np.einsum(
                "sr,sr->r",
                copies,
                coo_matrix((some, pairs), shape=shape).tocsr() @ copies,
            ),
        )
    return total


def _mean_of_sums(
    costs: FloatArray, weighted_sum: Callable[[FloatArray], FloatArray]
) -> FloatArray:
    """Weighted mean of each draw; infinite where an infinite cost was drawn."""
    finite = np.isfinite(costs)
    sums = weighted_sum(np.where(finite, costs, 0.0))
    weights = weighted_sum(np.ones_like(costs))
    if not finite.all():
        sums[weighted_sum((~finite).astype(np.float64)) > 0] = np.inf
    return np.divide(sums, weights, out=np.full_like(sums, np.nan), where=weights > 0)


def _speakers_in_order(table: ScoreTable) -> _Trials:
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
    return _Trials(
        target,
        reference,
        probe,
        table.score[targets],
        table.score[non_targets],
        int(present.sum()),
    )


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
