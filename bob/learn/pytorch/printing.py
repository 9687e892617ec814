"""Text that is safe to show: in a terminal, a log, a page, an error or a CSV."""

from __future__ import annotations

import csv
import html
import io
import os
import unicodedata
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def printable(name: str | os.PathLike[str], *, keep: str = "") -> str:
    r"""Escape what of a name does not show, or does more than that.

    Controls, ends of lines, what turns the direction of text around, letters without
    width, and halves of characters, by which Python has bytes that are not UTF-8.

    Parameters
    ----------
    keep
        Letters that stay too, such as the ends of lines of a whole text.

    Examples
    --------
    >>> print(printable("\x1b[31mred\nblue"), printable("Zoë 東京"))
    \x1b[31mred\nblue Zoë 東京
    >>> print(printable(b"non-\xff.wav".decode("utf-8", "surrogateescape")))
    non-\udcff.wav
    """
    text = os.fspath(name)
    if text.translate(dict.fromkeys(map(ord, keep))).isprintable():
        return text  # letter by letter, a megabyte of output takes 0.08 s
    return "".join(
        letter if _shows(letter) or letter in keep else _escaped(letter)
        for letter in text
    )


def _shows(letter: str) -> bool:
    return letter.isprintable() or unicodedata.category(letter) == "Zs"  # blanks


def _escaped(letter: str) -> str:
    # As JSON escapes it, where it may stand in a string as it is.
    if letter == "\x7f":
        return r"\u007f"
    return letter.encode("unicode_escape", "surrogatepass").decode("ascii")


def counted(count: int, singular: str, plural: str | None = None) -> str:
    """Return a count with its noun, and what of the sentence depends on the number.

    Examples
    --------
    >>> counted(1, "recording"), counted(1200, "trial is", "trials are")
    ('1 recording', '1200 trials are')
    """
    return f"{count} {singular if count == 1 else plural or f'{singular}s'}"


def nearest(names: Sequence[str]) -> str:
    """Return the names that come nearest to one that is not known, as a clause.

    Examples
    --------
    >>> nearest(["campplus-zh-en"])
    'the nearest is campplus-zh-en'
    """
    return f"the nearest {'is' if len(names) == 1 else 'are'} {', '.join(names)}"


def in_markup(text: str) -> str:
    """Return a text as it stands in HTML and SVG, where it shows as `printable`."""
    return html.escape(printable(text))


def aligned(rows: Sequence[Sequence[str]], sides: str) -> list[str]:
    r"""Return rows as lines of columns, each as wide as its widest cell.

    Parameters
    ----------
    sides
        A letter for each column: ``<`` to the left, ``>`` to the right.

    Examples
    --------
    >>> print(*aligned([("", "EER"), ("first", "7.5 %")], "<>"), sep="\n")
             EER
    first  7.5 %
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            f"{cell:{side}{width}}"
            for cell, side, width in zip(row, sides, widths, strict=True)
        ).rstrip()
        for row in rows
    ]


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


def as_csv(rows: Iterable[Sequence[str]], *, delimiter: str = ",") -> str:
    """Return rows as the text of a CSV file."""
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
