"""SHA-256 of files, and the record of it beside a file that was fetched."""

import os
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from bob.learn.pytorch.files import stream_sha256, write_text
from bob.learn.pytorch.models.errors import HashMismatch, WeightsError


@contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A file of weights, open for reading.

    Raises
    ------
    WeightsError
        It is not there or may not be read.
    """
    try:
        file = Path(path).open("rb")  # noqa: SIM115 - closed below
    except FileNotFoundError as error:
        raise WeightsError(
            f"{path} does not exist (looked for {Path(path).absolute()}); check the "
            "name, or fetch or make the weights first"
        ) from error
    except OSError as error:
        raise WeightsError(
            f"{path} cannot be read ({error.strerror}); see "
            f"`ls -ld {shlex.quote(str(path))}`, and give yourself the right to read "
            "it, or name another file"
        ) from error
    with file:
        yield file


def file_sha256(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file, 64 hexadecimal digits.

    Raises
    ------
    WeightsError
        It cannot be read.
    """
    with opened(path) as file:
        return stream_sha256(file)


def record_path(path: Path) -> Path:
    """The file `<file>.sha256` that says what was fetched.

    Its format is that of the command `sha256sum`.
    """
    return path.with_name(path.name + ".sha256")


def recorded_sha256(path: Path) -> str | None:
    """What a file had for a hash when it was fetched; None if it was not fetched."""
    record = record_path(path)
    if not record.is_file():
        return None
    found = re.match(r"([0-9a-f]{64})\s", record.read_text(encoding="utf-8"))
    if found is None:
        raise HashMismatch(
            f"{record} does not begin with a SHA-256 of 64 hexadecimal digits, as it "
            f"was written; remove it together with {path} to fetch both again"
        )
    return found[1]


def record_sha256(path: Path, sha256: str) -> None:
    """Write down what was fetched."""
    write_text(record_path(path), f"{sha256}  {path.name}\n")
