"""NIST's tables, parted by tabs: of trials, of enrolment and of segments.

=========  =======================================  ================================
table      columns                                  others are metadata of each
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
from typing import TYPE_CHECKING

from bob.learn.pytorch.protocols.columns import Columns, read_columns
from bob.learn.pytorch.protocols.lines import is_utf_8, text_lines
from bob.learn.pytorch.protocols.listed import LABELS, WORDS, TrialList
from bob.learn.pytorch.protocols.trials import DatabaseError
from bob.learn.pytorch.protocols.writing import write_lines

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from pathlib import Path

    from bob.learn.pytorch.metrics import Names

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

#: Columns of the trial itself in a score file in CSV; as in `scorefiles.forms`.
_TAKEN = frozenset(
    {
        "probe_template_id", "probe_subject_id", "bio_ref_template_id",
        "bio_ref_subject_id", "score",
    }
)  # fmt: skip


class SreTable(Columns):
    """The columns of a table.

    Attributes
    ----------
    names : mapping of str to Names
        ``model``, ``segment``, ``side``, ``label``, ``subject``, as far as the table
        has them, and its other columns by their titles, ``(lines,)`` each.
    """

    @property
    def metadata(self) -> dict[str, Names]:
        """The other columns."""
        return {
            title: column for title, column in self.names.items() if title not in _OURS
        }

    def listed(self) -> TrialList:
        """Return the trials of a table of trials, other columns as their metadata."""
        names = {"enrolled": self.names["model"], "tested": self.names["segment"]}
        if "label" in self.names:
            names["label"] = self.names["label"]
        return TrialList.of(
            Columns(self.path, names, self.lines), metadata=self.metadata
        )


def is_trial_table(path: Path) -> bool:
    """Return whether the first line is a headline, or has a model, segment and side.

    A line of three with a label is a trial list, whatever its third column is called.
    """
    fields = _first_fields(path)
    return _is_headline(fields, ("model", "segment")) or (
        len(fields) in (3, 4)
        and fields[2].lower() in ("a", "b")
        and all(field in LABELS for field in fields[3:])
        and fields[0] not in LABELS
    )


def _first_fields(path: Path) -> list[str]:
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        return next((line for line in file if not line.isspace()), "").split()


def _is_headline(fields: Sequence[str], first: Sequence[str]) -> bool:
    return [_TITLES.get(field.lower()) for field in fields[: len(first)]] == [*first]


def is_segment_table(path: Path) -> bool:
    """Return whether the first line is the headline of a table of segments."""
    fields = _first_fields(path)
    return len(fields) > 1 and _is_headline(fields, ("segment",))


def read_table(path: Path, *, label: bool) -> SreTable:
    """Read a table of trials, or of enrolment, parted by tabs or spaces.

    Parameters
    ----------
    path : Path
        The table, with a headline or, in this order, model, segment, side and label.
    label : bool
        Refuse a table without labels.
    """
    expected = (
        "a headline modelid, segmentid, side"
        f"{', targettype' if label else ''} and lines"
    )
    return _read(path, expected, first=("model", "segment"), label=label)


def read_segment_table(path: Path) -> SreTable:
    """Read a table of segments; those that come twice must be described alike."""
    expected = "a headline segmentid, subjectid, … and lines"
    table = _read(path, expected, first=("segment",), label=False)
    first: dict[int, int] = {}
    segment = table.names["segment"]
    known = [column for column in table.names.values() if column is not segment]
    for at, code in enumerate(segment.codes.tolist()):
        if (before := first.setdefault(code, at)) == at:
            continue
        if any(column.codes[at] != column.codes[before] for column in known):
            raise DatabaseError(
                f"{path}:{table.lines[at]}: segment {segment.distinct[code]!r} is "
                f"described otherwise in line {table.lines[before]}; keep the line "
                "that is right"
            )
    return table


def _read(path: Path, expected: str, *, first: Sequence[str], label: bool) -> SreTable:
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
    skipped = number * titled
    rows = _rows(path, expected, titles, skipped=skipped)
    read = read_columns(path, titles, rows, skipped=skipped)
    if not len(read):
        raise DatabaseError(
            f"{path} is empty but for its headline; expected {expected}"
        )
    return _checked(SreTable(read.path, read.names, read.lines))


def _plain(fields: Sequence[str], first: Sequence[str]) -> list[str | None]:
    """Return the columns of a table without a headline; none where one must be."""
    fits = first[0] == _PLAIN[0] and len(first) <= len(fields) <= len(_PLAIN)
    return [*_PLAIN[: len(fields)]] if fits else []


def _fields(line: str) -> list[str]:
    """Return the fields of a line; one may be empty where tabs part them."""
    if "\t" in line:
        return [field.strip() for field in line.strip("\r\n").split("\t")]
    return line.split()


def _titles(fields: Sequence[str], where: str) -> list[str | None]:
    """Return the columns by their own titles; None where the title is empty."""
    titles = [_TITLES.get(field.lower(), field) or None for field in fields]
    named = [title for title in titles if title is not None]
    for at, title in enumerate(named):
        if title in named[:at]:
            raise DatabaseError(
                f"{where}: two columns say the {title}; expected one: take the other "
                "out, or give it another title"
            )
        if title in _TAKEN:
            raise DatabaseError(
                f"{where}: a column {title!r}, as score files call one of their own; "
                "give it another title"
            )
    return titles


def refuse_titles(titles: Collection[str]) -> None:
    """Refuse metadata whose title tables or score files have for themselves."""
    taken = [name for name in titles if name.lower() in _TITLES or name in _TAKEN]
    if taken or "" in titles:
        raise DatabaseError(
            f"metadata called {', '.join(map(repr, taken)) or repr('')} would be read "
            "as a column of another meaning; give it another title"
        )


def _rows(
    path: Path, expected: str, titles: Sequence[str | None], *, skipped: int
) -> Iterator[tuple[int, list[str]]]:
    """Yield number and fields of each line below the headline."""
    for number, line in text_lines(path, expected=expected):
        if number <= skipped:
            continue
        fields = _fields(line)
        if len(fields) != len(titles):
            raise DatabaseError(
                f"{path}:{number}: {len(fields)} fields, expected {len(titles)} as in "
                "the first line; a field that is not known is left empty, between tabs"
            )
        yield number, fields


def write_table(
    path: Path, titles: Sequence[str], rows: Iterable[Sequence[str]]
) -> Path:
    """Write a table, whole or not at all, and return its path."""
    return write_lines(path, ("\t".join(map(_field, row)) for row in (titles, *rows)))


def _field(text: str) -> str:
    parted = "\t" in text or len(text.splitlines()) > 1
    if parted or text != text.strip() or not is_utf_8(text):
        raise DatabaseError(
            f"{text!r} cannot stand in a table in UTF-8 whose columns are parted by "
            "tabs; rename it, or convert to bob"
        )
    return text


def _checked(table: SreTable) -> SreTable:
    """Return the same table, if every name, label and side is one."""
    for name in ("model", "segment"):
        column = table.names.get(name)
        if column is not None and "" in column.distinct:
            where = table.where(name, column.distinct.index(""))
            raise DatabaseError(
                f"{where}: the model or the segment is empty; complete the line"
            )
    label = table.names.get("label")
    for code, word in enumerate(() if label is None else label.distinct):
        if word not in LABELS:
            raise DatabaseError(
                f"{table.where('label', code)}: targettype {word!r}; expected one of "
                f"{', '.join(WORDS)}: correct the line"
            )
    side = table.names.get("side")
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
    at = int((table.names["side"].codes == code).argmax())
    segments = table.names["segment"]
    segment = segments.distinct[segments.codes[at]]
    return DatabaseError(
        f"{where}: side {side} of {segment!r} is the second channel of a file: "
        f"put it into a file of its own (`sox {shlex.quote(segment)} … remix 2`) "
        "and call that side a"
    )
