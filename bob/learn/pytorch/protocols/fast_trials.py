"""Long lists of trials, read by Arrow; see `text_columns`."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from bob.learn.pytorch.protocols.text_columns import (
    Joined,
    Layout,
    Unsure,
    fast_blocks,
    one_separator,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bob.learn.pytorch.metrics import Names

_BYTES = 1 << 22


def fast_columns(
    path: Path,
    columns: Sequence[str | None],
    *,
    skipped: int = 0,
    separator: str | None = None,
) -> dict[str, Names] | None:
    """The columns of a list of which every line is a trial, from the first to the last.

    Parameters
    ----------
    path : Path
        The list.
    columns : sequence of str or None
        What each column is called; None: passed over.
    skipped : int
        Lines before the first one, such as a headline.
    separator : str, optional
        One character; default: a space or a tab, whichever parts the first line.

    Returns
    -------
    dict of str to Names or None
        None: read it line by line.
    """
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        first = next(islice(file, skipped, None), "")
    separator = separator or one_separator(first, len(columns))
    layout = Layout(tuple(columns), separator, number=None, skipped=skipped)
    joined = Joined()
    try:
        for block in fast_blocks(path, layout):
            joined.add(block)
    except Unsure:
        return None
    names = joined.names
    # With a blank line, the number of a trial would not be that of its line.
    whole = bool(names) and len(next(iter(names.values()))) == _lines(path) - skipped
    leading = next(name for name in columns if name is not None)
    return names if whole and _is_plain(names, leading) else None


def _lines(path: Path) -> int:
    count, last = 0, b"\n"
    with path.open("rb") as file:
        while block := file.read(_BYTES):
            count += block.count(b"\n")
            last = block[-1:]
    return count + (last != b"\n")


def _is_plain(names: dict[str, Names], first: str) -> bool:
    """Whether no line is a comment and every name is UTF-8."""
    if any(name.startswith("#") for name in names[first].distinct):
        return False
    try:
        for column in names.values():
            "".join(column.distinct).encode()
    except UnicodeEncodeError:
        return False
    return True
