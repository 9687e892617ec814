"""Figures by condition: of each class of trials, as `classes` makes them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bob.learn.pytorch.metrics.bootstrap import (
    Interval,
    confidence_intervals,
    fmr_mean,
    fnmr_mean,
    measured,
)
from bob.learn.pytorch.metrics.curve import (
    ErrorCurve,
    FloatArray,
    MetricError,
    acquired,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bob.learn.pytorch.metrics.bootstrap import Measure
    from bob.learn.pytorch.metrics.costs import CostFunction
    from bob.learn.pytorch.metrics.overview import Figures
    from bob.learn.pytorch.metrics.table import Names, ScoreTable

#: Draws for each condition, at most.
_DRAWS_OF_CONDITIONS = 200


@dataclass(frozen=True)
class Condition:
    """Trials of one condition and their figures.

    Attributes
    ----------
    targets, non_targets
        Trials with a score.
    failures
        Trials without one.
    speakers
        Subjects of references and of probes.
    figures
        By name of the measure; NaN where these trials do not allow it.
    intervals
        Speaker-level, of the figures that there are; empty if none were asked for.
    """

    name: str
    targets: int
    non_targets: int
    failures: int
    speakers: int
    figures: dict[str, float]
    intervals: dict[str, Interval]


def breakdown(
    table: ScoreTable,
    condition: Names,
    measures: Mapping[str, Measure],
    *,
    level: float = 0.95,
    resamples: int = 0,
    seed: int = 0,
) -> list[Condition]:
    """Figures of each condition, in the order of its first trial.

    Thresholds are those of the condition itself, so that it looks its best; for one
    threshold that all share, give a `TrialMean`, such as `fnmr_mean`.

    Parameters
    ----------
    condition
        ``(trials,)``.
    resamples
        Of the speakers of each condition, for intervals; 0 for none.

    Raises
    ------
    MetricError
        The condition names more or fewer trials than the table has.
    """
    _check_condition(table, condition)
    if not len(table):
        return []
    codes, first = np.unique(condition.codes, return_index=True)
    # One stable sort instead of one mask over all trials for each condition.
    order = np.argsort(condition.codes, kind="stable")
    ends = np.searchsorted(condition.codes[order], codes, side="right")
    rows = dict(zip(codes.tolist(), np.split(order, ends[:-1]), strict=True))
    found = []
    for code in codes[np.argsort(first)].tolist():
        part = table.take(rows[code])
        figures = measured(part, measures)
        allowed = {
            name: measures[name]
            for name, figure in figures.items()
            if not np.isnan(figure)
        }
        intervals = (
            confidence_intervals(
                part, allowed, level=level, resamples=resamples, seed=seed
            )
            if resamples and allowed
            else {}
        )
        found.append(_condition(condition.distinct[code], part, figures, intervals))
    return found


def all_conditions(
    table: ScoreTable,
    found: Figures,
    conditions: Mapping[str, Names],
    resamples: int,
    seed: int,
) -> dict[str, list[Condition]]:
    """Figures of each class; FNMR and FMR at the threshold that all classes share."""
    measures: dict[str, Measure] = {
        "eer": ErrorCurve.equal_error_rate,
        "min_dcf": found.cost_function.minimum,
    }
    if not math.isnan(found.eer_threshold):
        measures["fnmr"] = fnmr_mean(found.eer_threshold)
        measures["fmr"] = fmr_mean(found.eer_threshold)
    draws = min(resamples, _DRAWS_OF_CONDITIONS)
    return {
        title: sorted(
            breakdown(table, classes, measures, resamples=draws, seed=seed),
            key=lambda condition: _in_order(condition.name),
        )
        for title, classes in conditions.items()
    }


def _in_order(name: str) -> tuple[int, float, str]:
    """Ranges by their first number, the open ones at the ends; words by letters."""
    if name.startswith("below "):
        return (0, -math.inf, name)
    try:
        return (0, float(name.split()[0]), name)
    except (ValueError, IndexError):
        return (1, 0.0, name)


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
    _check_condition(table, partition)
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


def _condition(
    name: str,
    table: ScoreTable,
    figures: dict[str, float],
    intervals: dict[str, Interval],
) -> Condition:
    scored = ~np.isnan(table.score)
    return Condition(
        name=name,
        targets=int(np.count_nonzero(scored & table.is_target)),
        non_targets=int(np.count_nonzero(scored & ~table.is_target)),
        failures=table.failures,
        speakers=table.speakers,
        figures=figures,
        intervals=intervals,
    )


def _check_condition(table: ScoreTable, condition: Names) -> None:
    if len(condition) != len(table):
        raise MetricError(
            f"the condition names {len(condition)} trials and the table has "
            f"{len(table)}; give one name per trial"
        )
