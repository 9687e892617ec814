"""Recordings in, embeddings out, the way Bob asks for them."""

from bob.learn.pytorch.preprocessor.audio.dlt_resnet import (
    DltResNetExtractor,
    ResNetExtractor,
)
from bob.learn.pytorch.preprocessor.audio.embedding import EmbeddingExtractor
from bob.learn.pytorch.preprocessor.audio.loading import load_model, make_extractor
from bob.learn.pytorch.preprocessor.audio.recordings import (
    RecordingTransformer,
    WholeSample,
)
from bob.learn.pytorch.preprocessor.audio.template import TemplateExtractor

__all__ = [
    "DltResNetExtractor",
    "ResNetExtractor",
    "EmbeddingExtractor",
    "TemplateExtractor",
    "load_model",
    "make_extractor",
    "RecordingTransformer",
    "WholeSample",
]
