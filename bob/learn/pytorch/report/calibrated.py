"""Calibrations and calibrated scores as text and as JSON."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

from bob.learn.pytorch.calibration import LinearCalibration, Origin, threshold_for
from bob.learn.pytorch.calibration.quality import (
    doubtful_weights,
    few_speakers_trained,
    is_fusion,
    quality_of,
)
from bob.learn.pytorch.metrics.overview import figures
from bob.learn.pytorch.metrics.reliability import misfits
from bob.learn.pytorch.printing import aligned, printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from bob.learn.pytorch.calibration.decision import Calibration
    from bob.learn.pytorch.metrics import CostFunction, DetectionCost, ScoreTable
    from bob.learn.pytorch.metrics.overview import Figures
    from bob.learn.pytorch.scorefiles.rescoring import Change, Rescored

_UNLABELLED = "no labels: not measured"
# Facts on the origin of the scores in the line for people.
_PROVENANCE = ("model", "measure", "normalisation", "speakers", "scores")


def summary(
    calibration: LinearCalibration, tables: Mapping[str, ScoreTable]
) -> tuple[dict[str, Any], str]:
    """Return figures of calibrated scores by group, ready for JSON and as text.

    Costs are those of P_target 0.01. The text also says how far to trust them.
    """
    found = {
        group: figures(table.targets, table.non_targets)
        for group, table in tables.items()
    }
    trials = calibration.trained_on
    content = {
        "weight": calibration.weights[0],
        "weights": dict(zip(calibration.columns, calibration.weights, strict=True)),
        "offset": calibration.offset,
        "p_target": calibration.p_target,
        "targets": trials.targets,
        "non_targets": trials.non_targets,
        "provenance": dict(calibration.provenance),
        "groups": {group: each.as_dict() for group, each in found.items()},
    }
    misfit = [
        f"Note: of {group}, {note}."
        for group, each in found.items()
        for note in misfits(each)
    ]
    notes = [textwrap.fill(note, 79) for note in _notes_on(calibration) + misfit]
    return content, "\n\n".join([_table(found), *notes])


def _table(found: Mapping[str, Figures]) -> str:
    cost = str(next(iter(found.values())).cost_function)
    rows = [("", *found)]
    rows += [
        (name, *(f"{getattr(each, field):.4f}" for each in found.values()))
        for name, field in (
            ("Cllr, bits", "cllr"),
            ("min Cllr, bits", "min_cllr"),
            (f"actDCF, {cost}", "act_dcf"),
            (f"minDCF, {cost}", "min_dcf"),
        )
    ]
    return "\n".join(aligned(rows, "<" + ">" * len(found)))


def _notes_on(calibration: LinearCalibration) -> list[str]:
    """Return the origin of a calibration, and how far to trust it, in sentences."""
    trials = calibration.trained_on
    speakers = calibration.provenance.get("speakers")
    of_speakers = f" of {speakers} speakers" if speakers else ""
    lines = [
        f"Log-likelihood ratio (natural) = {calibration.weights[0]:.6g} x score "
        f"{calibration.offset:+.6g}, trained on {trials.targets:,} target and "
        f"{trials.non_targets:,} non-target trials{of_speakers} at P_target "
        f"{calibration.p_target:g}. Figures of the group that it was trained on are "
        "those of a fit; any other group is the test of it."
    ]
    terms = [
        f"{weight:+.6g} x {column}"
        for column, weight in zip(calibration.columns, calibration.weights, strict=True)
    ]
    if terms[1:]:
        lines.append(
            f"To this log-likelihood ratio, quality measures add {' '.join(terms[1:])}."
        )
    if calibration.penalty and not calibration.separated:
        lines.append(
            f"The penalty {calibration.penalty:g} keeps the slope finite, and ratios "
            "cautious, where few trials separate with hardly an error; with 0 it is "
            "the plain logistic regression."
        )
    doubts = doubtful_weights(calibration) + few_speakers_trained(calibration)
    return lines + [f"Note: {doubt}." for doubt in doubts]


def rescored_as_dict(found: Rescored, cost: CostFunction) -> dict[str, Any]:
    """Return a calibration, or fusion, and figures before and after, ready for JSON."""
    calibration = found.calibration
    trained = calibration.trained_on
    content = {
        "calibration": _shown(found.path),
        "trained_on": {
            name: getattr(trained, name)
            for name in ("targets", "non_targets", "failures")
        },
        "provenance": dict(calibration.provenance),
        "thresholds": [
            {
                "cost": str(one),
                "p_target": one.p_target,
                "c_miss": one.c_miss,
                "c_fa": one.c_fa,
                "log_likelihood_ratio": one.threshold,
                "score": _raw_score(calibration, one),
                "out_of_reach": _is_out_of_reach(calibration, one),
            }
            for one in cost.costs
        ],
        "files": [
            {
                "source": _shown(change.source),
                "scores": _shown(change.written),
                "before": None if change.before is None else change.before.as_dict(),
                "after": None if change.after is None else change.after.as_dict(),
                "note": _UNLABELLED if change.after is None else None,
            }
            for change in found.changes
        ],
        "notes": list(found.notes),
    }
    if found.systems:
        systems = found.systems.items()
        content["systems"] = {name: _shown(file) for name, file in systems}
    return content


def rescored_as_text(found: Rescored, cost: CostFunction) -> str:
    """Return the same for people."""
    lines = _heading(found.path, found.calibration, cost)
    lines += [f"  {name}: {printable(file)}" for name, file in found.systems.items()]
    lines += _changes(found.changes)
    for note in found.notes:
        lines += ["", textwrap.fill(f"Note: {note}.", 79, subsequent_indent="      ")]
    return "\n".join(lines)


def _heading(path: Path, calibration: Calibration, cost: CostFunction) -> list[str]:
    trained, known = calibration.trained_on, calibration.provenance
    lines = [
        f"{printable(path)}: {_formula(calibration)}",
        f"  fitted on {trained.targets} target and {trained.non_targets} non-target "
        f"trials ({trained.failures} without a score left out)",
    ]
    facts = [f"{name} {known[name]}" for name in _PROVENANCE if name in known]
    lines += [f"  of {', '.join(facts)}"] if facts else []
    otherwise = _beside_score(calibration)
    for one in cost.costs:
        score = _raw_score(calibration, one)
        raw = otherwise if score is None else f", which is a raw score of {score:.4f}"
        if _is_out_of_reach(calibration, one):
            raw += ", out of reach: cosines lie between -1 and 1"
        lines.append(f"  {one}: accept at or above {one.threshold:.3f}{raw}")
    return lines


def _beside_score(calibration: Calibration) -> str:
    """Say on what the raw score at a threshold depends."""
    quality = () if is_fusion(calibration) else quality_of(calibration)
    return f", at a raw score that depends on {', '.join(quality)}" if quality else ""


def _changes(changes: Sequence[Change]) -> list[str]:
    titles = ("EER", "minDCF", "actDCF", "Cllr", "min Cllr")
    measured = any(change.after is not None for change in changes)
    lines = [""]
    if measured:
        lines.append(" " * 10 + "".join(f"{title:>10}" for title in titles))
    for change in changes:
        lines.append(printable(change.written))
        if change.before is not None:
            lines.append(f"  before  {_row(change.before)}")
        if change.after is not None:
            lines.append(f"  after   {_row(change.after)}")
        else:
            lines.append(f"  {_UNLABELLED}")
    return lines


def _formula(calibration: Calibration) -> str:
    if not isinstance(calibration, LinearCalibration):
        return f"log-likelihood ratio in {len(calibration.ratios)} steps"
    weights = zip(calibration.weights, calibration.columns, strict=True)
    terms = [f"{weight:+.5g} {column}" for weight, column in weights]
    return f"log-likelihood ratio = {calibration.offset:.5g} " + " ".join(
        f"{term[0]} {term[1:]}" for term in terms
    )


def _raw_score(calibration: Calibration, cost: DetectionCost) -> float | None:
    """Return the raw score at the threshold, where it depends on nothing else."""
    return threshold_for(
        calibration, p_target=cost.p_target, c_miss=cost.c_miss, c_fa=cost.c_fa
    ).score


def _is_out_of_reach(calibration: Calibration, cost: DetectionCost) -> bool:
    """Return whether scores are plain cosines, none or all of which are accepted."""
    score = _raw_score(calibration, cost)
    are_cosines = Origin(calibration.provenance).are_cosines
    return are_cosines and score is not None and abs(score) > 1


def _row(figures: Figures) -> str:
    percent = f"{100 * figures.eer:.3f} %"
    values = figures.min_dcf, figures.act_dcf, figures.cllr, figures.min_cllr
    return f"{percent:>10}" + "".join(f"{value:>10.4f}" for value in values)


def _shown(path: Path) -> str:
    """Return a path as JSON has it, without bytes that are not UTF-8."""
    return str(path).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
