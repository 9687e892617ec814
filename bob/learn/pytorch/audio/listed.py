"""Paths of recordings as lists of other programs and systems have them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os


def refused_path(path: str) -> str | None:
    """Return what is wrong with an entry of Kaldi's ``wav.scp``; None for a path."""
    if path.endswith("|") or path.startswith("|"):
        return (
            f"{path!r} is a command, and commands are not run; write its output to a "
            "file and put the path of that file here"
        )
    archive, colon, offset = path.rpartition(":")
    if colon and archive and offset.isdigit() and not Path(path).exists():
        return (
            f"{path!r} is a part of an archive; expected the path of a recording "
            "(`wav-copy scp:wav.scp` to files, or lhotse, can unpack it)"
        )
    return None


def is_from_windows(path: str) -> bool:
    """Return whether a path has backslashes, and no slash, between its folders."""
    return "\\" in path and "/" not in path


def without_backslashes(path: str, folder: str | os.PathLike[str] = "") -> str:
    r"""Return a path that was written on Windows with slashes.

    A file that is there under the name with backslashes keeps it.

    Examples
    --------
    >>> without_backslashes(r"anna\monday\1.wav")
    'anna/monday/1.wav'
    """
    if not is_from_windows(path) or Path(folder, path).exists():
        return path
    return path.replace("\\", "/")
