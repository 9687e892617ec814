"""A score file as a system of a report, with what lies beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bob.learn.pytorch.calibration.origin import Origin

if TYPE_CHECKING:
    from pathlib import Path

    from bob.learn.pytorch.report.systems import System


def system_of_file(name: str, path: Path, *, trials: Path | None) -> System:
    """Read scores, metadata, and the provenance that `bob pytorch score` wrote.

    Parameters
    ----------
    trials
        A list of the same trials, for scores that do not say who speaks.

    Raises
    ------
    ScoreFileError
        The file is no score file, or does not say who speaks and no list does.
    """
    from bob.learn.pytorch.calibration.origin import read_provenance
    from bob.learn.pytorch.files import file_sha256
    from bob.learn.pytorch.report.provenance import (
        file_fact,
        made_in_words,
        settings_facts,
        trials_fact,
    )
    from bob.learn.pytorch.report.systems import System
    from bob.learn.pytorch.scorefiles import read_with_metadata

    table, metadata = read_with_metadata(path, trials=trials)
    sha256 = file_sha256(path)
    origin = Origin(read_provenance(path, sha256=sha256))
    calibrated = origin.is_calibrated
    return System(
        name,
        table,
        metadata=metadata,
        provenance=(
            ("Scores", file_fact(path, trials=len(table), sha256=sha256)),
            ("Trial list", trials_fact(table)),
            *settings_facts(origin.kept),
        ),
        scores=made_in_words(
            origin.normalisation, calibrated="calibrated" if calibrated else ""
        )
        if origin
        else "",
        calibrated=calibrated,
        notes=origin.notes,
    )
