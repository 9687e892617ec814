"""Features of an experiment out of a store of embeddings, which is filled for it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bob.learn.pytorch.experiment.configuration import ConfigurationError
from bob.learn.pytorch.progress import say

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from bob.learn.pytorch.experiment.components import Planned, Step
    from bob.learn.pytorch.inference.extract import Extraction, Known, ManyExtractor
    from bob.learn.pytorch.parallel.sharing import Workers
    from bob.learn.pytorch.store.reading import StoredEmbeddings


@dataclass(frozen=True, eq=False)
class InStore:
    """Embeddings that a store has of the recordings of an experiment.

    Attributes
    ----------
    content
        What the store holds.
    rows
        Key of each recording that has an embedding -> its row.
    run
        How many were computed, and by key why others could not be used.
    """

    content: StoredEmbeddings
    rows: Mapping[str, int]
    run: Extraction

    def __str__(self) -> str:
        run = self.run
        failed = f", {len(run.failures)} failed" if run.failures else ""
        count = run.reused + run.computed + len(run.failures)
        return (
            f"{run.reused} of {count} embeddings from the store {self.content.path}, "
            f"{run.computed} computed{failed}"
        )


def fill(
    path: Path,
    extractor: ManyExtractor,
    recordings: Mapping[str, str],
    *,
    workers: Workers,
    speakers: Mapping[str, str] | None = None,
) -> InStore:
    """Compute into a store what it lacks of recordings, and find them all in it.

    A recording that the store has under its path, its key, or a longer path that ends
    in its key (`RowsByName`) is taken from there if the content of the file is the
    same; the others are stored under their keys.

    Parameters
    ----------
    path
        Of the store, which is made where there is none.
    recordings
        Path by key.
    speakers
        Who speaks, by key, as far as it is known.

    Raises
    ------
    ConfigurationError
        A recording may be either of two in the store.
    StoreError
        Another model filled the store, or it cannot be written.
    """
    from bob.learn.pytorch.inference.extract import extract_into
    from bob.learn.pytorch.store.store import EmbeddingStore

    names = _names_in(path, extractor, recordings)
    run = extract_into(
        path,
        extractor,
        {names[key]: place for key, place in recordings.items()},
        jobs=workers.jobs,
        dask=workers.dask,
        progress=True,
        speakers={names[key]: who for key, who in (speakers or {}).items()},
    )
    content = EmbeddingStore.read(path)
    row = {name: i for i, name in enumerate(content.names)}
    failures = {
        key: run.failures[name] for key, name in names.items() if name in run.failures
    }
    return InStore(
        content,
        {key: row[name] for key, name in names.items() if name in row},
        replace(run, failures=failures),
    )


def _names_in(
    path: Path, extractor: ManyExtractor, recordings: Mapping[str, str]
) -> dict[str, str]:
    """Return the name of each recording in a store, now or later, by key."""
    from bob.learn.pytorch.experiment.named_embeddings import RowsByName
    from bob.learn.pytorch.inference.extract import Known, opened

    if not path.exists():
        return {key: key for key in recordings}
    made_by = extractor.fingerprint()
    with opened(path, made_by) as store:
        known = Known(store, made_by)
    names = known.names
    finder = RowsByName(names, [known.sources.get(name, "") for name in names])
    found = {}
    for key, place in recordings.items():
        row = finder.same(key, place)
        if row is None:
            alike = [names[row] for row in finder.alike(key, place)]
            found[key] = _same_content(known, alike, place) or key
        else:
            found[key] = names[row]
    return found


def _same_content(known: Known, names: Sequence[str], place: str) -> str | None:
    """Return the one of these names that stands for what a file holds."""
    if not names:
        return None
    source = known.source(names[0], place)
    good = [name for name in names if known.has(name, source)]
    # Of recordings with one content, either one has the embedding.
    if len(good) > 1 and not all(known.sources[name] for name in good):
        raise ConfigurationError(
            f"{place} may be more than one recording in {known.store.path}, such as "
            f"{good[0]} and {good[1]}; it does not say which files they were made of: "
            "name another store"
        )
    return good[0] if good else None


def take(
    step: Step,
    planned: Sequence[Planned],
    *,
    extractor: ManyExtractor,
    path: Path,
    workers: Workers,
    knows_speakers: bool = False,
) -> list[Planned]:
    """Write planned files out of a store; those that remain have to be computed.

    What the store lacks is computed into it (`fill`), so that the next experiment finds
    it. Recordings that only a database can load, and those that failed, remain.

    Parameters
    ----------
    extractor
        What the step computes with.
    knows_speakers
        Whether the subjects of the recordings are known, which the store keeps then.

    Raises
    ------
    ConfigurationError, StoreError
        As `fill`.
    """
    recordings = {
        item.recording.key: item.recording
        for item in planned
        if item.recording.path is not None and not item.recording.own_loader
    }
    filled = fill(
        path,
        extractor,
        {key: str(item.path) for key, item in recordings.items()},
        workers=workers,
        speakers={key: item.subject for key, item in recordings.items()}
        if knows_speakers
        else None,
    )
    say(f"{step.stage}: {filled}")
    left = []
    for item in planned:
        row = filled.rows.get(item.recording.key)
        if row is None:
            left.append(item)
        else:
            embedding = filled.content.embeddings[row][None]
            step.write(embedding, item.path, item.fingerprint, source=item.source)
    return left


def embedding_extractor(component: object) -> ManyExtractor:
    """Return the component, if a store may keep what it makes.

    Raises
    ------
    ConfigurationError
        It makes no embeddings of recordings by itself.
    """
    if getattr(component, "embeds_in_batches", False):
        return component  # type: ignore[return-value]
    raise ConfigurationError(
        f"a store keeps embeddings of our extractors, and the preprocessor is a "
        f"{type(component).__name__}; leave --store out and name recordings as the "
        "cohort, or use an EmbeddingExtractor"
    )
