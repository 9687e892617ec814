"""Score files: four and five columns as verify.py wrote them, and the CSV of Bob 8.

========  ================================================================
form      one trial
========  ================================================================
``four``  ``claimed real probe score``, as ``%s %s %s %3.8f``
``five``  ``claimed model real probe score``, as ``%s %s %s %s %3.8f``
``csv``   under a header: ``probe_template_id``, ``probe_subject_id``,
          ``bio_ref_template_id``, ``bio_ref_subject_id``, ``score`` in full
========  ================================================================

A trial without a score says ``nan``.
"""

from __future__ import annotations

import csv
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from bob.learn.pytorch.atomic import beside
from bob.learn.pytorch.metrics import Names, ScoreTable

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

Form: TypeAlias = Literal["four", "five", "csv"]

CSV_COLUMNS = {
    "probe": "probe_template_id",
    "real": "probe_subject_id",
    "model": "bio_ref_template_id",
    "claimed": "bio_ref_subject_id",
    "score": "score",
}
TEXT_COLUMNS = {
    4: ("claimed", "real", "probe", "score"),
    5: ("claimed", "model", "real", "probe", "score"),
}

# Read at a time. Larger blocks are slower: they outgrow the processor's cache.
BLOCK_CHARACTERS = 1 << 22
BLOCK_ROWS = 8192
# Written at a time, in trials.
BLOCK_TRIALS = 1 << 16


class ScoreFileError(ValueError):
    """A score file cannot be read, or a table cannot be written in that form."""


def read_scores(path: str | os.PathLike[str]) -> ScoreTable:
    """Read a score file of any form; the first line tells which.

    Raises
    ------
    ScoreFileError
        The file holds no trial, or a line does not fit: the message has its number.
    """
    path = Path(path)
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        first = file.readline()
        while first.isspace():
            first = file.readline()
        if "score" in next(csv.reader([first]), []):
            return _read_csv(path)
        columns = TEXT_COLUMNS.get(len(first.split()))
    if columns is None:
        raise ScoreFileError(
            f"{path} begins with {first.strip()[:80]!r}; a score file has "
            f"four columns (claimed real probe score), five (claimed model real probe "
            f"score), or is a CSV whose header has a column score"
        )
    return _read_text(path, columns)


def write_scores(
    path: str | os.PathLike[str], table: ScoreTable, *, form: Form = "four"
) -> Path:
    """Write a table of scores; the file appears at once and complete, or not at all.

    Missing folders are made.

    Raises
    ------
    ScoreFileError
        The form needs the name of the reference and the table has none, or a name
        with a space would become two columns.
    """
    path = Path(path)
    with (
        beside(path) as place,
        place.open("x", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        file.writelines(score_lines(table, form=form))
    return path


def score_lines(table: ScoreTable, *, form: Form = "four") -> Iterator[str]:
    """Yield the text of a score file in pieces of many lines.

    Raises
    ------
    ScoreFileError
        As `write_scores` does.
    """
    columns, separator, number = _layout(form)
    if form == "csv":
        yield ",".join(CSV_COLUMNS.values()) + "\n"
    names = [_names(table, column) for column in columns[:-1]]
    texts = [_escaped(column, form=form) for column in names]
    for start in range(0, len(table), BLOCK_TRIALS):
        part = slice(start, start + BLOCK_TRIALS)
        fields = [
            [distinct[code] for code in column.codes[part].tolist()]
            for distinct, column in zip(texts, names, strict=True)
        ]
        scores = table.score[part].tolist()
        fields.append([number] * len(scores))
        template = "\n".join(map(separator.join, zip(*fields, strict=True)))
        yield template % tuple(scores) + "\n"


def _layout(form: str) -> tuple[tuple[str, ...], str, str]:
    """Columns, what stands between them, and how a score is written."""
    layouts = {
        "four": (TEXT_COLUMNS[4], " ", "%3.8f"),
        "five": (TEXT_COLUMNS[5], " ", "%3.8f"),
        "csv": (tuple(CSV_COLUMNS), ",", "%r"),
    }
    if form not in layouts:
        raise ScoreFileError(
            f"scores cannot be written in the form {form!r}; choose one of "
            f"{', '.join(layouts)}"
        )
    return layouts[form]


def _names(table: ScoreTable, column: str) -> Names:
    names: Names | None = getattr(table, column)
    if names is None:
        raise ScoreFileError(
            "this table of scores does not name its references, which five columns and "
            "CSV need; give model= to the table or write four columns"
        )
    return names


def _escaped(names: Names, *, form: str) -> list[str]:
    """Distinct names as they stand in the file, safe in a % template."""
    if form == "csv":
        return [_quoted(name).replace("%", "%%") for name in names.distinct]
    for name in names.distinct:
        if len(name.split()) != 1 or name.strip() != name:
            raise ScoreFileError(
                f"{name!r} cannot stand in a score file whose columns are parted by "
                f"spaces; rename it, or write the scores as CSV"
            )
    return [name.replace("%", "%%") for name in names.distinct]


def _quoted(name: str) -> str:
    if any(character in name for character in ',"\r\n'):
        return '"' + name.replace('"', '""') + '"'
    return name


class _Columns:
    """Columns that come in blocks, on their way into a table."""

    def __init__(self) -> None:
        self._codes: dict[str, dict[str, int]] = {}
        self._names: dict[str, list[NDArray[np.int32]]] = {}
        self._scores: list[NDArray[np.float64]] = []

    def add(self, block: Mapping[str, Sequence[str]]) -> None:
        """Append one block; ValueError where a score is no number."""
        texts = block["score"]
        self._scores.append(np.fromiter(map(float, texts), np.float64, len(texts)))
        for column, names in block.items():
            if column != "score":
                code = self._codes.setdefault(column, {})
                for name in dict.fromkeys(names):
                    code.setdefault(name, len(code))
                codes = np.fromiter(map(code.__getitem__, names), np.int32, len(names))
                self._names.setdefault(column, []).append(codes)

    def table(self, path: Path) -> ScoreTable:
        """Join the blocks."""
        if not any(block.size for block in self._scores):
            raise ScoreFileError(
                f"{path} holds no trial; write it again, a run may have been cut short"
            )
        columns = {
            column: Names(tuple(self._codes[column]), np.concatenate(blocks))
            for column, blocks in self._names.items()
        }
        return ScoreTable(score=np.concatenate(self._scores), **columns)


def _read_text(path: Path, columns: tuple[str, ...]) -> ScoreTable:
    found = _Columns()
    number = 1
    with path.open(encoding="utf-8-sig", errors="surrogateescape") as file:
        lines: list[str] = []
        try:
            while lines := file.readlines(BLOCK_CHARACTERS):
                fields = _fields(lines, width=len(columns))
                found.add(dict(zip(columns, fields, strict=True)))
                number += len(lines)
        except ValueError as error:
            raise _misfit(
                path,
                map(str.split, lines),
                width=len(columns),
                score=len(columns) - 1,
                first=number,
            ) from error
    return found.table(path)


def _fields(lines: list[str], *, width: int) -> list[list[str]]:
    """Columns of a block of lines; ValueError where a line has another width."""
    # One split of the whole block is five times faster than one for each line. The
    # mark between lines, which no text file holds, shows that all have one width.
    tokens = " \0 ".join(lines).split()
    if len(tokens) + 1 != len(lines) * (width + 1):
        lines = [line for line in lines if not line.isspace()]
        tokens = " \0 ".join(lines).split()
    expected = max(0, len(lines) * (width + 1) - 1)
    if len(tokens) != expected or not set(tokens[width :: width + 1]) <= {"\0"}:
        raise ValueError(f"a line does not have {width} columns")
    return [tokens[column :: width + 1] for column in range(width)]


def _read_csv(path: Path) -> ScoreTable:
    found = _Columns()
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        reader = csv.reader(file)
        header = next(row for row in reader if row)
        place = {
            column: header.index(title)
            for column, title in CSV_COLUMNS.items()
            if title in header
        }
        _check_header(path, place)
        rows: list[list[str]] = []
        try:
            while rows := list(islice(reader, BLOCK_ROWS)):
                # The header makes sure of the width even where no row has it.
                fields = list(zip(header, *filter(None, rows), strict=True))
                found.add({name: fields[at][1:] for name, at in place.items()})
        except ValueError as error:
            raise _misfit(
                path,
                rows,
                width=len(header),
                score=place["score"],
                first=reader.line_num - len(rows) + 1,
            ) from error
    return found.table(path)


def _check_header(path: Path, place: Mapping[str, int]) -> None:
    missing = [
        title
        for column, title in CSV_COLUMNS.items()
        if column not in place and column != "model"
    ]
    if missing:
        raise ScoreFileError(
            f"{path} has no column {', '.join(missing)}; the header of a Bob score "
            f"file has {', '.join(CSV_COLUMNS.values())} and any others"
        )


def _misfit(
    path: Path, rows: Iterable[list[str]], *, width: int, score: int, first: int
) -> ScoreFileError:
    """Say which row does not fit; ``score`` is the position of its score."""
    number, problem = first, "it cannot be read"
    for number, row in enumerate(rows, start=first):  # noqa: B007
        if row and len(row) != width:
            problem = f"{len(row)} columns where {width} are expected"
            break
        if row and not _is_number(row[score]):
            problem = f"the score {row[score]!r} is not a number"
            break
    return ScoreFileError(
        f"{path}, line {number}: {problem}; repair the line or write the file again"
    )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
