"""Reading a store, also while another process appends to it."""

from __future__ import annotations

import html
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bob.learn.pytorch.store import image as store_image
from bob.learn.pytorch.store.arrays import faults_of
from bob.learn.pytorch.store.batches import scan
from bob.learn.pytorch.store.records import Columns, StoreError

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class StoredEmbeddings:
    """Embeddings of a store, or of another file, as they were when it was read.

    Its length is the number of embeddings.

    Attributes
    ----------
    names
        Names of the recordings that have an embedding, n of them.
    embeddings
        (n, dimensions) float32, not normalised.
    seconds
        (n,), durations; NaN where unknown.
    sample_rates
        (n,), in hertz; 0 where unknown.
    sources
        Lines that tell whether a recording has changed since, n of them; empty where
        unknown. See `bob.learn.pytorch.files.source_of`.
    failures
        Reasons of the recordings without an embedding, by name.
    fingerprint
        What made the embeddings.
    path
        The file.
    speakers
        Speakers of the recordings, n of them, empty where unknown; an empty tuple where
        all are unknown.
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
        """Take those of records, failures apart.

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

    def __len__(self) -> int:
        return len(self.names)

    def __bool__(self) -> bool:
        return True  # also without embeddings, it is one

    @property
    def dimensions(self) -> int:
        """Numbers of an embedding, 0 where there is none."""
        return int(self.embeddings.shape[1])

    def __repr__(self) -> str:
        model = self.fingerprint.get("model", "an unknown model")
        failed = f", {len(self.failures)} failed" if self.failures else ""
        shape = f"({len(self)}, {self.dimensions})"
        return f"<embeddings {shape} by {model}{failed}, in {self.path}>"

    def _repr_html_(self) -> str:
        return f"<code>{html.escape(repr(self))}</code>"

    def refresh(self) -> StoredEmbeddings:
        """Read again what the store holds now."""
        return read(self.path)


@dataclass(frozen=True)
class Summary:
    """A store in numbers.

    Attributes
    ----------
    embeddings
        Number of recordings that have one.
    dimensions
        Numbers of an embedding, 0 where there is none yet.
    hours
        Durations of these recordings together, as far as they are known.
    without_duration
        Number of recordings of unknown duration.
    waiting
        Records that HDF5 alone does not see yet, as a writer is at work or was killed.
    failures
        Reasons of the recordings without an embedding, by name.
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
    """Read what a store holds now.

    Parameters
    ----------
    embeddings
        False leaves them out; they have no dimensions then.

    Raises
    ------
    StoreError
        It is damaged, or no store.
    """
    content = read_content(path, embeddings=embeddings)
    return StoredEmbeddings.of(content.columns, content.fingerprint, path)


def summarise(path: str | os.PathLike[str]) -> Summary:
    """Count what a store holds, without reading its embeddings.

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
    """Read every record of a store, failures included; see `read`."""
    with store_image.Image.opened(Path(path)) as image:
        file, dimensions = image.descriptor, image.dimensions
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
            image.fingerprint,
            dimensions,
            sum(map(len, batches)),
        )


def _all_rows(
    image: store_image.Image, batches: list[Columns], dimensions: int
) -> Columns:
    """Read rows of the HDF5 part, and over and behind them those of the batches."""
    count = image.count
    if not batches:
        return image.read(count, dimensions)
    index = image.rows()
    rows = []
    for batch in batches:
        for name in batch.names:
            row = index.get(name)
            if row is None:
                row = count
                index.put(name, row)
                count += 1
            rows.append(row)
    columns = image.read(count, dimensions)
    start = 0
    for batch in batches:
        stop = start + len(batch)
        columns.put(np.array(rows[start:stop], dtype=np.int64), batch)
        start = stop
    return columns
