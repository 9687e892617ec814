"""Every figure of a score file: intervals, conditions, and other systems beside it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from bob.learn.pytorch.metrics import (
    Condition,
    CostFunction,
    Difference,
    ErrorCurve,
    Failures,
    Figures,
    Interval,
    McNemar,
    MetricError,
    OperatingPoint,
    ScoreStream,
    ScoreTable,
    TrialMean,
    breakdown,
    confidence_intervals,
    doubtful_scores,
    failures,
    few_speakers,
    figure_measures,
    figures,
    fmr_mean,
    fnmr_mean,
    look_like_cosines,
    mcnemar,
    misfits,
    operating_point,
    paired_differences,
    reliability_warnings,
    wrong_way_round,
)
from bob.learn.pytorch.metrics.overview import (
    OtherCost,
    all_costs,
    finite_or_none,
    other_costs,
    other_measures,
)
from bob.learn.pytorch.scorefiles.reading import labelled_scores

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from bob.learn.pytorch.metrics import Names
    from bob.learn.pytorch.metrics.overview import Costs

    FloatArray: TypeAlias = NDArray[np.float64]
    Measures: TypeAlias = dict[str, Callable[[ErrorCurve], float] | TrialMean]

# A resample of five million trials takes 30 ms: a thousand would be half a minute.
MANY_TRIALS = 1_000_000
COSINES = (
    "all scores lie between -1 and 1, as cosines do; actDCF and Cllr take scores as "
    "log-likelihood ratios and say nothing of these: calibrate first"
)
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
class Versus:
    """A system against another on the same trials; below 0, it is the better one.

    Attributes
    ----------
    differences
        By name of the figure, its own less the other one.
    decisions
        At the EER threshold of each: wrong only here, wrong only there.
    """

    differences: Mapping[str, Difference]
    decisions: McNemar


@dataclass(frozen=True)
class Measured:
    """What is to be said of a set of scores.

    Attributes
    ----------
    figures
        Of all trials.
    speakers
        On either side of the trials; None where names were not kept.
    intervals
        By name of the figure; empty if none were asked for, or none can be given.
    failed
        Trials, probes and references without a score; None where names are not known.
    dev
        The EER threshold of the development scores, with the rates on dev and here.
    points
        What was asked for -> decision.
    conditions
        Title -> figures of each class of trials.
    versus
        Name of another system -> comparison with it.
    warnings
        What speaks against taking the figures at their word.
    others
        Figures of more cost functions.
    """

    figures: Figures
    speakers: int | None
    intervals: Mapping[str, Interval]
    failed: Failures | None
    dev: tuple[OperatingPoint, OperatingPoint] | None
    points: Mapping[str, OperatingPoint]
    conditions: Mapping[str, list[Condition]]
    versus: Mapping[str, Versus]
    warnings: tuple[str, ...]
    others: tuple[OtherCost, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON: fractions, and None for what is not finite."""
        content = self.figures.as_dict()
        content["speakers"] = self.speakers
        trials = self.figures.targets + self.figures.non_targets + self.figures.failures
        content["failure_to_acquire"] = self.figures.failures / max(1, trials)
        if self.failed is not None:
            content["failed"] = {
                name: {**share, "rate": share["failed"] / max(1, share["total"])}
                for name, share in asdict(self.failed).items()
            }
        content["intervals"] = {
            name: asdict(found) for name, found in self.intervals.items()
        }
        content["dev_threshold"] = None
        if self.dev is not None:
            names = ("dev", "here")
            content["dev_threshold"] = {
                name: {**asdict(point), "half_total_error_rate":
                       point.half_total_error_rate}
                for name, point in zip(names, self.dev, strict=True)
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


def measure_scores(
    table: ScoreTable,
    *,
    dev: ScoreTable | None = None,
    cost: Costs = None,
    at_fmr: Sequence[float] = (),
    at_fnmr: Sequence[float] = (),
    conditions: Mapping[str, Names] | None = None,
    others: Mapping[str, ScoreTable] | None = None,
    resamples: int | None = None,
) -> Measured:
    """Work out everything about a table of scores.

    Trials that do not allow a figure give NaN and a warning, not an error.

    Parameters
    ----------
    dev
        Other scores of the same system, which give a threshold.
    cost
        Of minDCF and actDCF, or several: the first is that of comparisons and
        conditions. By default P_target 0.01.
    at_fmr, at_fnmr
        Rates at which the other one is asked for.
    conditions
        Title -> the class of each trial.
    others
        Name -> scores of other systems on the same trials.
    resamples
        Of the speakers, for intervals and p-values; 0 for none, with NaN in those of
        differences. By default 1000, or 200 for more than a million trials.

    Raises
    ------
    MetricError
        The other systems have other trials, or a rate is none.
    """
    cost, *others_at = all_costs(cost)
    if resamples is None:
        resamples = 1000 if len(table) <= MANY_TRIALS else 200
    values = figures(table.targets, table.non_targets, cost=cost)
    warnings = _missing(values)
    intervals: Mapping[str, Interval] = {}
    points, curve = {}, None
    if not warnings:
        curve = table.curve()
        if resamples:
            measures = _measures(cost) | other_measures(others_at)
            intervals = confidence_intervals(table, measures, resamples=resamples)
        points = {f"FNMR at FMR <= {rate:g}": curve.fnmr_at_fmr(rate)
                  for rate in at_fmr}  # fmt: skip
        points |= {f"FMR at FNMR <= {rate:g}": curve.fmr_at_fnmr(rate)
                   for rate in at_fnmr}  # fmt: skip
        warnings += _doubts(curve, values, table, intervals.get("eer"))
    repeated = _repeated(table)
    if repeated:
        warnings.append(
            f"{repeated} trials are there more than once, and count as often: see "
            "`bob pytorch protocol check`"
        )
    return Measured(
        figures=values,
        speakers=table.speakers,
        intervals=intervals,
        failed=failures(table),
        dev=_at_threshold_of(dev, table, warnings),
        points=points,
        conditions=_conditions(table, conditions or {}, values, cost, resamples),
        versus={
            name: _versus(table, other, cost, resamples=resamples)
            for name, other in (others or {}).items()
        },
        warnings=tuple(warnings),
        others=other_costs(others_at, curve, table.targets, table.non_targets),
    )


def measure_in_bounded_memory(
    path: str | os.PathLike[str],
    *,
    trials: str | os.PathLike[str] | None = None,
    cost: CostFunction | None = None,
) -> Measured:
    """The figures of a score file of any length, without intervals.

    Parameters
    ----------
    path
        Of any form.
    trials
        A list with the labels, where the file has none.

    Raises
    ------
    ScoreFileError
        A line does not fit: the message has its number.
    """
    are_cosines = True
    with ScoreStream() as stream:
        for scores, is_target in labelled_scores(path, trials=trials):
            stream.add_trials(scores, is_target)
            are_cosines = are_cosines and look_like_cosines(scores)
        values = stream.figures(cost=cost)
    warnings = _missing(values)
    if not warnings:
        kinds = values.targets, values.non_targets
        warnings = wrong_way_round(values.eer, kinds)
        warnings += [COSINES] if are_cosines else misfits(values)
    return Measured(values, None, {}, None, None, {}, {}, {}, tuple(warnings))


def _missing(values: Figures) -> list[str]:
    """What to say without a target or a non-target trial."""
    if values.targets and values.non_targets:
        return []
    return [
        f"no error rate can be given: {values.targets} target and "
        f"{values.non_targets} non-target trials have a score ({values.failures} "
        "failed); at least one of each is needed: check that the protocol has both and "
        "that their recordings could be read"
    ]


def _measures(cost: CostFunction) -> Measures:
    measures = figure_measures(cost)
    return {
        "eer": measures.pop("eer"),
        "rocch_eer": lambda curve: curve.corners().rocch_equal_error_rate(),
        **measures,
    }


def _doubts(
    curve: ErrorCurve, values: Figures, table: ScoreTable, eer: Interval | None
) -> list[str]:
    kinds = values.targets, values.non_targets
    warnings = doubtful_scores(table.score, eer=values.eer, kinds=kinds, interval=eer)
    minima = {f"minDCF, {one.cost}": one.cost.min_point(curve) for one in values.costs}
    warnings += reliability_warnings(curve, minima)
    warnings += few_speakers(table.speakers)
    if look_like_cosines(table.score):
        return [*warnings, COSINES]
    return warnings + misfits(values)


def _repeated(table: ScoreTable) -> int:
    """Trials of the same reference and probe, less one each; 0 without references."""
    if table.model is None:
        return 0
    probes = len(table.probe.distinct)
    pairs = table.model.codes * np.int64(probes) + table.probe.codes
    possible = len(table.model.distinct) * probes
    if possible > 8 * len(table):
        return len(table) - int(np.unique(pairs).size)
    # Where most pairs are there, marks are ten times as fast as sorting.
    marked = np.zeros(possible, dtype=bool)
    marked[pairs] = True
    return len(table) - int(np.count_nonzero(marked))


def _at_threshold_of(
    dev: ScoreTable | None, table: ScoreTable, warnings: list[str]
) -> tuple[OperatingPoint, OperatingPoint] | None:
    if dev is None:
        return None
    try:
        point = dev.curve().equal_error_point()
        here = operating_point(
            table.targets, table.non_targets, threshold=point.threshold
        )
    except MetricError as error:
        warnings.append(f"no rates at the threshold of the development scores: {error}")
        return None
    return point, here


def _conditions(
    table: ScoreTable,
    conditions: Mapping[str, Names],
    values: Figures,
    cost: CostFunction,
    resamples: int,
) -> dict[str, list[Condition]]:
    measures: Measures = {"eer": ErrorCurve.equal_error_rate, "min_dcf": cost.minimum}
    if not np.isnan(values.eer_threshold):
        measures["fnmr"] = fnmr_mean(values.eer_threshold)
        measures["fmr"] = fmr_mean(values.eer_threshold)
    return {
        title: sorted(
            breakdown(table, classes, measures, resamples=min(resamples, 200)),
            key=_in_order,
        )
        for title, classes in conditions.items()
    }


def _in_order(condition: Condition) -> tuple[float, str]:
    """Ranges by their lower ends, words by letters."""
    if condition.name.startswith("below "):
        return -np.inf, ""
    try:
        return float(condition.name.split()[0]), condition.name
    except (ValueError, IndexError):
        return np.inf, condition.name


def _versus(
    table: ScoreTable, other: ScoreTable, cost: CostFunction, *, resamples: int
) -> Versus:
    measures = _measures(cost)
    if look_like_cosines(table.score) or look_like_cosines(other.score):
        del measures["act_dcf"], measures["cllr"]
    differences = paired_differences(table, other, measures, resamples=resamples)
    thresholds = (
        table.curve().equal_error_point().threshold,
        other.curve().equal_error_point().threshold,
    )
    return Versus(differences, mcnemar(table, other, thresholds=thresholds)["all"])
