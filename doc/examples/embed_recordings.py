"""Embeddings of many recordings, and all their comparisons at once."""

from pathlib import Path

from bob.learn.pytorch.inference.extract import extract
from bob.learn.pytorch.preprocessor.audio import EmbeddingExtractor
from bob.learn.pytorch.scoring import cosine
from bob.learn.pytorch.store.store import EmbeddingStore

extractor = EmbeddingExtractor("campplus-zh-en")
paths = sorted(Path("recordings/anna").rglob("*.flac"))
recordings = {path.with_suffix("").as_posix(): str(path) for path in paths}
with EmbeddingStore.open("anna.h5", fingerprint=extractor.fingerprint()) as store:
    run = extract(extractor, recordings, store, progress=True)

for name, reason in run.failures.items():
    print(f"{name} was left out: it {reason}")
anna = EmbeddingStore.read("anna.h5")
print(anna.names)
print(cosine(anna.embeddings, anna.embeddings).round(2))
