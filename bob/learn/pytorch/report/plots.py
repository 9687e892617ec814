"""The pictures of a report, described once: lines, marks and axes in numbers.

`bob.learn.pytorch.report.svg` draws them for a page, `pictures` for PDF and PNG.

References
----------
Martin et al., "The DET curve in assessment of detection task performance", Eurospeech
1997.
Brummer and de Villiers, "The BOSARIS toolkit: theory, algorithms and code for
surviving the new DCF", 2013 (normalised Bayes error-rate plot).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from bob.learn.pytorch.metrics import bayes_error_rates
from bob.learn.pytorch.report.plot import Axis, Line, Mark, Plot, deviates, round_ticks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from bob.learn.pytorch.report.plot import Shape
    from bob.learn.pytorch.report.systems import Evaluated, Report

    FloatArray: TypeAlias = NDArray[np.float64]

#: What marks an operating point.
SHAPES: dict[str, Shape] = {
    "eer": "circle",
    "minimum": "diamond",
    "actual": "square",
    "dev": "triangle",
}
MEANINGS = {
    "eer": "equal error rate (EER)",
    "minimum": "least cost (minDCF)",
    "actual": "Bayes' threshold (actDCF), where it lies inside",
    "dev": "EER threshold of dev",
}
# In percent: the ends that an axis of rates may have, and its labels.
_PERCENT = np.array(
    [0.001, 0.01, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 40, 60, 80, 90, 95, 98, 99]
)
#: Of more systems, a picture shows less of each, so that it can be read.
MANY_SYSTEMS = 6
_FEWEST_BINS, _MOST_BINS = 12, 50
_LOG_ODDS = np.linspace(-7, 7, 141)
_WORST_COST = 1.2


def det_plot(report: Report) -> Plot:
    """Misses against false matches on normal-deviate axes."""
    drawn = [
        (look, one)
        for look, one in enumerate(report.systems)
        if one.figures.curve is not None
    ]
    few = len(drawn) <= MANY_SYSTEMS
    low, high = _rate_limits([one for _, one in drawn], with_minima=few)
    ends = deviates([low, high])
    outside = low / 50, 1 - (1 - high) / 50
    lines = [Line(ends, ends, -1, "equal rates", "dashed")]
    marks = []
    for place, (look, one) in enumerate(drawn, 1):
        rates = np.clip(_det_rates(one), *outside)
        x, y = deviates(rates)
        lines.append(Line(x, y, look, one.name, tag=_tag(place, len(drawn))))
        marks += [
            mark
            for mark in _det_marks(one, look, low=low, high=high)
            if few or mark.shape == SHAPES["eer"]
        ]
    faultless = [one.name for _, one in drawn if one.figures.eer == 0]
    notes = _absent(report)
    if faultless:
        notes.append("No error at the best threshold: " + ", ".join(faultless) + ".")
    return Plot(
        "Detection error trade-off (DET)",
        "False non-match rate over false match rate on normal-deviate axes, lower left "
        "is better. "
        + "; ".join(
            f"{one.name}: EER {100 * one.figures.eer:.2f} %" for _, one in drawn
        ),
        _rate_axis("False match rate (%)", low, high),
        _rate_axis("False non-match rate (%)", low, high),
        tuple(lines),
        tuple(marks),
        size=(480, 470),
        notes=tuple(notes),
    )  # fmt: skip


def _tag(place: int, count: int) -> float | None:
    """Spread numbers along the lines, off the middle, where the EER is marked."""
    if count == 1:
        return None
    share = place / (count + 1)
    return 0.84 * share if share <= 0.5 else 1 - 0.84 * (1 - share)


def _det_rates(one: Evaluated) -> FloatArray:
    """(2, points): ties make slanting lines, straight in rates and bent in deviates."""
    assert one.figures.curve is not None  # noqa: S101 - only such are drawn
    corners = one.figures.curve.corners()
    rates = corners.false_match_rates, corners.false_non_match_rates
    place = np.arange(corners.misses.size)
    between = 1 if place.size > 1000 else 40
    points = np.linspace(0, place[-1], place[-1] * between + 1)
    return np.stack([np.interp(points, place, rate) for rate in rates])


def _det_marks(one: Evaluated, look: int, *, low: float, high: float) -> list[Mark]:
    found = []
    for mark in one.figures.decisions:
        rates = mark.point.false_match_rate, mark.point.false_non_match_rate
        if mark.kind == "eer":
            rates = (one.figures.eer, one.figures.eer)
        # "Accept none", as Bayes' threshold decides of cosines, is no point to show.
        if max(rates) > high and mark.kind in ("actual", "dev"):
            continue
        name = (
            f"{one.name}, {mark.name}: FMR {100 * rates[0]:.2f} %, "
            f"FNMR {100 * rates[1]:.2f} %"
        )
        x, y = deviates(np.clip(rates, low, high)).tolist()
        found.append(Mark(x, y, look, SHAPES[mark.kind], name))
    return found


def _rate_limits(
    systems: Sequence[Evaluated], *, with_minima: bool
) -> tuple[float, float]:
    """Ends of both axes, as rates: the marked points lie well inside."""
    low, high = 0.001, 0.4
    for one in systems:
        points = [
            mark.point for mark in one.figures.decisions if mark.kind == "minimum"
        ]
        rates = [one.figures.eer / 3]
        for point in points if with_minima else ():
            rates += [point.false_match_rate, point.false_non_match_rate]
        low = min([low, *(rate / 2 for rate in rates if rate > 0)])
        high = max(high, 3 * one.figures.eer, *(1.1 * rate for rate in rates))
    first = np.searchsorted(_PERCENT, max(100 * low, _PERCENT[0]), side="right") - 1
    last = np.searchsorted(_PERCENT, min(100 * high, _PERCENT[-1]))
    return float(_PERCENT[first]) / 100, float(_PERCENT[last]) / 100


def _rate_axis(label: str, low: float, high: float) -> Axis:
    ends = deviates([low, high]).tolist()
    ticks: list[tuple[float, str]] = []
    for percent in _PERCENT[(99 * low <= _PERCENT) & (100.5 * high >= _PERCENT)]:
        place = float(deviates([percent / 100])[0])
        # Labels that would touch their neighbour are left out.
        if not ticks or place - ticks[-1][0] > (ends[1] - ends[0]) / 16:
            ticks.append((place, f"{percent:g}"))
    return Axis(label, ends[0], ends[1], tuple(ticks))


def bayes_plot(report: Report) -> Plot:
    """Normalised cost over the prior: what calibration loses for any application."""
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
        tag = _tag(place, len(drawn))
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
    """Scores of target and non-target trials, one picture a system."""
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
            x, y = _steps(edges, heights)
            lines.append(Line(x, y, look, name, stroke, filled=True))  # type: ignore[arg-type]
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


def _steps(edges: FloatArray, heights: FloatArray) -> tuple[FloatArray, FloatArray]:
    y = np.concatenate([[0.0], np.repeat(heights, 2), [0.0]])
    x: FloatArray = np.repeat(edges, 2)
    return x, y


def interval_plot(report: Report) -> Plot:
    """The EER of each system with its interval, below each other."""
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
    names = [one.name for one in report.systems if one.figures.curve is None]
    if not names:
        return []
    return [
        "No curve, for lack of target or non-target trials: " + ", ".join(names) + "."
    ]
