"""Embeddings in a space where their statistics are simple: centred, white, or LDA."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from bob.learn.pytorch.scoring.similarity import unit_length

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    FloatArray: TypeAlias = NDArray[np.float64]

# Variance, relative to the largest, below which a direction counts as empty.
EMPTY = 1e-12


class TrainingError(ValueError):
    """The examples do not determine what was to be trained on them."""


@dataclass(frozen=True, eq=False)
class Projection:
    """An embedding less the mean, times a matrix.

    Attributes
    ----------
    mean
        ``(dimensions,)``
    matrix
        ``(dimensions, projected dimensions)``
    """

    mean: FloatArray
    matrix: FloatArray

    def __call__(self, embeddings: ArrayLike) -> FloatArray:
        """``(count, dimensions) -> (count, projected dimensions)``."""
        rows = np.asarray(embeddings, dtype=np.float64)
        if rows.ndim != 2 or rows.shape[1] != self.mean.size:
            raise ValueError(
                f"embeddings of shape {rows.shape} cannot be projected; expected "
                f"(count, {self.mean.size}), from the trained model that the "
                f"projection was trained on"
            )
        projected: FloatArray = (rows - self.mean) @ self.matrix
        return projected


def whitening(embeddings: ArrayLike) -> Projection:
    """Principal axes, each scaled to variance one: the covariance becomes identity.

    Parameters
    ----------
    embeddings
        ``(recordings, dimensions)``, more recordings than dimensions.

    Raises
    ------
    TrainingError
        Some direction has no variance.
    """
    rows = finite(embeddings)
    mean = rows.mean(axis=0)
    values, axes = np.linalg.eigh(covariance_of(rows - mean))
    if values[0] <= EMPTY * values[-1]:
        raise TrainingError(
            f"{len(rows)} embeddings do not vary in every one of {rows.shape[1]} "
            f"directions, so they cannot be whitened; train on more recordings, or "
            f"reduce the dimensions by LDA"
        )
    # BLAS takes no array that runs backwards.
    return Projection(mean, np.ascontiguousarray((axes / np.sqrt(values))[:, ::-1]))


def lda(
    embeddings: ArrayLike, speakers: Sequence[str] | Sequence[int], *, dimensions: int
) -> Projection:
    """Linear discriminant analysis: where speakers differ most for how they vary.

    The covariance of a speaker's recordings becomes the identity, that of speakers'
    means diagonal and descending; speakers count by their recordings.

    Parameters
    ----------
    embeddings, speakers
        ``(recordings, dimensions)``, and who speaks in each recording.
    dimensions
        To be left; fewer than there are speakers.

    Raises
    ------
    TrainingError
        Too few speakers, or the recordings of a speaker do not vary in every
        direction.

    References
    ----------
    Fisher, "The use of multiple measurements in taxonomic problems", Annals of
    Eugenics 7, 1936; Bishop, "Pattern recognition and machine learning", 2006,
    section 4.1.6.
    """
    from scipy.linalg import eigh  # here: it takes a moment to import

    rows = finite(embeddings)
    codes, counts, means = by_speaker(rows, speakers)
    if not 1 <= dimensions <= min(rows.shape[1], len(counts) - 1):
        raise TrainingError(
            f"LDA to {dimensions} dimensions was asked for; {len(counts)} speakers and "
            f"{rows.shape[1]} dimensions allow 1 to "
            f"{min(rows.shape[1], len(counts) - 1)}"
        )
    within = covariance_of(rows - means[codes])
    scale = np.linalg.eigvalsh(within)
    if scale[0] <= EMPTY * scale[-1]:
        raise TrainingError(
            f"the {len(rows)} recordings of {len(counts)} speakers do not vary in "
            f"every one of {rows.shape[1]} directions around their speaker's mean; "
            f"LDA needs more recordings per speaker"
        )
    mean = rows.mean(axis=0)
    spread = (means - mean) * np.sqrt(counts / len(rows))[:, np.newaxis]
    _, axes = eigh(spread.T @ spread, within)
    return Projection(mean, np.ascontiguousarray(axes[:, ::-1][:, :dimensions]))


def scaled_to_dimensions(embeddings: ArrayLike) -> FloatArray:
    """Rows of length sqrt(dimensions), so that an entry has variance one.

    ``(count, dimensions) -> (count, dimensions)``

    References
    ----------
    Garcia-Romero and Espy-Wilson, "Analysis of i-vector length normalization in
    speaker recognition systems", Interspeech 2011.
    """
    rows = unit_length(embeddings)
    rows *= np.sqrt(rows.shape[1])
    return rows


def by_speaker(
    rows: FloatArray, speakers: Sequence[str] | Sequence[int]
) -> tuple[NDArray[np.intp], NDArray[np.intp], FloatArray]:
    """Speaker of each recording as a code; recordings and mean of each speaker.

    ``(recordings,), (speakers,), (speakers, dimensions)``
    """
    names, codes, counts = np.unique(
        np.asarray(speakers), return_inverse=True, return_counts=True
    )
    if codes.shape != rows.shape[:1]:
        raise ValueError(
            f"{codes.size} names of speakers do not belong to {len(rows)} embeddings; "
            f"give one name per embedding"
        )
    if len(names) < 2 or len(names) == len(rows):
        raise TrainingError(
            f"{len(rows)} recordings of {len(names)} speakers do not show how speakers "
            f"differ and how one varies; give two speakers or more, some of them with "
            f"several recordings"
        )
    order = np.argsort(codes, kind="stable")
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    means = np.add.reduceat(rows[order], starts, axis=0) / counts[:, np.newaxis]
    return codes, counts, means


def finite(embeddings: ArrayLike) -> FloatArray:
    """Embeddings to train on, in float64: ``(recordings, dimensions)``, all finite."""
    rows = np.asarray(embeddings, dtype=np.float64)
    if rows.ndim != 2 or not rows.size:
        raise ValueError(
            f"embeddings of shape {rows.shape} cannot be trained on; expected "
            f"(recordings, dimensions)"
        )
    bad = int((~np.isfinite(rows).all(axis=1)).sum())
    if bad:
        raise TrainingError(
            f"{bad} of {len(rows)} embeddings have entries that are not finite; leave "
            f"recordings that failed out of the training"
        )
    return rows


def covariance_of(centred: FloatArray) -> FloatArray:
    """``(count, dimensions)`` of mean zero ``-> (dimensions, dimensions)``."""
    covariance: FloatArray = centred.T @ centred / len(centred)
    return covariance
