"""Embeddings -> scores; higher means more alike."""

from bob.learn.pytorch._moved import moved_names
from bob.learn.pytorch.choices import NORMALISATIONS
from bob.learn.pytorch.scoring.backend import Backend, Cosine, Euclidean, Plda
from bob.learn.pytorch.scoring.cohort import (
    CohortNormaliser,
    CohortSides,
    normalisation_named,
)
from bob.learn.pytorch.scoring.dense import score_into_file, score_rows
from bob.learn.pytorch.scoring.enrolment import (
    fuse_scores,
    mean_embeddings,
    speaker_means,
)
from bob.learn.pytorch.scoring.normalisation import (
    CohortStatistics,
    against_cohort,
    as_norm,
    cohort_statistics,
    s_norm,
    t_norm,
    z_norm,
    zt_norm,
)
from bob.learn.pytorch.scoring.plda import PldaBackend, Projection, TwoCovariance
from bob.learn.pytorch.scoring.plda_training import (
    TrainingError,
    lda,
    train_plda,
    train_two_covariance,
    whitening,
)
from bob.learn.pytorch.scoring.similarity import (
    cosine,
    cosine_of_pairs,
    euclidean,
    inner,
    inner_of_pairs,
    magnitudes,
    scaled_to_dimensions,
    unit_length,
)

__all__ = [
    "cosine",
    "cosine_of_pairs",
    "euclidean",
    "unit_length",
    "inner",
    "inner_of_pairs",
    "score_rows",
    "score_into_file",
    "mean_embeddings",
    "fuse_scores",
    "speaker_means",
    "Backend",
    "Cosine",
    "Euclidean",
    "Plda",
    "CohortStatistics",
    "cohort_statistics",
    "against_cohort",
    "z_norm",
    "t_norm",
    "s_norm",
    "zt_norm",
    "as_norm",
    "NORMALISATIONS",
    "normalisation_named",
    "CohortSides",
    "CohortNormaliser",
    "Projection",
    "whitening",
    "lda",
    "scaled_to_dimensions",
    "TwoCovariance",
    "train_two_covariance",
    "PldaBackend",
    "train_plda",
    "TrainingError",
    "magnitudes",
]

__getattr__ = moved_names(__name__)
