"""Training of PLDA: whitening, LDA, and a two-covariance model by EM."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from bob.learn.pytorch.errors import UserError
from bob.learn.pytorch.scoring.enrolment import by_speaker
from bob.learn.pytorch.scoring.plda import (
    PldaBackend,
    Projection,
    TwoCovariance,
)
from bob.learn.pytorch.scoring.similarity import scaled_to_dimensions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from bob.learn.pytorch.choices import LengthNormalisation

    FloatArray: TypeAlias = NDArray[np.float64]

# Variance, relative to the largest, below which a direction counts as empty.
EMPTY = 1e-12
# Share of single speakers in the variance, below which they do not vary.
ALONE = 1e-10
# Of expectation maximisation.
ITERATIONS = 20


class TrainingError(UserError, ValueError):
    """The examples do not determine what was to be trained on them."""


def train_plda(
    embeddings: ArrayLike,
    speakers: Sequence[str] | Sequence[int],
    *,
    dimensions: int | None = None,
    whitened: bool = False,
    length_normalisation: LengthNormalisation = "unit",
    iterations: int = ITERATIONS,
) -> PldaBackend:
    """Train everything from embeddings to scores on one set of recordings.

    Parameters
    ----------
    embeddings, speakers
        ``(recordings, dimensions)``, and the speaker of each recording.
    dimensions
        Dimensions after LDA; None does without.
    whitened
        Without LDA, bring the covariance of all embeddings to the identity, which
        decides what length normalisation does; LDA whitens by itself.
    length_normalisation
        See :class:`PldaBackend`.
    iterations
        Iterations of expectation maximisation.

    Raises
    ------
    TrainingError
        The recordings do not determine a model.

    Examples
    --------
    >>> random = np.random.default_rng(0)
    >>> speakers = np.repeat(np.arange(50), 4)
    >>> embeddings = random.normal(size=(50, 8))[speakers]
    >>> embeddings += random.normal(size=(200, 8)) / 5
    >>> backend = train_plda(embeddings, speakers, dimensions=6)
    >>> references, counts = backend.enrol(embeddings, [[0, 1, 2], [4, 5]])
    >>> probes = backend.project(embeddings[[3, 7]])
    >>> (backend.score(references, probes, counts=counts) > 0).tolist()
    [[True, False], [False, True]]
    """
    rows = _finite(embeddings)
    _refuse_too_few(rows, speakers, dimensions=dimensions)
    if dimensions is not None:
        projection = lda(rows, speakers, dimensions=dimensions)
    elif whitened:
        projection = whitening(rows)
    else:
        projection = Projection(rows.mean(axis=0), np.eye(rows.shape[1]))
    projected = projection(rows)
    if length_normalisation != "none":
        projected = scaled_to_dimensions(projected)
        lost = int(np.isnan(projected).any(axis=1).sum())
        if lost:
            raise TrainingError(
                f"{lost} of {len(rows)} embeddings are the mean of all and have no "
                f"direction that could be given a length; leave them out of the "
                f"training"
            )
    model = train_two_covariance(projected, speakers, iterations=iterations)
    return PldaBackend(projection, model, length_normalisation)


def train_two_covariance(
    embeddings: ArrayLike,
    speakers: Sequence[str] | Sequence[int],
    *,
    iterations: int = ITERATIONS,
) -> TwoCovariance:
    """Fit mean and both covariances by expectation maximisation.

    Every iteration raises the likelihood of the recordings, and speakers with one
    recording count as well. It starts with both covariances at half of the total one.

    Parameters
    ----------
    embeddings, speakers
        ``(recordings, dimensions)``, and the speaker of each recording.
    iterations
        Number of times that the covariances are estimated again.

    Raises
    ------
    TrainingError
        Fewer than two speakers, only one recording of each, or directions in which
        all recordings, or those of each speaker, are the same: the likelihood has no
        maximum there.
    """
    rows = _finite(embeddings)
    codes, counts, means = _of_several_speakers(rows, speakers)
    white = _principal_axes(rows)
    if white.matrix.shape[1] < rows.shape[1]:
        raise TrainingError(
            f"{len(rows)} embeddings vary in {white.matrix.shape[1]} directions only "
            f"of {rows.shape[1]}; whiten them, or reduce the dimensions by LDA, which "
            f"leave the others out, or train on more recordings"
        )
    _within_shares(white(rows), speakers)
    centred: FloatArray = rows - white.mean
    deviations: FloatArray = rows - means[codes]
    total = centred.T @ centred / len(rows)
    scatter = deviations.T @ deviations
    model = TwoCovariance(means.mean(axis=0), total / 2, total / 2)
    for _ in range(iterations):
        model = _improved(model, means, counts, scatter)
    return model


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
    rows = _finite(embeddings)
    white = _principal_axes(rows)
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
    rows = _finite(embeddings)
    white = _principal_axes(rows)
    _, counts, _ = _of_several_speakers(rows, speakers)
    most = min(white.matrix.shape[1], len(counts) - 1)
    if not 1 <= dimensions <= most:
        raise TrainingError(
            f"LDA to {dimensions} dimensions was asked for; {len(counts)} speakers and "
            f"{white.matrix.shape[1]} dimensions allow 1 to {most}; take fewer, or "
            "train on more speakers"
        )
    shares, axes = _within_shares(white(rows), speakers)
    axes = axes[:, :dimensions] / np.sqrt(shares[:dimensions])
    return Projection(white.mean, white.matrix @ axes)


def _improved(
    model: TwoCovariance,
    means: FloatArray,
    counts: NDArray[np.intp],
    scatter: FloatArray,
) -> TwoCovariance:
    """Return a better model: first the posterior of each speaker, then covariances."""
    axes, ratios = model.basis
    back = np.linalg.inv(axes)
    number = counts[:, np.newaxis]
    observed = (means - model.mean) @ axes
    variance = ratios / (1 + number * ratios)
    expected = number * variance * observed
    shift = expected.mean(axis=0)
    off_centre = expected - shift
    between = off_centre.T @ off_centre + np.diag(variance.sum(axis=0))
    left = (observed - expected) * np.sqrt(number)
    within = left.T @ left + np.diag((number * variance).sum(axis=0))
    return TwoCovariance(
        model.mean + shift @ back,
        _symmetric(back.T @ between @ back / len(counts)),
        _symmetric((scatter + back.T @ within @ back) / counts.sum()),
    )


def _symmetric(matrix: FloatArray) -> FloatArray:
    symmetric: FloatArray = (matrix + matrix.T) / 2
    return symmetric


def _principal_axes(rows: FloatArray) -> Projection:
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


def _within_shares(
    white: FloatArray, speakers: Sequence[str] | Sequence[int]
) -> tuple[FloatArray, FloatArray]:
    """Return the share of single speakers in the variance of white coordinates.

    ``(dimensions,)``, between 0 and 1 and ascending, and axes of unit length in
    columns, ``(dimensions, dimensions)``. Refuse a direction with none, as the best
    model would have none either.
    """
    codes, counts, means = _of_several_speakers(white, speakers)
    deviations = white - means[codes]
    shares, axes = np.linalg.eigh(deviations.T @ deviations / len(white))
    if len(white) - len(counts) < len(shares) or shares[0] <= ALONE:
        raise TrainingError(
            f"the {len(white)} recordings of {len(counts)} speakers do not vary in "
            f"every one of {white.shape[1]} directions around their speaker's mean; "
            f"give more recordings per speaker, and none of them twice"
        )
    return shares, axes


def _of_several_speakers(
    rows: FloatArray, speakers: Sequence[str] | Sequence[int]
) -> tuple[NDArray[np.intp], NDArray[np.intp], FloatArray]:
    """Group recordings as `by_speaker`; refuse one speaker, or one recording each."""
    codes, counts, means = by_speaker(rows, speakers)
    if len(counts) < 2 or len(counts) == len(rows):
        raise TrainingError(
            f"{len(rows)} recordings of {len(counts)} speakers do not show how "
            f"speakers differ and how one varies; give two speakers or more, some of "
            f"them with several recordings"
        )
    return codes, counts, means


def _refuse_too_few(
    rows: FloatArray,
    speakers: Sequence[str] | Sequence[int],
    *,
    dimensions: int | None = None,
) -> None:
    """Refuse recordings that cannot tell how one speaker varies in every direction."""
    _, counts, _ = _of_several_speakers(rows, speakers)
    recordings, within = len(rows), len(rows) - len(counts)
    if within >= rows.shape[1]:
        return
    varying = _principal_axes(rows).matrix.shape[1]
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


def _finite(embeddings: ArrayLike) -> FloatArray:
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
