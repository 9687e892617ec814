"""The HDF5 part of a store, a row for each recording, and the index of their names.

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
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np

from bob.learn.pytorch.files import beside, content_of, sync
from bob.learn.pytorch.store.batches import read_exactly, scan
from bob.learn.pytorch.store.records import (
    HDF5_SIGNATURE,
    STORES,
    TEXTS,
    Columns,
    StoreError,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    import h5py
    from numpy.typing import NDArray

_FORMAT = "bob.learn.pytorch embeddings"
_VERSION = 1
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

_RECENT = 65_536  # new names that wait in a dictionary before they are sorted in


def _add_dataset(
    file: h5py.File, name: str, kind: type, shape: tuple[int, ...]
) -> None:
    file.create_dataset(
        name, shape, kind,
        chunks=(_CHUNK_ROWS, *shape[1:]), maxshape=(None, *shape[1:]), fletcher32=True,
    )  # fmt: skip


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
    if file.attrs.get("format") != _FORMAT.encode():
        raise StoreError(
            f"{path} is an HDF5 file of another kind; expected a store of embeddings "
            f"(attribute format: {_FORMAT!r}), see `bob pytorch store import`"
        )
    if file.attrs["version"] > _VERSION:
        raise StoreError(
            f"{path} is a store of version {file.attrs['version']}; this program "
            f"knows version {_VERSION}: install a newer bob.learn.pytorch"
        )


def end_of(file: int) -> int:
    """Return the bytes of the HDF5 part of an open file, as its superblock says."""
    return int(struct.unpack("<Q", read_exactly(file, 8, 28))[0])


class Image:
    """The HDF5 part, open to read; ``dimensions`` is 0 where no embedding is yet."""

    @staticmethod
    def create(path: Path, fingerprint: Mapping[str, str]) -> None:
        """Write a store without rows, and see it on disk."""
        import h5py

        content = io.BytesIO()  # HDF5 must not meet a full disk, see `fold`
        with h5py.File(content, "w", libver=_LIBRARY) as file:
            # Of fixed length, also below: what HDF5 stores otherwise has no checksum,
            # and a flipped bit in it can make HDF5 loop for ever.
            file.attrs["format"] = np.bytes_(_FORMAT)
            file.attrs["version"] = _VERSION
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
        with beside(path, durable=True) as place:
            place.write_bytes(content.getbuffer())

    @classmethod
    @contextlib.contextmanager
    def opened(cls, path: Path) -> Iterator[Image]:
        """Open the HDF5 part to read."""
        import h5py

        if not path.is_file():
            raise StoreError(f"{path} is no file; expected a store of embeddings")
        try:
            # A writer does not touch what is read here, so nothing needs to be locked.
            with h5py.File(path, "r", locking=False) as file:
                _check_format(file, path)
                yield cls(file)
        except (OSError, KeyError, RuntimeError) as error:
            if isinstance(error, StoreError):
                raise
            _refuse_other_files(path)
            raise StoreError(
                f"{path} cannot be read as a store of embeddings ({error}); if it is "
                "one, it is damaged: take it from a backup, or remove it and compute "
                "the embeddings again"
            ) from error

    def __init__(self, file: h5py.File) -> None:
        self._file = file
        self.count = len(file["names"])
        self.fingerprint: dict[str, str] = dict(json.loads(file.attrs["made_by"]))
        has_some = "embeddings" in file
        self.dimensions = int(file["embeddings"].shape[1]) if has_some else 0

    @property
    def descriptor(self) -> int:
        """Descriptor of the very file that is open, whatever its path is by now."""
        return int(self._file.id.get_vfd_handle())

    def states(self) -> tuple[_NameIndex, int]:
        """Return what is known of each name (`state_of`), and how many failed."""
        hashes = self._file["hashes"][:]
        failed = int(np.count_nonzero(self._file["failed"][:]))
        return _NameIndex(hashes[:, :2], hashes[:, 2]), failed

    def rows(self) -> _NameIndex:
        """Return the row of each name."""
        return _rows_of(self._file)

    def read(self, rows: int, dimensions: int) -> Columns:
        """Read all rows, with room behind them."""
        file, stored = self._file, self.count
        columns = Columns.empty(rows, dimensions)
        texts = file["texts"][:].tobytes()
        for name in _TEXTS:
            if name in file:  # those of old lack the last ones
                getattr(columns, name)[:stored] = _cut(texts, file[name][:])
        for name in ("failed", "seconds", "sample_rates"):
            getattr(columns, name)[:stored] = file[name][:]
        if dimensions and stored and "embeddings" in file:
            file["embeddings"].read_direct(columns.embeddings, dest_sel=np.s_[:stored])
        return columns


def _rows_of(file: h5py.File) -> _NameIndex:
    hashes = file["hashes"][:]
    return _NameIndex(hashes[:, :2], np.arange(len(hashes), dtype=np.uint64))


def _cut(texts: bytes, places: NDArray[np.int64]) -> list[str]:
    """Cut out texts by (texts, 2): where each begins, and its bytes."""
    starts, sizes = places[:, 0], places[:, 1]
    if not sizes.any():
        return [""] * len(places)
    ends = zip(starts.tolist(), (starts + sizes).tolist(), strict=True)
    if texts.isascii():  # a byte is a letter then, and cutting takes half the time
        letters = texts.decode("ascii")
        return [letters[start:end] for start, end in ends]
    return [texts[start:end].decode() for start, end in ends]


def fold(file: int, target: Path, *, rows: int, numbers: int) -> None:
    """Write a copy whose rows are the rows of a store and its batches.

    Parameters
    ----------
    file
        Descriptor of the store.
    rows
        Number of records in its batches.
    numbers
        Numbers that come in beside those in the batches: of records that failed, whose
        places in the table of embeddings are filled too.
    """
    import h5py

    end = end_of(file)
    texts = os.fstat(file).st_size - end
    # At most so many bytes more than the rows take now.
    room = 4 * numbers + texts + _ROW_BYTES * rows + _SPARE_BYTES
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
        known = _rows_of(image)
        for columns in _gathered(file, end):
            _merge(image, known, columns)
    sync(target)


def _reserve(file: int, size: int) -> None:
    if sys.platform == "linux":
        os.posix_fallocate(file, 0, size)
    else:
        for start in range(0, size, _BLOCK):
            os.pwrite(file, bytes(min(_BLOCK, size - start)), start)


def _gathered(file: int, start: int) -> Iterator[Columns]:
    """Yield small batches together, since HDF5 takes its time for each."""
    parts: list[Columns] = []
    waiting = 0
    for _, columns in scan(file, start):
        parts.append(columns)
        waiting += len(columns)
        if waiting >= _FOLD_ROWS:
            yield Columns.joined(parts)
            parts, waiting = [], 0
    if parts:
        yield Columns.joined(parts)


def _merge(file: h5py.File, rows: _NameIndex, columns: Columns) -> None:
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
    for name in file.keys() - {"texts"}:
        file[name].resize(count + len(new), axis=0)
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
        [_hashes_of(columns.names), np.array(states, dtype=np.uint64)]
    )


def _write_texts(dataset: h5py.Dataset, texts: list[str]) -> NDArray[np.int64]:
    """Add texts -> (texts, 2), where each one begins and how many bytes it has."""
    encoded = [text.encode() for text in texts]
    sizes = np.array([len(text) for text in encoded], dtype=np.int64)
    start = len(dataset)
    dataset.resize(start + int(sizes.sum()), axis=0)
    dataset[start:] = np.frombuffer(b"".join(encoded), dtype=np.uint8)
    return np.column_stack([start + np.cumsum(sizes) - sizes, sizes])


class _NameIndex:
    """A number for each name; 24 bytes a name, where a dictionary takes 200.

    A name is known by 128 bits of its BLAKE2b hash, in (names, 2) of `_hashes_of`. That
    two of ten million names share them has a probability of 1e-25.
    """

    def __init__(self, hashes: NDArray[np.uint64], values: NDArray[np.uint64]) -> None:
        order = np.argsort(hashes[:, 0], kind="stable")
        self._high = hashes[order, 0]
        self._low = hashes[order, 1]
        self._values = values[order]
        self._recent: dict[bytes, int] = {}

    def get(self, name: str) -> int | None:
        """Return the value of a name, None where it is not known."""
        digest = _digest(name)
        value = self._recent.get(digest)
        if value is not None:
            return value
        high, low = np.frombuffer(digest, dtype="<u8")
        row = int(np.searchsorted(self._high, high))
        # Behind each other stand a name and what came later for it.
        while row < len(self._high) and self._high[row] == high:
            if self._low[row] == low:
                value = int(self._values[row])
            row += 1
        return value

    def put(self, name: str, value: int) -> None:
        """Set the value of a name."""
        self._recent[_digest(name)] = value
        if len(self._recent) >= _RECENT:
            self._sort_in()

    def _sort_in(self) -> None:
        hashes = np.frombuffer(b"".join(self._recent), dtype="<u8").reshape(-1, 2)
        values = np.fromiter(self._recent.values(), np.uint64, len(self._recent))
        high = np.concatenate([self._high, hashes[:, 0]])
        # Stable: of equal ones the later stays behind, and `get` takes that.
        order = np.argsort(high, kind="stable")
        self._high = high[order]
        self._low = np.concatenate([self._low, hashes[:, 1]])[order]
        self._values = np.concatenate([self._values, values])[order]
        self._recent = {}


def _hashes_of(names: Iterable[str]) -> NDArray[np.uint64]:
    """Return (names, 2), the two halves of the hashes of names."""
    joined = b"".join(map(_digest, names))
    return np.frombuffer(joined, dtype="<u8").astype(np.uint64).reshape(-1, 2)


def state_of(source: str, *, failed: bool) -> int:
    """Return 63 bits of the hash of a source, and one for a record that failed.

    Of a file, the content counts, wherever and since when it is. The bits are all 0
    where the source is unknown.
    """
    content = content_of(source).encode()
    known = int.from_bytes(blake2b(content, digest_size=8).digest(), "little")
    return ((known & ~1) if source else 0) | failed


def _digest(name: str) -> bytes:
    return blake2b(name.encode(), digest_size=16).digest()
