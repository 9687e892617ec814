"""Lists of recordings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from bob.learn.pytorch.audio import storable
from bob.learn.pytorch.audio.paths import refused_path, without_backslashes
from bob.learn.pytorch.printing import printable

if TYPE_CHECKING:
    import os


def read_list(path: str | os.PathLike[str]) -> dict[str, str]:
    """Return the recordings of a list: a path a line, or a name, a blank and a path.

    A path alone is its own name, with what is not UTF-8 escaped. Relative paths stay as
    they are. A line that is a path with blanks is one where that file exists. Lines
    that are empty or begin with '#' are skipped; for a file of such a name write './#'.
    Backslashes of Windows are read as slashes, unless there is a file of that name.
    NeMo's manifests have an object of JSON a line; their paths may be seen from them.

    Raises
    ------
    ValueError
        A name stands twice, there is no recording, or an entry is a command, a part of
        an archive, or a part of a recording.
    """
    recordings: dict[str, str] = {}
    place = printable(str(path))
    lines = Path(path).read_text("utf-8-sig", "surrogateescape").split("\n")
    for number, line in enumerate(lines, start=1):
        entry = line.strip()
        if not entry or entry.startswith("#"):
            continue
        try:
            name, recording = _entry(without_backslashes(entry), Path(path).parent)
        except ValueError as error:
            raise ValueError(f"{place}, line {number}: {error}") from error
        if storable(name) in recordings:
            raise ValueError(
                f"{place}, line {number}: {printable(name)} stands there twice"
            )
        recordings[storable(name)] = recording
    if not recordings:
        raise ValueError(
            f"{place} names no recording; expected one path a line, or a name, a blank "
            "and a path"
        )
    return recordings


def _entry(entry: str, folder: Path) -> tuple[str, str]:
    """Return name and path of a line."""
    if entry.startswith("{"):
        return _of_nemo(entry, folder)
    name, *rest = entry.split(maxsplit=1)
    if not rest or Path(entry).exists():
        return entry, _checked(entry)
    return name, _checked(rest[0])


def _checked(path: str) -> str:
    if (reason := refused_path(path)) is not None:
        raise ValueError(printable(reason))
    return path


def _of_nemo(entry: str, folder: Path) -> tuple[str, str]:
    said = json.loads(entry)
    path = said.get("audio_filepath")
    if not isinstance(path, str):
        raise ValueError(  # noqa: TRY004 - the value of a file
            f"{printable(entry[:80])}; expected a JSON object whose audio_filepath is "
            "one path"
        )
    if said.get("offset"):
        raise ValueError(
            f"{printable(path)} is to be read from {said['offset']} s on, and only "
            "whole recordings are embedded; cut it into files of their own"
        )
    beside = folder / path
    return path, str(beside) if beside.exists() and not Path(path).exists() else path
