"""Files that are there whole or not at all."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import uuid
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


_PREFIX = ".unfinished-"
_HOST = re.sub(r"[^A-Za-z0-9]", "", platform.node())[:40] or "host"
_NAMES = Path("/proc/self/ns/pid")
if _NAMES.exists():  # two containers of one name count their processes each
    _HOST += f".{_NAMES.stat().st_ino}"


@contextmanager
def beside(path: Path) -> Iterator[Path]:
    """A place to write to; what is there afterwards moves to ``path`` at once.

    A reader, or a run that starts after a crash, sees the old file or the new one and
    never a part. Missing folders are made; after an error nothing is left, and what
    killed processes of this machine left of the same file is removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    for dead in left_by_dead(path):
        with suppress(OSError):
            dead.unlink()
    place = unfinished(path)
    try:
        yield place
        place.replace(path)
    finally:
        place.unlink(missing_ok=True)


def unfinished(path: Path) -> Path:
    """Return a new name beside a file or folder, for what will take its place."""
    process = f"{os.getpid()}-{_started(os.getpid())}"
    # The suffix stays, since some writers choose the format by it.
    end = f"{_mark(path)}-{uuid.uuid4().hex[:8]}{path.suffix}"
    return path.with_name(f"{_PREFIX}{_HOST}-{process}-{end}")


def left_by_dead(path: Path) -> list[Path]:
    """Return what killed processes of this machine left `unfinished` of a path."""
    folder = os.path.abspath(path.parent)  # noqa: PTH100 - links stay
    return _dead_in(folder).pop(_mark(path), [])


def _mark(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path.name)).hexdigest()[:12]


def clear_up(folder: Path) -> None:
    """Remove what killed processes of this machine left below a folder unfinished."""
    for path in folder.rglob(f"{_PREFIX}{_HOST}-*"):
        if _mark_of_dead(path.name):
            path.unlink(missing_ok=True)


@cache
def _dead_in(folder: str) -> dict[str, list[Path]]:
    """Find files of dead processes, by the mark of what they were to become.

    Looked for once a folder: there may be a million files beside it.
    """
    found: dict[str, list[Path]] = {}
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if mark := _mark_of_dead(entry.name):
                found.setdefault(mark, []).append(Path(entry.path))
    return found


def _mark_of_dead(name: str) -> str:
    """Return the mark in the name of a file that a dead process of this host left."""
    parts = name.removeprefix(f"{_PREFIX}{_HOST}-").split("-")
    if not name.startswith(f"{_PREFIX}{_HOST}-") or len(parts) < 4:
        return ""
    process, started, mark = parts[:3]
    dead = process.isdecimal() and not _is_running(int(process), started)
    return mark if dead else ""


def _is_running(process: int, started: str) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    # The number may be that of another one by now.
    return _started(process) in (started, "")


def _started(process: int) -> str:
    """Return the start of a process in ticks since boot; empty if unknown.

    A process that has ended, and for which nobody has waited, is "ended".
    """
    try:
        fields = Path(f"/proc/{process}/stat").read_bytes().rpartition(b")")[2].split()
        return "ended" if fields[0] in (b"Z", b"X") else str(int(fields[19]))
    except (OSError, IndexError, ValueError):
        return ""


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8; file names that are not UTF-8 stay as they are."""
    with beside(path) as place:
        place.write_text(text, encoding="utf-8", errors="surrogateescape")
