"""Lists of recordings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bob.learn.pytorch.audio import printable

if TYPE_CHECKING:
    import os


def read_list(path: str | os.PathLike[str]) -> dict[str, str]:
    """Recordings of a list: one path a line, or a name, a blank and a path.

    A path alone is its own name, with what is not UTF-8 escaped. Relative paths stay as
    they are. A line that is a path with blanks is one where that file exists. Lines
    that are empty or begin with '#' are skipped; for a file of such a name write './#'.

    Raises
    ------
    ValueError
        A name stands twice, or there is no recording.
    """
    recordings: dict[str, str] = {}
    place = printable(str(path))
    lines = Path(path).read_text("utf-8-sig", "surrogateescape").split("\n")
    for number, line in enumerate(lines, start=1):
        entry = line.strip()
        if not entry or entry.startswith("#"):
            continue
        name, *rest = entry.split(maxsplit=1)
        if not rest or Path(entry).exists():
            name, rest = entry, [entry]
        if printable(name) in recordings:
            raise ValueError(
                f"{place}, line {number}: {printable(name)} stands there twice"
            )
        recordings[printable(name)] = rest[0]
    if not recordings:
        raise ValueError(
            f"{place} names no recording; expected one path a line, or a name, a blank "
            "and a path"
        )
    return recordings
