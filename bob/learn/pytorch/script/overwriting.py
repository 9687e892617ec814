"""No command overwrites what it reads."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bob.learn.pytorch.printing import printable

if TYPE_CHECKING:
    from collections.abc import Iterable


def refuse_inputs(
    outputs: Iterable[Path | None], inputs: Iterable[Path | None]
) -> None:
    """Refuse files to write that are files to read, before any work.

    Links, symbolic or hard, are the file that they lead to. None stands for an option
    that was not given.

    Raises
    ------
    UsageError
        An output is an input.
    """
    read = [path for path in inputs if path is not None]
    for output in outputs:
        if output is None or not output.exists():
            continue
        same = next((path for path in read if _is_one(output, path)), None)
        if same is None:
            continue
        here, there = printable(output), printable(same)
        which = f"{here} itself" if output == same else f"{there}, which {here} is,"
        raise click.UsageError(
            f"{which} would be overwritten, and is read, too; write into another file "
            "or folder"
        )


def with_companions(*paths: Path | None) -> list[Path]:
    """Files, and what stands beside each: ``<path>.json`` says where it comes from."""
    given = [path for path in paths if path is not None]
    return [*given, *(Path(f"{path}.json") for path in given)]


def _is_one(output: Path, path: Path) -> bool:
    return path.exists() and output.samefile(path)
