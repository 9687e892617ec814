"""Put the embeddings of many recordings into a store: read `extract` first."""

from __future__ import annotations

import os
import socket
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from bob.learn.pytorch.files import is_another, path_in, source_of
from bob.learn.pytorch.parallel.partitions import WorkersError
from bob.learn.pytorch.parallel.processes import processors
from bob.learn.pytorch.parallel.sharing import PARTITION, share_out
from bob.learn.pytorch.progress import bar
from bob.learn.pytorch.store.records import of_all, of_some
from bob.learn.pytorch.store.store import EmbeddingStore, Record, StoreError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence

    from distributed import Client

    from bob.learn.pytorch.inference.batching import Result

# Recordings, and seconds, after which what is done goes to the disk.
BATCH = 256
BATCH_SECONDS = 5.0

Item: TypeAlias = tuple[str, str]
"""Name and path of a recording."""


class ManyExtractor(Protocol):
    """A model that embeds many recordings; for other processes it must pickle."""

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
    """Outcome of one run over recordings.

    Attributes
    ----------
    computed
        Number of embeddings that were made.
    reused
        Number of those in the store already; the others are `computed` or `failures`.
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
        Client of a Dask scheduler, in place of processes of this machine.
    progress
        Show a bar with counts and remaining time, on a terminal.
    speakers
        Speaker of each recording, by name, as far as known; the store keeps them.

    Raises
    ------
    StoreError
        The store cannot be written; what it holds stays. Or it holds a recording that
        was made with another setting that matters to it, such as another channel.
    WorkersError
        Processes or Dask workers die while they load the network.
    """
    known = Known(store, extractor.fingerprint())
    todo = _to_do(recordings, known, speakers or {}, shown=progress)
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
    """Put the embeddings into the store at a path, which is made if necessary.

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
        fingerprint=of_all(fingerprint),
        settings=of_some(fingerprint),
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
    """Return the processes worth starting: one a processor where there is much to do.

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
    """Yield records in the order of what is to do."""
    if not todo:  # then the network need not be loaded
        return
    if client is None and jobs == 1:
        yield from _make_work(extractor).together(todo)
        return
    make = partial(_make_work, extractor)
    if client is not None:
        # Workers have other working folders, and perhaps other weights.
        todo = [(name, os.path.abspath(path)) for name, path in todo]  # noqa: PTH100
        make = partial(_make_work, extractor, expected=extractor.fingerprint())
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


def _make_work(
    extractor: ManyExtractor, *, expected: Mapping[str, str] | None = None
) -> _Work:
    """Return what turns items into records, once for every process.

    Parameters
    ----------
    expected
        On another machine: the fingerprint that the extractor has here. Reasons of
        failures name the machine then.
    """
    if expected is None:
        return _Work(extractor, place="")
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
    return _Work(extractor, place=f" (on {host})")


class _Work:
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


class Known:
    """Recordings of a store, with their sources and speakers."""

    def __init__(self, store: EmbeddingStore, fingerprint: Mapping[str, str]) -> None:
        columns = store.columns()
        about = list(zip(columns.names, columns.failed.tolist(), strict=True))
        self.store = store
        self.names = columns.names
        self.sources = {
            name: source
            for (name, failed), source in zip(about, columns.sources, strict=True)
            if not failed
        }
        self.speakers = {
            name: speaker
            for (name, _), speaker in zip(about, columns.speakers, strict=True)
            if speaker
        }
        now = {f"{key}={value}" for key, value in fingerprint.items()}
        self._settings = {
            name: settings
            for (name, failed), settings in zip(about, columns.settings, strict=True)
            if settings and not failed and not now.issuperset(settings.split())
        }

    def source(self, name: str, path: str) -> str:
        """Return that of the file now, empty where it is not known or gone."""
        before = self.sources.get(name)
        return "" if before is None else source_of(path, known=before)

    def has(self, name: str, source: str) -> bool:
        """Return whether there is the embedding of such a content under that name."""
        if not self.store.is_current(name, source=source):
            return False
        if name in self._settings:
            raise StoreError(
                f"{self.store.path} has {name} made with {self._settings[name]}, which "
                "matters to this recording, and it is another now. Write to another "
                "store, or choose what made these"
            )
        return True


def _to_do(
    recordings: Mapping[str, str],
    known: Known,
    speakers: Mapping[str, str],
    *,
    shown: bool,
) -> list[Item]:
    """Return recordings without an embedding, or with another content than then."""
    todo, renewed, others = [], {}, []
    # Shown only where many files have to be read, such as those of a copied corpus.
    items, total = recordings.items(), len(recordings)
    for name, path in bar(
        items, title="looking for changes", total=total, delay=2, shown=shown
    ):
        before, source = known.sources.get(name), known.source(name, path)
        if not known.has(name, source):
            todo.append((name, path))
            # Where the file of then is gone, this is it, moved and changed.
            if (
                before
                and is_another(before, source)
                and Path(path_in(before)).is_file()
            ):
                others.append((name, path_in(before), path_in(source)))
        elif source not in ("", before):
            renewed[name] = source
    if others:
        name, there, now = others[0]
        raise StoreError(
            f"{known.store.path} holds other recordings of the names of {len(others)} "
            f"of these: {name} is {there} there, and {now} now. Write to another "
            "store, or give each a name of its own in a list (a name, a blank and a "
            "path a line)"
        )
    new = {
        name: speaker
        for name, speaker in speakers.items()
        if name in known.sources and known.speakers.get(name) != speaker
    }
    known.store.renew(renewed, new)
    return todo
