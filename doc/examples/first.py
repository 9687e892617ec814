"""A first experiment: `verify.py first.py`."""

from bob.learn.pytorch.extractor import CallableExtractor
from bob.learn.pytorch.preprocessor.audio import EmbeddingExtractor

# A folder with a folder for each speaker, and in these the recordings.
database = "recordings"
groups = ["dev", "eval"]

# Each recording becomes an embedding; the embedding needs no further extraction.
preprocessor = EmbeddingExtractor("campplus-zh-en")
extractor = CallableExtractor(lambda x: x)
extracted_directory = "preprocessed"
skip_extraction = True

# Embeddings are compared by the cosine of the angle between them.
algorithm = "cosine"

# Embeddings go to temp/first, scores to results/first.
sub_directory = "first"
