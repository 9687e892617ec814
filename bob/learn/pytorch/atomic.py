"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import platform
import re
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


_PREFIX = ".unfinished-"
_HOST = re.sub(r"[^A-Za-z0-9]", "", platform.node())[:40] or "host"


@contextmanager
def beside(path: Path) -> Iterator[Path]:
    """A place to write to; what is there afterwards moves to ``path`` at once.

    A reader, or a run that starts after a crash, sees the old file or the new one and
    never a part. Missing folders are made; after an error nothing is left.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # The suffix stays, since some writers choose the format by it.
    name = f"{_PREFIX}{_HOST}-{os.getpid()}-{uuid.uuid4().hex[:8]}{path.suffix}"
    place = path.with_name(name)
    try:
        yield place
        place.replace(path)
    finally:
        place.unlink(missing_ok=True)


def clear_up(folder: Path) -> None:
    """Remove what killed processes of this machine left below a folder unfinished."""
    for path in folder.rglob(f"{_PREFIX}{_HOST}-*"):
        process = path.name.removeprefix(f"{_PREFIX}{_HOST}-").split("-")[0]
        if process.isdecimal() and not _is_running(int(process)):
            path.unlink(missing_ok=True)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8; file names that are not UTF-8 stay as they are."""
    with beside(path) as place:
        place.write_text(text, encoding="utf-8", errors="surrogateescape")
