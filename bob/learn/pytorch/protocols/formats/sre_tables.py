"""NIST's tables, parted by tabs: of trials, of enrolment and of segments.

=========  =======================================  ================================
table      columns                                  others are what is known of each
=========  =======================================  ================================
trials     ``modelid segmentid side targettype``,   trial (``phone_num_match``, …)
           in a blind one without the last
enrolment  ``modelid segmentid side``               model
segments   ``segmentid``, perhaps ``subjectid``     segment (``gender``, ``language``)
=========  =======================================  ================================

A headline says which column is which. Without one, a table of trials or of enrolment
has the columns above in that order. Only side ``a`` is read: a side ``b`` is the second
channel of a file.

References
----------
NIST, "2018 Speaker Recognition Evaluation Plan", section 6 (format of the tables).
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bob.learn.pytorch.metrics import Names
from bob.learn.pytorch.protocols.fast_trials import fast_columns
from bob.learn.pytorch.protocols.formats.trial_lists import LABELS, WORDS, TrialList
from bob.learn.pytorch.protocols.text_lines import refuse_other_files, text_lines
from bob.learn.pytorch.protocols.trials import DatabaseError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

_TITLES = {
    "modelid": "model",
    "model_id": "model",
    "model": "model",
    "segmentid": "segment",
    "segment_id": "segment",
    "segment": "segment",
    "side": "side",
    "channel": "side",
    "targettype": "label",
    "label": "label",
    "subjectid": "subject",
    "subject_id": "subject",
    "subject": "subject",
    "speakerid": "subject",
    "speaker_id": "subject",
    "speaker": "subject",
}
_OURS = frozenset(_TITLES.values())
_PLAIN = ("model", "segment", "side", "label")
_SIDES = {"a": True, "1": True, "": True, "b": False, "2": False}

#: What a score file in CSV calls the trial itself; as in `scorefiles.layouts`.
_TAKEN = frozenset(
    {
        "probe_template_id", "probe_subject_id", "bio_ref_template_id",
        "bio_ref_subject_id", "score",
    }
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class SreTable:
    """A table, column by column.

    Attributes
    ----------
    path : Path
        The file.
    columns : mapping of str to Names
        ``model``, ``segment``, ``side``, ``label``, ``subject``, as far as the table
        has them, ``(lines,)`` each.
    metadata : mapping of str to Names
        The other columns by their titles.
    lines : (lines,) array of int
        Line numbers, from 1.
    """

    path: Path
    columns: Mapping[str, Names]
    metadata: Mapping[str, Names]
    lines: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.lines)

    @property
    def target(self) -> NDArray[np.bool_]:
        """(lines,) The labels; false everywhere in a table without."""
        label = self.columns.get("label")
        if label is None:
            return np.zeros(len(self), dtype=np.bool_)
        return np.array([LABELS[word] for word in label.distinct])[label.codes]

    def listed(self) -> TrialList:
        """The trials of a table of trials, with its other columns as metadata."""
        model, segment = self.columns["model"], self.columns["segment"]
        return TrialList(
            self.path,
            model.distinct,
            segment.distinct,
            model.codes.astype(np.int64),
            segment.codes.astype(np.int64),
            self.target,
            self.lines,
            label_first=False,
            metadata=self.metadata,
            is_labelled="label" in self.columns,
        )

    def where(self, column: str, code: int) -> str:
        """``file:line`` of the first line that has a value, by its code."""
        at = (self.columns[column].codes == code).argmax()
        return f"{self.path}:{self.lines[at]}"


def is_sre_table(path: Path) -> bool:
    """Whether the first line is a headline of NIST's, or has a model, segment and side.

    A line of three with a label is a trial list, whatever its third column is called.
    """
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        fields = next((line for line in file if not line.isspace()), "").split()
    return _is_headline(fields, ("model", "segment")) or (
        len(fields) in (3, 4)
        and fields[2].lower() in ("a", "b")
        and all(field in LABELS for field in fields[3:])
        and fields[0] not in LABELS
    )


def _is_headline(fields: Sequence[str], first: Sequence[str]) -> bool:
    return [_TITLES.get(field.lower()) for field in fields[: len(first)]] == [*first]


def is_segment_key(path: Path) -> bool:
    """Return whether the first line is the headline of a table of segments."""
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        fields = next((line for line in file if not line.isspace()), "").split()
    return len(fields) > 1 and _is_headline(fields, ("segment",))


def read_sre_table(path: Path, *, label: bool) -> SreTable:
    """Read a table of trials, or of enrolment.

    Parameters
    ----------
    path : Path
        The table, parted by tabs or spaces; with a headline or, in this order, model,
        segment, side and label.
    label : bool
        Whether it has to say which trials are of one speaker.

    Raises
    ------
    DatabaseError
        With file and line for what is wrong.
    """
    expected = (
        "a headline modelid, segmentid, side"
        f"{', targettype' if label else ''} and lines"
    )
    return _read(path, expected, first=("model", "segment"), label=label)


def read_segment_key(path: Path) -> SreTable:
    """Read a table of what is known of segments.

    Raises
    ------
    DatabaseError
        With file and line for what is wrong; a segment whose two lines differ, too.
    """
    expected = "a headline segmentid, subjectid, … and lines"
    table = _read(path, expected, first=("segment",), label=False)
    first: dict[int, int] = {}
    known = [table.columns[name] for name in ("subject",) if name in table.columns]
    known += table.metadata.values()
    for at, code in enumerate(table.columns["segment"].codes.tolist()):
        if (before := first.setdefault(code, at)) == at:
            continue
        if any(column.codes[at] != column.codes[before] for column in known):
            raise DatabaseError(
                f"{path}:{table.lines[at]}: segment "
                f"{table.columns['segment'].distinct[code]!r} is described otherwise "
                f"in line {table.lines[before]}; keep the line that is right"
            )
    return table


def _read(path: Path, expected: str, *, first: Sequence[str], label: bool) -> SreTable:
    refuse_other_files(path, expected=expected)
    found = next(text_lines(path, expected=expected), None)
    if found is None:
        raise DatabaseError(f"{path} is empty; expected {expected}")
    number, line = found
    fields = _fields(line)
    titled = _is_headline(fields, first)
    titles = _titles(fields, f"{path}:{number}") if titled else _plain(fields, first)
    if not titles:
        raise DatabaseError(
            f"{path}:{number}: {line.strip()!r}; expected {expected}, parted by tabs"
        )
    if label and "label" not in titles:
        raise DatabaseError(
            f"{path}:{number}: no column targettype, so nothing says which trials are "
            "of one speaker; give the key of these trials (…trial_key.tsv)"
        )
    columns = fast_columns(path, titles, skipped=int(titled)) if number == 1 else None
    if columns is None:
        columns, lines = _by_line(path, expected, titles, skipped=number * titled)
    else:
        count = len(next(iter(columns.values())))
        lines = np.arange(1 + titled, 1 + titled + count, dtype=np.int64)
    if not lines.size:
        raise DatabaseError(
            f"{path} is empty but for its headline; expected {expected}"
        )
    table = SreTable(
        path,
        {name: column for name, column in columns.items() if name in _OURS},
        {name: column for name, column in columns.items() if name not in _OURS},
        lines,
    )
    return _checked(table)


def _plain(fields: Sequence[str], first: Sequence[str]) -> list[str | None]:
    """The columns of a table without a headline; none where there must be one."""
    fits = first[0] == _PLAIN[0] and len(first) <= len(fields) <= len(_PLAIN)
    return [*_PLAIN[: len(fields)]] if fits else []


def _fields(line: str) -> list[str]:
    """A field may be empty where a tab parts them."""
    if "\t" in line:
        return [field.strip() for field in line.strip("\r\n").split("\t")]
    return line.split()


def _titles(fields: Sequence[str], where: str) -> list[str | None]:
    """The columns by their own titles; None where the title is empty."""
    titles = [_TITLES.get(field.lower(), field) or None for field in fields]
    named = [title for title in titles if title is not None]
    for at, title in enumerate(named):
        if title in named[:at]:
            raise DatabaseError(
                f"{where}: two columns say the {title}; expected one: take the other "
                "out, or give it a title of its own"
            )
        if title in _TAKEN:
            raise DatabaseError(
                f"{where}: a column {title!r}, as score files call one of their own; "
                "give it another title"
            )
    return titles


def refuse_titles(titles: Collection[str]) -> None:
    """Refuse metadata that would be read as something else.

    Raises
    ------
    DatabaseError
        A title is one that tables or score files have for themselves.
    """
    taken = [name for name in titles if name.lower() in _TITLES or name in _TAKEN]
    if taken or "" in titles:
        raise DatabaseError(
            f"metadata called {', '.join(map(repr, taken)) or repr('')} would be read "
            "as a column of another meaning; give it another title"
        )


def _by_line(
    path: Path, expected: str, titles: Sequence[str | None], *, skipped: int
) -> tuple[dict[str, Names], NDArray[np.int64]]:
    """Columns and line numbers, without the lines up to the headline."""
    rows: list[list[str]] = []
    lines: list[int] = []
    for number, line in text_lines(path, expected=expected):
        if number <= skipped:
            continue
        fields = _fields(line)
        if len(fields) != len(titles):
            raise DatabaseError(
                f"{path}:{number}: {len(fields)} fields, expected {len(titles)} as in "
                "the first line; a field that is not known is left empty, between tabs"
            )
        rows.append(fields)
        lines.append(number)
    columns = {
        title: Names.of(row[at] for row in rows)
        for at, title in enumerate(titles)
        if title is not None
    }
    return columns, np.array(lines, dtype=np.int64)


def _checked(table: SreTable) -> SreTable:
    """The same table, if every name, label and side is one."""
    for name in ("model", "segment"):
        column = table.columns.get(name)
        if column is not None and "" in column.distinct:
            where = table.where(name, column.distinct.index(""))
            raise DatabaseError(
                f"{where}: the model or the segment is empty; complete the line"
            )
    label = table.columns.get("label")
    for code, word in enumerate(() if label is None else label.distinct):
        if word not in LABELS:
            raise DatabaseError(
                f"{table.where('label', code)}: targettype {word!r}; expected one of "
                f"{', '.join(WORDS)}: correct the line"
            )
    side = table.columns.get("side")
    for code, word in enumerate(() if side is None else side.distinct):
        if not _SIDES.get(word.lower(), False):
            raise _other_side(table, code, word)
    return table


def _other_side(table: SreTable, code: int, side: str) -> DatabaseError:
    where = table.where("side", code)
    if side.lower() not in _SIDES:
        return DatabaseError(
            f"{where}: side {side!r}; expected a or b: correct the line"
        )
    at = int((table.columns["side"].codes == code).argmax())
    segments = table.columns["segment"]
    segment = segments.distinct[segments.codes[at]]
    return DatabaseError(
        f"{where}: side {side} of {segment!r} is the second channel of a file: "
        f"put it into a file of its own (`sox {shlex.quote(segment)} … remix 2`) "
        "and call that side a"
    )
