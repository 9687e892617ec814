"""Files that are there whole or not at all."""

from __future__ import annotations

import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def beside(path: Path) -> Iterator[Path]:
    """A place to write to; what is there afterwards moves to ``path`` at once.

    A reader, or a run that starts after a crash, sees the old file or the new one and
    never a part. Missing folders are made; after an error nothing is left.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # The suffix stays, since some writers choose the format by it.
    place = path.with_name(f".{uuid.uuid4().hex}{path.suffix}")
    try:
        yield place
        place.replace(path)
    finally:
        place.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8."""
    with beside(path) as place:
        place.write_text(text, encoding="utf-8")
