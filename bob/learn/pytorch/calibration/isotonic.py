"""Scores -> log-likelihood ratios in steps: pool adjacent violators (PAV)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from bob.learn.pytorch.calibration.linear import TrainingTrials
from bob.learn.pytorch.calibration.logistic import CalibrationError
from bob.learn.pytorch.metrics import ErrorCurve, MetricError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

    FloatArray: TypeAlias = NDArray[np.float64]
    Counts: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True)
class IsotonicCalibration:
    """A log-likelihood ratio that rises in steps with the score.

    Attributes
    ----------
    thresholds
        Ascending; a score at or above one is on the step after it.
    ratios
        Natural log-likelihood ratio of each step, one more than thresholds. The outer
        ones are infinite where one kind of trial is alone, unless it was ``bounded``.
    trained_on, provenance
        As in :class:`~bob.learn.pytorch.calibration.LinearCalibration`.
    """

    thresholds: tuple[float, ...]
    ratios: tuple[float, ...]
    trained_on: TrainingTrials
    provenance: Mapping[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"<IsotonicCalibration {self.trained_on}>"

    def __post_init__(self) -> None:
        thresholds = np.array(self.thresholds, dtype=np.float64)
        ratios = np.array(self.ratios, dtype=np.float64)
        rising = bool((thresholds[1:] > thresholds[:-1]).all()) and bool(
            (ratios[1:] >= ratios[:-1]).all()
        )
        if ratios.size != thresholds.size + 1 or not rising:
            raise CalibrationError(
                f"{len(self.thresholds)} thresholds and {len(self.ratios)} ratios are "
                f"no steps; both must rise, with one ratio more"
            )

    def __call__(self, scores: ArrayLike) -> FloatArray:
        """Return natural log-likelihood ratios, of the shape of the scores.

        NaN stays NaN.
        """
        values = np.asarray(scores, dtype=np.float64)
        step = np.searchsorted(np.array(self.thresholds), values, side="right")
        ratios = np.array(self.ratios)[step]
        return np.where(np.isnan(values), np.nan, ratios)


def fit_isotonic(
    targets: ArrayLike,
    non_targets: ArrayLike,
    *,
    bounded: bool = True,
    provenance: Mapping[str, str] | None = None,
) -> IsotonicCalibration:
    """Fit the rising steps of the score that explain the trials best (PAV).

    Trials with one score share a step, so ties are exact. Between two steps the
    threshold lies half way.

    Parameters
    ----------
    targets, non_targets
        ``(trials,)``; NaN is left out and counted, infinities are scores like others.
    bounded
        Add a target and a non-target trial to the lowest and to the highest score,
        in the manner of Laplace's rule of succession, so that no ratio is infinite.
    provenance
        Kept with the result.

    Raises
    ------
    CalibrationError
        One kind of trial has no score.

    References
    ----------
    Ayer et al., "An empirical distribution function for sampling with incomplete
    information", Annals of Mathematical Statistics 26, 1955; Zadrozny and Elkan,
    "Transforming classifier scores into accurate multiclass probability estimates",
    KDD 2002.

    Examples
    --------
    >>> calibration = fit_isotonic([0.6, 0.9], [0.1, 0.7], bounded=False)
    >>> calibration.thresholds, calibration.ratios
    ((0.35, 0.8), (-inf, 0.0, inf))
    """
    try:
        curve = ErrorCurve.from_scores(targets, non_targets)
    except MetricError as error:
        raise CalibrationError(str(error)) from error
    counts = np.stack([np.diff(curve.misses), -np.diff(curve.false_matches)], axis=1)
    if bounded:
        counts[0] += 1
        counts[-1] += 1
    starts, pooled = _pool_adjacent_violators(counts)
    with np.errstate(divide="ignore"):
        ratios = np.log(pooled[:, 0]) - np.log(pooled[:, 1])
    ratios += np.log(counts[:, 1].sum()) - np.log(counts[:, 0].sum())
    return IsotonicCalibration(
        thresholds=tuple(curve.thresholds[starts[1:]].tolist()),
        ratios=tuple(ratios.tolist()),
        trained_on=TrainingTrials(curve.targets, curve.non_targets, curve.failures),
        provenance=dict(provenance or {}),
    )


def _pool_adjacent_violators(counts: Counts) -> tuple[NDArray[np.intp], Counts]:
    """Pool neighbours until the share of targets rises from each pool to the next.

    ``(scores, 2)``, targets and non-targets with each score, ascending -> position of
    the first score of each pool, ``(pools,)``, and its trials, ``(pools, 2)``. Shares
    are compared as whole numbers, so equal ones always pool.
    """
    totals = counts.sum(axis=1)
    # All falling stretches in one go; few pools remain for the loop.
    rises = counts[1:, 0] * totals[:-1] > counts[:-1, 0] * totals[1:]
    first = np.flatnonzero(np.append(True, rises))
    pools = np.add.reduceat(counts, first, axis=0).tolist()
    stack: list[tuple[int, int, int]] = []
    for start, (targets, non_targets) in zip(first.tolist(), pools, strict=True):
        here = (start, targets, non_targets)
        # t / (t + n) >= t' / (t' + n') is t * n' >= t' * n.
        while stack and stack[-1][1] * here[2] >= here[1] * stack[-1][2]:
            before = stack.pop()
            here = (before[0], before[1] + here[1], before[2] + here[2])
        stack.append(here)
    table = np.array(stack, dtype=np.int64)
    return table[:, 0].astype(np.intp), table[:, 1:]
