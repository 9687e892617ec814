"""Which references scores are of, out of the files that verify.py writes for each."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from bob.learn.pytorch.metrics import Names

if TYPE_CHECKING:
    from pathlib import Path

    from bob.learn.pytorch.metrics import ScoreTable


class ReferenceFile(NamedTuple):
    """The file of one reference, by its name, and how many trials are in it."""

    name: str
    path: Path
    trials: int


def reference_files(path: Path, *, group: str) -> list[ReferenceFile]:
    """The files of each reference that make up a score file, in its order.

    verify.py writes them into the folder of the group; one after the other they are the
    score file. Others below that folder, such as a report, are left aside; where those
    that are left do not make up the score file, there are none.
    """
    folder = path.parent / group
    named = {
        file.relative_to(folder).with_suffix("").as_posix(): file
        for file in folder.rglob("*.txt")
    }
    if not named:
        return []
    found, whole, start = [], path.read_bytes(), 0
    for name, file in sorted(named.items()):
        part = file.read_bytes()
        if part and whole.startswith(part, start):
            found.append(ReferenceFile(name, file, part.count(b"\n")))
            start += len(part)
    return found if start == len(whole) else []


def with_references(table: ScoreTable, path: Path, *, group: str) -> ScoreTable:
    """Name the references of a file of four columns, which does not.

    Where the files of each reference do not make up the score file, the table stays as
    it is.

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
    files = reference_files(path, group=group)
    trials = np.array([file.trials for file in files], dtype=np.int64)
    codes = np.repeat(np.arange(len(files), dtype=np.int32), trials)
    if codes.size != len(table):
        return table
    return replace(table, model=Names(tuple(file.name for file in files), codes))
