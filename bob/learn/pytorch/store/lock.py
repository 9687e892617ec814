"""One writer a store."""

from __future__ import annotations

import contextlib
import os
import platform
from typing import TYPE_CHECKING

from bob.learn.pytorch.files import AlreadyLocked, locked
from bob.learn.pytorch.store.records import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextlib.contextmanager
def alone(path: Path) -> Iterator[None]:
    """Keep a second writer out of a store; the lock of a killed one is gone with it.

    Raises
    ------
    StoreError
        Another process writes to it; it says which.
    """
    place, holder = _beside(path)

    with contextlib.ExitStack() as held:
        try:
            held.enter_context(locked(place, waiting=None))
        except AlreadyLocked as error:
            raise StoreError(
                f"{path} is being written to by {_read(holder)}; wait until that and "
                "what it started have ended, or write to another store"
            ) from error
        try:
            # On a full disk, only whose lock it is remains unknown.
            with contextlib.suppress(OSError):
                holder.write_text(f"process {os.getpid()} on {platform.node()}")
            yield
        finally:
            with contextlib.suppress(OSError):
                holder.unlink(missing_ok=True)


def remove(path: Path) -> None:
    """Remove a file that nobody writes to any more, and what its lock left beside."""
    for place in (path, *_beside(path)):
        place.unlink(missing_ok=True)


def _beside(path: Path) -> tuple[Path, Path]:
    """The file that is locked, and the one that says by whom."""
    lock, writer = (f".{path.name}.{end}" for end in ("lock", "writer"))
    return path.with_name(lock), path.with_name(writer)


def _read(holder: Path) -> str:
    try:
        return holder.read_text() or "another process"
    except OSError:
        return "another process"
