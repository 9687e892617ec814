"""Embeddings in a space where their statistics are simple: centred, white, or LDA."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from bob.learn.pytorch.errors import UserError
from bob.learn.pytorch.scoring.enrolment import by_speaker
from bob.learn.pytorch.scoring.similarity import unit_length

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    FloatArray: TypeAlias = NDArray[np.float64]

# Variance, relative to the largest, below which a direction counts as empty.
EMPTY = 1e-12
# Share of single speakers in the variance, below which they do not vary.
ALONE = 1e-10


class TrainingError(UserError, ValueError):
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

    Directions in which the embeddings do not vary at all are left out.

    Parameters
    ----------
    embeddings
        ``(recordings, dimensions)``, more recordings than dimensions.

    Raises
    ------
    TrainingError
        There are too few recordings.
    """
    rows = finite(embeddings)
    white = principal_axes(rows)
    if white.matrix.shape[1] >= len(rows) - 1:
        raise TrainingError(
            f"{len(rows)} embeddings of {rows.shape[1]} dimensions are too few to tell "
            f"how they vary in each direction, so they cannot be whitened; train on "
            f"more recordings"
        )
    return white


def lda(
    embeddings: ArrayLike, speakers: Sequence[str] | Sequence[int], *, dimensions: int
) -> Projection:
    """Linear discriminant analysis: where speakers differ most for how they vary.

    The covariance of a speaker's recordings becomes the identity, that of speakers'
    means diagonal and descending; speakers count by their recordings. Directions in
    which the embeddings do not vary at all are left out.

    Parameters
    ----------
    embeddings, speakers
        ``(recordings, dimensions)``, and the speaker of each recording.
    dimensions
        Dimensions after LDA; fewer than there are speakers.

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
    rows = finite(embeddings)
    white = principal_axes(rows)
    _, counts, _ = of_several_speakers(rows, speakers)
    most = min(white.matrix.shape[1], len(counts) - 1)
    if not 1 <= dimensions <= most:
        raise TrainingError(
            f"LDA to {dimensions} dimensions was asked for; {len(counts)} speakers and "
            f"{white.matrix.shape[1]} dimensions allow 1 to {most}; take fewer, or "
            "train on more speakers"
        )
    shares, axes = within_shares(white(rows), speakers)
    axes = axes[:, :dimensions] / np.sqrt(shares[:dimensions])
    return Projection(white.mean, white.matrix @ axes)


def principal_axes(rows: FloatArray) -> Projection:
    """Return white coordinates, in the directions in which finite rows vary at all."""
    mean = rows.mean(axis=0)
    centred = rows - mean
    values, axes = np.linalg.eigh(centred.T @ centred / len(rows))
    kept = values > EMPTY * values[-1]
    if not kept.any():
        raise TrainingError(
            f"all {len(rows)} embeddings are the same; train on different recordings"
        )
    # Descending, and not as a view that runs backwards, which BLAS does not take.
    matrix = (axes[:, kept] / np.sqrt(values[kept]))[:, ::-1]
    return Projection(mean, np.ascontiguousarray(matrix))


def within_shares(
    white: FloatArray, speakers: Sequence[str] | Sequence[int]
) -> tuple[FloatArray, FloatArray]:
    """Return the share of single speakers in the variance of white coordinates.

    Returns
    -------
    shares
        ``(dimensions,)``, between 0 and 1, ascending.
    axes
        ``(dimensions, dimensions)``, of unit length, one column for each.

    Raises
    ------
    TrainingError
        There is a direction with none, so that the best model would have none either.
    """
    codes, counts, means = of_several_speakers(white, speakers)
    deviations = white - means[codes]
    shares, axes = np.linalg.eigh(deviations.T @ deviations / len(white))
    if len(white) - len(counts) < len(shares) or shares[0] <= ALONE:
        raise TrainingError(
            f"the {len(white)} recordings of {len(counts)} speakers do not vary in "
            f"every one of {white.shape[1]} directions around their speaker's mean; "
            f"give more recordings per speaker, and none of them twice"
        )
    return shares, axes


def of_several_speakers(
    rows: FloatArray, speakers: Sequence[str] | Sequence[int]
) -> tuple[NDArray[np.intp], NDArray[np.intp], FloatArray]:
    """Group recordings as `by_speaker` if they show how speakers differ and vary.

    Raises
    ------
    TrainingError
        There is one speaker only, or one recording of each.
    """
    codes, counts, means = by_speaker(rows, speakers)
    if len(counts) < 2 or len(counts) == len(rows):
        raise TrainingError(
            f"{len(rows)} recordings of {len(counts)} speakers do not show how "
            f"speakers differ and how one varies; give two speakers or more, some of "
            f"them with several recordings"
        )
    return codes, counts, means


def refuse_too_few(
    rows: FloatArray,
    speakers: Sequence[str] | Sequence[int],
    *,
    dimensions: int | None = None,
) -> None:
    """Refuse recordings that cannot tell how one speaker varies in every direction.

    Parameters
    ----------
    rows, speakers
        ``(recordings, dimensions)``, and the speaker of each recording.
    dimensions
        Dimensions after LDA.

    Raises
    ------
    TrainingError
        There are too few; the message says how many it takes.
    """
    _, counts, _ = of_several_speakers(rows, speakers)
    recordings, within = len(rows), len(rows) - len(counts)
    if within >= rows.shape[1]:
        return
    varying = principal_axes(rows).matrix.shape[1]
    if varying <= within:
        return
    if varying >= recordings - 1:  # all that so many can show
        varying = rows.shape[1]
    of_lda = ""
    if dimensions is not None and dimensions >= len(counts):
        of_lda = f", and for LDA to {dimensions} dimensions {dimensions + 1} speakers"
    raise TrainingError(
        f"{recordings} recordings of {len(counts)} speakers cannot train a model of "
        f"embeddings of {varying} dimensions, with LDA or without: it takes at least "
        f"{varying} recordings more than speakers (here {within}){of_lda}, and some "
        "hundreds of speakers with several recordings each to be of use; train on "
        "more, or score by cosines"
    )


def scaled_to_dimensions(embeddings: ArrayLike) -> FloatArray:
    """Scale rows to the length sqrt(dimensions), so that an entry has variance one.

    ``(count, dimensions) -> (count, dimensions)``

    References
    ----------
    Garcia-Romero and Espy-Wilson, "Analysis of i-vector length normalization in
    speaker recognition systems", Interspeech 2011.
    """
    rows = unit_length(embeddings)
    rows *= np.sqrt(rows.shape[1])
    return rows


def finite(embeddings: ArrayLike) -> FloatArray:
    """Return finite embeddings in float64: ``(recordings, dimensions)``."""
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
