"""Score files of an experiment become error rates and a picture beside them."""

from __future__ import annotations

import json
import textwrap
from typing import TYPE_CHECKING, Any

from bob.learn.pytorch.printing import printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


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

    Parameters
    ----------
    score_files
        Group -> score file. With ``dev`` and ``eval``, the threshold of dev is
        applied to eval.
    folder
        Where the three files go; each is whole or absent.
    title
        Of the picture.
    failures
        How many recordings could not be used.
    notes
        What else has to be known of the recordings.
    normalisation
        How the scores were normalised, in words.
    calibration
        File of the calibration; ``calibrated-<group>`` are beside it.

    Returns
    -------
    str
        The summary as text.
    """
    from bob.learn.pytorch.files import write_text
    from bob.learn.pytorch.metrics import evaluate
    from bob.learn.pytorch.report.det import plot_det
    from bob.learn.pytorch.report.summary import summary_as_dict, summary_as_text
    from bob.learn.pytorch.scorefiles import read_scores

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
    plot_det(folder / "det.png", tables, title=title)
    return text


def _calibrated(path: Path, groups: list[str]) -> tuple[dict[str, Any], str]:
    """Figures of the calibrated scores beside a calibration, for JSON and as text."""
    from bob.learn.pytorch.calibration import LinearCalibration, load_calibration
    from bob.learn.pytorch.report import calibrated
    from bob.learn.pytorch.scorefiles import read_scores

    calibration = load_calibration(path)
    assert isinstance(calibration, LinearCalibration)  # noqa: S101 - verify.py's own
    files = {group: path.with_name(f"calibrated-{group}") for group in groups}
    found = calibrated.calibrated_figures(
        {group: read_scores(file) for group, file in files.items()}
    )
    heading = f"Calibrated scores ({printable(path.with_name('calibrated-<group>'))})"
    return (
        {"calibration": str(path), **calibrated.as_dict(found, calibration)},
        f"{heading}\n\n{calibrated.as_text(found, calibration)}",
    )
