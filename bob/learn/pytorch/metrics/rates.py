"""One figure from the scores of target and of non-target trials.

A trial is accepted when its score is at or above the threshold. Scores may have any
shape; NaN is a failure to acquire and left out of every rate; ties are exact. Rates
are fractions in [0, 1], costs are normalised. Without a target or a non-target trial
that has a score there is no figure: `MetricError`.

Each function sorts the scores once. For several figures of the same scores, make one
`ErrorCurve` and ask that.

Cllr is the mean cost, over all priors at once, of decisions by natural log-likelihood
ratios as they are, in bits. min Cllr is what is left of it after the best monotonic
calibration on the very same trials (PAV); the difference is the loss from calibration.
0 is perfect, a score that says nothing (always 0) has 1, and Cllr has no upper end. An
infinite score is a claim of certainty: where it is right it costs nothing, where it is
wrong Cllr is infinite. (So it is where costs add up to more than 1.8e308, the largest
number.) min Cllr knows the order only: it is finite, ties count as ties, and infinities
are scores like others.

References
----------
Martin et al., "The DET curve in assessment of detection task performance", Eurospeech
1997.
NIST 2019 Speaker Recognition Evaluation Plan, section 3.1 (detection cost).
Brummer and du Preez, "Application-independent evaluation of speaker detection",
Computer Speech & Language 20(2-3), 2006 (Cllr).
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

# Temporary arrays of this length stay in the processor's cache.
_BLOCK = 1 << 15


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


def operating_point(
    targets: ArrayLike, non_targets: ArrayLike, *, threshold: float
) -> OperatingPoint:
    """Return FMR and FNMR, of ``(trials,)`` each, at a threshold; NaN accepts none."""
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

    Scores are ``(targets,)`` and ``(non_targets,)``; normalised as `min_dcf` is.
    """
    point = operating_point(targets, non_targets, threshold=threshold)
    return point.dcf(p_target=p_target, c_miss=c_miss, c_fa=c_fa)


def false_match_rate(non_targets: ArrayLike, *, threshold: float) -> float:
    """Return the fraction of the scores ``(trials,)`` at or above the threshold."""
    scores, failures = acquired(non_targets)
    _need(scores, failures, kind="non-target")
    return float(np.count_nonzero(scores >= threshold) / scores.size)


def false_non_match_rate(targets: ArrayLike, *, threshold: float) -> float:
    """Return the fraction of the scores ``(trials,)`` below the threshold."""
    scores, failures = acquired(targets)
    _need(scores, failures, kind="target")
    return float(np.count_nonzero(~(scores >= threshold)) / scores.size)


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


def _need(scores: FloatArray, failures: int, *, kind: str) -> None:
    if not scores.size:
        raise MetricError(
            f"no {kind} trial has a score ({failures} failed); at least one is needed: "
            f"check that the protocol has {kind} trials and that their recordings "
            f"could be read"
        )


def cllr(targets: ArrayLike, non_targets: ArrayLike) -> float:
    """Return the cost, in bits, of log-likelihood ratios ``(trials,)`` each, in nats.

    Brummer and du Preez (2006) define it.

    Raises
    ------
    MetricError
        "0 target and 8 non-target trials have a score (2 failed); at least one of each
        is needed for Cllr".

    Examples
    --------
    >>> cllr([0, 0], [0])
    1.0
    """
    positives, failed_positives = acquired(targets)
    negatives, failed_negatives = acquired(non_targets)
    if not (positives.size and negatives.size):
        raise MetricError(
            f"{positives.size} target and {negatives.size} non-target trials have a "
            f"score ({failed_positives + failed_negatives} failed); at least one of "
            f"each is needed for Cllr"
        )
    return (_mean_bits(-positives) + _mean_bits(negatives)) / 2


def min_cllr(targets: ArrayLike, non_targets: ArrayLike) -> float:
    """Return Cllr after the best monotonic calibration of these trials, in bits.

    Scores ``(trials,)`` of any kind do; only their order counts. In [0, 1].

    Examples
    --------
    >>> min_cllr([3, 2], [1, 0])
    0.0
    """
    return ErrorCurve.from_scores(targets, non_targets).min_cllr()


def bits(log_odds: FloatArray) -> FloatArray:
    """Return ``log2(1 + exp(x))`` of ``(trials,)`` nats, without overflow: bits each.

    For a non-target trial x is its log-likelihood ratio, for a target trial the
    negative of it.
    """
    small: FloatArray = np.log1p(np.exp(-np.abs(log_odds)))
    small += np.maximum(log_odds, 0)
    with np.errstate(over="ignore"):
        small /= np.log(2)
    return small


def _mean_bits(log_odds: FloatArray) -> float:
    """Return the mean of `bits`, a block at a time."""
    blocks = range(0, log_odds.size, _BLOCK)
    with np.errstate(over="ignore"):
        total = sum(float(bits(log_odds[i : i + _BLOCK]).sum()) for i in blocks)
    return total / log_odds.size
