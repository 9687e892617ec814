"""Which references scores are of, out of the files that verify.py writes for each."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from bob.learn.pytorch.metrics import Names

if TYPE_CHECKING:
    from pathlib import Path

    from bob.learn.pytorch.metrics import ScoreTable


def with_references(table: ScoreTable, path: Path, *, group: str) -> ScoreTable:
    """Name the references of a file of four columns, which does not.

    verify.py writes a file for each reference too, into the folder of the group; all of
    them, one after the other, are the score file. Where that does not hold, the table
    stays as it is.

    Parameters
    ----------
    table
        What is in the score file.
    path
        The score file.
    group
        Whose scores it has.
    """
    if table.model is not None:
        return table
    folder = path.parent / group
    parts = {
        file.relative_to(folder).with_suffix("").as_posix(): file.read_bytes()
        for file in folder.rglob("*.txt")
    }
    names = sorted(parts)
    if b"".join(parts[name] for name in names) != path.read_bytes():
        return table
    lines = np.array([parts[name].count(b"\n") for name in names], dtype=np.int64)
    codes = np.repeat(np.arange(len(names), dtype=np.int32), lines)
    if codes.size != len(table):
        return table
    return replace(table, model=Names(tuple(names), codes))
