"""What a store holds, also while another process appends to it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bob.learn.pytorch.store import image as store_image
from bob.learn.pytorch.store.batches import scan
from bob.learn.pytorch.store.records import Columns, StoreError, faults_of, put

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    import h5py
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class StoredEmbeddings:
    """What a store held at one moment.

    Attributes
    ----------
    names
        Of the recordings that have an embedding.
    embeddings
        (names, dimensions).
    seconds
        (names,), durations; not a number where they are unknown.
    sample_rates
        (names,), in hertz; 0 where they are unknown.
    sources
        What tells whether a recording has changed since, empty where that is unknown.
    failures
        Name and reason of every other recording.
    fingerprint
        What made the embeddings.
    path
        Of the store.
    speakers
        (names,), who speaks in each, empty where that is unknown; none where nobody is
        known.
    """

    names: tuple[str, ...]
    embeddings: NDArray[np.float32]
    seconds: NDArray[np.float64]
    sample_rates: NDArray[np.int64]
    sources: tuple[str, ...]
    failures: Mapping[str, str] = field(default_factory=dict)
    fingerprint: Mapping[str, str] = field(default_factory=dict)
    path: Path = Path()
    speakers: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        columns: Columns,
        fingerprint: Mapping[str, str],
        path: str | os.PathLike[str],
    ) -> StoredEmbeddings:
        """Those of records, failures apart.

        A row that is no embedding (`fault_of`) counts as failed, and says why.
        """
        columns = _without_faults(columns)
        failures = _failures(columns)
        good = columns.take(np.flatnonzero(~columns.failed)) if failures else columns
        return cls(
            tuple(good.names),
            good.embeddings,
            good.seconds,
            good.sample_rates,
            tuple(good.sources),
            failures,
            fingerprint,
            Path(path),
            tuple(good.speakers) if any(good.speakers) else (),
        )

    def refresh(self) -> StoredEmbeddings:
        """What the store holds now."""
        return read(self.path)


@dataclass(frozen=True)
class Summary:
    """A store in numbers.

    Attributes
    ----------
    embeddings
        How many recordings have one.
    dimensions
        How many numbers an embedding has, 0 where there is none yet.
    hours
        Durations of these recordings together, as far as they are known.
    without_duration
        How many of them have none.
    waiting
        Records that HDF5 alone does not see yet, as a writer is at work or was killed.
    failures
        Name and reason of every other recording.
    fingerprint
        What made the embeddings.
    """

    embeddings: int
    dimensions: int
    hours: float
    without_duration: int
    waiting: int
    failures: Mapping[str, str]
    fingerprint: Mapping[str, str]


@dataclass(frozen=True, eq=False)
class Content:
    """Everything that a store holds, failures included."""

    columns: Columns
    fingerprint: dict[str, str]
    dimensions: int
    waiting: int


def read(path: str | os.PathLike[str], *, embeddings: bool = True) -> StoredEmbeddings:
    """What a store holds now.

    Parameters
    ----------
    embeddings
        Whether to read them too; without, they have no dimensions.

    Raises
    ------
    StoreError
        It is damaged, or no store.
    """
    content = read_content(path, embeddings=embeddings)
    return StoredEmbeddings.of(content.columns, content.fingerprint, path)


def summarise(path: str | os.PathLike[str]) -> Summary:
    """A store in numbers, without reading its embeddings.

    Raises
    ------
    StoreError
        It is damaged, or no store.
    """
    content = read_content(path, embeddings=False)
    columns = content.columns
    seconds = columns.seconds[~columns.failed]
    return Summary(
        embeddings=len(seconds),
        dimensions=content.dimensions,
        hours=float(np.nansum(seconds)) / 3600,
        without_duration=int(np.count_nonzero(np.isnan(seconds))),
        waiting=content.waiting,
        failures=_failures(columns),
        fingerprint=content.fingerprint,
    )


def _failures(columns: Columns) -> dict[str, str]:
    return {
        columns.names[row]: columns.reasons[row]
        for row in np.flatnonzero(columns.failed)
    }


def _without_faults(columns: Columns) -> Columns:
    """Let rows count as failed that hold no embedding."""
    faults = {
        row: fault
        for row, fault in faults_of(columns.embeddings).items()
        if not columns.failed[row]
    }
    if not faults:
        return columns
    failed, reasons = columns.failed.copy(), list(columns.reasons)
    for row, fault in faults.items():
        failed[row] = True
        reasons[row] = (
            f"its embedding {fault}, so nothing can be compared with it; embed it into "
            "another store"
        )
    return replace(columns, failed=failed, reasons=reasons)


def read_content(path: str | os.PathLike[str], *, embeddings: bool = True) -> Content:
    """Every record of a store, by rows; see :func:`read`."""
    with store_image.opened(Path(path)) as image:
        file = store_image.descriptor(image)
        dimensions = store_image.dimensions_of(image)
        batches = []
        try:
            for _, batch in scan(file, store_image.end_of(file)):
                dimensions = max(dimensions, batch.dimensions)
                batches.append(batch if embeddings else batch.without_embeddings())
        except StoreError as error:
            raise StoreError(f"{path} {error}") from error
        columns = _all_rows(image, batches, dimensions if embeddings else 0)
        return Content(
            columns,
            store_image.fingerprint_of(image),
            dimensions,
            sum(map(len, batches)),
        )


def _all_rows(image: h5py.File, batches: list[Columns], dimensions: int) -> Columns:
    """Rows of the HDF5 part, and over and behind them those of the batches."""
    count = len(image["names"])
    if not batches:
        return store_image.read_rows(image, count, dimensions)
    index = store_image.rows_of(image)
    rows = []
    for batch in batches:
        for name in batch.names:
            row = index.get(name)
            if row is None:
                row = count
                index.put(name, row)
                count += 1
            rows.append(row)
    columns = store_image.read_rows(image, count, dimensions)
    start = 0
    for batch in batches:
        stop = start + len(batch)
        put(columns, np.array(rows[start:stop], dtype=np.int64), batch)
        start = stop
    return columns
