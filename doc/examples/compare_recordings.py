"""How alike are two recordings? `python compare_recordings.py`."""

from bob.learn.pytorch.inference.compare import compare
from bob.learn.pytorch.preprocessor.audio import EmbeddingExtractor

extractor = EmbeddingExtractor("campplus-zh-en")
comparison = compare(
    extractor, "recordings/anna/monday/1.flac", "recordings/boris/monday/1.flac"
)
print(f"cosine {comparison.score:.4f}")
