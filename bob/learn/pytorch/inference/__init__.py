"""Many recordings -> embeddings, fast and exact: engines, batches, long recordings."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bob.learn.pytorch.inference.batching import (
        BatchEmbedder,
        Loaded,
        Result,
        embed_many,
    )
    from bob.learn.pytorch.inference.embedding import RecordingEmbedder, needed_mb
    from bob.learn.pytorch.inference.engine import ChoiceError, choose, chosen_device
    from bob.learn.pytorch.inference.extract import (
        Extraction,
        ManyExtractor,
        extract_into,
        sensible_jobs,
    )
    from bob.learn.pytorch.inference.long import embed_chunks, embed_long

_PLACES = {
    "BatchEmbedder": "batching",
    "Loaded": "batching",
    "Result": "batching",
    "embed_many": "batching",
    "RecordingEmbedder": "embedding",
    "needed_mb": "embedding",
    "ChoiceError": "engine",
    "choose": "engine",
    "chosen_device": "engine",
    "Extraction": "extract",
    "ManyExtractor": "extract",
    "extract_into": "extract",
    "sensible_jobs": "extract",
    "embed_chunks": "long",
    "embed_long": "long",
}

__all__ = [
    "BatchEmbedder",
    "ChoiceError",
    "Extraction",
    "Loaded",
    "ManyExtractor",
    "RecordingEmbedder",
    "Result",
    "choose",
    "chosen_device",
    "embed_chunks",
    "embed_long",
    "embed_many",
    "extract_into",
    "needed_mb",
    "sensible_jobs",
]


def __getattr__(name: str) -> object:
    # The engine that is chosen decides about what is imported.
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
