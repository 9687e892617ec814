"""The door for Bob: what it calls preprocessors, whole speaker embedders here."""

from typing import TYPE_CHECKING

from bob.learn.pytorch._lazy import lazy_names

if TYPE_CHECKING:
    from bob.learn.pytorch.preprocessor.audio import (
        DltResNetExtractor,
        EmbeddingExtractor,
        RecordingTransformer,
        ResNetExtractor,
        TemplateExtractor,
        WholeSample,
        load_model,
        make_extractor,
    )

__all__ = [
    "DltResNetExtractor",
    "EmbeddingExtractor",
    "RecordingTransformer",
    "ResNetExtractor",
    "TemplateExtractor",
    "WholeSample",
    "load_model",
    "make_extractor",
]

_PLACES = {
    "audio": (
        "DltResNetExtractor EmbeddingExtractor RecordingTransformer ResNetExtractor "
        "TemplateExtractor WholeSample load_model make_extractor"
    ),
}

__getattr__, __dir__ = lazy_names(__name__, _PLACES)
