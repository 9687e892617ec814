"""One figure from the scores of target and of non-target trials.

A trial is accepted when its score is at or above the threshold. Scores may have any
shape; NaN is a failure to acquire and left out of every rate; ties are exact. Rates
are fractions in [0, 1], costs are normalised. Without a target or a non-target trial
that has a score there is no figure: `MetricError`.

Each function sorts the scores once. For several figures of the same scores, make one
`ErrorCurve` and ask that.

References
----------
Martin et al., "The DET curve in assessment of detection task performance", Eurospeech
1997.
NIST 2019 Speaker Recognition Evaluation Plan, section 3.1 (detection cost).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bob.learn.pytorch.metrics.curve import (
    ErrorCurve,
    FloatArray,
    MetricError,
    OperatingPoint,
    acquired,
    operating_point,
)

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def equal_error_rate(targets: ArrayLike, non_targets: ArrayLike) -> float:
    """Return the equal error rate of scores ``(trials,)`` each, a fraction.

    At no threshold are both rates equal as a rule: linear interpolation between the
    two neighbouring points of the ROC on either side.

    Examples
    --------
    >>> equal_error_rate([0.9, 0.8, 0.4], [0.5, 0.3, 0.2])
    0.3333333333333333
    """
    return ErrorCurve.from_scores(targets, non_targets).equal_error_rate()


def equal_error_threshold(targets: ArrayLike, non_targets: ArrayLike) -> float:
    """Return the threshold at which FMR and FNMR are nearest, of ``(trials,)`` each.

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
    """Return the EER on the convex hull of the ROC, of ``(trials,)`` each, a fraction.

    References
    ----------
    Brummer and de Villiers, "The BOSARIS toolkit: theory, algorithms and code for
    surviving the new DCF", 2013, section 3.2.
    """
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
    """Return the smallest detection cost of scores ``(trials,)`` each; at most 1.

    Normalised by ``min(c_miss * p_target, c_fa * (1 - p_target))``, as in the plans of
    NIST.
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
    """Return the threshold of the smallest detection cost, and the rates there.

    Scores are ``(targets,)`` and ``(non_targets,)``; NaN has no part. The threshold
    is NaN for "accept none" where a score is +inf.
    """
    curve = ErrorCurve.from_scores(targets, non_targets)
    return curve.min_dcf_point(p_target=p_target, c_miss=c_miss, c_fa=c_fa)


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

    Scores are ``(targets,)`` and ``(non_targets,)``; normalised as `min_dcf` is.
    """
    point = operating_point(targets, non_targets, threshold=threshold)
    return point.dcf(p_target=p_target, c_miss=c_miss, c_fa=c_fa)


def half_total_error_rate(
    targets: ArrayLike, non_targets: ArrayLike, *, threshold: float
) -> float:
    """Return the mean of FMR and FNMR at a threshold of other scores (dev).

    Scores are ``(targets,)`` and ``(non_targets,)``; the rate is a fraction.
    """
    point = operating_point(targets, non_targets, threshold=threshold)
    return point.half_total_error_rate


def fnmr_at_fmr(
    targets: ArrayLike, non_targets: ArrayLike, *, rate: float
) -> OperatingPoint:
    """Return the decision with the least FNMR of those with FMR <= rate.

    Scores are ``(targets,)`` and ``(non_targets,)``; rates are fractions.
    """
    return ErrorCurve.from_scores(targets, non_targets).fnmr_at_fmr(rate)


def fmr_at_fnmr(
    targets: ArrayLike, non_targets: ArrayLike, *, rate: float
) -> OperatingPoint:
    """Return the decision with the least FMR of those with FNMR <= rate.

    Scores are ``(targets,)`` and ``(non_targets,)``; rates are fractions.
    """
    return ErrorCurve.from_scores(targets, non_targets).fmr_at_fnmr(rate)


def failure_to_acquire(scores: ArrayLike) -> float:
    """Return the fraction of the scores ``(trials,)`` that are NaN.

    Raises
    ------
    MetricError
        There is no trial.
    """
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


def min_cllr(targets: ArrayLike, non_targets: ArrayLike) -> float:
    """Return Cllr after the best monotonic calibration of these trials, in bits.

    Scores ``(trials,)`` of any kind do; only their order counts. In [0, 1].

    Examples
    --------
    >>> min_cllr([3, 2], [1, 0])
    0.0
    """
    return ErrorCurve.from_scores(targets, non_targets).min_cllr()
