"""Speaker-level bootstrap: intervals of figures over resampled speakers.

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
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from bob.learn.pytorch.metrics.costs import bits
from bob.learn.pytorch.metrics.curve import FloatArray, MetricError, acquired

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import ArrayLike, NDArray

    from bob.learn.pytorch.metrics.costs import CostFunction
    from bob.learn.pytorch.metrics.curve import ErrorCurve, IntArray
    from bob.learn.pytorch.metrics.table import Codes, ScoreTable

    Costs: TypeAlias = Callable[[FloatArray], FloatArray]
    #: A figure that can be resampled: one of the curve, or a mean over trials.
    Measure: TypeAlias = Callable[[ErrorCurve], float] | "TrialMean"

#: Draws of the speakers, for tables of up to so many trials; fewer beyond, where a draw
#: takes long (1,000 of a million trials take 6 s) and intervals are narrow.
RESAMPLES, MANY_TRIALS, RESAMPLES_OF_MANY = 1000, 1_000_000, 200


@dataclass(frozen=True)
class Interval:
    """Range that holds the figure with the stated probability.

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


def usual_resamples(trials: int) -> int:
    """Return the number of draws for intervals of a table with so many trials.

    Examples
    --------
    >>> usual_resamples(1_000_000), usual_resamples(1_000_001)
    (1000, 200)
    """
    return RESAMPLES if trials <= MANY_TRIALS else RESAMPLES_OF_MANY


def confidence_intervals(
    table: ScoreTable,
    measures: Mapping[str, Measure],
    *,
    level: float = 0.95,
    resamples: int | None = None,
    seed: int = 0,
) -> dict[str, Interval]:
    """Return the bias-corrected interval of each measure over resampled speakers.

    Resamples without a target or without a non-target trial are left out;
    `Interval.resamples` says how many were used.

    Parameters
    ----------
    measures
        Name -> a figure of an `ErrorCurve`, or a `TrialMean`.
    resamples
        Draws of the speakers; by default `usual_resamples`.

    Raises
    ------
    MetricError
        No target or no non-target trial has a score, and a measure needs the curve;
        the level is not in (0, 1), or the number of resamples negative.
    """
    check_level(level)
    if resamples is None:
        resamples = usual_resamples(len(table))
    values = resampled_values(table, measures, resamples=resamples, seed=seed)
    figures = measured(table, measures)
    return {
        name: corrected_percentiles(found, figures[name], level=level)
        for name, found in values.items()
    }


def check_level(level: float) -> None:
    """Refuse a level of confidence that is not between 0 and 1."""
    if not 0 < level < 1:
        raise MetricError(
            f"the level of the interval is {level}; give a fraction between 0 and 1, "
            f"such as 0.95"
        )


def percentiles(values: FloatArray, *, level: float) -> Interval:
    """Return the range of the middle ``level`` of the values (draws,), without NaN."""
    return _range(values, ((1 - level) / 2, (1 + level) / 2), level)


def corrected_percentiles(
    values: FloatArray, figure: float, *, level: float
) -> Interval:
    """Return percentiles of the values (draws,), corrected for their median bias.

    They move as the figure lies off the median (Efron and Tibshirani, 1993, chapter
    14).
    """
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


@dataclass(frozen=True)
class TrialMean:
    """Mean over target trials plus mean over non-target trials.

    Attributes
    ----------
    target, non_target
        Scores ``(trials,)`` -> cost of each trial, at least 0. None: trials of this
        kind have no part in the figure and need not be there.
    """

    target: Costs | None
    non_target: Costs | None

    @classmethod
    def at(
        cls,
        threshold: float,
        *,
        miss: float | None = None,
        false_match: float | None = None,
    ) -> TrialMean:
        """Return FNMR and FMR at a fixed threshold, each times its weight.

        A rate without a weight has no part in the figure.
        """
        return cls(
            None if miss is None else partial(_step, threshold, miss, 0.0),
            None
            if false_match is None
            else partial(_step, threshold, 0.0, false_match),
        )

    def of(self, targets: ArrayLike, non_targets: ArrayLike) -> float:
        """Return the figure of scores (targets,) and (non_targets,), without NaN.

        Raises
        ------
        MetricError
            No trial of a kind that is needed has a score.
        """
        total = 0.0
        for kind, costs, scores in (
            ("target", self.target, targets),
            ("non-target", self.non_target, non_targets),
        ):
            if costs is not None:
                kept, failures = acquired(scores)
                if not kept.size:
                    raise MetricError(
                        f"no {kind} trial has a score ({failures} failed); at least "
                        f"one is needed"
                    )
                with np.errstate(over="ignore"):
                    total += float(costs(kept).mean())
        return total


def _step(
    threshold: float, below: float, above: float, scores: FloatArray
) -> FloatArray:
    return np.where(scores >= threshold, above, below)


#: Cllr of natural log-likelihood ratios, in bits.
CLLR = TrialMean(lambda scores: bits(-scores) / 2, lambda scores: bits(scores) / 2)


def actual_cost_mean(cost: CostFunction) -> TrialMean:
    """Return the mean actual cost of all applications, each at Bayes' threshold."""
    weights = [(one.threshold, *one.weights) for one in cost.costs]
    means = [TrialMean.at(at, miss=miss, false_match=fa) for at, miss, fa in weights]
    return TrialMean(
        partial(_mean_of, [mean.target for mean in means if mean.target]),
        partial(_mean_of, [mean.non_target for mean in means if mean.non_target]),
    )


def _mean_of(costs: list[Costs], scores: FloatArray) -> FloatArray:
    mean: FloatArray = np.mean([cost(scores) for cost in costs], axis=0)
    return mean


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
    """Return each measure on all trials; NaN where they do not allow it."""
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
    """Return each measure on each draw: ``(resamples,)``, NaN where there is none.

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
    """Yield how often each speaker is drawn, ``(speakers,)``, draw after draw."""
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
    below = corners.misses, corners.non_targets - corners.false_matches
    places = [np.unique(counts, return_inverse=True) for counts in below]
    target, reference, probe = (codes.astype(np.intp) for codes in trials[:3])
    draws = _draws(trials.speakers, resamples=resamples, seed=seed)
    for draw, drawn in enumerate(draws):
        # Bytes, which products of few copies fit into, are gathered four times as fast.
        copies = drawn.astype(np.min_scalar_type(int(drawn.max()) ** 2))
        misses = _summed(copies[target], *places[0])
        rejected = _summed(copies[reference] * copies[probe], *places[1])
        targets, non_targets = int(misses[-1]), int(rejected[-1])
        if targets and non_targets:
            yield (
                draw,
                replace(
                    corners,
                    misses=misses,
                    false_matches=non_targets - rejected,
                    targets=targets,
                    non_targets=non_targets,
                ),
            )


def _summed(
    weights: NDArray[np.unsignedinteger[Any]], ends: IntArray, which: NDArray[np.intp]
) -> IntArray:
    """Return the sum of the weights before each of the ends ``ends[which]``."""
    parts = np.add.reduceat(weights, ends[:-1], dtype=np.int64)
    sums: IntArray = np.append(0, np.cumsum(parts))[which]
    return sums


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
