"""An evaluation as text for a terminal and as a table for a notebook."""

from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING

from bob.learn.pytorch.drawing import DetCurve, DetPoint, det_plot, svg
from bob.learn.pytorch.printing import aligned, in_markup, printable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    import numpy as np
    from numpy.typing import NDArray

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
#: Of the columns of a table in a notebook.
_SIDES = ("left", "right", "left")
_RATES = ("eer", "rocch_eer", "fnmr", "fmr")


def _figure_rows(evaluation: Evaluation) -> list[tuple[str, str, str]]:
    """Return names, figures and intervals: rates in percent, costs, and bits."""
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
        between = interval_text(name, evaluation.intervals.get(name))
        rows.append((_NAMES[name], figure_text(name, value), between))
    if len(found.costs) > 1:
        for one in found.costs:
            rows.append((f"minDCF, {one.cost}", figure_text("", one.min_dcf), ""))
            rows.append((f"actDCF, {one.cost}", figure_text("", one.act_dcf), ""))
    return rows + _other_rows(evaluation)


def as_text(evaluation: Evaluation) -> str:
    """Return lines for people."""
    found = evaluation
    lines = [*_three(_figure_rows(found)), "", f"DCF: {found.cost_function}"]
    lines += [f"DCF, {one.cost.name}: {one.cost}" for one in evaluation.others]
    lines += _point_lines(evaluation)
    for title, conditions in evaluation.conditions.items():
        lines += [
            "",
            *_three([("by " + title, "trials", "EER / minDCF / FNMR / FMR")]),
        ]
        lines += _three([
            (
                f"  {one.name}",
                f"{one.targets} + {one.non_targets}",
                " / ".join(figure_text(*figure) for figure in one.figures.items()),
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
            value = figure_text(name, getattr(one, name))
            title = f"{_NAMES[name]}, {one.cost.name}"
            rows.append((title, value, interval_text(name, interval)))
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
            rates = [figure_text("fmr", getattr(point, name)) for point in (dev, here)]
            rows.append((title, rates[0], rates[1]))
        heading = f"At the threshold {dev.threshold:.6g}, the EER threshold of dev:"
        lines += ["", heading, *_three(rows)]
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
            change = figure_text(name, found.difference)
            between = interval_text(name, found.interval)
            said = f"{between}, {found.p_value:.3g}" if drawn else ""
            rows.append((_NAMES[name], change, said))
        only = other.decisions
        lines += ["", f"against {printable(path)}:", *_three(rows)]
        lines.append(
            f"wrong only here {only.first_only}, only there {only.second_only} "
            f"(McNemar's p {only.p_value:.3g}), each at its EER threshold"
        )
    return lines


def figure_text(name: str, value: float) -> str:
    """Return a rate in percent, a cost or bits as they are; "none" of NaN."""
    if math.isnan(value):
        return "none"
    return f"{100 * value:.3f} %" if name in _RATES else f"{value:.4f}"


def interval_text(name: str, interval: Interval | None) -> str:
    """Return both ends, "none" without a width, and nothing of None."""
    if interval is None:
        return ""
    if math.isnan(interval.low):
        return "none"
    return f"{figure_text(name, interval.low)} to {figure_text(name, interval.high)}"


def _three(rows: list[tuple[str, str, str]]) -> list[str]:
    return aligned([(name, value, f" {more}") for name, value, more in rows], "<><")


def det_curve(
    evaluation: Evaluation,
    *,
    name: str,
    look: int = 0,
    kinds: Collection[str] = ("eer", "minimum", "actual", "dev"),
    band: NDArray[np.float64] | None = None,
) -> DetCurve:
    """Return the DET curve of an evaluation that has one, with these kinds of decision.

    The band is ``(3, rates)``, see `bob.learn.pytorch.drawing.DetCurve`.
    """
    assert evaluation.curve is not None  # noqa: S101 - only such are drawn
    corners = evaluation.curve.corners()
    points = tuple(
        DetPoint(
            one.kind, one.name,
            one.point.false_match_rate, one.point.false_non_match_rate,
        )
        for one in evaluation.decisions
        if one.kind in kinds
    )  # fmt: skip
    rates = corners.false_match_rates, corners.false_non_match_rates
    return DetCurve(name, look, *rates, evaluation.eer, points, band)


def without_curve(names: Iterable[str]) -> list[str]:
    """Name the systems that have no curve, if there are any."""
    missing = ", ".join(names)
    if not missing:
        return []
    return [f"No curve, for lack of target or non-target trials: {missing}."]


def as_html(evaluation: Evaluation) -> str:
    """Return a table with intervals beside the DET curve, for a notebook.

    It needs no style sheet, no script and no other file.
    """
    body = "\n".join(
        f"<tr>{''.join(map(_cell, row, _SIDES))}</tr>"
        for row in _figure_rows(evaluation)
    )
    notes = "".join(
        f"<li>{in_markup(text[:1].upper() + text[1:])}.</li>"
        for text in evaluation.warnings
    )
    picture = ""
    if evaluation.curve is not None:
        plot = det_plot(
            [det_curve(evaluation, name="scores", kinds=("eer", "minimum"))]
        )
        picture = (
            f'<figure style="margin:0">{svg.standalone(plot)}'
            "<figcaption>DET curve; circle: EER, diamond: minDCF</figcaption></figure>"
        )
    return (
        '<div style="display:flex;flex-wrap:wrap;gap:1.5em;align-items:flex-start">'
        f'<div style="flex:1 1 22em;max-width:36em"><table>\n{body}\n</table>\n'
        f"<p>DCF: {in_markup(str(evaluation.cost_function))}</p>"
        f'<ul style="padding-left:1.2em">{notes}</ul></div>{picture}</div>'
    )


def _cell(text: str, side: str) -> str:
    return f'<td style="text-align:{side};padding:.1em .6em">{in_markup(text)}</td>'
