"""The tables of a report: systems, operating points, comparisons, conditions."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

from bob.learn.pytorch.metrics import Doubt
from bob.learn.pytorch.metrics.reliability import RULE_EXPLAINED
from bob.learn.pytorch.report import tables
from bob.learn.pytorch.report.tables import DAGGER, Cell, Column, Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bob.learn.pytorch.metrics import Condition
    from bob.learn.pytorch.report.systems import Evaluated, Pair, Report

_SYSTEM = Column("System", "system", numeric=False)
_ERRORS = (0.01, 0.001)
# Figures that systems are compared by; those that the second line has are of
# log-likelihood ratios only.
_COMPARED = {
    "eer": "EER %",
    "min_dcf": "minDCF",
    "act_dcf": "actDCF",
    "cllr": "Cllr",
    "min_cllr": "min Cllr",
}
_OF_RATIOS = ("act_dcf", "cllr")


def all_tables(report: Report) -> list[Table]:
    """Return every table that has rows."""
    found = [
        systems_table(report),
        points_table(report),
        comparisons_table(report),
        *condition_tables(report),
        failures_table(report),
    ]
    return [table for table in found if table.rows]


def systems_table(report: Report) -> Table:
    """Return one row a system: every figure, with its interval."""
    found = report.systems
    columns = _figure_columns(report)
    with_dev = any(not math.isnan(one.figures.hter) for one in found)
    if with_dev:
        meaning = "half total error rate at the EER threshold of dev"
        columns += [
            Column("HTER %", "hter", meaning, interval=True),
            Column("Threshold of", "hter_dev", "scores of dev", numeric=False),
        ]
    columns += [
        Column("Trials of", "group", "the group of the protocol", numeric=False),
        Column("Targets", "targets", "trials of one speaker, with a score"),
        Column("Non-targets", "non_targets", "trials of two speakers, with a score"),
        Column("Failed", "failures", "trials without a score; part of no other figure"),
    ]
    row = partial(_system_row, with_dev=with_dev)
    rows = [row(number, one) for number, one in enumerate(found, 1)]
    notes = tuple(_systems_notes(report, rows))
    title = "Systems" if len(found) > 1 else "Figures"
    table = Table("systems", title, tuple(columns), tuple(rows), notes)
    silent = {"group"} if len({one.system.group for one in found}) == 1 else set()
    if not any(one.system.scores for one in found):
        silent.add("scores")
    return table.without(silent)


def _figure_columns(report: Report) -> list[Column]:
    named = f" {report.cost.name}" if report.others_at else ""
    figure = partial(Column, interval=True)
    return [
        Column("#", "number", "the number at its curves"),
        _SYSTEM,
        Column("Scores", "scores", "how they were made", numeric=False),
        figure(
            "EER %",
            "eer",
            "equal error rate: where FMR = FNMR, interpolated between thresholds",
        ),
        figure(
            f"minDCF{named}",
            "min_dcf",
            f"least detection cost, at the best threshold: {report.cost}",
        ),
        figure(
            f"actDCF{named}",
            "act_dcf",
            "the same cost at Bayes' threshold, which takes scores as natural "
            "log-likelihood ratios",
        ),
        *_other_columns(report),
        figure(
            "Cllr",
            "cllr",
            "cost of the log-likelihood ratios, in bits; 1 is what no scores cost",
        ),
        figure(
            "min Cllr",
            "min_cllr",
            "the same after the best monotonic calibration of these trials (PAV)",
        ),
    ]


def _systems_notes(report: Report, rows: Sequence[Sequence[Cell]]) -> list[str]:
    notes = [
        f"minDCF and actDCF: {_costs_in_words(report)}; normalised, so that 1 is "
        "the cost of the better of accepting all and accepting none."
    ]
    if any(cell.interval for row in rows for cell in row):
        intervals = [one.figures.intervals.values() for one in report.systems]
        draws = sorted({each.resamples for some in intervals for each in some})
        notes.append(
            f"Ranges are {100 * report.level:g} % intervals: bias-corrected "
            f"percentiles over {_range(draws)} draws of the speakers with replacement."
        )
    return [*notes, *_dev_notes(report), *_shared_notes(report)]


def _costs_in_words(report: Report) -> str:
    """Name each cost with both errors, which may be left out of its own text."""
    costs = (report.cost, *report.others_at)
    texts = [
        text if "C_" in (text := str(one)) else f"{text} (C_miss 1, C_fa 1)"
        for one in costs
    ]
    if len(costs) == 1:
        return texts[0]
    return ", ".join(
        f"{one.name} is {text}" for one, text in zip(costs, texts, strict=True)
    )


def _other_columns(report: Report) -> list[Column]:
    """Return two columns for each further cost function."""
    return [
        Column(f"{title} {cost.name}", f"{key}_{cost.name}", str(cost), interval=True)
        for cost in report.others_at
        for title, key in (("minDCF", "min_dcf"), ("actDCF", "act_dcf"))
    ]


def _other_cells(one: Evaluated, mark: str) -> list[Cell]:
    found = []
    for other in one.figures.others:
        for key, sign in (("min_dcf", ""), ("act_dcf", mark)):
            interval = one.figures.intervals.get(f"{key} {other.cost.name}")
            found.append(tables.cost(getattr(other, key), interval, mark=sign))
    return found


def _system_row(number: int, one: Evaluated, *, with_dev: bool) -> tuple[Cell, ...]:
    values, intervals = one.figures, one.figures.intervals
    mark = DAGGER if one.figures.uncalibrated else ""
    row = [
        tables.count(number),
        tables.words(one.name),
        tables.words(one.system.scores or tables.NOTHING),
        tables.percent(values.eer, intervals.get("eer")),
        tables.cost(values.min_dcf, intervals.get("min_dcf")),
        tables.cost(values.act_dcf, intervals.get("act_dcf"), mark=mark),
        *_other_cells(one, mark),
        tables.cost(values.cllr, intervals.get("cllr"), mark=mark),
        tables.cost(values.min_cllr, intervals.get("min_cllr")),
    ]
    if with_dev:
        named = one.system.dev_name or "dev"
        dev = tables.NOTHING if math.isnan(one.figures.hter) else named
        row += [
            tables.percent(one.figures.hter, intervals.get("hter")),
            tables.words(dev),
        ]
    row.append(tables.words(one.system.group or tables.NOTHING))
    counts = values.targets, values.non_targets, values.failures
    return (*row, *map(tables.count, counts))


def _shared_notes(report: Report) -> list[str]:
    """Return notes; one that holds for several systems stands once."""
    said: dict[Doubt, list[str]] = {}
    for one in report.systems:
        for doubt in one.doubts:
            said.setdefault(doubt, []).append(one.name)
    few = [doubt for doubt in said if doubt.kind == "few errors"]
    if len(few) > 1:
        names = [name for doubt in few for name in said.pop(doubt)]
        # How many of each is for one system; the rule is the same for all.
        text = f"few errors were observed at the EER or at minDCF. {RULE_EXPLAINED}"
        said[Doubt("few errors", text)] = names
    everyone = len(report.systems)
    notes = []
    # What a mark in the table means comes first.
    marked = sorted(said.items(), key=lambda item: DAGGER not in item[0].text)
    for doubt, names in marked:
        who = "All systems" if len(names) == everyone > 1 else ", ".join(names)
        notes.append(f"{who}: {doubt.text}.")
    return notes


def _dev_notes(report: Report) -> list[str]:
    """Name the thresholds of dev that rest on other trials than the first."""
    devs = {
        one.name: one.system.dev_trials
        for one in report.systems
        if not math.isnan(one.figures.hter) and one.system.dev_trials
    }
    first = next(iter(devs.values()), "")
    others = [name for name, trials in devs.items() if trials != first]
    if not others:
        return []
    return [
        f"HTER: the threshold of {', '.join(others)} comes from other trials of dev "
        "than that of the first system; these rates do not compare."
    ]


def _range(draws: list[int]) -> str:
    return str(draws[0]) if len(draws) == 1 else f"{draws[0]} to {draws[-1]}"


def points_table(report: Report) -> Table:
    """Return both rates at every threshold that the report names."""
    columns = (
        _SYSTEM,
        Column("Decision", "decision", numeric=False),
        Column("Threshold", "threshold", "accept at or above it"),
        Column("FMR %", "fmr", "false match rate"),
        Column("FNMR %", "fnmr", "false non-match rate"),
    )
    rows = []
    for one in report.systems:
        marked = [(mark.name, mark.point) for mark in one.figures.decisions]
        if one.figures.curve is not None:
            for rate in _ERRORS:
                percent = f"{100 * rate:g} %"
                marked += [
                    (f"FMR at most {percent}", one.figures.curve.fnmr_at_fmr(rate)),
                    (f"FNMR at most {percent}", one.figures.curve.fmr_at_fnmr(rate)),
                ]
        rows += [
            (
                tables.words(one.name),
                tables.words(name),
                tables.number(point.threshold),
                tables.percent(point.false_match_rate),
                tables.percent(point.false_non_match_rate),
            )
            for name, point in marked
        ]
    return Table("points", "Operating points", columns, tuple(rows))


def comparisons_table(report: Report) -> Table:
    """Return differences on the same trials, with their intervals.

    Of actDCF and Cllr there are columns where a pair has them: neither system is marked
    as not calibrated.
    """
    columns = (
        Column("First system", "first", numeric=False),
        Column("Second system", "second", numeric=False),
        *(
            column
            for key, title in _COMPARED.items()
            for column in (
                Column(f"Δ {title}", key, interval=True),
                Column("p", f"{key}_p"),
            )
        ),
        Column("Wrong by the first only", "first_only"),
        Column("by the second only", "second_only"),
        Column("McNemar p", "mcnemar_p"),
    )
    rows = [_comparison_row(one) for one in report.pairs]
    notes = [
        "Δ is the figure of the first less that of the second, on the same trials: "
        "below 0 it is in favour of the first. Intervals and p come from speakers "
        "drawn with replacement, the same for both; trials that either could not score "
        "are left out. McNemar: trials decided wrongly at the EER threshold by one of "
        "both only; it takes trials as independent, so that its p is too small. No p "
        "is corrected for the number of comparisons."
    ]
    with_ratios = [one for one in report.pairs if "cllr" in one.compared.differences]
    if with_ratios and len(with_ratios) < len(rows):
        notes.append(
            "Δ actDCF and Δ Cllr are given where the scores of both are "
            "log-likelihood ratios."
        )
    notes = notes if rows else []
    notes += [f"Not compared: {reason}." for reason in report.uncompared]
    table = Table(
        "comparisons", "Differences between systems", columns, tuple(rows), tuple(notes)
    )
    if with_ratios:
        return table
    return table.without({key for name in _OF_RATIOS for key in (name, f"{name}_p")})


def _comparison_row(one: Pair) -> tuple[Cell, ...]:
    row = [tables.words(one.first), tables.words(one.second)]
    for name in _COMPARED:
        cell = tables.percent if name == "eer" else tables.cost
        difference = one.compared.differences.get(name)
        if difference is None:
            row += [_probability(math.nan)] * 2
            continue
        row += [
            cell(difference.difference, difference.interval),
            _probability(difference.p_value),
        ]
    decisions = one.compared.decisions
    row += [tables.count(decisions.first_only), tables.count(decisions.second_only)]
    return (*row, _probability(decisions.p_value))


def _probability(value: float) -> Cell:
    if math.isnan(value):
        return Cell(tables.NOTHING, None)
    return Cell("<0.001" if value < 0.001 else f"{value:.3f}", value)


def condition_tables(report: Report) -> list[Table]:
    """Return a table for each column of metadata, over all systems that have it."""
    columns = (
        Column("Condition", "condition", numeric=False),
        _SYSTEM,
        Column("Targets", "targets"),
        Column("Non-targets", "non_targets"),
        Column("EER %", "eer", interval=True),
        Column("minDCF", "min_dcf", interval=True),
        Column("FMR %", "fmr"),
        Column("FNMR %", "fnmr"),
    )
    note = (
        "EER and minDCF are at the best threshold of each condition; FMR and FNMR at "
        "the EER threshold of all trials together, which all conditions share."
    )
    titles = dict.fromkeys(
        title for one in report.systems for title in one.figures.conditions
    )
    found = []
    for title in titles:
        rows = [
            (condition.name, _condition_row(one, condition))
            for one in report.systems
            for condition in one.figures.conditions.get(title, ())
        ]
        order = {name: place for place, name in enumerate(dict(rows))}
        rows.sort(key=lambda row: order[row[0]])
        cells = tuple(row for _, row in rows)
        found.append(Table("conditions", f"By {title}", columns, cells, (note,)))
    return found


def _condition_row(one: Evaluated, condition: Condition) -> tuple[Cell, ...]:
    values, intervals = condition.figures, condition.intervals
    return (
        tables.words(condition.name),
        tables.words(one.name),
        tables.count(condition.targets),
        tables.count(condition.non_targets),
        tables.percent(values["eer"], intervals.get("eer")),
        tables.cost(values["min_dcf"], intervals.get("min_dcf")),
        tables.percent(values.get("fmr", math.nan)),
        tables.percent(values.get("fnmr", math.nan)),
    )


def failures_table(report: Report) -> Table:
    """Count trials without a score; systems without failures are left out."""
    columns = (
        _SYSTEM,
        Column("Failed targets", "targets"),
        Column("Failed non-targets", "non_targets"),
        Column("Probes without a score", "probes"),
        Column("References without a score", "references"),
        Column("Failed trials %", "rate"),
    )
    rows = []
    for one in report.systems:
        failed = one.figures.failed
        if failed is None or not one.figures.failures:
            continue
        shares = failed.targets, failed.non_targets, failed.probes, failed.references
        rows.append(
            (
                tables.words(one.name),
                *(Cell(f"{s.failed:,} of {s.total:,}", s.failed) for s in shares),
                tables.percent(one.figures.failure_to_acquire),
            )
        )
    return Table("failures", "Trials without a score", columns, tuple(rows))
