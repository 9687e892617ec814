"""Systems -> every figure of a report, once, for the page, the tables and the plots."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from bob.learn.pytorch.metrics import (
    Condition,
    CostFunction,
    Difference,
    ErrorCurve,
    Figures,
    Interval,
    McNemar,
    MetricError,
    Names,
    OperatingPoint,
    ScoreTable,
    TrialMean,
    breakdown,
    confidence_intervals,
    doubtful_scores,
    few_speakers,
    figure_measures,
    figures,
    fmr_mean,
    fnmr_mean,
    hter_mean,
    look_like_cosines,
    mcnemar,
    misfits,
    operating_point,
    paired_differences,
    reliability_warnings,
)
from bob.learn.pytorch.metrics.overview import (
    OtherCost,
    all_costs,
    other_costs,
    other_measures,
)
from bob.learn.pytorch.report.trial_conditions import trial_conditions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bob.learn.pytorch.metrics.overview import Costs
    from bob.learn.pytorch.report.systems import System

#: Up to so many systems, all pairs are compared; of more, each with the first.
MOST_IN_PAIRS = 4
#: A resample of a large table takes long, and its intervals are narrow.
MANY_TRIALS = 100_000
COSINES = (
    "all scores lie between -1 and 1, as cosines do; actDCF and Cllr (†) read scores "
    "as log-likelihood ratios and say nothing of uncalibrated ones"
)
UNCALIBRATED = (
    "the scores were not calibrated; actDCF and Cllr (†) read them as log-likelihood "
    "ratios, which they need not be"
)


@dataclass(frozen=True)
class MarkedPoint:
    """A decision that tables name and curves show.

    Attributes
    ----------
    kind
        eer, minimum, actual or dev.
    """

    kind: str
    name: str
    point: OperatingPoint


@dataclass(frozen=True, eq=False)
class Evaluated:
    """A system with its figures.

    Attributes
    ----------
    curve
        None where there is no target or no non-target trial with a score.
    hter
        At the EER threshold of the development set; NaN without one.
    intervals
        By name of the figure: eer, min_dcf, act_dcf, cllr, min_cllr, hter.
    conditions
        Title -> figures of each class of trials.
    uncalibrated
        The scores are not calibrated, or look like cosines.
    others
        Figures of more cost functions.
    """

    system: System
    figures: Figures
    curve: ErrorCurve | None
    speakers: int
    hter: float
    intervals: Mapping[str, Interval]
    points: tuple[MarkedPoint, ...]
    conditions: Mapping[str, list[Condition]]
    uncalibrated: bool
    warnings: tuple[str, ...]
    others: tuple[OtherCost, ...] = ()

    @property
    def name(self) -> str:
        """What the report calls the system."""
        return self.system.name


@dataclass(frozen=True)
class Comparison:
    """Two systems on the same trials.

    Attributes
    ----------
    differences
        First less second, by name of the figure.
    decisions
        At the EER threshold of each.
    """

    first: str
    second: str
    differences: Mapping[str, Difference]
    decisions: McNemar


@dataclass(frozen=True)
class Evaluation:
    """Everything that a report says in numbers.

    Attributes
    ----------
    uncompared
        Why systems were not compared.
    others_at
        More cost functions, of which each system has minDCF and actDCF.
    """

    systems: tuple[Evaluated, ...]
    comparisons: tuple[Comparison, ...]
    uncompared: tuple[str, ...]
    cost: CostFunction
    level: float = 0.95
    others_at: tuple[CostFunction, ...] = ()


def evaluate(
    systems: Sequence[System],
    *,
    cost: Costs = None,
    resamples: int | None = None,
    seed: int = 0,
    tell: Callable[[str], None] = lambda _: None,
) -> Evaluation:
    """Work out the figures of systems, and compare them.

    Parameters
    ----------
    cost
        Of minDCF and actDCF, or several: the first is that of comparisons and
        conditions. By default P_target 0.01.
    resamples
        Of the speakers, for intervals and comparisons; 0 for none. By default 1000,
        or 200 for tables of more than 100,000 trials.
    tell
        Called with the name of each system before its turn.
    """
    first, *others_at = all_costs(cost)
    found = []
    for system in systems:
        tell(system.name)
        draws = _draws(system, resamples)
        found.append(_evaluated(system, (first, *others_at), draws, seed))
    pairs = list(combinations(found, 2))
    if len(found) > MOST_IN_PAIRS:
        pairs = [(found[0], other) for other in found[1:]]
    comparisons = []
    reasons: dict[str, list[str]] = {}
    for one, other in pairs:
        draws = max(1, _draws(one.system, resamples))
        try:
            comparisons.append(_compared(one, other, first, draws, seed))
        except MetricError as error:
            reasons.setdefault(str(error), []).append(f"{one.name} and {other.name}")
    uncompared = [f"{_first(who)}: {why}" for why, who in reasons.items()]
    return Evaluation(
        tuple(found),
        tuple(comparisons),
        tuple(uncompared),
        first,
        others_at=tuple(others_at),
    )


def _first(pairs: list[str], most: int = 3) -> str:
    more = f" and {len(pairs) - most} more" if len(pairs) > most else ""
    return ", ".join(pairs[:most]) + more


def _draws(system: System, resamples: int | None) -> int:
    if resamples is not None:
        return resamples
    return 1000 if len(system.table) <= MANY_TRIALS else 200


def _evaluated(
    system: System, costs: Sequence[CostFunction], resamples: int, seed: int
) -> Evaluated:
    table, (cost, *others_at) = system.table, costs
    values = figures(table.targets, table.non_targets, cost=cost)
    points, warnings = _dev_point(system)
    warnings += system.notes
    curve, hter, intervals = None, math.nan, {}
    try:
        curve = table.curve()
    except MetricError as error:
        warnings.append(f"no error rate can be given: {error}")
        points = ()
    if curve is not None:
        measures = figure_measures(cost) | other_measures(others_at)
        if points:
            hter = points[0].point.half_total_error_rate
            measures["hter"] = hter_mean(points[0].point.threshold)
        intervals = _intervals(table, measures, resamples, seed)
        points = (*_own_points(costs, curve, table), *points)
        warnings += doubtful_scores(
            table.score,
            eer=values.eer,
            kinds=(values.targets, values.non_targets),
            interval=intervals.get("eer"),
        )
        warnings += _doubts(curve, points, table.speakers)
    doubt = _calibration_doubt(system)
    warnings += [doubt] if doubt else misfits(values)
    return Evaluated(
        system=system,
        figures=values,
        curve=curve,
        speakers=table.speakers,
        hter=hter,
        intervals=intervals,
        points=points,
        conditions=_conditions(
            system, cost, values.eer_threshold, min(resamples, 200), seed
        ),
        uncalibrated=bool(doubt),
        warnings=tuple(warnings),
        others=other_costs(others_at, curve, table.targets, table.non_targets),
    )


def _intervals(
    table: ScoreTable,
    measures: Mapping[str, Callable[[ErrorCurve], float] | TrialMean],
    resamples: int,
    seed: int,
) -> dict[str, Interval]:
    if not resamples:
        return {}
    return confidence_intervals(table, measures, resamples=resamples, seed=seed)


def _own_points(
    costs: Sequence[CostFunction], curve: ErrorCurve, table: ScoreTable
) -> tuple[MarkedPoint, ...]:
    points = [MarkedPoint("eer", "EER", curve.equal_error_point())]
    for one in dict.fromkeys(one for cost in costs for one in cost.costs):
        points.append(MarkedPoint("minimum", f"minDCF, {one}", one.min_point(curve)))
        actual = operating_point(
            table.targets, table.non_targets, threshold=one.threshold
        )
        points.append(MarkedPoint("actual", f"actDCF, {one}", actual))
    return tuple(points)


def _dev_point(system: System) -> tuple[tuple[MarkedPoint, ...], list[str]]:
    """The EER threshold of dev, applied to these trials."""
    if system.dev is None:
        return (), []
    try:
        threshold = system.dev.curve().equal_error_point().threshold
        point = operating_point(
            system.table.targets, system.table.non_targets, threshold=threshold
        )
    except MetricError as error:
        return (), [f"no threshold from the development set: {error}"]
    return (MarkedPoint("dev", "EER threshold of dev", point),), []


def _doubts(
    curve: ErrorCurve, points: Sequence[MarkedPoint], speakers: int
) -> list[str]:
    minima = {mark.name: mark.point for mark in points if mark.kind == "minimum"}
    return reliability_warnings(curve, minima) + few_speakers(speakers)


def _calibration_doubt(system: System) -> str:
    if system.calibrated:
        return ""
    scores = system.table.score[~np.isnan(system.table.score)]
    if scores.size and look_like_cosines(scores):
        return COSINES
    return UNCALIBRATED if system.calibrated is False and scores.size else ""


def _conditions(
    system: System, cost: CostFunction, threshold: float, resamples: int, seed: int
) -> dict[str, list[Condition]]:
    """Figures of each class; FNMR and FMR at the threshold that all classes share."""
    measures: dict[str, Callable[[ErrorCurve], float] | TrialMean] = {
        "eer": ErrorCurve.equal_error_rate,
        "min_dcf": cost.minimum,
    }
    if not math.isnan(threshold):
        measures |= {"fnmr": fnmr_mean(threshold), "fmr": fmr_mean(threshold)}
    return {
        title: sorted(
            breakdown(system.table, classes, measures, resamples=resamples, seed=seed),
            key=lambda condition: _natural(condition.name),
        )
        for title, classes in _usable(system).items()
    }


def _usable(system: System) -> dict[str, Names]:
    return trial_conditions(system.metadata, by_name=system.by_name)


def _natural(name: str) -> tuple[int, float, str]:
    """Ranges by their first number, the open ones at the ends; words by letters."""
    if name.startswith("below "):
        return (0, -math.inf, name)
    try:
        return (0, float(name.split()[0]), name)
    except (ValueError, IndexError):
        return (1, 0.0, name)


def _compared(
    first: Evaluated, second: Evaluated, cost: CostFunction, resamples: int, seed: int
) -> Comparison:
    tables = first.system.table, second.system.table
    measures = figure_measures(cost)
    if first.uncalibrated or second.uncalibrated:
        measures = {name: measures[name] for name in ("eer", "min_dcf", "min_cllr")}
    differences = paired_differences(*tables, measures, resamples=resamples, seed=seed)
    thresholds = first.figures.eer_threshold, second.figures.eer_threshold
    decisions = mcnemar(*tables, thresholds=thresholds)["all"]
    return Comparison(first.name, second.name, differences, decisions)
