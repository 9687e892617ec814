"""Embeddings of many recordings, and all their comparisons at once."""

from pathlib import Path

import bob.learn.pytorch as speaker
from bob.learn.pytorch.scoring import cosine

paths = sorted(Path("recordings/anna").rglob("*.flac"))
anna = speaker.embed(paths, into="anna.h5", progress=True)

for name, reason in anna.failures.items():
    print(f"{name} was left out: it {reason}")
print(anna.names)
print(cosine(anna.embeddings, anna.embeddings).round(2))
