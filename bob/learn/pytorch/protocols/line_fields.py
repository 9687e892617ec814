"""Fields of a line of a list: parted by white space or tabs, or in quotes.

Names with blanks stand between tabs, in quotes, or in a table with a headline::

   1<tab>anna b/1.wav<tab>anna b/2.wav
   1 "anna b/1.wav" "anna b/2.wav"
   label,enrol,test
   1,anna b/1.wav,anna b/2.wav

NeMo's manifests of pairs have an object of JSON a line.
"""

from __future__ import annotations

import csv
import json
from itertools import islice
from typing import TYPE_CHECKING

from bob.learn.pytorch.audio.paths import is_from_windows
from bob.learn.pytorch.protocols.trials import DatabaseError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

#: What else the columns of a table of trials may be called, in small letters.
_TITLES = {
    **dict.fromkeys(("label", "target", "key"), "label"),
    **dict.fromkeys(
        ("enrol", "enroll", "enrolled", "enrolment", "reference", "model"), "enrolled"
    ),
    **dict.fromkeys(("test", "tested", "probe"), "tested"),
}
_DELIMITERS = (",", ";", "\t", " ")

#: What to do with names that have blanks.
WITH_BLANKS = (
    'names with blanks stand between tabs, in quotes (1 "my a.wav" b.wav), or in CSV '
    "below the headline label,enrol,test"
)


def fields_of(line: str) -> list[str]:
    """Return the fields of a line, two or three where that can be."""
    if (pair := _pair_of_nemo(line)) is not None:
        return pair
    fields = line.split()
    if len(fields) <= 3:
        return [_unquoted(field) for field in fields] if '"' in line else fields
    parts = [part.strip() for part in line.strip().split("\t")]
    if len(parts) in (2, 3):
        return [_unquoted(part) for part in parts]
    return _parted(line, " ") if '"' in line else fields


def _pair_of_nemo(line: str) -> list[str] | None:
    """Read ``{"audio_filepath": ["a.wav", "b.wav"], "label": "1"}`` of NeMo."""
    if not line.startswith("{"):
        return None
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    names = entry.get("audio_filepath")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return None
    label = entry.get("label")
    return names if label is None else [str(label), *names]


def is_quoted(field: str) -> bool:
    """Return whether a field stands in quotes."""
    return len(field) > 1 and field[0] == field[-1] == '"'


def _unquoted(field: str) -> str:
    return field[1:-1].replace('""', '"') if is_quoted(field) else field


def in_line(name: str) -> str:
    """Return how a name without blanks stands in a list of trials.

    Raises
    ------
    DatabaseError
        It would be read as a path of Windows.
    """
    if is_from_windows(name):
        raise DatabaseError(
            f"{name!r} would be read as a path of Windows; rename it, or convert to bob"
        )
    return '"' + name.replace('"', '""') + '"' if is_quoted(name) else name


def headline(line: str) -> tuple[str, tuple[str | None, ...]] | None:
    """Return the delimiter and the columns of a table of trials.

    Columns are ``enrolled``, ``tested``, ``label``, or None for others; None is
    returned for a line that is no headline.
    """
    for delimiter in _DELIMITERS:
        titles = _parted(line, delimiter)
        columns = tuple(_TITLES.get(title.lower()) for title in titles)
        if columns.count("enrolled") == columns.count("tested") == 1:
            return delimiter, columns
    return None


def table_rows(
    lines: Iterable[tuple[int, str]], where: object
) -> Iterator[tuple[int, list[str], Sequence[str | None]]]:
    """Yield number, fields and columns of each line below a headline.

    Raises
    ------
    DatabaseError
        A line has more or fewer fields than the headline.
    """
    rows = iter(lines)
    _, first = next(rows)
    found = headline(first)
    assert found is not None  # noqa: S101 - whoever calls has seen it
    delimiter, columns = found
    for number, line in rows:
        fields = _parted(line, delimiter)
        if len(fields) != len(columns):
            raise DatabaseError(
                f"{where}:{number}: {len(fields)} fields, expected {len(columns)}: "
                f"{first.strip()}; a field with {delimiter!r} in it stands in quotes"
            )
        yield number, fields, columns


def _parted(line: str, delimiter: str) -> list[str]:
    rows = csv.reader([line.strip()], delimiter=delimiter, skipinitialspace=True)
    fields = next(islice(rows, 1), [])
    return [field.strip() for field in fields if field or delimiter != " "]
