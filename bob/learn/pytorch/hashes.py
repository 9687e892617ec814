"""SHA-256 of files."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    import os

_BLOCK_BYTES = 1 << 20


def file_sha256(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file, 64 hexadecimal digits, as `sha256sum` prints it.

    Raises
    ------
    OSError
        It cannot be read.
    """
    with Path(path).open("rb") as file:
        return stream_sha256(file)


def stream_sha256(file: BinaryIO) -> str:
    """SHA-256 of what is left of an open file, which may be larger than memory."""
    digest = hashlib.sha256()
    while block := file.read(_BLOCK_BYTES):
        digest.update(block)
    return digest.hexdigest()
