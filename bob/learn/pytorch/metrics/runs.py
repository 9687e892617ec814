"""Numbers that do not fit into memory, in ascending order: an external merge sort.

Numbers come in blocks. As soon as enough are together, they are sorted, equal ones
become one with a count, and the run goes to the end of a temporary file. Reading them
back merges the runs, a block of each at a time. So memory holds a share of the numbers,
however many there are and however often one repeats.

References
----------
Knuth, "The art of computer programming", volume 3, 1998, section 5.4.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from bob.learn.pytorch.metrics.curve import FloatArray, IntArray

Floats: TypeAlias = NDArray[np.floating[Any]]


# Runs that are merged at once. With more, blocks of each become so short that time goes
# into turning from one to the next.
FAN_IN = 32
COUNTS = np.dtype(np.uint32)


@dataclass(frozen=True, eq=False)
class _Run:
    """Ascending numbers without repetition, and how often each is there.

    In memory; or, where there is a store, in both of its files.
    """

    values: Floats
    counts: NDArray[np.uint32]
    store: _Store | None = None
    places: tuple[int, int] = (0, 0)
    length: int = 0

    @property
    def kind(self) -> np.dtype[Any]:
        return self.values.dtype

    def read(self, start: int, stop: int) -> tuple[Floats, NDArray[np.uint32]]:
        if self.store is None:
            return self.values[start:stop], self.counts[start:stop]
        length = min(stop, self.length) - start
        return (
            _read(self.store.values, self.places[0], self.kind, start, length),
            _read(self.store.counts, self.places[1], COUNTS, start, length),
        )


def _read(
    file: IO[bytes], place: int, kind: np.dtype[Any], start: int, length: int
) -> NDArray[Any]:
    file.seek(place + start * kind.itemsize)
    return np.frombuffer(file.read(length * kind.itemsize), dtype=kind)


class _Store:
    """Two temporary files: numbers, and how often each is there."""

    def __init__(self, folder: str | None) -> None:
        self.values: IO[bytes] = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
        self.counts: IO[bytes] = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115

    def write(
        self,
        blocks: Iterable[tuple[Floats, NDArray[np.integer[Any]]]],
        kind: Any,  # noqa: ANN401
    ) -> _Run:
        places = self.values.seek(0, 2), self.counts.seek(0, 2)
        length = 0
        for values, counts in blocks:
            self.values.write(values.astype(kind, copy=False).data)
            self.counts.write(counts.astype(COUNTS, copy=False).data)
            length += values.size
        return _Run(np.empty(0, kind), np.empty(0, COUNTS), self, places, length)

    def close(self) -> None:
        self.values.close()
        self.counts.close()


class SortedRuns:
    """Numbers of one kind, on their way to be read in order.

    Parameters
    ----------
    rows
        How many are sorted at once, in memory.
    folder
        Where temporary files lie; None asks the system.
    """

    def __init__(self, *, rows: int, folder: str | None = None) -> None:
        self.total = 0
        self._rows = rows
        self._folder = folder
        self._store: _Store | None = None
        self._runs: list[_Run] = []
        self._waiting: list[Floats] = []
        self._size = 0

    def add(self, values: Floats) -> None:
        """Take numbers, ``(any,)``, without NaN; float32 stays float32 on disk."""
        if values.dtype != np.float32:
            values = values.astype(np.float64, copy=False)
        self.total += values.size
        while values.size:
            part, values = np.split(values, [self._rows - self._size])
            if self._waiting and self._waiting[0].dtype != part.dtype:
                self._put_away()
            self._waiting.append(part.copy())
            self._size += part.size
            if self._size >= self._rows:
                self._put_away()

    def runs(self) -> list[_Run]:
        """Return no more than `FAN_IN` runs; the last one may still be in memory."""
        while len(self._runs) > FAN_IN:
            self._merge()
        if not self._waiting:
            return self._runs
        return [*self._runs, _Run(*_counted(np.concatenate(self._waiting)))]

    def close(self) -> None:
        """Let go of the temporary files."""
        if self._store is not None:
            self._store.close()

    def _put_away(self) -> None:
        run = _counted(np.concatenate(self._waiting))
        self._waiting, self._size = [], 0
        if self._store is None:
            self._store = _Store(self._folder)
        self._runs.append(self._store.write([run], run[0].dtype))

    def _merge(self) -> None:
        """Make one run of every few, in files of their own."""
        store, before = _Store(self._folder), self._store
        runs = []
        for start in range(0, len(self._runs), FAN_IN):
            some = self._runs[start : start + FAN_IN]
            blocks = _merge([(run, 0) for run in some], kinds=1, rows=self._rows)
            kind = np.result_type(*(run.kind for run in some))
            runs.append(store.write(((part, n[0]) for part, n in blocks), kind))
        self._runs, self._store = runs, store
        if before is not None:
            before.close()


def _counted(values: Floats) -> tuple[Floats, NDArray[np.uint32]]:
    """Sort; equal numbers once, with their count."""
    values.sort()
    first = np.flatnonzero(np.append(True, values[1:] != values[:-1]))
    counts = np.diff(np.append(first, values.size)).astype(np.uint32)
    return values[first], counts


@dataclass(eq=False)
class _Reader:
    """A run, from the front: what has been read of it and not yet used."""

    run: _Run
    kind: int
    block: int
    place: int = 0
    values: Floats = field(default_factory=lambda: np.empty(0))
    counts: NDArray[np.uint32] = field(default_factory=lambda: np.empty(0, np.uint32))
    exhausted: bool = False

    def fill(self) -> None:
        if not self.values.size and not self.exhausted:
            self.values, self.counts = self.run.read(
                self.place, self.place + self.block
            )
            self.place += self.values.size
            self.exhausted = self.values.size < self.block

    def take(self, limit: float) -> tuple[Floats, NDArray[np.uint32]]:
        """Use up what is not above the limit."""
        end = int(np.searchsorted(self.values, limit, side="right"))
        taken = self.values[:end], self.counts[:end]
        self.values, self.counts = self.values[end:], self.counts[end:]
        return taken


def merged(
    kinds: Sequence[SortedRuns], *, rows: int
) -> Iterator[tuple[FloatArray, IntArray]]:
    """Yield ascending ``(numbers,)``, each once, and their counts ``(kinds, numbers)``.

    About so many rows are in memory at once, over all runs.
    """
    runs = [(run, kind) for kind, some in enumerate(kinds) for run in some.runs()]
    yield from _merge(runs, kinds=len(kinds), rows=rows)


def _merge(
    runs: list[tuple[_Run, int]], *, kinds: int, rows: int
) -> Iterator[tuple[FloatArray, IntArray]]:
    block = max(1, rows // max(1, len(runs)))
    readers = [_Reader(run, kind, block) for run, kind in runs]
    while True:
        for reader in readers:
            reader.fill()
        readers = [reader for reader in readers if reader.values.size]
        if not readers:
            return
        # What may still come of a run is above the last number read of it.
        limit = min(
            (float(each.values[-1]) for each in readers if not each.exhausted),
            default=np.inf,
        )
        yield _joined([(each.kind, *each.take(limit)) for each in readers], kinds)


def _joined(
    parts: list[tuple[int, Floats, NDArray[np.uint32]]], kinds: int
) -> tuple[FloatArray, IntArray]:
    values = np.concatenate([values for _, values, _ in parts]).astype(np.float64)
    values.sort()
    distinct = values[np.append(True, values[1:] != values[:-1])]
    counts = np.zeros((kinds, distinct.size), dtype=np.int64)
    for kind, some, count in parts:
        # No number is twice in a part, so that none is lost in this addition.
        counts[kind, np.searchsorted(distinct, some)] += count
    return distinct, counts
