"""The folder of a protocol in CSV, which is replaced as a whole."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bob.learn.pytorch.files import left_by_dead, unfinished
from bob.learn.pytorch.protocols.formats.csv_protocol import PROVENANCE_FILE
from bob.learn.pytorch.protocols.trials import DatabaseError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def folder_of_protocol(root: Path, name: str) -> Path:
    """Where a protocol lies below a root, if it may be written there.

    Raises
    ------
    DatabaseError
        The name is no name of a folder, or other files than those of a protocol lie
        there, which would be lost with it.
    """
    if name in ("", ".", "..") or "/" in name:
        raise DatabaseError(
            f"a protocol {name!r} cannot be a folder in {root}; give it a name without "
            "a slash"
        )
    place = (root / name).resolve()
    if place.exists() and not place.is_dir():
        raise DatabaseError(f"{place} is a file; write into another folder")
    other = next(_others(place), None)
    if other is not None:
        raise DatabaseError(
            f"{other} is no part of a protocol and would be lost with {place}, which "
            "is replaced as a whole; write into another folder, or give the protocol "
            "another name"
        )
    return place


def _others(place: Path) -> Iterator[Path]:
    """Files that nobody but the user can make again."""
    for path in place.rglob("*"):
        within = path.relative_to(place).parts
        is_ours = path.match("for_*.csv") or path.name == PROVENANCE_FILE
        # File managers and network drives leave these by themselves.
        is_litter = path.name.startswith(".") or path.name == "Thumbs.db"
        if path.is_dir() or is_litter:
            continue
        if not (len(within) == 2 and is_ours):
            yield path


@contextmanager
def replacing_folder(place: Path) -> Iterator[Path]:
    """A folder to fill, which then takes the place of the one that is there.

    After an error or Ctrl-C, what was there is there; nobody sees files of both.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    for dead in left_by_dead(place):
        if (dead / "old").exists() and not place.exists():
            (dead / "old").rename(place)
        shutil.rmtree(dead, ignore_errors=True)
    # Two levels down, where nobody looks for protocols.
    aside = unfinished(place)
    made, before = aside / "new", aside / "old"
    try:
        made.mkdir(parents=True)
        yield made
        try:
            if place.exists():
                place.rename(before)
            made.rename(place)
        except BaseException:
            if before.exists() and not place.exists():
                before.rename(place)
            raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)
