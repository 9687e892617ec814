"""One figure from the scores of target and of non-target trials.

A trial is accepted when its score is at or above the threshold. Scores may have any
shape; NaN is a failure to acquire and left out of every rate; ties are exact. Rates
are fractions in [0, 1], costs are normalised. Without a target or a non-target trial
that has a score there is no figure: `MetricError`.

Each function sorts the scores once. For several figures of the same scores, make one
`ErrorCurve` and ask that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bob.learn.pytorch.metrics.curve import (
    ErrorCurve,
    FloatArray,
    MetricError,
    OperatingPoint,
    acquired,
)

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def equal_error_rate(targets: ArrayLike, non_targets: ArrayLike) -> float:
    """Rate at which false matches and false non-matches are equally frequent.

    Where no threshold makes them equal: linear interpolation between the two
    neighbouring points of the ROC on either side.

    Examples
    --------
    >>> equal_error_rate([0.9, 0.8, 0.4], [0.5, 0.3, 0.2])
    0.3333333333333333
    """
    return ErrorCurve.from_scores(targets, non_targets).equal_error_rate()


def equal_error_threshold(targets: ArrayLike, non_targets: ArrayLike) -> float:
    """Return the threshold at which FMR and FNMR are nearest to each other.

    It lies half way between the two neighbouring scores, so that it suits other
    scores too. Beside a score of infinity it is infinite, or NaN for "accept none": no
    number rejects +inf.

    Examples
    --------
    >>> equal_error_threshold([3, 4], [0, 1])
    2.0
    """
    return ErrorCurve.from_scores(targets, non_targets).equal_error_point().threshold


def rocch_equal_error_rate(targets: ArrayLike, non_targets: ArrayLike) -> float:
    """Equal error rate on the convex hull of the ROC, as BOSARIS defines it."""
    curve = ErrorCurve.from_scores(targets, non_targets)
    return curve.corners().rocch_equal_error_rate()


def min_dcf(
    targets: ArrayLike,
    non_targets: ArrayLike,
    *,
    p_target: float = 0.01,
    c_miss: float = 1.0,
    c_fa: float = 1.0,
) -> float:
    """Smallest detection cost over all thresholds.

    Normalised by ``min(c_miss * p_target, c_fa * (1 - p_target))``: at most 1.
    """
    curve = ErrorCurve.from_scores(targets, non_targets)
    return curve.min_dcf(p_target=p_target, c_miss=c_miss, c_fa=c_fa)


def min_dcf_point(
    targets: ArrayLike,
    non_targets: ArrayLike,
    *,
    p_target: float = 0.01,
    c_miss: float = 1.0,
    c_fa: float = 1.0,
) -> OperatingPoint:
    """Threshold of the smallest detection cost and the rates there.

    The threshold is NaN for "accept none" where a score is +inf.
    """
    curve = ErrorCurve.from_scores(targets, non_targets)
    return curve.min_dcf_point(p_target=p_target, c_miss=c_miss, c_fa=c_fa)


def operating_point(
    targets: ArrayLike, non_targets: ArrayLike, *, threshold: float
) -> OperatingPoint:
    """Both rates at a threshold that was fixed beforehand; NaN accepts none."""
    return OperatingPoint(
        threshold=threshold,
        false_match_rate=false_match_rate(non_targets, threshold=threshold),
        false_non_match_rate=false_non_match_rate(targets, threshold=threshold),
    )


def act_dcf(
    targets: ArrayLike,
    non_targets: ArrayLike,
    *,
    threshold: float,
    p_target: float = 0.01,
    c_miss: float = 1.0,
    c_fa: float = 1.0,
) -> float:
    """Return the detection cost at a threshold that was fixed beforehand; may exceed 1.

    Normalised as `min_dcf` is.
    """
    point = operating_point(targets, non_targets, threshold=threshold)
    return point.dcf(p_target=p_target, c_miss=c_miss, c_fa=c_fa)


def false_match_rate(non_targets: ArrayLike, *, threshold: float) -> float:
    """Share of the non-target trials that are accepted."""
    scores, failures = acquired(non_targets)
    _need(scores, failures, kind="non-target")
    return float(np.count_nonzero(scores >= threshold) / scores.size)


def false_non_match_rate(targets: ArrayLike, *, threshold: float) -> float:
    """Share of the target trials that are rejected."""
    scores, failures = acquired(targets)
    _need(scores, failures, kind="target")
    return float(np.count_nonzero(~(scores >= threshold)) / scores.size)


def half_total_error_rate(
    targets: ArrayLike, non_targets: ArrayLike, *, threshold: float
) -> float:
    """Mean of both rates at a threshold that was found on other scores (dev)."""
    point = operating_point(targets, non_targets, threshold=threshold)
    return point.half_total_error_rate


def fnmr_at_fmr(
    targets: ArrayLike, non_targets: ArrayLike, *, rate: float
) -> OperatingPoint:
    """Return the decision with the least FNMR of those with FMR <= rate."""
    return ErrorCurve.from_scores(targets, non_targets).fnmr_at_fmr(rate)


def fmr_at_fnmr(
    targets: ArrayLike, non_targets: ArrayLike, *, rate: float
) -> OperatingPoint:
    """Return the decision with the least FMR of those with FNMR <= rate."""
    return ErrorCurve.from_scores(targets, non_targets).fmr_at_fnmr(rate)


def failure_to_acquire(scores: ArrayLike) -> float:
    """Share of the trials without a score (NaN)."""
    kept, failures = acquired(scores)
    if not kept.size + failures:
        raise MetricError("there is no trial; check that the score file is not empty")
    return failures / (kept.size + failures)


def det_points(
    targets: ArrayLike, non_targets: ArrayLike
) -> tuple[FloatArray, FloatArray]:
    """Return false match and false non-match rates, ``(corners,)`` each.

    Only the corners of the curve, from (1, 0) to (0, 1): joined by straight lines they
    are the whole ROC.
    """
    curve = ErrorCurve.from_scores(targets, non_targets).corners()
    return curve.false_match_rates, curve.false_non_match_rates


def _need(scores: FloatArray, failures: int, *, kind: str) -> None:
    if not scores.size:
        raise MetricError(
            f"no {kind} trial has a score ({failures} failed); at least one is needed: "
            f"check that the protocol has {kind} trials and that their recordings "
            f"could be read"
        )
