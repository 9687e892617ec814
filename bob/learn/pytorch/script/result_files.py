"""A score file as a system of a report, with what lies beside it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bob.learn.pytorch.report.systems import System


def system_of_file(name: str, path: Path, *, trials: Path | None) -> System:
    """Read scores, metadata, and the provenance that `bob pytorch score` wrote.

    Parameters
    ----------
    trials
        A list of the same trials, for scores that do not say who speaks.
    """
    from bob.learn.pytorch.report.provenance import (
        file_fact,
        settings_facts,
        trials_fact,
    )
    from bob.learn.pytorch.report.systems import System
    from bob.learn.pytorch.verification.scorefiles import read_with_metadata

    table, metadata = read_with_metadata(path, trials=trials)
    scores = file_fact(path, trials=len(table))
    told = _told(path, scores)
    return System(
        name,
        table,
        metadata=metadata,
        provenance=(
            ("Scores", scores),
            ("Trial list", trials_fact(table)),
            *settings_facts(told),
        ),
        scores=_in_words(told),
        calibrated="meaning" in told if told else None,
    )


def _told(path: Path, scores: str) -> Mapping[str, Any]:
    """What made a file, if it is still the file that this was told of."""
    from bob.learn.pytorch.verification.score_writing import provenance_file

    beside = provenance_file(path)
    if not beside.is_file():
        return {}
    try:
        content = json.loads(beside.read_text("utf-8"))
    except ValueError:
        return {}
    known = isinstance(content, dict) and str(content.pop("sha256", "-")) in scores
    return content if known else {}


def _in_words(told: Mapping[str, Any]) -> str:
    if not told:
        return ""
    kind, comma, more = str(told.get("normalisation", "none")).partition(",")
    words = [] if kind in ("none", "None") else [f"{kind}-norm{comma}{more}"]
    if "meaning" in told:
        words.append("calibrated")
    return ", ".join(words) or "raw"
