"""Weights of your own for a network of the catalogue, which the file itself tells."""

from bob.learn.pytorch.preprocessor.audio import EmbeddingExtractor

preprocessor = EmbeddingExtractor("weights/mine.safetensors", precision="float64")
sub_directory = "own_weights"
