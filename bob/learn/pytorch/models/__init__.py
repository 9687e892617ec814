"""From the name of a trained model to its weights: the catalogue and the store."""

from typing import TYPE_CHECKING

from bob.learn.pytorch._lazy import lazy_names

if TYPE_CHECKING:
    from bob.learn.pytorch.models.catalogue import (
        TrainedModel,
        WebFile,
        WheelFile,
        find,
        list_models,
    )
    from bob.learn.pytorch.models.checkpoint import (
        file_sha256,
        load_weights,
        read_weights,
        recognise,
        save_weights,
    )
    from bob.learn.pytorch.models.embedder import SpeakerEmbedder
    from bob.learn.pytorch.models.errors import (
        DownloadError,
        HashMismatch,
        OfflineError,
        UnknownModelError,
        WeightsError,
        WrongWeights,
    )
    from bob.learn.pytorch.models.store import fetch, load_embedder, where

__all__ = [
    "DownloadError",
    "HashMismatch",
    "OfflineError",
    "SpeakerEmbedder",
    "TrainedModel",
    "UnknownModelError",
    "WebFile",
    "WeightsError",
    "WheelFile",
    "WrongWeights",
    "fetch",
    "file_sha256",
    "find",
    "list_models",
    "load_embedder",
    "load_weights",
    "read_weights",
    "recognise",
    "save_weights",
    "where",
]

_PLACES = {
    "catalogue": "TrainedModel WebFile WheelFile find list_models",
    "checkpoint": "file_sha256 load_weights read_weights recognise save_weights",
    "embedder": "SpeakerEmbedder",
    "errors": (
        "DownloadError HashMismatch OfflineError UnknownModelError WeightsError "
        "WrongWeights"
    ),
    "store": "fetch load_embedder where",
}

__getattr__, __dir__ = lazy_names(__name__, _PLACES)
