"""Detection costs: the presets of evaluations, and what calibration loses.

A cost is what decisions cost on average in one application: a prior of target trials
and the costs of both errors. It is normalised, so that 1 is the better of "never" and
"always" accept. The minimum is over all thresholds; the actual cost is that of
Bayes' threshold, for scores that claim to be (natural) log-likelihood ratios. The
actual cost of scores that are none, such as cosines, says nothing.

Some evaluations take the mean of several applications; so does `CostFunction`.

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
Brummer and du Preez, "Application-independent evaluation of speaker detection",
Computer Speech & Language 20(2-3), 2006 (Cllr).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bob.learn.pytorch.metrics.curve import (
    ErrorCurve,
    FloatArray,
    MetricError,
    OperatingPoint,
    acquired,
    cost_weights,
    operating_point,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import ArrayLike

    from bob.learn.pytorch.metrics.table import Names, ScoreTable

#: The exponential of more is no number.
MOST_LOG_ODDS = 700
# Temporary arrays of this length stay in the processor's cache.
_BLOCK = 1 << 15


class CostError(MetricError):
    """A text is no detection cost."""

    parameter = "cost"


@dataclass(frozen=True)
class DetectionCost:
    """One application: a prior and two costs.

    Raises
    ------
    MetricError
        The prior is not between 0 and 1, a cost is not a positive number, or they make
        one error weigh more than any number says.
    """

    p_target: float = 0.01
    c_miss: float = 1.0
    c_fa: float = 1.0

    def __post_init__(self) -> None:
        self.weights  # noqa: B018 - refuses what is no cost

    @property
    def weights(self) -> tuple[float, float]:
        """Weight of FNMR and of FMR in the normalised cost; the smaller one is 1."""
        return cost_weights(p_target=self.p_target, c_miss=self.c_miss, c_fa=self.c_fa)

    @property
    def threshold(self) -> float:
        """Accept a log-likelihood ratio at or above it, says Bayes."""
        miss, false_match = self.weights
        return math.log(false_match / miss)

    def of(self, point: OperatingPoint) -> float:
        """Normalised cost of a decision."""
        miss, false_match = self.weights
        return miss * point.false_non_match_rate + false_match * point.false_match_rate

    def min_point(self, curve: ErrorCurve) -> OperatingPoint:
        """Return the decision with the least cost."""
        return curve.min_dcf_point(
            p_target=self.p_target, c_miss=self.c_miss, c_fa=self.c_fa
        )

    def __str__(self) -> str:
        text = f"P_target {self.p_target:g}"
        if (self.c_miss, self.c_fa) != (1, 1):
            text += f", C_miss {self.c_miss:g}, C_fa {self.c_fa:g}"
        return text


@dataclass(frozen=True)
class CostFunction:
    """Mean of the normalised costs of one or more applications.

    Attributes
    ----------
    source
        Who defined it.
    """

    name: str
    costs: tuple[DetectionCost, ...]
    source: str = "own"

    def minimum(self, curve: ErrorCurve) -> float:
        """minDCF: each application at its own best threshold; at most 1."""
        return _mean([cost.of(cost.min_point(curve)) for cost in self.costs])

    def actual(self, targets: ArrayLike, non_targets: ArrayLike) -> float:
        """Return actDCF of (targets,) and (non_targets,) at Bayes' thresholds.

        It may exceed 1.

        Raises
        ------
        MetricError
            No target or no non-target trial has a score.
        """
        points = (
            operating_point(targets, non_targets, threshold=cost.threshold)
            for cost in self.costs
        )
        return _mean([one.of(at) for one, at in zip(self.costs, points, strict=True)])

    def __str__(self) -> str:
        each = "; ".join(map(str, self.costs))
        return each if len(self.costs) == 1 else f"mean of: {each}"


def _preset(
    name: str, source: str, *applications: tuple[float, float, float]
) -> CostFunction:
    return CostFunction(
        name,
        tuple(DetectionCost(prior, miss, fa) for prior, miss, fa in applications),
        source,
    )


# Of the families with partitions or with known impostors, the cost itself: partitions
# count alike in `equalised_costs`; known and unknown impostors are one kind here.
PRESETS: dict[str, CostFunction] = {
    preset.name: preset
    for preset in (
        _preset("p0.05", "customary", (0.05, 1, 1)),
        _preset("p0.01", "customary", (0.01, 1, 1)),
        _preset("p0.005", "customary", (0.005, 1, 1)),
        _preset("p0.001", "customary", (0.001, 1, 1)),
        _preset("voxsrc", "VoxSRC 2020 to 2023", (0.05, 1, 1)),
        _preset("sre08", "NIST SRE 1996 to 2008", (0.01, 10, 1)),
        _preset("sre10", "NIST SRE 2010, core condition", (0.001, 1, 1)),
        _preset(
            "sre12",
            "NIST SRE 2012, impostors of one kind",
            (0.01, 1, 1),
            (0.001, 1, 1),
        ),
        _preset(
            "sre16",
            "NIST SRE 2016; SRE 2018 CMN2; SRE 2019 CTS",
            (0.01, 1, 1),
            (0.005, 1, 1),
        ),
        _preset("sre18-vast", "NIST SRE 2018 VAST; SRE 2019 AV", (0.05, 1, 1)),
    )
}


def find_costs(text: str) -> CostFunction:
    """Return the cost function of that name, or read one's own.

    Parameters
    ----------
    text
        The name of a preset; or ``p_target``; or ``c_miss:c_fa:p_target``; several with
        commas between them for the mean over all their applications.

    Raises
    ------
    CostError
        It is neither.

    Examples
    --------
    >>> find_costs("sre16").costs == find_costs("0.01,0.005").costs
    True
    >>> str(find_costs("10:1:0.01"))
    'P_target 0.01, C_miss 10, C_fa 1'
    """
    name = text.strip().lower()
    if name in PRESETS:
        return PRESETS[name]
    costs: list[DetectionCost] = []
    for part in map(str.strip, name.split(",")):
        costs += PRESETS[part].costs if part in PRESETS else [_own_cost(part, text)]
    return CostFunction(text.strip(), tuple(costs))


def find_several_costs(texts: Iterable[str]) -> tuple[CostFunction, ...]:
    """Return each cost function once, in the order of their names.

    Raises
    ------
    CostError
        One is none.

    Examples
    --------
    >>> [cost.name for cost in find_several_costs(["p0.05", "p0.01", "p0.05"])]
    ['p0.05', 'p0.01']
    """
    found = {cost.name: cost for cost in map(find_costs, texts)}
    return tuple(found.values())


def _own_cost(part: str, text: str) -> DetectionCost:
    try:
        words = [float(word) for word in part.split(":")]
    except ValueError:
        words = []
    if len(words) not in (1, 3):
        raise CostError(
            f"{text!r} is no detection cost; give one of {', '.join(PRESETS)}, or a "
            f"prior of target trials such as 0.01, or c_miss:c_fa:p_target such as "
            f"10:1:0.01 (several with commas between them for their mean)"
        )
    try:
        return DetectionCost(words[-1], *(words[:2] if len(words) == 3 else ()))
    except MetricError as error:
        raise CostError(str(error)) from error


@dataclass(frozen=True, eq=False)
class BayesErrorRates:
    """Normalised costs over priors; ``(priors,)`` each.

    Attributes
    ----------
    log_odds
        Of a target trial: ``log(p / (1 - p))``.
    actual
        At Bayes' threshold, which is ``-log_odds``.
    minimum
        At the best threshold: what calibration could reach.
    """

    log_odds: FloatArray
    actual: FloatArray
    minimum: FloatArray


def bayes_error_rates(
    targets: ArrayLike, non_targets: ArrayLike, *, log_odds: ArrayLike
) -> BayesErrorRates:
    """Normalised costs of log-likelihood ratios over a range of priors.

    The gap between both lines is what miscalibration costs an application.

    Parameters
    ----------
    log_odds
        ``(priors,)`` of any size, between -700 and 700.

    Raises
    ------
    MetricError
        No target or no non-target trial has a score, or log-odds are out of range.

    References
    ----------
    Brummer and de Villiers, "The BOSARIS toolkit: theory, algorithms and code
    for surviving the new DCF", 2013 (normalised Bayes error-rate plot).
    """
    odds = np.asarray(log_odds, dtype=np.float64).ravel()
    if not (np.abs(odds) <= MOST_LOG_ODDS).all():
        raise MetricError(
            f"log-odds must be finite numbers from -{MOST_LOG_ODDS} to "
            f"{MOST_LOG_ODDS}; the usual range is -7 to 7"
        )
    hull = ErrorCurve.from_scores(targets, non_targets).hull()
    # exp(-|x|) / exp(-|x|): the weights of both errors, the smaller one 1.
    miss, false_match = np.exp(np.maximum(odds, 0)), np.exp(np.maximum(-odds, 0))
    positives, negatives = (
        np.sort(acquired(targets)[0]),
        np.sort(acquired(non_targets)[0]),
    )
    missed = np.searchsorted(positives, -odds) / positives.size
    rejected = np.searchsorted(negatives, -odds)
    accepted = (negatives.size - rejected) / negatives.size
    costs = np.outer(miss, hull.false_non_match_rates)
    costs += np.outer(false_match, hull.false_match_rates)
    return BayesErrorRates(
        odds, miss * missed + false_match * accepted, costs.min(axis=1)
    )


def equalised_costs(
    table: ScoreTable, partition: Names, cost: CostFunction
) -> tuple[float, float]:
    """Return minDCF and actDCF in which every partition counts alike.

    Both rates are means over the partitions that have trials of the kind, at thresholds
    that all share. So NIST does since SRE 2016, for gender, language and the like.

    Raises
    ------
    MetricError
        No target or no non-target trial has a score, or the partition names more or
        fewer trials than the table has.

    References
    ----------
    NIST 2016 Speaker Recognition Evaluation Plan, section 3.
    """
    table.check_column(partition)
    table.curve()  # refuses what has no figure
    parts = [table.take(partition.codes == code) for code in np.unique(partition.codes)]
    distinct = np.unique(acquired(table.score)[0])
    fnmr = _mean_share_below([part.targets for part in parts], distinct)
    fmr = 1 - _mean_share_below([part.non_targets for part in parts], distinct)
    minimum, actual = [], []
    for one in cost.costs:
        miss, false_match = one.weights
        costs = miss * fnmr + false_match * fmr
        minimum.append(costs.min())
        # Bayes' threshold makes the decision of the next score that is not below it.
        actual.append(costs[np.searchsorted(distinct, one.threshold)])
    return float(np.mean(minimum)), float(np.mean(actual))


def _mean_share_below(parts: list[FloatArray], distinct: FloatArray) -> FloatArray:
    """Share of scores that each of ``(scores + 1,)`` decisions rejects."""
    shares = []
    for part in parts:
        scores = np.sort(acquired(part)[0])
        if scores.size:
            below = np.searchsorted(scores, distinct)
            shares.append(np.append(below, scores.size) / scores.size)
    mean: FloatArray = np.mean(shares, axis=0)
    return mean


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


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
