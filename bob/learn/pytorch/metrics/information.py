"""What scores say about a trial in bits, when they are read as log-likelihood ratios.

Cllr is the mean cost, over all priors at once, of decisions by the scores as they are.
min Cllr is what is left of it after the best monotonic calibration on the very same
trials (PAV); the difference is the loss from calibration. 0 is perfect, a score that
says nothing (always 0) has 1, and Cllr has no upper end.

NaN is a failure to acquire and left out. A score that is infinite is a claim of
certainty: where it is right it costs nothing, where it is wrong Cllr is infinite. (So
it is where costs add up to more than 1.8e308, the largest number.) min Cllr knows the
order only: it is finite, ties count as ties, and infinities are scores like others.
Without a target or a non-target trial that has a score there is no figure:
`MetricError`.

References
----------
Brummer and du Preez, "Application-independent evaluation of speaker detection",
Computer Speech & Language 20(2-3), 2006.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bob.learn.pytorch.metrics.curve import (
    ErrorCurve,
    FloatArray,
    MetricError,
    acquired,
)

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

# Temporary arrays of this length stay in the processor's cache.
BLOCK = 1 << 15


def cllr(targets: ArrayLike, non_targets: ArrayLike) -> float:
    """Cost of log-likelihood ratios (natural logarithms) in bits.

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
    return (mean_bits(-positives) + mean_bits(negatives)) / 2


def min_cllr(targets: ArrayLike, non_targets: ArrayLike) -> float:
    """Cllr after the best monotonic calibration on these trials, in [0, 1].

    Scores of any kind do; only their order counts.

    Examples
    --------
    >>> min_cllr([3, 2], [1, 0])
    0.0
    """
    return ErrorCurve.from_scores(targets, non_targets).min_cllr()


def bits(log_odds: FloatArray) -> FloatArray:
    """``log2(1 + exp(x))`` of each, without overflow: the cost of one trial.

    For a non-target trial x is its log-likelihood ratio, for a target trial the
    negative of it.
    """
    small: FloatArray = np.log1p(np.exp(-np.abs(log_odds)))
    small += np.maximum(log_odds, 0)
    with np.errstate(over="ignore"):
        small /= np.log(2)
    return small


def mean_bits(log_odds: FloatArray) -> float:
    """Mean of `bits`, a block at a time."""
    blocks = range(0, log_odds.size, BLOCK)
    with np.errstate(over="ignore"):
        total = sum(float(bits(log_odds[i : i + BLOCK]).sum()) for i in blocks)
    return total / log_odds.size
