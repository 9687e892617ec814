"""CSV files with a header, row by row."""

from __future__ import annotations

import csv
import re
from typing import TYPE_CHECKING, NamedTuple

from bob.learn.pytorch.protocols.text_lines import refuse_other_files
from bob.learn.pytorch.protocols.trials import DatabaseError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_OTHER_DELIMITERS = (";", "\t", "|")

#: Bytes that are not UTF-8, and what UTF-16 is full of.
_NOT_TEXT = re.compile(r"[\0\udc80-\udcff]")


class Row(NamedTuple):
    """A line of a CSV file: its fields by column, and where it stands."""

    fields: dict[str, str]
    path: Path
    line: int

    @property
    def where(self) -> str:
        """``file:line``."""
        return f"{self.path}:{self.line}"

    def get(self, column: str) -> str:
        """The field, which must not be empty."""
        found = self.fields.get(column, "")
        if not found:
            raise DatabaseError(
                f"{self.where}: column {column!r} is empty; complete the row"
            )
        return found


def read_rows(path: Path, columns: Sequence[str]) -> Iterator[Row]:
    """The rows of a CSV file, which must have these columns.

    Raises
    ------
    DatabaseError
        For what is no CSV, a missing column, one that is there twice, and a row with
        more or fewer fields than the header.
    """
    refuse_other_files(path, expected=f"CSV with {', '.join(columns)}")
    number = 1
    try:
        # Names of files need not be UTF-8; everything else is.
        with path.open(
            newline="", encoding="utf-8-sig", errors="surrogateescape"
        ) as file:
            reader = csv.reader(file)
            header = next(reader, [])
            _check_header(header, path, columns)
            for values in reader:
                number = reader.line_num
                if "\0" in "".join(values):
                    raise DatabaseError(
                        f"{path}:{number}: not a text file in UTF-8, byte 0x00 in "
                        f"{','.join(values)[:40]!r}; expected comma-separated text: "
                        "write it again"
                    )
                if len(values) == len(header):
                    fields = dict(zip(header, values, strict=True))
                    yield Row(fields, path, reader.line_num)
                elif values:
                    raise DatabaseError(
                        f"{path}:{reader.line_num}: {len(values)} fields, expected "
                        f"{len(header)}: {', '.join(header)}; a field with a comma "
                        "stands in quotes"
                    )
    except csv.Error as error:
        raise DatabaseError(
            f"{path} is not a CSV file in UTF-8: {error} after line {number}; expected "
            "comma-separated text: write it again"
        ) from error


def read_header(path: Path, columns: Sequence[str]) -> list[str]:
    """The header of a CSV file, which must have these columns.

    Raises
    ------
    DatabaseError
        As `read_rows` does.
    """
    refuse_other_files(path, expected=f"CSV with {', '.join(columns)}")
    with path.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
        try:
            header = next(csv.reader(file), [])
        except csv.Error as error:
            raise DatabaseError(
                f"{path} is not a CSV file in UTF-8: {error} in line 1; expected "
                "comma-separated text: write it again"
            ) from error
    _check_header(header, path, columns)
    return header


def _check_header(header: Sequence[str], path: Path, columns: Sequence[str]) -> None:
    missing = [name for name in columns if name not in header]
    if not missing:
        twice = next((name for name in header if header.count(name) > 1), None)
        if twice is not None:
            raise DatabaseError(
                f"{path}:1: two columns {twice!r}; expected each title once: take one "
                "of them out, or give it a title of its own"
            )
        return
    names = ", ".join(header)
    if _NOT_TEXT.search(names):
        raise DatabaseError(
            f"{path} is not a CSV file in UTF-8: it begins with {names[:40]!r}; "
            "expected comma-separated text with a header"
        )
    delimiter = next((mark for mark in _OTHER_DELIMITERS if mark in names), None)
    parted = (
        f"; its fields are parted by {delimiter!r}: save it with commas"
        if len(header) == 1 and delimiter
        else ""
    )
    raise DatabaseError(
        f"{path}:1: no column {', '.join(missing)}; it has {names or 'none'}, "
        f"expected {', '.join(columns)}{parted}"
    )
