"""The two sides of trials: names of the references, and measures of both sides."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from bob.learn.pytorch.errors import ScoringError
from bob.learn.pytorch.metrics import Names
from bob.learn.pytorch.protocols.columns import is_number
from bob.learn.pytorch.scorefiles.quality import read_measures

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from numpy.typing import NDArray

    from bob.learn.pytorch.metrics import ScoreTable
    from bob.learn.pytorch.scorefiles import ScoreFile

    FloatArray: TypeAlias = NDArray[np.float64]


class ReferenceFile(NamedTuple):
    """File of one reference, with its name and count of trials."""

    name: str
    path: Path
    trials: int


def reference_files(path: Path, *, group: str) -> list[ReferenceFile]:
    """Return the files of each reference that make up a score file, in its order.

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
        Name of the group, such as ``dev``.
    """
    if table.model is not None:
        return table
    files = reference_files(path, group=group)
    trials = np.array([file.trials for file in files], dtype=np.int64)
    codes = np.repeat(np.arange(len(files), dtype=np.int32), trials)
    if codes.size != len(table):
        return table
    return replace(table, model=Names(tuple(file.name for file in files), codes))


def measured(file: ScoreFile, name: str) -> tuple[FloatArray, FloatArray]:
    """Return a measure of the reference and of the probe of each trial, ``(trials,)``.

    It stands in columns of the file, or of the list of its trials, or in the file
    ``quality-<group>.csv`` that verify.py writes beside.

    Raises
    ------
    ScoringError
        It is nowhere, or not a number.
    """
    columns = f"bio_ref_{name}", f"probe_{name}"
    group = file.path.name.removeprefix("scores-")
    # Where verify.py with calibration_quality keeps those of its scores.
    beside = file.path.with_name(f"quality-{group}.csv")
    if set(columns) & set(file.metadata) or not beside.is_file():
        return _numbers(file, columns[0]), _numbers(file, columns[1])
    found = read_measures(beside, (name,))
    sides = (
        (
            _references(file, group, found.references[name], beside),
            found.references[name],
        ),
        (file.table.probe, found.probes[name]),
    )
    for names, numbers in sides:
        unknown = [one for one in names.distinct if one not in numbers]
        if unknown:
            raise ScoringError(
                f"{beside} knows no {name} of {unknown[0]} in {file.path}; score the "
                "trials with `bob pytorch score … -o scores.csv --quality …` instead"
            )
    one, other = (
        np.array([numbers[one] for one in names.distinct])[names.codes]
        for names, numbers in sides
    )
    return one, other


def _references(
    file: ScoreFile, group: str, known: Collection[str], beside: Path
) -> Names:
    """The reference of each trial, by the name that its measures have."""
    table = with_references(file.table, file.path, group=group)
    if table.model is not None:
        return table.model
    # Each subject has the one reference that is called like it.
    if set(known) == set(table.claimed.distinct):
        return table.claimed
    raise ScoringError(
        f"{file.path} has four columns, which name subjects, and {beside} has measures "
        f"of references; which reference each score is of is not told by the files in "
        f"{file.path.with_name(group)} either: run verify.py again with "
        "--write-five-column-score-files, or score the trials with `bob pytorch score "
        "… -o scores.csv --quality …`"
    )


def _numbers(file: ScoreFile, title: str) -> FloatArray:
    """A column of numbers, ``(trials,)``; NaN where it is empty."""
    if title not in file.metadata:
        raise ScoringError(
            f"{file.path} has no column {title}; it has "
            f"{', '.join(file.metadata) or 'no other columns'}. Write such columns "
            "with `bob pytorch score … -o scores.csv --quality …`, or give a protocol "
            "that has them as the list of trials"
        )
    column = file.metadata[title]
    numbers = np.array([_number(text) for text in column.distinct])
    wrong = np.isinf(numbers)[column.codes]
    if wrong.any():
        at = int(wrong.argmax())
        raise ScoringError(
            f"{file.path}, trial {at + 1}: {column.distinct[column.codes[at]]!r} in "
            f"the column {title} is no number"
        )
    return numbers[column.codes]


def _number(text: str) -> float:
    """NaN of nothing, and infinite where it is no number."""
    if not text.strip():
        return np.nan
    return float(text) if is_number(text) else np.inf
