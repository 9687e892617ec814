"""Batches behind the HDF5 part of a store, as bytes with a checksum each.

A batch that a kill or a full disk cut off lacks bytes or has another checksum, and is
as if it had never been written.
"""

from __future__ import annotations

import json
import os
import struct
import zlib
from typing import TYPE_CHECKING

import numpy as np

from bob.learn.pytorch.store.records import TEXTS, Columns, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAGIC = b"\x93batch\r\n"
_HEADER = struct.Struct("<8sQI")  # what it is, bytes of content, their checksum
_CHECK = struct.Struct("<I")  # checksum of the header itself
_LENGTH = struct.Struct("<I")
_START = _HEADER.size + _CHECK.size
_BLOCK = 1 << 20


def packed(columns: Columns) -> bytes:
    """Return a batch as bytes."""
    texts = json.dumps(
        {
            "dimensions": columns.dimensions,
            "names": columns.names,
            # Of a column without a text, nothing.
            **{name: c if any(c := getattr(columns, name)) else [] for name in TEXTS},
        },
        ensure_ascii=False,
        separators=(",", ":"),
    ).encode()
    content = b"".join(
        [
            _LENGTH.pack(len(texts)),
            texts,
            columns.failed.astype("u1").tobytes(),
            columns.seconds.astype("<f8").tobytes(),
            columns.sample_rates.astype("<i8").tobytes(),
            columns.embeddings[~columns.failed].astype("<f4").tobytes(),
        ]
    )
    header = _HEADER.pack(_MAGIC, len(content), zlib.crc32(content))
    return header + _CHECK.pack(zlib.crc32(header)) + content


def scan(file: int, start: int) -> Iterator[tuple[int, Columns]]:
    """Yield where each batch ends, and its records.

    What is cut off at the end of the file is not there.

    Parameters
    ----------
    file
        Descriptor of an open file; its position is left alone.
    """
    while True:
        content = _content(file, start)
        if content is None:
            if not _has_batch_behind(file, start):
                return
            # A writer may have finished the batch in between.
            content = _content(file, start)
            if content is None:
                raise StoreError(
                    f"is damaged at byte {start}: no batch begins there, but one does "
                    "further on. Take the file from a backup, or remove it and compute "
                    "the embeddings again"
                )
        start += _START + len(content)
        yield start, _unpacked(content)


def _content(file: int, start: int) -> bytes | None:
    """Return the content of a whole batch, None where none begins."""
    head = os.pread(file, _START, start)
    if len(head) < _START or head[: len(_MAGIC)] != _MAGIC:
        return None
    if _CHECK.unpack_from(head, _HEADER.size)[0] != zlib.crc32(head[: _HEADER.size]):
        return None
    _, size, checksum = _HEADER.unpack_from(head)
    if os.fstat(file).st_size < start + _START + size:
        return None
    content = read_exactly(file, size, start + _START)
    return content if zlib.crc32(content) == checksum else None


def read_exactly(file: int, size: int, start: int) -> bytes:
    """Read bytes of an open file, fewer only at its end; Linux gives 2 GB at once."""
    parts = []
    while size and (part := os.pread(file, size, start)):
        parts.append(part)
        size -= len(part)
        start += len(part)
    return b"".join(parts)


def _has_batch_behind(file: int, start: int) -> bool:
    position = start + 1
    # Blocks overlap, for what would lie across their border.
    while block := os.pread(file, _BLOCK + len(_MAGIC) - 1, position):
        found = block.find(_MAGIC)
        while found >= 0:
            if _content(file, position + found) is not None:
                return True
            found = block.find(_MAGIC, found + 1)
        position += _BLOCK
    return False


def _unpacked(content: bytes) -> Columns:
    (size,) = _LENGTH.unpack_from(content)
    position = _LENGTH.size + size
    texts = json.loads(content[_LENGTH.size : position])
    rows = len(texts["names"])
    columns = Columns.empty(rows, texts["dimensions"])
    columns.names[:] = texts["names"]
    for name in TEXTS:
        getattr(columns, name)[:] = texts.get(name) or [""] * rows
    for column, kind in (
        (columns.failed, "u1"),
        (columns.seconds, "<f8"),
        (columns.sample_rates, "<i8"),
    ):
        column[:] = np.frombuffer(content, kind, rows, position)
        position += rows * np.dtype(kind).itemsize
    good = int(np.count_nonzero(~columns.failed))
    embeddings = np.frombuffer(content[position:], "<f4")
    columns.embeddings[~columns.failed] = embeddings.reshape(good, columns.dimensions)
    return columns
