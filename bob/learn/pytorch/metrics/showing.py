"""An evaluation as text for a terminal and as a table for a notebook."""

from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING

from bob.learn.pytorch.printing import printable

if TYPE_CHECKING:
    from bob.learn.pytorch.metrics.bootstrap import Interval
    from bob.learn.pytorch.metrics.evaluation import Evaluation

_NAMES = {
    "eer": "EER",
    "rocch_eer": "EER, convex hull",
    "min_dcf": "minDCF",
    "act_dcf": "actDCF",
    "cllr": "Cllr, bits",
    "min_cllr": "min Cllr, bits",
    "fnmr": "FNMR",
    "fmr": "FMR",
}
_RATES = ("eer", "rocch_eer", "fnmr", "fmr")


def as_text(evaluation: Evaluation) -> str:
    """Return lines for people: rates in percent, costs and bits as they are."""
    found, failed = evaluation, evaluation.failure_to_acquire
    rows = [
        ("target trials", f"{found.targets:,}", ""),
        ("non-target trials", f"{found.non_targets:,}", ""),
        (
            "failed trials",
            f"{found.failures:,}",
            f"{100 * failed:.3f} %" if failed else "",
        ),
    ]
    if evaluation.speakers is not None:
        rows.append(("speakers", f"{evaluation.speakers:,}", ""))
    level = next((item.level for item in evaluation.intervals.values()), None)
    rows.append(("", "", "" if level is None else f"{100 * level:g} % interval"))
    for name in ("eer", "rocch_eer", "min_dcf", "act_dcf", "cllr", "min_cllr"):
        value: float = getattr(found, name)
        between = _between(name, evaluation.intervals.get(name))
        rows.append((_NAMES[name], _text(name, value), between))
    if len(found.costs) > 1:
        for one in found.costs:
            rows.append((f"minDCF, {one.cost}", _text("", one.min_dcf), ""))
            rows.append((f"actDCF, {one.cost}", _text("", one.act_dcf), ""))
    rows += _other_rows(evaluation)
    lines = [*_aligned(rows), "", f"DCF: {found.cost_function}"]
    lines += [f"DCF, {one.cost.name}: {one.cost}" for one in evaluation.others]
    lines += _point_lines(evaluation)
    for title, conditions in evaluation.conditions.items():
        lines += [
            "",
            *_aligned([("by " + title, "trials", "EER / minDCF / FNMR / FMR")]),
        ]
        lines += _aligned([
            (
                f"  {one.name}",
                f"{one.targets} + {one.non_targets}",
                " / ".join(_text(name, value) for name, value in one.figures.items()),
            )
            for one in conditions
        ])  # fmt: skip
    lines += _versus_lines(evaluation)
    notes = [
        textwrap.fill(f"Note: {warning}.", 79, subsequent_indent="      ")
        for warning in evaluation.warnings
    ]
    if notes and not (found.targets and found.non_targets):
        # The whole table is empty, and this says why.
        return "\n".join([*notes, "", *lines])
    return "\n".join([*lines, *(line for note in notes for line in ("", note))])


def _other_rows(evaluation: Evaluation) -> list[tuple[str, str, str]]:
    """Return rows with the figures of further --cost."""
    rows = []
    for one in evaluation.others:
        for name in ("min_dcf", "act_dcf"):
            interval = evaluation.intervals.get(f"{name} {one.cost.name}")
            value = _text(name, getattr(one, name))
            title = f"{_NAMES[name]}, {one.cost.name}"
            rows.append((title, value, _between(name, interval)))
    return rows


def _point_lines(evaluation: Evaluation) -> list[str]:
    lines = []
    if evaluation.dev is not None and evaluation.dev.is_complete:
        dev, here = evaluation.dev.dev, evaluation.dev.here
        rows = [("", "dev", "here")]
        for name, title in (
            ("false_match_rate", "FMR"),
            ("false_non_match_rate", "FNMR"),
            ("half_total_error_rate", "HTER"),
        ):
            rates = [_text("fmr", getattr(point, name)) for point in (dev, here)]
            rows.append((title, rates[0], rates[1]))
        heading = f"At the threshold {dev.threshold:.6g}, the EER threshold of dev:"
        lines += ["", heading, *_aligned(rows)]
    for name, point in evaluation.points.items():
        both = (
            f"FMR {100 * point.false_match_rate:.3f} %, "
            f"FNMR {100 * point.false_non_match_rate:.3f} %"
        )
        lines.append(f"{name}: {both}, at the threshold {point.threshold:.6g}")
    return lines


def _versus_lines(evaluation: Evaluation) -> list[str]:
    lines = []
    for path, other in evaluation.versus.items():
        drawn = any(found.interval.resamples for found in other.differences.values())
        rows = [("", "this - that", "95 % interval, p" if drawn else "")]
        for name, found in other.differences.items():
            change = _text(name, found.difference)
            between = _between(name, found.interval)
            said = f"{between}, {found.p_value:.3g}" if drawn else ""
            rows.append((_NAMES[name], change, said))
        only = other.decisions
        lines += ["", f"against {printable(path)}:", *_aligned(rows)]
        lines.append(
            f"wrong only here {only.first_only}, only there {only.second_only} "
            f"(McNemar's p {only.p_value:.3g}), each at its EER threshold"
        )
    return lines


def _text(name: str, value: float) -> str:
    if math.isnan(value):
        return "none"
    return f"{100 * value:.3f} %" if name in _RATES else f"{value:.4f}"


def _between(name: str, interval: Interval | None) -> str:
    if interval is None:
        return ""
    if math.isnan(interval.low):
        return "none"
    return f"{_text(name, interval.low)} to {_text(name, interval.high)}"


def _aligned(rows: list[tuple[str, str, str]]) -> list[str]:
    first, second = (max(len(row[at]) for row in rows) for at in (0, 1))
    return [
        f"{name:<{first}}  {value:>{second}}   {more}".rstrip()
        for name, value, more in rows
    ]
