"""Many recordings into a store: read `extract` first."""

from __future__ import annotations

import os
import socket
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Protocol

from bob.learn.pytorch.files import source_of
from bob.learn.pytorch.inference.known import Item, Known, to_do
from bob.learn.pytorch.parallel.partitions import WorkersError
from bob.learn.pytorch.parallel.processes import processors
from bob.learn.pytorch.parallel.sharing import PARTITION, share_out
from bob.learn.pytorch.progress import bar
from bob.learn.pytorch.store import made_by
from bob.learn.pytorch.store.store import EmbeddingStore, Record

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence

    from distributed import Client

    from bob.learn.pytorch.inference.batching import Result

# Recordings, and seconds, after which what is done goes to the disk.
BATCH = 256
BATCH_SECONDS = 5.0


class ManyExtractor(Protocol):
    """What embeds many recordings; it must pickle to do so in other processes."""

    def prepare(self, *, progress: bool = True) -> None:
        """Load the network."""

    def fingerprint(self) -> dict[str, str]:
        """Everything that its embeddings depend on."""

    def embed_many(
        self, recordings: Iterable[tuple[str, Any]], /
    ) -> Iterator[Result[str]]:
        """Names and recordings -> one result each, in the same order."""


@dataclass
class Extraction:
    """What became of the recordings of one run.

    Attributes
    ----------
    computed
        How many embeddings were made.
    reused
        How many were in the store already; `computed` and `failures` are the others.
    failures
        Name and reason of those that could not be used.
    doubts
        Name and reason of those made now that may hold little speech.
    """

    computed: int = 0
    reused: int = 0
    failures: dict[str, str] = field(default_factory=dict)
    doubts: dict[str, str] = field(default_factory=dict)


def extract(
    extractor: ManyExtractor,
    recordings: Mapping[str, str],
    store: EmbeddingStore,
    *,
    jobs: int = 1,
    client: Client | None = None,
    progress: bool = False,
    speakers: Mapping[str, str] | None = None,
) -> Extraction:
    """Put the embeddings of recordings into a store, those that it does not have yet.

    Rows of the store, failures among them, are in the order of the recordings, however
    many processes or machines work: what is done waits in memory for what comes before
    it, a few partitions a process at most. What an earlier run stored keeps its place,
    and the rest follows.

    What is done and need not wait is on disk every few seconds, so that a run that was
    stopped goes on where it stood, with the very embeddings of one that was not: what
    went through the network together is stored together. Recordings that changed
    since, and those that failed before, are done again.

    Parameters
    ----------
    recordings
        Path by name.
    store
        Open for appending, with the extractor's fingerprint.
    jobs
        Processes of this machine; 1 computes in the calling one.
    client
        Of a Dask scheduler, in place of processes of this machine.
    progress
        Whether to show a bar with counts and remaining time, on a terminal.
    speakers
        Who speaks in each, by name, as far as it is known; the store keeps it.

    Raises
    ------
    StoreError
        The store cannot be written; what it holds stays. Or it holds a recording that
        was made with another setting that matters to it, such as another channel.
    WorkersError
        Processes or Dask workers die while they load the network.
    """
    known = Known(store, extractor.fingerprint())
    todo = to_do(recordings, known, speakers or {}, shown=progress)
    run = Extraction(reused=len(recordings) - len(todo))
    with (
        closing(_made(extractor, todo, recordings, jobs=jobs, client=client)) as made,
        bar(total=len(todo), unit="recording", shown=progress) as shown,
    ):
        batch = _Batch(store, run, {**known.speakers, **(speakers or {})})
        try:
            for records in made:
                batch.add(records)
                shown.update(len(records))
        finally:
            batch.write()
    return run


def extract_into(
    path: str | os.PathLike[str],
    extractor: ManyExtractor,
    recordings: Mapping[str, str],
    *,
    jobs: int = 1,
    dask: str | None = None,
    progress: bool = False,
    speakers: Mapping[str, str] | None = None,
) -> Extraction:
    """The same into the store at a path, which is made where there is none.

    Parameters
    ----------
    dask
        Name, address or file of a Dask client, as
        `bob.learn.pytorch.parallel.dask_client.dask_client` takes it.
    """
    with ExitStack() as stack:
        store = stack.enter_context(opened(path, extractor.fingerprint()))
        client = None
        if dask is not None:
            from bob.learn.pytorch.parallel.dask_client import dask_client

            client = stack.enter_context(dask_client(dask))
        return extract(
            extractor,
            recordings,
            store,
            jobs=jobs,
            client=client,
            progress=progress,
            speakers=speakers,
        )


def opened(
    path: str | os.PathLike[str], fingerprint: Mapping[str, str]
) -> EmbeddingStore:
    """Open the store of an extractor; errors as for `EmbeddingStore.open`."""
    return EmbeddingStore.open(
        path,
        fingerprint=made_by.of_all(fingerprint),
        settings=made_by.of_some(fingerprint),
    )


class _Batch:
    """Records on their way to the disk, where none waits long."""

    def __init__(
        self, store: EmbeddingStore, run: Extraction, speakers: Mapping[str, str]
    ) -> None:
        self._store = store
        self._run = run
        self._speakers = speakers
        self._waiting: list[Record] = []
        self._since = time.monotonic()

    def add(self, records: Sequence[Record]) -> None:
        self._waiting += records
        late = time.monotonic() - self._since > BATCH_SECONDS
        if late or len(self._waiting) >= BATCH:
            self.write()

    def write(self) -> None:
        records = [
            replace(record, speaker=self._speakers.get(record.name, ""))
            for record in self._waiting
        ]
        self._waiting = []
        self._since = time.monotonic()
        self._store.append(records)
        for record in records:
            if record.embedding is None:
                self._run.failures[record.name] = record.reason
            else:
                self._run.computed += 1
                if record.doubt:
                    self._run.doubts[record.name] = record.doubt


def sensible_jobs(recordings: int, *, device: str) -> int:
    """How many processes are worth starting: one a processor where there is much to do.

    A GPU is served by one process.
    """
    if not device.startswith("cpu"):
        return 1
    return max(1, min(processors(), recordings // PARTITION))


def _made(
    extractor: ManyExtractor,
    todo: Sequence[Item],
    recordings: Iterable[str],
    *,
    jobs: int,
    client: Client | None,
) -> Generator[Sequence[Record], None, None]:
    """Records in the order of what is to do."""
    if not todo:  # then the network need not be loaded
        return
    if client is None and jobs == 1:
        yield from make_work(extractor).together(todo)
        return
    make = partial(make_work, extractor)
    if client is not None:
        # Workers have other working folders, and perhaps other weights.
        todo = [(name, os.path.abspath(path)) for name, path in todo]  # noqa: PTH100
        make = partial(make_work, extractor, expected=extractor.fingerprint())
    place = {name: number for number, name in enumerate(recordings)}
    yield from share_out(
        make,
        todo,
        places=[place[name] for name, _ in todo],
        total=len(place),
        jobs=jobs,
        client=client,
        give_up=_given_up,
    )


def make_work(
    extractor: ManyExtractor, *, expected: Mapping[str, str] | None = None
) -> Work:
    """Return what turns items into records, once for every process.

    Parameters
    ----------
    expected
        On another machine: the fingerprint that the extractor has here. Reasons of
        failures name the machine then.

    Raises
    ------
    WorkersError
        The extractor is another one there.
    """
    if expected is None:
        return Work(extractor, place="")
    host = socket.gethostname()
    found = extractor.fingerprint()
    if found != expected:
        keys = sorted({*found, *expected})
        other = [key for key in keys if found.get(key) != expected.get(key)]
        raise WorkersError(
            f"on {host}, the extractor is not the one that it is here: "
            f"{', '.join(other)} differ; let the workers have the same version of "
            "this package, and see the same weights"
        )
    return Work(extractor, place=f" (on {host})")


class Work:
    """Items to records, by an extractor that is loaded once."""

    def __init__(self, extractor: ManyExtractor, *, place: str) -> None:
        self._extractor = extractor
        self._place = place
        extractor.prepare()

    @cached_property
    def _fingerprint(self) -> dict[str, str]:
        return self._extractor.fingerprint()

    def __call__(self, items: Sequence[Item]) -> list[Record]:
        """One record for every item."""
        return [record for records in self.together(items) for record in records]

    def together(self, items: Iterable[Item]) -> Iterator[list[Record]]:
        """Yield records of all items, those that were computed together at a time."""
        sources: dict[str, str] = {}
        records: list[Record] = []

        def noted() -> Iterator[Item]:
            for name, path in items:
                # Looked at before it is read: what changes meanwhile is done again.
                sources[name] = source_of(path)
                yield name, path

        for result in self._extractor.embed_many(noted()):
            reason = f"{result.error.reason}{self._place}" if result.error else ""
            record = Record(
                result.key,
                result.embedding,
                seconds=result.seconds,
                sample_rate=result.sample_rate,
                reason=reason,
                source=sources.pop(result.key),
                settings=" ".join(
                    f"{key}={self._fingerprint[key]}" for key in result.settings
                ),
                doubt=result.doubt,
            )
            records.append(record)
            if result.closes:
                yield records
                records = []


def _given_up(item: Item, reason: str) -> Record:
    name, path = item
    return Record(name, None, reason=reason, source=source_of(path))
