"""Names as they may be shown: in a terminal, a log, a report or an error."""

from __future__ import annotations

import html
import os
import re

# Controls, ends of lines, what turns the direction of text around, and halves of
# characters, by which Python has bytes that are not UTF-8.
_HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def printable(name: str | os.PathLike[str], *, keep: str = "") -> str:
    r"""Escape what of a name could do more than be read; other letters stay.

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

    def escaped(found: re.Match[str]) -> str:
        letter = found[0]
        if letter in keep:
            return letter
        # As JSON escapes it, where it may stand in a string as it is.
        if letter == "\x7f":
            return r"\u007f"
        return letter.encode("unicode_escape", "surrogatepass").decode("ascii")

    return _HIDDEN.sub(escaped, os.fspath(name))


def in_markup(text: str) -> str:
    """Return a text as it stands in HTML and SVG, where it shows as `printable`."""
    return html.escape(printable(text))
