"""Lists of recordings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bob.learn.pytorch.audio import storable
from bob.learn.pytorch.audio.listed import refused_path, without_backslashes
from bob.learn.pytorch.printing import printable

if TYPE_CHECKING:
    import os


def read_list(path: str | os.PathLike[str]) -> dict[str, str]:
    """Return the recordings of a list: a path a line, or a name, a blank and a path.

    A path alone is its own name, with what is not UTF-8 escaped. Relative paths stay as
    they are. A line that is a path with blanks is one where that file exists. Lines
    that are empty or begin with '#' are skipped; for a file of such a name write './#'.
    Backslashes of Windows are read as slashes, unless there is a file of that name.

    Raises
    ------
    ValueError
        A name stands twice, there is no recording, or an entry is a command or a part
        of an archive.
    """
    recordings: dict[str, str] = {}
    place = printable(str(path))
    lines = Path(path).read_text("utf-8-sig", "surrogateescape").split("\n")
    for number, line in enumerate(lines, start=1):
        entry = line.strip()
        if not entry or entry.startswith("#"):
            continue
        entry = without_backslashes(entry)
        name, *rest = entry.split(maxsplit=1)
        if not rest or Path(entry).exists():
            name, rest = entry, [entry]
        if (reason := refused_path(rest[0])) is not None:
            raise ValueError(f"{place}, line {number}: {printable(reason)}")
        if storable(name) in recordings:
            raise ValueError(
                f"{place}, line {number}: {printable(name)} stands there twice"
            )
        recordings[storable(name)] = rest[0]
    if not recordings:
        raise ValueError(
            f"{place} names no recording; expected one path a line, or a name, a blank "
            "and a path"
        )
    return recordings
