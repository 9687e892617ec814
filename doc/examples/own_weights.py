"""Your own weights for a network of the catalogue, recognised by the file."""

from bob.learn.pytorch.preprocessor.audio import EmbeddingExtractor

preprocessor = EmbeddingExtractor("weights/mine.safetensors", precision="float64")
sub_directory = "own_weights"
