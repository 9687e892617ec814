"""Embeddings of many recordings, and all their comparisons at once."""

from pathlib import Path

from bob.learn.pytorch.extraction.collection import collect
from bob.learn.pytorch.preprocessor.audio import EmbeddingExtractor
from bob.learn.pytorch.scoring import cosine

recordings = {path.stem: path for path in sorted(Path("recordings/anna").iterdir())}
collection = collect(EmbeddingExtractor("campplus-zh-en"), recordings, progress=True)
collection.save("anna.npz")

for name, reason in collection.failures.items():
    print(f"{name} was left out: it {reason}")
print(collection.names)
print(cosine(collection.embeddings, collection.embeddings).round(2))
