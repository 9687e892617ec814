"""Recordings that failed, in the table beside the scores of an experiment."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bob.learn.pytorch import printing
from bob.learn.pytorch.files import write_text
from bob.learn.pytorch.printing import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

_HEADING = ("recording", "path", "stage", "reason")


@dataclass(frozen=True)
class Failure:
    """A recording that did not become a feature."""

    key: str
    path: Path | None
    stage: str
    reason: str

    def __str__(self) -> str:
        # Readers' messages often name the file themselves.
        name = printable(self.path or self.key)
        reason = printable(self.reason)
        return reason if name in reason else f"{name}: {reason}"


def write_failures(path: Path, failures: Iterable[Failure]) -> None:
    """List failures in a tab-separated file."""
    rows = [
        (item.key, str(item.path or ""), item.stage, " ".join(item.reason.split()))
        for item in failures
    ]
    write_text(path, printing.as_csv([_HEADING, *rows], delimiter="\t"))


def read_failures(path: Path) -> list[Failure]:
    """Read what `write_failures` wrote; nothing where there is no file."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        rows = list(csv.reader(file, delimiter="\t"))[1:]
    return [
        Failure(key, Path(place) if place else None, stage, reason)
        for key, place, stage, reason in (row for row in rows if len(row) == 4)
    ]
