"""Many recordings -> embeddings, fast and exact: engines, batches, long recordings."""

from typing import TYPE_CHECKING

from bob.learn.pytorch._lazy import lazy_names

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

_PLACES = {
    "batching": "BatchEmbedder Loaded Result embed_many",
    "embedding": "RecordingEmbedder needed_mb",
    "engine": "ChoiceError choose chosen_device",
    "extract": "Extraction ManyExtractor extract_into sensible_jobs",
    "long": "embed_chunks embed_long",
}

__getattr__, __dir__ = lazy_names(__name__, _PLACES)
