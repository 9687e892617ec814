"""Text files of lists: line by line, or as rows of CSV."""

from __future__ import annotations

import csv
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from bob.learn.pytorch.files import refuse_other_files
from bob.learn.pytorch.protocols.trials import DatabaseError

if TYPE_CHECKING:
    from _csv import Reader
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_OTHER_DELIMITERS = (";", "\t", "|")

_NOT_UTF_8 = re.compile("[\udc80-\udcff]")


def is_utf_8(text: str) -> bool:
    """Return whether a text has no bytes of file names, which are surrogates."""
    return text.isascii() or not _NOT_UTF_8.search(text)


def text_lines(
    path: Path, *, expected: str, utf_8: bool = True
) -> Iterator[tuple[int, str]]:
    """Yield the number, from 1, and the text of each line that is not blank.

    A byte order mark is no part of the first line. Lines end as on any system.

    Parameters
    ----------
    path : Path
        The file.
    expected : str
        Its expected content, for messages.
    utf_8 : bool
        Refuse other bytes, with their line. Without, they become surrogates, as in
        names of files.
    """
    refuse_other_files(path, expected=expected, error=DatabaseError)
    with path.open(encoding="utf-8-sig", errors="surrogateescape") as file:
        for number, line in enumerate(file, start=1):
            if "\0" in line or (utf_8 and not is_utf_8(line)):
                raise DatabaseError(_no_text(line, f"{path}:{number}", expected))
            if not line.isspace():
                yield number, line


def _no_text(line: str, where: str, expected: str) -> str:
    found = _NOT_UTF_8.search(line)
    byte = 0 if found is None else found.group().encode(errors="surrogateescape")[0]
    return (
        f"{where}: not a text file in UTF-8, byte 0x{byte:02x} in {line.strip()[:40]!r}"
        f"; expected {expected}: give a list, or convert it "
        "(`iconv -f ISO-8859-1 -t UTF-8`)"
    )


class Row(NamedTuple):
    """A line of a CSV file: its fields by column, and its place."""

    fields: dict[str, str]
    path: Path
    line: int

    @property
    def where(self) -> str:
        """``file:line``."""
        return f"{self.path}:{self.line}"

    def get(self, column: str) -> str:
        """Return a field, which must not be empty."""
        found = self.fields.get(column, "")
        if not found:
            raise DatabaseError(
                f"{self.where}: column {column!r} is empty; complete the row"
            )
        return found


def read_rows(path: Path, columns: Sequence[str]) -> Iterator[Row]:
    """Yield the rows of a CSV file, which must have these columns, each once.

    Names of files need not be UTF-8; other bytes become surrogates.
    """
    with _csv_reader(path, columns) as reader:
        header = _header(reader, path, columns)
        for values in reader:
            number = reader.line_num
            if "\0" in "".join(values):
                raise DatabaseError(
                    f"{path}:{number}: not a text file in UTF-8, byte 0x00 in "
                    f"{','.join(values)[:40]!r}; expected comma-separated text: "
                    "write it again"
                )
            if len(values) == len(header):
                yield Row(dict(zip(header, values, strict=True)), path, number)
            elif values:
                raise DatabaseError(
                    f"{path}:{number}: {len(values)} fields, expected "
                    f"{len(header)}: {', '.join(header)}; a field with a comma "
                    "stands in quotes"
                )


def read_header(path: Path, columns: Sequence[str]) -> list[str]:
    """Return the header of a CSV file, which must have these columns."""
    with _csv_reader(path, columns) as reader:
        return _header(reader, path, columns)


@contextmanager
def _csv_reader(path: Path, columns: Sequence[str]) -> Iterator[Reader]:
    refuse_other_files(
        path, expected=f"CSV with {', '.join(columns)}", error=DatabaseError
    )
    with path.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
        reader = csv.reader(file)
        try:
            yield reader
        except csv.Error as error:
            raise DatabaseError(
                f"{path} is not a CSV file in UTF-8: {error} after line "
                f"{max(1, reader.line_num - 1)}; expected comma-separated text: write "
                "it again"
            ) from error


def _header(reader: Reader, path: Path, columns: Sequence[str]) -> list[str]:
    header: list[str] = next(reader, [])
    names = ", ".join(header)
    if not set(columns) - set(header):
        twice = next((name for name in header if header.count(name) > 1), None)
        if twice is None:
            return header
        raise DatabaseError(
            f"{path}:1: two columns {twice!r}; expected each title once: take one "
            "of them out, or give it another title"
        )
    if "\0" in names or not is_utf_8(names):
        raise DatabaseError(
            f"{path} is not a CSV file in UTF-8: it begins with {names[:40]!r}; "
            "expected comma-separated text with a header"
        )
    missing = ", ".join(name for name in columns if name not in header)
    delimiter = next((mark for mark in _OTHER_DELIMITERS if mark in names), None)
    parted = (
        f"; its fields are parted by {delimiter!r}: save it with commas"
        if len(header) == 1 and delimiter
        else ""
    )
    raise DatabaseError(
        f"{path}:1: no column {missing}; it has {names or 'none'}, "
        f"expected {', '.join(columns)}{parted}"
    )
