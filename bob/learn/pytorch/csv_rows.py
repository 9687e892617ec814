"""Rows of texts become CSV or tab-separated text that readers take apart alike."""

from __future__ import annotations

import csv
import io
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write_rows(
    file: TextIO, rows: Iterable[Sequence[str]], *, delimiter: str = ","
) -> None:
    """Write rows into an open text file, quoting where a reader needs it.

    Parameters
    ----------
    file
        Opened with ``newline=""``.
    """
    writer = csv.writer(file, lineterminator="\n", delimiter=delimiter)
    # Python before 3.13 leaves a carriage return unquoted, where it ends the line.
    quoting = csv.writer(
        file, lineterminator="\n", delimiter=delimiter, quoting=csv.QUOTE_ALL
    )
    for row in rows:
        (quoting if "\r" in "".join(row) else writer).writerow(row)


def as_text(rows: Iterable[Sequence[str]], *, delimiter: str = ",") -> str:
    """Return rows as the text of a file."""
    text = io.StringIO(newline="")
    write_rows(text, rows, delimiter=delimiter)
    return text.getvalue()


def inert(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula.

    Spreadsheets evaluate a cell that begins with ``=``, ``+``, ``-`` or ``@``. An
    apostrophe before it is the usual remedy. It changes the text for programs too, so
    it is for tables that people open and nothing here reads again.

    Examples
    --------
    >>> inert("=cmd|' /C calc'!A0"), inert("-0.5"), inert("-")
    ("'=cmd|' /C calc'!A0", '-0.5', '-')
    """
    if not text.startswith(_FORMULA) or len(text) == 1:
        return text
    with suppress(ValueError):
        float(text)
        return text
    return f"'{text}"
