"""Stores of embeddings that tests write."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bob.learn.pytorch.store.store import EmbeddingStore, Record

MADE_BY = {"model": "toy", "weights": "0" * 64}
#: Two recordings of two speakers; 3, 4, 5 make a right angle.
EMBEDDINGS = {
    "/data/ann/1.wav": [3, 4],
    "/data/ann/2.wav": [4, 3],
    "/data/bob/1.wav": [0, 2],
    "/data/bob/2.wav": [0, -1],
}


def store(
    path: str | Path,
    embeddings: Mapping[str, Any],
    *,
    made_by: Mapping[str, str] = MADE_BY,
    seconds: float = 2.0,
    failed: Collection[str] = (),
) -> str | Path:
    """Write ``{name: embedding}`` and recordings that failed; return the path."""
    records = [Record(name, np.float32(e), seconds) for name, e in embeddings.items()]
    records += [Record(name, None, reason="is silent") for name in failed]
    with EmbeddingStore.open(path, fingerprint=dict(made_by)) as opened:
        opened.append(records)
    return path
