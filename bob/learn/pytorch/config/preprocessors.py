"""Trained models by name for verify.py (`-p campplus-zh-en`); Bob is not imported."""

from bob.learn.pytorch.preprocessor.audio import (
    DltResNetExtractor,
    EmbeddingExtractor,
    ResNetExtractor,
)

dltresnet34_voxceleb1 = DltResNetExtractor()
resnet34_voxceleb1 = ResNetExtractor()
campplus_zh_en = EmbeddingExtractor("campplus-zh-en")
