"""Pictures of a report.

References
----------
Brummer and de Villiers, "The BOSARIS toolkit: theory, algorithms and code for
surviving the new DCF", 2013 (normalised Bayes error-rate plot).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from bob.learn.pytorch.drawing import pictures, plot
from bob.learn.pytorch.drawing.plot import (
    MANY_SYSTEMS,
    Axis,
    Line,
    Mark,
    Plot,
    round_ticks,
    tag_share,
)
from bob.learn.pytorch.metrics import (
    bayes_error_rates,
)
from bob.learn.pytorch.metrics.showing import det_curve, without_curve

if TYPE_CHECKING:
    import os
    from pathlib import Path

    from numpy.typing import NDArray

    from bob.learn.pytorch.report.systems import Evaluated, Report

    FloatArray: TypeAlias = NDArray[np.float64]

_FEWEST_BINS, _MOST_BINS = 12, 50
_LOG_ODDS = np.linspace(-7, 7, 141)
_WORST_COST = 1.2
_LEVEL = 0.95


def det_plot(report: Report) -> Plot:
    """Draw misses against false matches on normal-deviate axes."""
    curves = [
        det_curve(one.figures, name=one.name, look=look)
        for look, one in enumerate(report.systems)
        if one.figures.curve is not None
    ]
    return plot.det_plot(curves, notes=_absent(report))


def bayes_plot(report: Report) -> Plot:
    """Draw the normalised cost over the prior: the loss from calibration."""
    lines = [Line(_LOG_ODDS[[0, -1]], np.ones(2), -1, "without scores", "dashed")]
    drawn = [
        (look, one)
        for look, one in enumerate(report.systems)
        if one.figures.curve is not None
    ]
    many = len(drawn) > MANY_SYSTEMS
    for place, (look, one) in enumerate(drawn, 1):
        table = one.system.table
        rates = bayes_error_rates(table.targets, table.non_targets, log_odds=_LOG_ODDS)
        actual = np.minimum(rates.actual, 2 * _WORST_COST)
        tag = tag_share(place, len(drawn))
        if not many:
            minimum = Line(
                _LOG_ODDS, rates.minimum, look, f"{one.name}, minimum", "thin"
            )
            lines.append(minimum)
        lines.append(Line(_LOG_ODDS, actual, look, f"{one.name}, actual", tag=tag))
    lines += [
        Line(
            np.full(2, float(odds)), np.array([0, _WORST_COST]), -1, str(cost), "dashed"
        )
        for one in (report.cost, *report.others_at)
        for cost in one.costs
        if abs(odds := -cost.threshold) <= _LOG_ODDS[-1]
    ]
    meaning = (
        f"{'Lines' if many else 'Thick'}: actual cost, at Bayes' threshold. "
        f"{'' if many else 'Thin: the least cost, at the best one. '}"
        "Upright: the application of minDCF and actDCF. Above 1, deciding without the "
        "scores would be cheaper."
    )
    return Plot(
        "Calibration: normalised Bayes error rate",
        "Normalised detection cost over the prior log-odds of a target trial: actual "
        "at Bayes' threshold, minimum at the best one; the gap is the loss from "
        "calibration.",
        Axis("Prior log-odds of a target trial", -7, 7, round_ticks(-7, 7, 7)),
        Axis("Normalised cost", 0, _WORST_COST, round_ticks(0, _WORST_COST, 6)),
        tuple(lines),
        size=(480, 470),
        notes=(meaning, *_absent(report)),
    )  # fmt: skip


def histogram_plots(report: Report) -> list[Plot]:
    """Draw histograms of target and non-target scores, one picture a system."""
    return [_histogram(one) for one in report.systems]


def _histogram(one: Evaluated) -> Plot:
    table = one.system.table
    kinds = [
        scores[np.isfinite(scores)] for scores in (table.targets, table.non_targets)
    ]
    everything = np.concatenate(kinds)
    low, high = (everything.min(), everything.max()) if everything.size else (0.0, 1.0)
    if low == high:
        low, high = low - 0.5, high + 0.5
    bins = int(np.clip(2 * math.sqrt(everything.size), _FEWEST_BINS, _MOST_BINS))
    edges = np.linspace(low, high, bins + 1)
    lines, top = [], 0.0
    for look, name, scores, stroke in (
        (1, "non-target", kinds[1], "dashed"),
        (0, "target", kinds[0], "solid"),
    ):
        if scores.size:
            heights = (
                np.histogram(scores, edges)[0] / scores.size / (edges[1] - edges[0])
            )
            top = max(top, float(heights.max()))
            steps = np.concatenate([[0.0], np.repeat(heights, 2), [0.0]])
            x = np.repeat(edges, 2)
            lines.append(Line(x, steps, look, name, stroke, filled=True))  # type: ignore[arg-type]
    top = 1.05 * top or 1.0
    lines += [
        Line(
            np.full(2, mark.point.threshold),
            np.array([0.0, top]),
            -1,
            "EER threshold" if mark.kind == "eer" else mark.name,
            "dashed" if mark.kind == "dev" else "solid",
        )
        for mark in one.figures.decisions
        if mark.kind in ("eer", "dev") and low <= mark.point.threshold <= high
    ]
    infinite = int(np.count_nonzero(np.isinf(table.score)))
    notes = (f"{infinite:,} infinite scores are not shown.",) if infinite else ()
    if not everything.size:
        notes = ("No trial has a score that could be shown.",)
    return Plot(
        one.name,
        f"Histograms of the scores of {one.name}: {kinds[0].size:,} target and "
        f"{kinds[1].size:,} non-target trials, each of area 1.",
        Axis("Score", low, high, round_ticks(low, high, 5)),
        Axis("", 0, top, ()),
        tuple(lines),
        size=(380, 200),
        notes=notes,
    )


def interval_plot(report: Report) -> Plot:
    """Draw the EER of each system with its interval, below each other."""
    lines, marks, unsure, unknown = [], [], [], []
    top, count = 0.001, len(report.systems)
    level = f"{100 * report.level:g} %"
    for look, one in enumerate(report.systems):
        rate, interval = one.figures.eer, one.figures.intervals.get("eer")
        if math.isnan(rate):
            unknown.append(str(look + 1))
            continue
        height, top = count - look, max(top, rate)
        marks.append(
            Mark(100 * rate, height, look, "circle", f"{one.name}: {100 * rate:.2f} %")
        )
        if interval and interval.says_something:
            top = max(top, interval.high)
            ends = np.array([100 * interval.low, 100 * interval.high])
            lines.append(Line(ends, np.full(2, float(height)), look, one.name, "solid"))
        elif interval:
            unsure.append(str(look + 1))
    names = tuple((count - look, str(look + 1)) for look in range(count))
    high = 105 * top
    return Plot(
        f"Equal error rate with its {level} interval",
        "The same figures as in the table of systems.",
        Axis("EER (%)", 0, high, round_ticks(0, high, 6)),
        Axis("", 0.3, count + 0.7, names),
        tuple(lines),
        tuple(marks),
        size=(480, 90 + 26 * count),
        notes=tuple(
            f"{text}: {', '.join(which)}."
            for text, which in (
                ("No interval, for lack of errors or speakers", unsure),
                ("No rate, for lack of trials", unknown),
            )
            if which
        ),
    )


def _absent(report: Report) -> list[str]:
    return without_curve(
        one.name for one in report.systems if one.figures.curve is None
    )


def save_pictures(path: str | os.PathLike[str], report: Report) -> Path:
    """Draw curves and histograms into one file; it appears complete or not at all.

    A PDF has pages and its text is text; a PNG has everything below each other.

    Raises
    ------
    ValueError
        The suffix is neither pdf nor png.
    """
    curves = [det_plot(report), bayes_plot(report)]
    if len(report.systems) > 1:
        curves.append(interval_plot(report))
    names = [one.name for one in report.systems]
    return pictures.save(path, curves, histogram_plots(report), names=names)
