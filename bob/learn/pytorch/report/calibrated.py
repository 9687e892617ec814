"""What log-likelihood ratios are worth, and where their calibration comes from."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

from bob.learn.pytorch.calibration.quality import doubtful_weights
from bob.learn.pytorch.metrics.overview import figures
from bob.learn.pytorch.metrics.reliability import FEW_SPEAKERS, misfits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bob.learn.pytorch.calibration import IsotonicCalibration, LinearCalibration
    from bob.learn.pytorch.metrics import ScoreTable
    from bob.learn.pytorch.metrics.overview import Figures


def calibrated_figures(tables: Mapping[str, ScoreTable]) -> dict[str, Figures]:
    """Figures of calibrated scores by group, with the cost P_target 0.01."""
    return {
        group: figures(table.targets, table.non_targets)
        for group, table in tables.items()
    }


def as_dict(
    found: Mapping[str, Figures], calibration: LinearCalibration
) -> dict[str, Any]:
    """Everything, ready for JSON."""
    trials = calibration.trained_on
    return {
        "weight": calibration.weights[0],
        "weights": dict(zip(calibration.columns, calibration.weights, strict=True)),
        "offset": calibration.offset,
        "p_target": calibration.p_target,
        "targets": trials.targets,
        "non_targets": trials.non_targets,
        "provenance": dict(calibration.provenance),
        "groups": {group: each.as_dict() for group, each in found.items()},
    }


def as_text(found: Mapping[str, Figures], calibration: LinearCalibration) -> str:
    """A table for people, and how far to trust it."""
    rows = [("", *found)]
    rows += [
        (name, *(f"{getattr(each, field):.4f}" for each in found.values()))
        for name, field in (("Cllr, bits", "cllr"), ("min Cllr, bits", "min_cllr"))
    ]
    cost = str(next(iter(found.values())).cost_function)
    rows += [
        (f"{name}, {cost}", *(f"{getattr(each, field):.4f}" for each in found.values()))
        for name, field in (("actDCF", "act_dcf"), ("minDCF", "min_dcf"))
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    table = "\n".join(
        "  ".join(
            [f"{row[0]:<{widths[0]}}"]
            + [f"{cell:>{w}}" for cell, w in zip(row[1:], widths[1:], strict=True)]
        ).rstrip()
        for row in rows
    )
    misfit = [
        f"Note: of {group}, {note}."
        for group, each in found.items()
        for note in misfits(each)
    ]
    notes = [textwrap.fill(note, 79) for note in notes_on(calibration) + misfit]
    return "\n\n".join([table, *notes])


def notes_on(calibration: LinearCalibration) -> list[str]:
    """Where a calibration comes from, and how far to trust it, in sentences."""
    trials, said = calibration.trained_on, calibration.provenance
    speakers = said.get("speakers")
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


def few_speakers_trained(
    calibration: LinearCalibration | IsotonicCalibration,
) -> list[str]:
    """What to say of a calibration of few speakers; nothing if they are enough."""
    speakers = calibration.provenance.get("speakers", "")
    if not speakers.isdecimal() or int(speakers) >= FEW_SPEAKERS:
        return []
    return [
        f"{speakers} speakers are few: ratios far from 1 are extrapolated, and other "
        "recordings may need a calibration of their own"
    ]
