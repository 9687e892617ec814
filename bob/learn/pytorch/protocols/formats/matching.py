"""``for_matching.csv``: trials between references and probes, and their metadata."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bob.learn.pytorch.protocols.columns import Columns, read_columns
from bob.learn.pytorch.protocols.lines import read_header, read_rows
from bob.learn.pytorch.protocols.trials import ENROLLING_FILE, DatabaseError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from bob.learn.pytorch.metrics import Names
    from bob.learn.pytorch.protocols.trials import Trials

PROBING_FILE = "for_probing.csv"
MATCHING_FILE = "for_matching.csv"

#: Columns of the two sides; others are metadata of the trial.
_COLUMNS = ("enroll_template_id", "probe_template_id")


@dataclass(frozen=True, eq=False)
class Matching:
    """Trials between references and probes.

    Attributes
    ----------
    pairs : tuple of arrays of int
        For each reference its probes, ``(its trials,)``, in the order of the file, each
        once as in Bob.
    metadata : mapping of str to Names
        Further columns of the trials by title, ``(trials,)``, as in `pairs`.
    """

    pairs: tuple[NDArray[np.int64], ...]
    metadata: Mapping[str, Names]


def read_matching(
    path: Path, references: Sequence[str], probes: Sequence[str]
) -> Matching:
    """Read the trials of a group between the template ids of its other files.

    Raises
    ------
    DatabaseError
        With file and line for an id that these do not have, and for a trial that comes
        twice with other metadata.
    """
    header = read_header(path, _COLUMNS)
    rows = ((row.line, list(row.fields.values())) for row in read_rows(path, _COLUMNS))
    table = read_columns(path, header, rows, skipped=1, separator=",")
    sides = []
    for title, ids, kind, file in zip(
        _COLUMNS,
        (references, probes),
        ("reference", "probe"),
        (ENROLLING_FILE, PROBING_FILE),
        strict=True,
    ):
        position = {known: at for at, known in enumerate(ids)}
        column = table.names[title]
        code = np.array([position.get(each, -1) for each in column.distinct], np.int64)
        places = code[column.codes]
        if (places < 0).any():
            at = int((places < 0).argmax())
            raise DatabaseError(
                f"{path}:{table.lines[at]}: {kind} "
                f"{column.distinct[column.codes[at]]!r} is not in {file}; add it "
                "there, or take this line out"
            )
        sides.append(places)
    known = {
        title: column for title, column in table.names.items() if title not in _COLUMNS
    }
    kept = _once(table, sides[0] * len(probes) + sides[1], known)
    kept = kept[np.argsort(sides[0][kept], kind="stable")]
    ends = np.cumsum(np.bincount(sides[0][kept], minlength=len(references)))
    return Matching(
        tuple(np.split(sides[1][kept], ends[:-1])),
        {title: column.take(kept) for title, column in known.items()},
    )


def _once(
    table: Columns, codes: NDArray[np.int64], known: Mapping[str, Names]
) -> NDArray[np.int64]:
    """Return the first row of each trial, in the order of the file."""
    _, first, trial = np.unique(codes, return_index=True, return_inverse=True)
    for title, column in known.items():
        differs = column.codes != column.codes[first[trial]]
        if differs.any():
            at = int(differs.argmax())
            raise DatabaseError(
                f"{table.path}:{table.lines[at]}: the {title} of this trial is "
                f"{column.distinct[column.codes[at]]!r} here and another in line "
                f"{table.lines[first[trial[at]]]}; keep the line that is right"
            )
    return np.sort(first)


def matching_rows(
    trials: Trials, ids: Sequence[str], columns: Mapping[str, Names]
) -> tuple[tuple[str, ...], list[tuple[str, ...]], NDArray[np.int64]]:
    """Return header, rows and probes of the file, each trial at its first place.

    Parameters
    ----------
    trials : Trials
        The trials of a group.
    ids : sequence of str
        Id of each reference.
    columns : mapping of str to Names
        Metadata of the trials, ``(trials,)`` each.

    Returns
    -------
    header : tuple of str
    rows : list of tuple of str
    probes : (rows,) array of int
        Position of the probe of each row.
    """
    taken = [title for title in columns if title in _COLUMNS]
    if taken:
        raise DatabaseError(
            f"trials have metadata called {', '.join(taken)}, as {MATCHING_FILE} calls "
            "columns of its own; give them other titles"
        )
    first, second = trials.positions()
    # A probe may be there twice, with one id.
    code: dict[str, int] = {}
    probe = np.array(
        [code.setdefault(item.id, len(code)) for item in trials.probes], dtype=np.int64
    )
    codes = first * max(1, len(code)) + probe[second]
    kept = np.sort(np.unique(codes, return_index=True)[1])
    first, second = first[kept], second[kept]
    rows = zip(
        [ids[at] for at in first.tolist()],
        [trials.probes[at].id for at in second.tolist()],
        *(column.take(kept).tolist() for column in columns.values()),
        strict=True,
    )
    return (*_COLUMNS, *columns), list(rows), second
