"""The HDF5 part of a store: a row for each recording.

It is never changed where it lies. New batches stand behind it in the same file, where
HDF5 does not look; :func:`fold` writes a copy that holds them as rows.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import stat
import struct
import sys
from typing import TYPE_CHECKING

import numpy as np

from bob.learn.pytorch.store import HDF5_SIGNATURE, STORES
from bob.learn.pytorch.store.batches import read_exactly, scan
from bob.learn.pytorch.store.index import NameIndex, hashes_of, state_of
from bob.learn.pytorch.store.records import TEXTS, Columns, StoreError, empty, joined

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import h5py
    from numpy.typing import NDArray

FORMAT = "bob.learn.pytorch embeddings"
VERSION = 1
# Its superblock says at a fixed place where HDF5 ends.
_LIBRARY = ("v110", "v110")
#: Their datasets say where in `texts` each one begins, and how many bytes it has.
_TEXTS = ("names", *TEXTS)
_CHUNK_BYTES = 65_536
_CHUNK_NUMBERS = 16_384  # 64 kB of embeddings
_CHUNK_ROWS = 1024
_FOLD_ROWS = 8192
_BLOCK = 16 << 20
_ROW_BYTES = 160  # beside its embedding and its texts; 121 stand in datasets
_TEXT_BYTES = 16  # of a row in each dataset of texts
_SPARE_BYTES = 4 << 20  # of a chunk in each dataset, some rows are not used yet


def create(place: Path, fingerprint: Mapping[str, str]) -> None:
    """Write a store without rows, and see it on disk."""
    import h5py

    content = io.BytesIO()  # HDF5 must not meet a full disk, see `fold`
    with h5py.File(content, "w", libver=_LIBRARY) as file:
        # Of fixed length, also below: what HDF5 stores otherwise has no checksum, and
        # a flipped bit in it can make HDF5 loop for ever.
        file.attrs["format"] = np.bytes_(FORMAT)
        file.attrs["version"] = VERSION
        file.attrs["made_by"] = np.bytes_(json.dumps(dict(fingerprint)))
        file.create_dataset(
            "texts", (0,), np.uint8,
            chunks=(_CHUNK_BYTES,), maxshape=(None,), fletcher32=True,
        )  # fmt: skip
        for name, kind, width in (
            *((name, np.int64, (2,)) for name in _TEXTS),
            ("failed", np.bool_, ()),
            ("seconds", np.float64, ()),
            ("sample_rates", np.int64, ()),
            ("hashes", np.uint64, (3,)),
        ):
            _add_dataset(file, name, kind, (0, *width))
    place.write_bytes(content.getbuffer())
    sync(place)


def _add_dataset(
    file: h5py.File, name: str, kind: type, shape: tuple[int, ...]
) -> None:
    file.create_dataset(
        name, shape, kind,
        chunks=(_CHUNK_ROWS, *shape[1:]), maxshape=(None, *shape[1:]), fletcher32=True,
    )  # fmt: skip


@contextlib.contextmanager
def opened(path: Path) -> Iterator[h5py.File]:
    """Open the HDF5 part to read.

    Raises
    ------
    StoreError
        It is no store, or it is damaged.
    """
    import h5py

    if not path.is_file():
        raise StoreError(f"{path} is no file; expected a store of embeddings")
    try:
        # A writer does not touch what is read here, so nothing needs to be locked.
        with h5py.File(path, "r", locking=False) as file:
            _check_format(file, path)
            yield file
    except (OSError, KeyError, RuntimeError) as error:
        if isinstance(error, StoreError):
            raise
        _refuse_other_files(path)
        raise StoreError(
            f"{path} cannot be read as a store of embeddings ({error}); if it is one, "
            "it is damaged: take it from a backup, or remove it and compute the "
            "embeddings again"
        ) from error


def _refuse_other_files(path: Path) -> None:
    """Say it of a file that never was a store, rather than call it damaged."""
    with path.open("rb") as file:
        start = file.read(len(HDF5_SIGNATURE))
    kinds = {b"PK": "an npz file", b"PAR1": "a Parquet file", b"RIFF": "a recording"}
    kind = next((kinds[key] for key in kinds if start.startswith(key)), None)
    if kind is None and path.suffix.lower() in (*STORES, ""):
        return
    if start != HDF5_SIGNATURE:
        raise StoreError(
            f"{path} is {kind or 'no HDF5 file'}; expected a store of embeddings "
            "(.h5), such as `bob pytorch embed` writes"
        )


def _check_format(file: h5py.File, path: Path) -> None:
    if file.attrs.get("format") != FORMAT.encode():
        raise StoreError(
            f"{path} is an HDF5 file of another kind; expected a store of embeddings "
            f"(attribute format: {FORMAT!r}), see `bob pytorch store import`"
        )
    if file.attrs["version"] > VERSION:
        raise StoreError(
            f"{path} is a store of version {file.attrs['version']}; this program "
            f"knows version {VERSION}: install a newer bob.learn.pytorch"
        )


def descriptor(file: h5py.File) -> int:
    """Of the very file that is open, even if its path is another file by now."""
    return int(file.id.get_vfd_handle())


def end_of(file: int) -> int:
    """Where the HDF5 part ends, in bytes: what its superblock says."""
    return int(struct.unpack("<Q", read_exactly(file, 8, 28))[0])


def fingerprint_of(file: h5py.File) -> dict[str, str]:
    """What made the embeddings."""
    return dict(json.loads(file.attrs["made_by"]))


def dimensions_of(file: h5py.File) -> int:
    """Return how many numbers an embedding has, 0 where there is none yet."""
    return int(file["embeddings"].shape[1]) if "embeddings" in file else 0


def index_of(file: h5py.File) -> tuple[NameIndex, int, int]:
    """What is known of each name (`state_of`), and how many are there and failed."""
    hashes = file["hashes"][:]
    failed = int(np.count_nonzero(file["failed"][:]))
    return NameIndex(hashes[:, :2], hashes[:, 2]), len(hashes), failed


def rows_of(file: h5py.File) -> NameIndex:
    """The row of each name."""
    hashes = file["hashes"][:]
    return NameIndex(hashes[:, :2], np.arange(len(hashes), dtype=np.uint64))


def read_rows(file: h5py.File, rows: int, dimensions: int) -> Columns:
    """All rows, and room behind them.

    Parameters
    ----------
    rows
        How many to make room for.
    dimensions
        Of the embeddings; 0 leaves them out.
    """
    columns = empty(rows, dimensions)
    stored = len(file["names"])
    texts = file["texts"][:].tobytes()
    for name in _TEXTS:
        if name in file:  # those of old lack the last ones
            getattr(columns, name)[:stored] = _cut(texts, file[name][:])
    for name in ("failed", "seconds", "sample_rates"):
        getattr(columns, name)[:stored] = file[name][:]
    if dimensions and stored and "embeddings" in file:
        file["embeddings"].read_direct(columns.embeddings, dest_sel=np.s_[:stored])
    return columns


def _cut(texts: bytes, places: NDArray[np.int64]) -> list[str]:
    """Texts from where each begins and how many bytes it has."""
    starts, sizes = places[:, 0], places[:, 1]
    if not sizes.any():
        return [""] * len(places)
    ends = zip(starts.tolist(), (starts + sizes).tolist(), strict=True)
    if texts.isascii():  # a byte is a letter then, and cutting takes half the time
        letters = texts.decode("ascii")
        return [letters[start:end] for start, end in ends]
    return [texts[start:end].decode() for start, end in ends]


def room_for(rows: int, *, text_bytes: int, numbers: int) -> int:
    """Return how many bytes more than its rows take now a table may need, at most.

    Parameters
    ----------
    rows
        How many are added.
    text_bytes
        Of their names, reasons and sources.
    numbers
        How many numbers their embeddings have together.
    """
    return 4 * numbers + text_bytes + _ROW_BYTES * rows + _SPARE_BYTES


def fold(file: int, target: Path, *, room: int) -> None:
    """Write a copy whose rows are the rows of a store and its batches.

    Parameters
    ----------
    file
        Descriptor of the store.
    room
        Bytes that the copy may need more than the HDF5 part has now.

    Raises
    ------
    OSError
        It cannot be written, say for lack of space.
    """
    import h5py

    end = end_of(file)
    with target.open("wb") as copy:
        os.fchmod(copy.fileno(), stat.S_IMODE(os.fstat(file).st_mode))
        # HDF5 must not meet the full disk: what it cannot write, it keeps, and a crash
        # ends the process later.
        _reserve(copy.fileno(), end + room)
        for start in range(0, end, _BLOCK):
            copy.write(read_exactly(file, min(_BLOCK, end - start), start))
        copy.flush()
        with h5py.File(target, "r", locking=False) as image:
            missing = sum(name not in image for name in _TEXTS) * len(image["names"])
        _reserve(copy.fileno(), end + room + _TEXT_BYTES * missing)
    with h5py.File(target, "r+", libver=_LIBRARY) as image:
        rows = rows_of(image)
        for columns in _gathered(file, end):
            _merge(image, rows, columns)
    sync(target)


def _reserve(file: int, size: int) -> None:
    if sys.platform == "linux":
        os.posix_fallocate(file, 0, size)
    else:
        for start in range(0, size, _BLOCK):
            os.pwrite(file, bytes(min(_BLOCK, size - start)), start)


def _gathered(file: int, start: int) -> Iterator[Columns]:
    """Small batches together, since HDF5 takes its time for each."""
    parts: list[Columns] = []
    waiting = 0
    for _, columns in scan(file, start):
        parts.append(columns)
        waiting += len(columns)
        if waiting >= _FOLD_ROWS:
            yield joined(parts)
            parts, waiting = [], 0
    if parts:
        yield joined(parts)


def _merge(file: h5py.File, rows: NameIndex, columns: Columns) -> None:
    last = {name: number for number, name in enumerate(columns.names)}
    known: dict[int, int] = {}
    new: list[int] = []
    count = len(file["names"])
    for name, number in last.items():
        row = rows.get(name)
        if row is None:
            rows.put(name, count + len(new))
            new.append(number)
        else:
            known[row] = number
    for name in _TEXTS:
        if name not in file:
            _add_dataset(file, name, np.int64, (count, 2))
    if columns.dimensions and "embeddings" not in file:
        _add_embeddings(file, count, columns.dimensions)
    for dataset in _datasets(file):
        dataset.resize(count + len(new), axis=0)
    _write(file, np.s_[count : count + len(new)], columns.take(_rows(new)))
    if known:
        ordered = sorted(known)
        replaced = columns.take(_rows([known[row] for row in ordered]))
        _write(file, np.array(ordered, dtype=np.int64), replaced)


def _add_embeddings(file: h5py.File, count: int, dimensions: int) -> None:
    file.create_dataset(
        "embeddings", (count, dimensions), np.float32,
        chunks=(max(1, _CHUNK_NUMBERS // dimensions), dimensions),
        maxshape=(None, dimensions), fillvalue=np.nan, fletcher32=True,
    )  # fmt: skip


def _datasets(file: h5py.File) -> list[h5py.Dataset]:
    return [dataset for name, dataset in file.items() if name != "texts"]


def _rows(numbers: list[int]) -> NDArray[np.int64]:
    return np.array(numbers, dtype=np.int64)


def _write(file: h5py.File, where: slice | NDArray[np.int64], columns: Columns) -> None:
    if not len(columns):
        return
    for name in _TEXTS:
        file[name][where] = _write_texts(file["texts"], getattr(columns, name))
    for name in ("failed", "seconds", "sample_rates"):
        file[name][where] = getattr(columns, name)
    if "embeddings" in file:
        file["embeddings"][where] = columns.embeddings if columns.dimensions else np.nan
    states = [
        state_of(source, failed=bool(failed))
        for source, failed in zip(columns.sources, columns.failed, strict=True)
    ]
    file["hashes"][where] = np.column_stack(
        [hashes_of(columns.names), np.array(states, dtype=np.uint64)]
    )


def _write_texts(dataset: h5py.Dataset, texts: list[str]) -> NDArray[np.int64]:
    """Add texts -> (texts, 2), where each one begins and how many bytes it has."""
    encoded = [text.encode() for text in texts]
    sizes = np.array([len(text) for text in encoded], dtype=np.int64)
    start = len(dataset)
    dataset.resize(start + int(sizes.sum()), axis=0)
    dataset[start:] = np.frombuffer(b"".join(encoded), dtype=np.uint8)
    return np.column_stack([start + np.cumsum(sizes) - sizes, sizes])


def sync(path: Path) -> None:
    """See on disk what was written to a file or folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
