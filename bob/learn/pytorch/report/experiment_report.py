"""Score files of an experiment become error rates and a picture beside them."""

from __future__ import annotations

import json
import math
import textwrap
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from bob.learn.pytorch.drawing import DetCurve, pictures, plot
from bob.learn.pytorch.metrics import (
    CostFunction,
    DetectionCost,
    Evaluation,
    Interval,
    OperatingPoint,
    ScoreTable,
    evaluate,
    reliability_warnings,
    resampled_curves,
)
from bob.learn.pytorch.metrics.overview import finite_or_none
from bob.learn.pytorch.metrics.showing import (
    det_curve,
    figure_text,
    interval_text,
    without_curve,
)
from bob.learn.pytorch.printing import aligned, printable

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from bob.learn.pytorch.metrics import DevThreshold

_NONE = OperatingPoint(math.nan, math.nan, math.nan)
_LEVEL = 0.95
_DOUBTS = ("missing", "scores", "no errors", "few speakers")
_NO_DEV = (
    "no threshold from the development set: it lacks target or non-target trials that "
    "have a score"
)


def write_report(
    score_files: Mapping[str, Path],
    folder: Path,
    *,
    title: str,
    failures: int,
    notes: Sequence[str] = (),
    normalisation: str | None = None,
    calibration: Path | None = None,
) -> str:
    """Summarise score files into ``report.json``, ``report.txt`` and ``det.png``.

    Each file is whole or absent; the summary is returned as text. With the groups dev
    and eval, the threshold of dev is applied to eval. A calibration has its scores,
    ``calibrated-<group>``, beside its file.

    Parameters
    ----------
    failures
        Number of recordings that could not be used.
    notes
        Sentences on the recordings.
    normalisation
        Normalisation of the scores, in words.
    """
    from bob.learn.pytorch.files import write_text
    from bob.learn.pytorch.scorefiles.reading import read_scores

    tables = {group: read_scores(path) for group, path in score_files.items()}
    dev = tables.get("dev")
    found = {
        group: evaluate(table, dev=dev if group == "eval" else None)
        for group, table in tables.items()
    }
    content: dict[str, Any] = {
        group: {"scores": str(score_files[group]), **summary_as_dict(one)}
        for group, one in found.items()
    }
    content["failed_recordings"] = failures
    content["notes"] = list(notes)
    parts = [
        f"Group {group} ({printable(score_files[group])})\n\n{summary_as_text(one)}"
        for group, one in found.items()
    ]
    if normalisation is not None:
        content["normalisation"] = normalisation
        parts.insert(0, f"Scores normalised by {printable(normalisation)}")
    parts += [textwrap.fill(f"Note: {printable(note)}.", 79) for note in notes]
    if calibration is not None:
        content["calibrated"], text = _calibrated(calibration, list(tables))
        parts.append(text)
    text = "\n\n".join(parts)
    write_text(folder / "report.json", json.dumps(content, indent=2) + "\n")
    write_text(folder / "report.txt", text + "\n")
    plot_det(folder / "det.png", found, title=title)
    return text


def _calibrated(path: Path, groups: list[str]) -> tuple[dict[str, Any], str]:
    """Figures of the calibrated scores beside a calibration, for JSON and as text."""
    from bob.learn.pytorch.calibration import LinearCalibration, load_calibration
    from bob.learn.pytorch.report import calibrated
    from bob.learn.pytorch.scorefiles.reading import read_scores

    calibration = load_calibration(path)
    assert isinstance(calibration, LinearCalibration)  # noqa: S101 - verify.py's own
    files = {group: path.with_name(f"calibrated-{group}") for group in groups}
    tables = {group: read_scores(file) for group, file in files.items()}
    heading = f"Calibrated scores ({printable(path.with_name('calibrated-<group>'))})"
    content, text = calibrated.summary(calibration, tables)
    return {"calibration": str(path), **content}, f"{heading}\n\n{text}"


def summary_as_dict(found: Evaluation) -> dict[str, Any]:
    """Return EER and minDCF, ready for JSON: fractions, None for what is not finite."""
    dev = None
    if found.dev is not None:
        dev = {
            name: {
                **asdict(point),
                "half_total_error_rate": point.half_total_error_rate,
            }
            for name, point in (("dev", found.dev.dev), ("eval", found.dev.here))
        }
    finite: dict[str, Any] = finite_or_none(
        {
            "targets": found.targets,
            "non_targets": found.non_targets,
            "failures": found.failures,
            "speakers": found.speakers,
            "eer": found.eer,
            "eer_interval": asdict(_interval(found, "eer")),
            "rocch_eer": found.rocch_eer,
            "p_target": found.costs[0].cost.p_target,
            "min_dcf": _cheapest(found)[1],
            "min_dcf_interval": asdict(_interval(found, "min_dcf")),
            "min_dcf_threshold": _cheapest(found)[0].threshold,
            "dev_threshold": dev,
            "warnings": summary_warnings(found),
            "failure_to_acquire": found.failure_to_acquire,
            "definitions": {
                "eer": "linear interpolation between the ROC points around FMR = FNMR",
                "rocch_eer": "equal error rate on the convex hull of the ROC",
                "min_dcf": f"normalised, p_target {found.costs[0].cost.p_target:g}, "
                "c_miss 1, c_fa 1",
                "intervals": "bias-corrected percentiles over speakers drawn with "
                "replacement",
            },
        }
    )
    return finite


def summary_as_text(found: Evaluation) -> str:
    """Return a table for people: rates in percent."""
    failed = (
        f"({figure_text('fmr', found.failure_to_acquire)})" if found.failures else ""
    )
    eer, min_dcf = _interval(found, "eer"), _interval(found, "min_dcf")
    rows = [
        ("target trials", f"{found.targets:,}", ""),
        ("non-target trials", f"{found.non_targets:,}", ""),
        ("failed trials", f"{found.failures:,}", failed),
        ("speakers", f"{found.speakers:,}", ""),
        ("", "", f"{100 * eer.level:g} % interval"),
        ("EER", figure_text("eer", found.eer), interval_text("eer", eer)),
        ("EER, convex hull", figure_text("eer", found.rocch_eer), "none"),
        (
            f"minDCF, P_target {found.costs[0].cost.p_target:g}",
            figure_text("min_dcf", _cheapest(found)[1]),
            interval_text("min_dcf", min_dcf),
        ),
    ]
    spaced = [(name, value, f" {more}") for name, value, more in rows]
    parts = ["\n".join(aligned(spaced, "<><"))]
    if found.dev is not None:
        parts.append(_dev_text(found.dev))
    parts += [
        textwrap.fill(f"Note: {warning}.", width=79, subsequent_indent="      ")
        for warning in summary_warnings(found)
    ]
    return "\n\n".join(parts)


def summary_warnings(found: Evaluation) -> list[str]:
    """Return the doubts about EER and minDCF, and none about calibration."""
    texts = []
    for doubt in found.doubts:
        if doubt.kind == "few errors" and found.curve is not None:
            minima = {"minDCF": _cheapest(found)[0]}
            texts += reliability_warnings(found.curve, minima)
        elif doubt.kind == "dev":
            if found.dev is None:  # else the table shows which rate there is
                texts.append(_NO_DEV)
        elif doubt.kind in _DOUBTS:
            texts.append(doubt.text)
    return texts


def _cheapest(found: Evaluation) -> tuple[OperatingPoint, float]:
    """Return the decision of the least cost, and that cost."""
    for decision in found.decisions:
        if decision.kind == "minimum":
            return decision.point, found.costs[0].cost.of(decision.point)
    return _NONE, math.nan


def _interval(found: Evaluation, name: str) -> Interval:
    return found.intervals.get(name, Interval(math.nan, math.nan, 0.95, 0))


def _dev_text(threshold: DevThreshold) -> str:
    dev, evaluation = threshold.dev, threshold.here
    rows = [("", "dev", " eval")]
    for name in ("false_match_rate", "false_non_match_rate", "half_total_error_rate"):
        rates = [
            figure_text("fmr", getattr(point, name)) for point in (dev, evaluation)
        ]
        rows.append((name.replace("_", " "), rates[0], f" {rates[1]}"))
    title = f"At the threshold {dev.threshold:.6g}, the EER threshold of dev:"
    return "\n".join([title, *aligned(rows, "<>>")])


def plot_det(
    path: str | os.PathLike[str],
    tables: Mapping[str, ScoreTable | Evaluation],
    *,
    title: str = "Detection error trade-off",
    p_target: float = 0.01,
    resamples: int = 0,
    seed: int = 0,
) -> Path:
    """Draw the DET curve of each table of scores into one picture.

    The file appears at once and complete, or not at all; missing folders are made.

    Parameters
    ----------
    path
        Its suffix says the format: png or pdf.
    tables
        Name of a system or of a group -> its trials, or their evaluation. Those that
        have no target or no non-target trial are named below the picture.
    p_target
        Prior of a target trial for the point of minDCF; both costs are 1.
    resamples
        Draws of the speakers, for a band that holds 95 % of the curves of trials; 0
        for none.

    Raises
    ------
    ValueError
        The suffix is not known.
    """
    cost = CostFunction(f"p{p_target:g}", (DetectionCost(p_target),))
    curves: list[DetCurve] = []
    labels, missing = [], []
    for name, table in tables.items():
        found = (
            table
            if isinstance(table, Evaluation)
            else evaluate(table, cost=cost, resamples=0)
        )
        if found.curve is None:
            missing.append(name)
            continue
        curves.append(
            det_curve(
                found,
                name=name,
                look=len(curves),
                kinds=("eer", "minimum"),
                band=_band(table, resamples=resamples, seed=seed),
            )
        )
        rate = f"EER {100 * found.eer:.2f} %" if found.eer else "EER 0 % (no error)"
        labels.append(
            f"{pictures.clipped(name, 48)}: {rate}, minDCF {found.min_dcf:.3f}"
        )
    notes = without_curve(missing)
    if any(one.band is not None for one in curves):
        notes.append(f"Bands: {100 * _LEVEL:g} % of the curves of resampled speakers.")
    drawn = plot.det_plot(curves, title=title, notes=[f"minDCF: {cost}.", *notes])
    return pictures.save(path, [drawn], names=labels)


def _band(
    table: ScoreTable | Evaluation, *, resamples: int, seed: int
) -> NDArray[np.float64] | None:
    """Return false match rates, and the range of 95 % of the miss rates there."""
    if not resamples or isinstance(table, Evaluation):
        return None
    grid = np.concatenate([np.geomspace(1e-6, 0.1, 300), np.linspace(0.11, 0.999, 90)])
    curves = []
    for curve in resampled_curves(table, resamples=resamples, seed=seed):
        rates = curve.false_match_rates[::-1]
        last = np.searchsorted(rates, grid, side="right") - 1
        curves.append(curve.false_non_match_rates[::-1][last])
    if not curves:
        return None
    low, high = np.quantile(curves, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2], axis=0)
    band: NDArray[np.float64] = np.stack([grid, low, high])
    return band
