"""``for_matching.csv``: which references meet which probes, and what else is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bob.learn.pytorch.metrics import Names
from bob.learn.pytorch.protocols.fast_trials import fast_columns
from bob.learn.pytorch.protocols.formats.csv_rows import read_header, read_rows
from bob.learn.pytorch.protocols.trials import ENROLLING_FILE, DatabaseError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

MATCHING_FILE = "for_matching.csv"
PROBING_FILE = "for_probing.csv"

#: What a row has to say; other columns are what is known of the trial.
MATCHING_COLUMNS = ("enroll_template_id", "probe_template_id")


@dataclass(frozen=True, eq=False)
class Matching:
    """Trials between references and probes.

    Attributes
    ----------
    pairs : tuple of arrays of int
        For each reference its probes in the order of the file, each once as in Bob.
    metadata : mapping of str to Names
        What else is known of each trial, by title, in the order of the pairs.
    """

    pairs: tuple[NDArray[np.int64], ...]
    metadata: Mapping[str, Names]


def read_matching(
    path: Path, references: Sequence[str], probes: Sequence[str]
) -> Matching:
    """Read the trials of a group.

    Parameters
    ----------
    path : Path
        The file.
    references, probes : sequence of str
        Ids as the other files of the group have them.

    Raises
    ------
    DatabaseError
        With file and line for an id that these do not have, and for a trial that comes
        twice with something else known of it.
    """
    columns, lines = _columns(path)
    sides = []
    for name, ids, what, file in zip(
        MATCHING_COLUMNS,
        (references, probes),
        ("reference", "probe"),
        (ENROLLING_FILE, PROBING_FILE),
        strict=True,
    ):
        position = {known: at for at, known in enumerate(ids)}
        column = columns.pop(name)
        code = np.array([position.get(each, -1) for each in column.distinct], np.int64)
        places = code[column.codes]
        if (places < 0).any():
            at = int((places < 0).argmax())
            raise DatabaseError(
                f"{path}:{lines[at]}: {what} {column.distinct[column.codes[at]]!r} is "
                f"not in {file}; add it there, or take this line out"
            )
        sides.append(places)
    kept = _once(path, sides[0] * len(probes) + sides[1], columns, lines)
    kept = kept[np.argsort(sides[0][kept], kind="stable")]
    ends = np.cumsum(np.bincount(sides[0][kept], minlength=len(references)))
    return Matching(
        tuple(np.split(sides[1][kept], ends[:-1])),
        {title: column.take(kept) for title, column in columns.items()},
    )


def _columns(path: Path) -> tuple[dict[str, Names], NDArray[np.int64]]:
    """Every column, and the line of each row."""
    header = read_header(path, MATCHING_COLUMNS)
    found = fast_columns(path, header, skipped=1, separator=",")
    if found is not None:
        return found, np.arange(2, 2 + len(found[header[0]]), dtype=np.int64)
    rows = list(read_rows(path, MATCHING_COLUMNS))
    columns = {name: Names.of(row.fields[name] for row in rows) for name in header}
    return columns, np.array([row.line for row in rows], dtype=np.int64)


def _once(
    path: Path,
    codes: NDArray[np.int64],
    columns: Mapping[str, Names],
    lines: NDArray[np.int64],
) -> NDArray[np.int64]:
    """The first row of each trial, in the order of the file."""
    _, first, trial = np.unique(codes, return_index=True, return_inverse=True)
    for title, column in columns.items():
        differs = column.codes != column.codes[first[trial]]
        if differs.any():
            at = int(differs.argmax())
            raise DatabaseError(
                f"{path}:{lines[at]}: the {title} of this trial is "
                f"{column.distinct[column.codes[at]]!r} here and another in line "
                f"{lines[first[trial[at]]]}; keep the line that is right"
            )
    return np.sort(first)
