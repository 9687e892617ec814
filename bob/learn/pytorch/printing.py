"""Names as they may be shown: in a terminal, a log, a report or an error."""

from __future__ import annotations

import html
import os
import unicodedata


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


def in_markup(text: str) -> str:
    """Return a text as it stands in HTML and SVG, where it shows as `printable`."""
    return html.escape(printable(text))
