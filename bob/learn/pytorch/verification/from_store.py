"""Features of an experiment out of a store of embeddings, which is filled for it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from bob.learn.pytorch.verification.configuration import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bob.learn.pytorch.extraction.extract import ManyExtractor
    from bob.learn.pytorch.verification.making import Planned, Step, Workers

logger = logging.getLogger(__name__)


def take(
    step: Step,
    planned: Sequence[Planned],
    *,
    extractor: ManyExtractor,
    path: Path,
    workers: Workers,
) -> list[Planned]:
    """Write planned files out of a store; those that remain have to be computed.

    What the store lacks is computed into it, so that the next experiment finds it.
    Recordings go by their keys there. Those that only a database can load, and those
    that failed, remain.

    Parameters
    ----------
    extractor
        What the step computes with.
    path
        Of the store, which is made where there is none.

    Raises
    ------
    StoreError
        Another model filled the store, or it cannot be written.
    """
    from bob.learn.pytorch.extraction.extract import extract_into
    from bob.learn.pytorch.storage.store import EmbeddingStore

    files = {
        item.recording.key: str(item.recording.path)
        for item in planned
        if item.recording.path is not None and not item.recording.own_loader
    }
    run = extract_into(
        path,
        extractor,
        files,
        jobs=workers.jobs,
        dask=workers.dask,
        progress=True,
    )
    logger.info(
        "of %d embeddings, %d were in the store and %d were computed",
        len(files),
        run.reused,
        run.computed,
    )
    content = EmbeddingStore.read(path)
    row = {name: i for i, name in enumerate(content.names)}
    left = []
    for item in planned:
        key = item.recording.key
        if key in files and key in row:
            embedding = content.embeddings[row[key]][None]
            step.write(embedding, item.path, item.fingerprint, source=item.source)
        else:
            left.append(item)
    return left


def embedding_extractor(component: object) -> ManyExtractor:
    """The component, if what it makes may be kept in a store.

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
