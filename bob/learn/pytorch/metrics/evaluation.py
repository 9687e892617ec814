"""Evaluate scores: every figure, with its interval, its definition and its doubts."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from bob.learn.pytorch.metrics.bootstrap import (
    Interval,
    TrialMean,
    actual_cost_mean,
    confidence_intervals,
    usual_resamples,
)
from bob.learn.pytorch.metrics.conditions import Condition, all_conditions
from bob.learn.pytorch.metrics.curve import (
    ErrorCurve,
    MetricError,
    OperatingPoint,
    false_match_rate,
    false_non_match_rate,
    operating_point,
)
from bob.learn.pytorch.metrics.overview import (
    Figures,
    OtherCost,
    all_costs,
    figure_measures,
    figures,
    figures_only,
    finite_or_none,
    with_hull,
)
from bob.learn.pytorch.metrics.paired import Comparison, compare
from bob.learn.pytorch.metrics.reliability import (
    Doubt,
    all_doubts,
    look_like_cosines,
    repeated_trials,
)
from bob.learn.pytorch.metrics.table import Failures, ScoreTable, failures

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import ArrayLike

    from bob.learn.pytorch.metrics.bootstrap import Measure
    from bob.learn.pytorch.metrics.costs import CostFunction
    from bob.learn.pytorch.metrics.curve import FloatArray
    from bob.learn.pytorch.metrics.overview import Costs
    from bob.learn.pytorch.metrics.table import Names

    #: Trials with their names, or the scores of target and of non-target trials.
    Scores: TypeAlias = ScoreTable | tuple[ArrayLike, ArrayLike]

_ROLES = {
    "interval": "bias-corrected percentiles over speakers drawn with replacement; of a "
    "difference between systems, the percentiles themselves; null where all draws "
    "give one number",
    "dev_threshold": "EER threshold of the development scores, applied to these trials",
    "p_value": "two-sided, of the difference, over speakers drawn with replacement; "
    "McNemar's takes trials as independent, which makes it too small",
    "condition": "EER, minDCF at thresholds of the condition; FNMR and FMR at the EER "
    "threshold of all trials",
}


@dataclass(frozen=True)
class Decision:
    """A named decision of an evaluation.

    Attributes
    ----------
    kind
        eer, minimum, actual (at Bayes' threshold) or dev.
    """

    kind: str
    name: str
    point: OperatingPoint


@dataclass(frozen=True)
class DevThreshold:
    """The EER threshold of development scores: the rates there, and on these trials.

    A rate is NaN where these trials lack its kind.
    """

    dev: OperatingPoint
    here: OperatingPoint

    @property
    def is_complete(self) -> bool:
        """Both rates are known on these trials."""
        return not math.isnan(self.here.half_total_error_rate)


@dataclass(frozen=True)
class Evaluation(Figures):
    """Figures of a set of scores with their intervals, conditions and doubts.

    Rates are fractions, costs normalised, Cllr in bits; NaN where the trials do not
    allow a figure (`warnings` says why).

    Attributes
    ----------
    speakers
        On either side of the trials; None where names are not known.
    intervals
        By name of the figure (eer, rocch_eer, min_dcf, act_dcf, cllr, min_cllr, hter;
        ``min_dcf NAME`` and ``act_dcf NAME`` of further costs); empty if none were
        asked for, or none can be given.
    failed
        Trials, probes and references without a score; None where names are not known.
    dev
        The threshold of the development scores; None without one.
    decisions : tuple
        EER, minDCF, actDCF and that of dev, as thresholds with their rates.
    points
        Title -> decision at a rate that was asked for.
    conditions
        Title -> figures of each class of trials.
    versus
        Name of another system -> comparison with it.
    others
        Figures of further cost functions.
    doubts
        Reasons not to take the figures at their word.
    uncalibrated
        The scores are not calibrated, or look like cosines: actDCF and Cllr say
        nothing of them.
    curve
        Errors at every decision; None without a target or a non-target trial, and
        for scores that were evaluated in bounded memory.
    """

    speakers: int | None = None
    intervals: Mapping[str, Interval] = field(default_factory=dict)
    failed: Failures | None = None
    dev: DevThreshold | None = None
    decisions: tuple[Decision, ...] = ()
    points: Mapping[str, OperatingPoint] = field(default_factory=dict)
    conditions: Mapping[str, list[Condition]] = field(default_factory=dict)
    versus: Mapping[str, Comparison] = field(default_factory=dict)
    others: tuple[OtherCost, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    uncalibrated: bool = False
    curve: ErrorCurve | None = field(default=None, repr=False, compare=False)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Texts of the doubts."""
        return tuple(doubt.text for doubt in self.doubts)

    @property
    def failure_to_acquire(self) -> float:
        """Share of the trials that have no score."""
        return self.failures / max(1, self.targets + self.non_targets + self.failures)

    @property
    def hter(self) -> float:
        """Half total error rate at the threshold of dev; NaN without one."""
        return math.nan if self.dev is None else self.dev.here.half_total_error_rate

    def with_points(
        self, *, at_fmr: Sequence[float] = (), at_fnmr: Sequence[float] = ()
    ) -> Evaluation:
        """Return the same with FNMR at given FMR, and FMR at given FNMR (fractions)."""
        if self.curve is None:
            return self
        found = {
            f"FNMR at FMR <= {rate:g}": self.curve.fnmr_at_fmr(rate) for rate in at_fmr
        }
        found |= {
            f"FMR at FNMR <= {rate:g}": self.curve.fmr_at_fnmr(rate) for rate in at_fnmr
        }
        return replace(self, points={**self.points, **found})

    def __str__(self) -> str:
        return self.as_text()

    def as_text(self) -> str:
        """Return a table for people: rates in percent."""
        from bob.learn.pytorch.metrics.showing import as_text

        return as_text(self)

    def _repr_html_(self) -> str:
        from bob.learn.pytorch.metrics.showing import as_html

        return as_html(self)

    def as_dict(self) -> dict[str, Any]:
        """Return everything, ready for JSON: None for what is not finite."""
        content = super().as_dict()
        content["speakers"] = self.speakers
        content["failure_to_acquire"] = self.failure_to_acquire
        if self.failed is not None:
            content["failed"] = {
                name: {**share, "rate": share["failed"] / max(1, share["total"])}
                for name, share in asdict(self.failed).items()
            }
        content["intervals"] = {
            name: asdict(found)
            for name, found in self.intervals.items()
            if name != "hter"
        }
        content["dev_threshold"] = None
        if self.dev is not None and self.dev.is_complete:
            content["dev_threshold"] = {
                name: {**asdict(point), "half_total_error_rate":
                       point.half_total_error_rate}
                for name, point in (("dev", self.dev.dev), ("here", self.dev.here))
            }  # fmt: skip
        content["points"] = {name: asdict(at) for name, at in self.points.items()}
        content["conditions"] = {
            title: [asdict(condition) for condition in found]
            for title, found in self.conditions.items()
        }
        content["versus"] = {
            name: {
                "differences": {
                    figure: {**asdict(found), "difference": found.difference}
                    for figure, found in other.differences.items()
                },
                "mcnemar": {**asdict(other.decisions),
                            "p_value": other.decisions.p_value},
            }
            for name, other in self.versus.items()
        }  # fmt: skip
        content["other_costs"] = [other.as_dict() for other in self.others]
        content["warnings"] = list(self.warnings)
        content["definitions"] |= _ROLES
        finite: dict[str, Any] = finite_or_none(content)
        return finite


def evaluate(
    scores: Scores,
    *,
    dev: Scores | None = None,
    cost: Costs = None,
    conditions: Mapping[str, Names] | None = None,
    versus: Mapping[str, ScoreTable] | None = None,
    calibrated: bool | None = None,
    resamples: int | None = None,
    seed: int = 0,
) -> Evaluation:
    """Return every figure of a set of scores, with intervals over their speakers.

    Trials that do not allow a figure give NaN and a doubt, not an error. Without names
    (scores of target and of non-target trials alone) there are no intervals.

    Parameters
    ----------
    dev
        Other scores of the same system, which give a threshold.
    cost
        Of minDCF and actDCF, or several: the first is that of comparisons and
        conditions. By default P_target 0.01.
    conditions
        Title -> the class of each trial, ``(trials,)``.
    versus
        Name -> scores of another system on the same trials.
    calibrated
        The scores are log-likelihood ratios of a calibration, or not; None if unknown.
    resamples
        Draws of the speakers, for intervals and p-values; 0 for none, with NaN in
        those of differences. By default 1,000, or 200 for more than a million trials.
    seed
        Of these draws: equal seeds give equal intervals.

    Raises
    ------
    MetricError
        The other systems have other trials; or conditions or other systems come with
        scores that have no names.

    Examples
    --------
    >>> evaluate(([2, 1], [0.5, -3])).eer
    0.0
    """
    first, *others_at = all_costs(cost)
    table = scores if isinstance(scores, ScoreTable) else None
    if table is None and (conditions or versus):
        raise MetricError(
            "conditions and comparisons need trials with names; give a ScoreTable"
        )
    kinds = _kinds(scores)
    found = _of_all_trials(kinds, dev, (first, *others_at))
    draws = 0
    if table is not None:
        draws = usual_resamples(len(table)) if resamples is None else resamples
        found = _named(found, table, draws, seed)
    doubts = [
        *all_doubts(found, np.concatenate(kinds), calibrated=calibrated),
        *repeated_trials(table),
        *found.doubts,
    ]
    known = {doubt.kind for doubt in doubts}
    found = replace(
        found,
        doubts=tuple(doubts),
        uncalibrated=not known.isdisjoint(("cosines", "uncalibrated")),
    )
    if table is None or not (conditions or versus):
        return found
    return replace(
        found,
        conditions=all_conditions(table, found, conditions or {}, draws, seed),
        versus={
            name: compare(
                (table, other),
                cost=first,
                uncalibrated=any(look_like_cosines(t.score) for t in (table, other)),
                resamples=draws,
                seed=seed,
            )
            for name, other in (versus or {}).items()
        },
    )


def _of_all_trials(
    kinds: tuple[FloatArray, FloatArray],
    dev: Scores | None,
    costs: Sequence[CostFunction],
) -> Evaluation:
    """Return what needs no names; its doubts are those about dev."""
    curve = _curve(*kinds)
    threshold, doubts = _dev_threshold(dev, *kinds)
    others = tuple(
        OtherCost(one, math.nan, math.nan)
        if curve is None
        else OtherCost(one, one.minimum(curve), one.actual(*kinds))
        for one in costs[1:]
    )
    return Evaluation(
        **figures_only(figures(*kinds, cost=costs[0], curve=curve)),
        dev=threshold,
        decisions=_decisions(costs, curve, kinds, threshold),
        others=others,
        doubts=tuple(doubts),
        curve=curve,
    )


def _named(
    found: Evaluation, table: ScoreTable, resamples: int, seed: int
) -> Evaluation:
    """Add what names give: speakers, what failed, and intervals."""
    intervals: Mapping[str, Interval] = {}
    if found.curve is not None and resamples:
        intervals = confidence_intervals(
            table, _measures(found), resamples=resamples, seed=seed
        )
    return replace(
        found,
        speakers=table.speakers,
        failed=failures(table) if len(table) else None,
        intervals=intervals,
    )


def _kinds(scores: Scores) -> tuple[FloatArray, FloatArray]:
    if isinstance(scores, ScoreTable):
        return scores.targets, scores.non_targets
    first, second = (np.asarray(one, dtype=np.float64).ravel() for one in scores)
    return first, second


def _curve(targets: ArrayLike, non_targets: ArrayLike) -> ErrorCurve | None:
    try:
        return ErrorCurve.from_scores(targets, non_targets)
    except MetricError:
        return None


def _dev_threshold(
    dev: Scores | None, targets: ArrayLike, non_targets: ArrayLike
) -> tuple[DevThreshold | None, list[Doubt]]:
    """Return the EER threshold of dev with the rates here, and what is missing."""
    if dev is None:
        return None, []
    reason = "no rates at the threshold of the development scores: "
    try:
        point = ErrorCurve.from_scores(*_kinds(dev)).equal_error_point()
    except MetricError as error:
        return None, [Doubt("dev", f"{reason}{error}")]
    matches, no_matches = _rate(false_match_rate, non_targets, point)
    misses, no_misses = _rate(false_non_match_rate, targets, point)
    here = OperatingPoint(point.threshold, matches, misses)
    missing = [text for text in (no_matches, no_misses) if text]
    return DevThreshold(point, here), [Doubt("dev", reason + one) for one in missing]


def _rate(
    measure: Callable[..., float], scores: ArrayLike, point: OperatingPoint
) -> tuple[float, str]:
    """Return the rate at the threshold; NaN and the reason where there is none."""
    try:
        return measure(scores, threshold=point.threshold), ""
    except MetricError as error:
        return math.nan, str(error)


def _decisions(
    costs: Sequence[CostFunction],
    curve: ErrorCurve | None,
    kinds: tuple[ArrayLike, ArrayLike],
    dev: DevThreshold | None,
) -> tuple[Decision, ...]:
    if curve is None:
        return ()
    found = [Decision("eer", "EER", curve.equal_error_point())]
    for one in dict.fromkeys(one for cost in costs for one in cost.costs):
        found.append(Decision("minimum", f"minDCF, {one}", one.min_point(curve)))
        at = operating_point(*kinds, threshold=one.threshold)
        found.append(Decision("actual", f"actDCF, {one}", at))
    if dev is not None and dev.is_complete:
        found.append(Decision("dev", "EER threshold of dev", dev.here))
    return tuple(found)


def _measures(found: Evaluation) -> dict[str, Measure]:
    """Return the figures that have intervals."""
    measures = with_hull(figure_measures(found.cost_function))
    for cost in (one.cost for one in found.others):
        measures[f"min_dcf {cost.name}"] = cost.minimum
        measures[f"act_dcf {cost.name}"] = actual_cost_mean(cost)
    if found.dev is not None and found.dev.is_complete:
        measures["hter"] = TrialMean.at(
            found.dev.dev.threshold, miss=0.5, false_match=0.5
        )
    return measures
