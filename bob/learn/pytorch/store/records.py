"""Records of a store, one or in columns, and the fingerprint of what made them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import nan
from typing import TYPE_CHECKING

import numpy as np

from bob.learn.pytorch.audio import storable
from bob.learn.pytorch.errors import UserError
from bob.learn.pytorch.store.arrays import fault_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

#: Suffixes of stores.
STORES = (".h5", ".hdf5")
#: Suffixes of the other kinds of files.
OTHERS = (".npz", ".parquet", ".ark", ".scp")
#: First bytes of an HDF5 file.
HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
#: Texts of a `Record` beside its name -> columns of them; a file may lack some.
TEXT_FIELDS = {
    "reason": "reasons",
    "source": "sources",
    "speaker": "speakers",
    "settings": "settings",
}
TEXTS = tuple(TEXT_FIELDS.values())
#: Settings that matter to some recordings only: to those of several channels, and to
#: those that are cut into chunks. The source of a recording says it, where they did.
OF_SOME = ("channel", "chunk_seconds")


class StoreError(UserError, RuntimeError):
    """A store that cannot be opened, read or written, with the next step."""


@dataclass(frozen=True, eq=False)
class Record:
    """One recording: its embedding, or the reason why there is none.

    Attributes
    ----------
    name
        Unique in the store.
    embedding
        (dimensions,), or None.
    seconds
        Duration; NaN where unknown.
    sample_rate
        In hertz; 0 where unknown.
    reason
        Reason why there is no embedding.
    source
        Line that tells whether the recording has changed since, such as that of
        `bob.learn.pytorch.files.source_of`; empty where unknown.
    speaker
        Speaker of the recording; empty where unknown.
    settings
        Settings that mattered to this recording, of those that matter to some only,
        such as ``channel=mix``; see `refuse_mixture`.
    doubt
        Sign that it holds little speech, for those that append; it is not stored.
    """

    name: str
    embedding: NDArray[np.float32] | None
    seconds: float = nan
    sample_rate: int = 0
    reason: str = ""
    source: str = ""
    speaker: str = ""
    settings: str = ""
    doubt: str = ""


@dataclass(frozen=True, eq=False)
class Columns:
    """Many records, n of them, a column for each attribute of `Record`.

    ``embeddings`` is (n, dimensions), NaN where ``failed``, (n,).
    """

    names: list[str]
    embeddings: NDArray[np.float32]
    failed: NDArray[np.bool_]
    seconds: NDArray[np.float64]
    sample_rates: NDArray[np.int64]
    reasons: list[str]
    sources: list[str]
    speakers: list[str]
    settings: list[str]

    @classmethod
    def empty(cls, rows: int, dimensions: int) -> Columns:
        """Return columns to be filled: every record failed for no reason."""
        return cls(
            [""] * rows,
            np.full((rows, dimensions), np.nan, dtype=np.float32),
            np.ones(rows, dtype=np.bool_),
            np.full(rows, np.nan),
            np.zeros(rows, dtype=np.int64),
            *([""] * rows for _ in TEXTS),
        )

    @classmethod
    def joined(cls, parts: Sequence[Columns]) -> Columns:
        """Put parts behind each other; one without embeddings gets the dimensions."""
        dimensions = max(part.dimensions for part in parts)
        columns = cls.empty(sum(map(len, parts)), dimensions)
        start = 0
        for part in parts:
            columns.put(np.arange(start, start + len(part), dtype=np.int64), part)
            start += len(part)
        return columns

    @classmethod
    def of(cls, records: Sequence[Record], dimensions: int) -> Columns:
        """Check records and put them into columns.

        Parameters
        ----------
        dimensions
            Numbers of an embedding, 0 where the first one says it.

        Raises
        ------
        StoreError
            An embedding has another size, or is none (`fault_of`); a record has neither
            an embedding nor a reason; a name is empty or cannot be written.
        """
        for record in records:
            if record.embedding is not None:
                dimensions = dimensions or _size(record)
                break
        columns = cls.empty(len(records), dimensions)
        for row, record in enumerate(records):
            columns.names[row] = _name(record.name)
            columns.sources[row] = text(record.source)
            columns.speakers[row] = text(record.speaker)
            columns.settings[row] = record.settings
            columns.seconds[row] = record.seconds
            columns.sample_rates[row] = record.sample_rate
            columns.failed[row] = record.embedding is None
            if record.embedding is not None:
                columns.embeddings[row] = _embedding(record, dimensions)
            elif record.reason:
                columns.reasons[row] = text(record.reason)
            else:
                raise StoreError(
                    f"{record.name} comes without an embedding and without a reason; "
                    "give the record one of them"
                )
        return columns

    def __len__(self) -> int:
        return len(self.names)

    @property
    def dimensions(self) -> int:
        """Numbers of an embedding, 0 where there is none."""
        return int(self.embeddings.shape[1])

    def take(self, rows: NDArray[np.int64]) -> Columns:
        """Return the records of the rows (n,)."""
        return Columns(
            [self.names[row] for row in rows],
            self.embeddings[rows],
            self.failed[rows],
            self.seconds[rows],
            self.sample_rates[rows],
            *([getattr(self, name)[row] for row in rows] for name in TEXTS),
        )

    def slice(self, start: int, stop: int) -> Columns:
        """Return the records of neighbouring rows."""
        return self.take(np.arange(start, min(stop, len(self)), dtype=np.int64))

    def without_embeddings(self) -> Columns:
        """Return the same records, with embeddings of no dimensions."""
        return replace(self, embeddings=np.zeros((len(self), 0), dtype=np.float32))

    def put(self, rows: NDArray[np.int64], columns: Columns) -> None:
        """Copy others into rows (n,); of a row that is named twice, the last stays.

        Where one of the two has no embeddings, they are left out.
        """
        for number, row in enumerate(rows.tolist()):
            self.names[row] = columns.names[number]
            for name in TEXTS:
                getattr(self, name)[row] = getattr(columns, name)[number]
        if self.dimensions:
            self.embeddings[rows] = columns.embeddings if columns.dimensions else np.nan
        self.failed[rows] = columns.failed
        self.seconds[rows] = columns.seconds
        self.sample_rates[rows] = columns.sample_rates


def text(value: str) -> str:
    r"""Return a text as it is stored: UTF-8, and without the zeros that would end it.

    Examples
    --------
    >>> text("a\0b")
    'a\\x00b'
    """
    return storable(value).replace("\0", r"\x00")


def of_all(fingerprint: Mapping[str, str]) -> dict[str, str]:
    """Return what every embedding depends on: all but the settings `OF_SOME`."""
    return {key: said for key, said in fingerprint.items() if key not in OF_SOME}


def of_some(fingerprint: Mapping[str, str]) -> dict[str, str]:
    """Return the settings `OF_SOME` that were given a value."""
    given = {key: fingerprint.get(key, "None") for key in OF_SOME}
    return {key: said for key, said in given.items() if said != "None"}


def differing(one: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    """Return the keys by which every embedding of one is other than of the other."""
    left, right = of_all(one), of_all(other)
    return sorted(key for key in {*left, *right} if left.get(key) != right.get(key))


def refuse_mixture(
    path: Path, stored: Mapping[str, str], given: Mapping[str, str]
) -> None:
    """Refuse to add embeddings to a store that were made in another way than its own.

    A store that was made before recordings said which settings matter to them has the
    settings `OF_SOME` among what made all: they may be others only if they had no
    value, so that they cannot have mattered.
    """
    before = of_some(stored)
    keys = differing(stored, given)
    keys += [key for key, said in before.items() if given.get(key) != said]
    if keys:
        told = "; ".join(
            f"{key} is {stored.get(key, 'not said')!r} there and "
            f"{given.get(key, 'not said')!r} now"
            for key in sorted(keys)
        )
        raise StoreError(
            f"{path} holds embeddings that were made differently: {told}. Write to "
            "another store, or choose what made these"
        )


def _name(name: str) -> str:
    if not name or text(name) != name:
        raise StoreError(
            f"a recording is called {name!r}; expected a name that is not empty and is "
            "UTF-8 without zeros. Name it by "
            "bob.learn.pytorch.audio.storable(its path)"
        )
    return name


def _size(record: Record) -> int:
    shape = np.shape(record.embedding)  # type: ignore[arg-type]
    if len(shape) != 1 or not shape[0]:
        raise StoreError(
            f"the embedding of {record.name} has the shape {shape}; expected "
            "(dimensions,)"
        )
    return int(shape[0])


def _embedding(record: Record, dimensions: int) -> NDArray[np.float32]:
    embedding = np.asarray(record.embedding, dtype=np.float32)
    if _size(record) != dimensions:
        raise StoreError(
            f"the embedding of {record.name} has {_size(record)} numbers, the store "
            f"holds such of {dimensions}; write those of another model to another store"
        )
    fault = fault_of(embedding)
    if fault:
        raise StoreError(
            f"the embedding of {record.name} {fault}; store it as failed, with None "
            "as its embedding and a reason"
        )
    return embedding
