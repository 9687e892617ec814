"""Embeddings -> scores; higher means more alike."""

from bob.learn.pytorch.scoring.enrolment import fuse_scores, mean_embeddings
from bob.learn.pytorch.scoring.similarity import (
    cosine,
    cosine_of_pairs,
    euclidean,
    unit_length,
)

__all__ = [
    "cosine",
    "cosine_of_pairs",
    "euclidean",
    "unit_length",
    "mean_embeddings",
    "fuse_scores",
]
