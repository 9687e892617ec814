"""CAM++: `bob bio pipeline simple -p campplus-zh-en`."""

from bob.learn.pytorch.config.pipelines import make_pipeline, make_transformer
from bob.learn.pytorch.preprocessor.audio import EmbeddingExtractor

transformer = make_transformer(EmbeddingExtractor("campplus-zh-en"))
pipeline = make_pipeline(EmbeddingExtractor("campplus-zh-en"))
