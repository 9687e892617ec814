"""The figures of one experiment, with what they are worth."""

from __future__ import annotations

import math
import textwrap
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from bob.learn.pytorch.metrics import (
    ErrorCurve,
    Interval,
    MetricError,
    OperatingPoint,
    confidence_intervals,
    doubtful_scores,
    false_match_rate,
    false_non_match_rate,
    few_speakers,
    reliability_warnings,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from bob.learn.pytorch.metrics import ScoreTable

# A resample of five million trials takes 30 ms: a thousand would be half a minute.
MANY_TRIALS = 1_000_000
NO_POINT = OperatingPoint(math.nan, math.nan, math.nan)


@dataclass(frozen=True)
class DevThreshold:
    """One threshold on two sets of trials: the EER threshold of the development set.

    A rate is NaN where the set has no trial of its kind.
    """

    dev: OperatingPoint
    eval: OperatingPoint


@dataclass(frozen=True)
class Summary:
    """Figures of one table of scores.

    Rates are fractions and costs are normalised; NaN where the trials do not allow a
    figure (`warnings` says why). Intervals come from resampled speakers.

    Attributes
    ----------
    targets, non_targets
        Trials with a score.
    failures
        Trials without one (NaN): failure to acquire. They are part of no rate.
    speakers
        Subjects of references and of probes.
    min_dcf_threshold
        The threshold of minDCF, found on these very trials.
    dev_threshold
        None where no development set was given.
    """

    targets: int
    non_targets: int
    failures: int
    speakers: int
    eer: float
    eer_interval: Interval
    rocch_eer: float
    p_target: float
    min_dcf: float
    min_dcf_interval: Interval
    min_dcf_threshold: float
    dev_threshold: DevThreshold | None
    warnings: tuple[str, ...]

    @property
    def failure_to_acquire(self) -> float:
        """Share of the trials that have no score."""
        return self.failures / max(1, self.targets + self.non_targets + self.failures)

    def as_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON: fractions, and None for what is not finite."""
        content = asdict(self)
        content["failure_to_acquire"] = self.failure_to_acquire
        for name, point in (content["dev_threshold"] or {}).items():
            rates = point["false_match_rate"], point["false_non_match_rate"]
            content["dev_threshold"][name]["half_total_error_rate"] = sum(rates) / 2
        content["definitions"] = {
            "eer": "linear interpolation between the ROC points around FMR = FNMR",
            "rocch_eer": "equal error rate on the convex hull of the ROC",
            "min_dcf": f"normalised, p_target {self.p_target:g}, c_miss 1, c_fa 1",
            "intervals": "bias-corrected percentiles over speakers drawn with "
            "replacement",
        }
        finite: dict[str, Any] = _finite(content)
        return finite

    def as_text(self) -> str:
        """Return a table for people: rates in percent."""
        failed = f"({_percent(self.failure_to_acquire)})" if self.failures else ""
        rows = [
            ("target trials", f"{self.targets:,}", ""),
            ("non-target trials", f"{self.non_targets:,}", ""),
            ("failed trials", f"{self.failures:,}", failed),
            ("speakers", f"{self.speakers:,}", ""),
            ("", "", f"{100 * self.eer_interval.level:g} % interval"),
            ("EER", _percent(self.eer), _range(self.eer_interval, _percent)),
            ("EER, convex hull", _percent(self.rocch_eer), ""),
            (
                f"minDCF, P_target {self.p_target:g}",
                _cost(self.min_dcf),
                _range(self.min_dcf_interval, _cost),
            ),
        ]
        parts = [_aligned(rows)]
        if self.dev_threshold is not None:
            parts.append(_dev_text(self.dev_threshold))
        parts += [
            textwrap.fill(f"Note: {warning}.", width=79, subsequent_indent="      ")
            for warning in self.warnings
        ]
        return "\n\n".join(parts)


def summarise(
    table: ScoreTable,
    *,
    dev: ScoreTable | None = None,
    p_target: float = 0.01,
    resamples: int | None = None,
    seed: int = 0,
) -> Summary:
    """Work out the figures of a table of scores.

    Trials that do not allow a figure give NaN and a warning, not an error.

    Parameters
    ----------
    table
        Trials of the evaluation set; without ``dev``, of any set.
    dev
        Trials of the development set: they give a threshold to apply to ``table``.
    p_target
        Prior of a target trial in minDCF; both costs are 1.
    resamples
        Of the speakers, for the intervals. By default 1000, or 200 for tables of more
        than a million trials.
    """
    if resamples is None:
        resamples = 1000 if len(table) <= MANY_TRIALS else 200
    measures: dict[str, Callable[[ErrorCurve], float]] = {
        "eer": ErrorCurve.equal_error_rate,
        "min_dcf": partial(ErrorCurve.min_dcf, p_target=p_target),
    }
    curve, warnings = _curve(table)
    if curve is None:
        values = {"eer": math.nan, "rocch": math.nan, "min_dcf": math.nan}
        intervals = dict.fromkeys(measures, Interval(math.nan, math.nan, 0.95, 0))
        cheapest = NO_POINT
    else:
        values = {name: measure(curve) for name, measure in measures.items()}
        values["rocch"] = curve.rocch_equal_error_rate()
        cheapest = curve.min_dcf_point(p_target=p_target)
        intervals = confidence_intervals(
            table, measures, resamples=resamples, seed=seed
        )
        warnings += _doubts(table, curve, cheapest, intervals["eer"])
    threshold, more = (None, []) if dev is None else _at_dev_threshold(table, dev)
    scored = ~np.isnan(table.score)
    return Summary(
        targets=int(np.count_nonzero(scored & table.is_target)),
        non_targets=int(np.count_nonzero(scored & ~table.is_target)),
        failures=table.failures,
        speakers=table.speakers,
        eer=values["eer"],
        eer_interval=intervals["eer"],
        rocch_eer=values["rocch"],
        p_target=p_target,
        min_dcf=values["min_dcf"],
        min_dcf_interval=intervals["min_dcf"],
        min_dcf_threshold=cheapest.threshold,
        dev_threshold=threshold,
        warnings=(*warnings, *more),
    )


def _doubts(
    table: ScoreTable, curve: ErrorCurve, cheapest: OperatingPoint, eer: Interval
) -> list[str]:
    """Say what speaks against taking the figures at their word."""
    return [
        *doubtful_scores(
            table.score,
            eer=curve.equal_error_rate(),
            kinds=(curve.targets, curve.non_targets),
            interval=eer,
        ),
        *reliability_warnings(curve, {"minDCF": cheapest}),
        *few_speakers(table.speakers),
    ]


def _curve(table: ScoreTable) -> tuple[ErrorCurve | None, list[str]]:
    try:
        return table.curve(), []
    except MetricError as error:
        return None, [f"no error rate can be given: {error}"]


def _at_dev_threshold(
    table: ScoreTable, dev: ScoreTable
) -> tuple[DevThreshold | None, list[str]]:
    """Threshold at the EER of dev, rates there, and what could not be said."""
    curve, _ = _curve(dev)
    if curve is None:
        return None, [
            "no threshold from the development set: it lacks target or non-target "
            "trials that have a score"
        ]
    point = curve.equal_error_point()
    rates = []
    for measure, scores in (
        (false_match_rate, table.non_targets),
        (false_non_match_rate, table.targets),
    ):
        missing = np.isnan(scores).all()
        rates.append(
            math.nan if missing else measure(scores, threshold=point.threshold)
        )
    return DevThreshold(point, OperatingPoint(point.threshold, rates[0], rates[1])), []


def _dev_text(threshold: DevThreshold) -> str:
    dev, evaluation = threshold.dev, threshold.eval
    rows = [("", "dev", "eval")]
    for name in ("false_match_rate", "false_non_match_rate", "half_total_error_rate"):
        rates = [_percent(getattr(point, name)) for point in (dev, evaluation)]
        rows.append((name.replace("_", " "), rates[0], rates[1]))
    title = f"At the threshold {dev.threshold:.6g}, the EER threshold of dev:"
    return f"{title}\n{_aligned(rows, '>')}"


def _aligned(rows: list[tuple[str, str, str]], side: str = "<") -> str:
    """Names to the left, figures to the right, the third column to the given side."""
    first, second, third = (max(map(len, column)) for column in zip(*rows, strict=True))
    return "\n".join(
        f"{name:<{first}}  {value:>{second}}   {more:{side}{third}}".rstrip()
        for name, value, more in rows
    )


def _percent(rate: float) -> str:
    return "none" if math.isnan(rate) else f"{100 * rate:.3f} %"


def _cost(cost: float) -> str:
    return "none" if math.isnan(cost) else f"{cost:.4f}"


def _range(interval: Interval, text: Callable[[float], str]) -> str:
    if not interval.says_something:
        return "none"
    return f"{text(interval.low)} to {text(interval.high)}"


def _finite(content: Any) -> Any:  # noqa: ANN401
    """Replace every number that JSON cannot hold by None, at any depth."""
    if isinstance(content, dict):
        return {name: _finite(value) for name, value in content.items()}
    if isinstance(content, list | tuple):
        return [_finite(value) for value in content]
    if isinstance(content, float) and not math.isfinite(content):
        return None
    return content
