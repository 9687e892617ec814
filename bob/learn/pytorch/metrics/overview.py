"""Every figure of two sets of scores at once, with its definition."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from bob.learn.pytorch.metrics.bootstrap import CLLR, actual_cost_mean
from bob.learn.pytorch.metrics.costs import (
    CostFunction,
    DetectionCost,
    cllr,
    find_costs,
)
from bob.learn.pytorch.metrics.curve import ErrorCurve, acquired, operating_point

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

    from numpy.typing import ArrayLike

    from bob.learn.pytorch.metrics.bootstrap import Measure
    from bob.learn.pytorch.metrics.curve import OperatingPoint

    #: One cost function, or several of which the first is the one of comparisons.
    Costs: TypeAlias = CostFunction | Sequence[CostFunction] | None

#: The cost that figures are given for unless another is named.
DEFAULT_COST = "p0.01"

DEFINITIONS = {
    "eer": "linear interpolation between the ROC points around FMR = FNMR",
    "eer_threshold": "where FMR and FNMR are nearest; accept at or above it",
    "rocch_eer": "equal error rate on the convex hull of the ROC",
    "min_dcf": "normalised detection cost at the best threshold: "
    "(C_miss P_target FNMR + C_fa (1 - P_target) FMR) / "
    "min(C_miss P_target, C_fa (1 - P_target))",
    "act_dcf": "normalised detection cost at Bayes' threshold; scores are taken as "
    "natural log-likelihood ratios",
    "cllr": "cost of the log-likelihood ratio, in bits; scores are taken as natural "
    "log-likelihood ratios",
    "min_cllr": "cllr after the best monotonic calibration (PAV) on the same trials",
    "costs": "each application of the cost: P_target, C_miss, C_fa, both costs and "
    "their thresholds; min_dcf and act_dcf are the means over them",
    "targets": "trials of one speaker, with a score",
    "non_targets": "trials of two speakers, with a score",
    "ties": "trials of equal score share one decision",
    "failures": "trials without a score (NaN); they are part of no other figure",
    "null": "there is no such number: a kind of trial is missing, Cllr is infinite, or "
    "a threshold lies beyond every number",
}


@dataclass(frozen=True)
class CostFigures:
    """One application of a cost function: the least cost, and that of Bayes' threshold.

    NaN where there is no target or no non-target trial.
    """

    cost: DetectionCost
    min_dcf: float
    min_dcf_threshold: float
    act_dcf: float
    act_dcf_threshold: float


@dataclass(frozen=True)
class Figures:
    """Every figure of a set of trials; rates are fractions and costs normalised.

    NaN where there is no target or no non-target trial with a score. Cllr and actDCF
    are of scores as they are: of cosines they say nothing. A threshold is infinite, or
    NaN for "accept none", where no other number makes that decision.
    """

    targets: int
    non_targets: int
    failures: int
    eer: float
    eer_threshold: float
    rocch_eer: float
    cllr: float
    min_cllr: float
    costs: tuple[CostFigures, ...]
    cost_function: CostFunction

    @property
    def min_dcf(self) -> float:
        """Mean over the applications of the cost function."""
        return sum(cost.min_dcf for cost in self.costs) / len(self.costs)

    @property
    def act_dcf(self) -> float:
        """Mean over the applications of the cost function."""
        return sum(cost.act_dcf for cost in self.costs) / len(self.costs)

    def as_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON: None for what is not finite."""
        content = asdict(Figures(**figures_only(self)))
        function = content.pop("cost_function")
        content["min_dcf"], content["act_dcf"] = self.min_dcf, self.act_dcf
        content["definitions"] = DEFINITIONS | {
            "cost_function": function["name"],
            "cost_source": function["source"],
            "cost": str(self.cost_function),
        }
        finite: dict[str, Any] = finite_or_none(content)
        return finite


def figures_only(found: Figures) -> dict[str, Any]:
    """Return the fields of `Figures`, of it or of what has more."""
    return {each.name: getattr(found, each.name) for each in fields(Figures)}


def figures(
    targets: ArrayLike,
    non_targets: ArrayLike,
    *,
    cost: CostFunction | None = None,
    curve: ErrorCurve | None = None,
) -> Figures:
    """Return every figure; the scores are sorted once.

    Trials that do not allow a figure give NaN, not an error.

    Parameters
    ----------
    targets, non_targets
        Scores of any shape; NaN is a failure to acquire.
    cost
        By default P_target 0.01.
    curve
        That of these scores, if it is there already.

    Examples
    --------
    >>> figures([2, 1], [0.5, -3]).eer
    0.0
    """
    cost = cost or find_costs(DEFAULT_COST)
    positives, failed_positives = acquired(targets)
    negatives, failed_negatives = acquired(non_targets)
    failed = failed_positives + failed_negatives
    if not (positives.size and negatives.size):
        return no_figures((positives.size, negatives.size, failed), cost)
    if curve is None:
        curve = ErrorCurve.from_scores(positives, negatives)
    hull = curve.hull()
    actual = [
        operating_point(positives, negatives, threshold=one.threshold)
        for one in cost.costs
    ]
    return Figures(
        targets=curve.targets,
        non_targets=curve.non_targets,
        failures=failed,
        eer=curve.equal_error_rate(),
        eer_threshold=curve.equal_error_point().threshold,
        rocch_eer=hull.rocch_equal_error_rate(),
        cllr=cllr(positives, negatives),
        min_cllr=hull.min_cllr(),
        costs=cost_figures(cost, hull, actual),
        cost_function=cost,
    )


def cost_figures(
    cost: CostFunction, hull: ErrorCurve, actual: list[OperatingPoint]
) -> tuple[CostFigures, ...]:
    """Return the figures of each application, from the hull and its own decision."""
    found = []
    for one, point in zip(cost.costs, actual, strict=True):
        best = one.min_point(hull)
        found.append(
            CostFigures(
                cost=one,
                min_dcf=one.of(best),
                min_dcf_threshold=best.threshold,
                act_dcf=one.of(point),
                act_dcf_threshold=one.threshold,
            )
        )
    return tuple(found)


def no_figures(counts: tuple[int, int, int], cost: CostFunction) -> Figures:
    """Return NaN for everything but the counts of targets, non-targets and failures."""
    nan = math.nan
    costs = [CostFigures(one, nan, nan, nan, one.threshold) for one in cost.costs]
    return Figures(*counts, nan, nan, nan, nan, nan, tuple(costs), cost)


def finite_or_none(content: Any) -> Any:  # noqa: ANN401
    """Replace every number that JSON cannot hold by None, at any depth."""
    if isinstance(content, dict):
        return {name: finite_or_none(value) for name, value in content.items()}
    if isinstance(content, list | tuple):
        return [finite_or_none(value) for value in content]
    if isinstance(content, float) and not math.isfinite(content):
        return None
    return content


def all_costs(cost: Costs) -> tuple[CostFunction, ...]:
    """Return one cost function, or several, as a tuple; by default P_target 0.01."""
    if cost is None or isinstance(cost, CostFunction):
        return (cost or find_costs(DEFAULT_COST),)
    return tuple(cost)


@dataclass(frozen=True)
class OtherCost:
    """The figures of one more cost function; NaN where a kind of trial is missing."""

    cost: CostFunction
    min_dcf: float
    act_dcf: float

    def as_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        return {
            "name": self.cost.name,
            "cost": str(self.cost),
            "min_dcf": self.min_dcf,
            "act_dcf": self.act_dcf,
        }


def figure_measures(cost: CostFunction) -> dict[str, Measure]:
    """Return the figures that have intervals and differences, by name."""
    return {
        "eer": ErrorCurve.equal_error_rate,
        "min_dcf": cost.minimum,
        "act_dcf": actual_cost_mean(cost),
        "cllr": CLLR,
        "min_cllr": ErrorCurve.min_cllr,
    }


def with_hull(measures: dict[str, Measure]) -> dict[str, Measure]:
    """Return the same with the EER on the convex hull, behind the EER."""
    return {
        "eer": measures.pop("eer"),
        "rocch_eer": ErrorCurve.rocch_equal_error_rate,
        **measures,
    }
