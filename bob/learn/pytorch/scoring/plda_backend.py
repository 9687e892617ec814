"""Embeddings -> log-likelihood ratios by PLDA, with what the model wants before it."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import numpy as np

from bob.learn.pytorch.files import beside
from bob.learn.pytorch.scoring.enrolment import mean_embeddings
from bob.learn.pytorch.scoring.plda import (
    ITERATIONS,
    TwoCovariance,
    train_two_covariance,
)
from bob.learn.pytorch.scoring.projection import (
    Projection,
    TrainingError,
    finite,
    lda,
    refuse_too_few,
    scaled_to_dimensions,
    whitening,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import BinaryIO

    from numpy.typing import ArrayLike, NDArray

    FloatArray: TypeAlias = NDArray[np.float64]

LengthNormalisation: TypeAlias = Literal["none", "unit", "kaldi"]
LENGTH_NORMALISATIONS = get_args(LengthNormalisation)
FORMAT = "bob.learn.pytorch PLDA 1"
_NEXT = "train one with `bob pytorch plda train` or `train_plda`"
_ARRAYS = ("mean", "projection", "model_mean", "between", "within")


@dataclass(frozen=True, eq=False)
class PldaBackend:
    """Centring, whitening or LDA, length normalisation, and a two-covariance model.

    Attributes
    ----------
    projection
        ``(dimensions,) -> (model dimensions,)``
    model
        The model of projected embeddings.
    length_normalisation
        ``"none"``; ``"unit"``: every projected embedding gets the length
        sqrt(dimensions); ``"kaldi"``: that, and at scoring each side is scaled to
        the length that the model expects of a mean of so many recordings (Kaldi's
        ``ivector-plda-scoring --normalize-length=true``).
    """

    projection: Projection
    model: TwoCovariance
    length_normalisation: LengthNormalisation = "unit"

    def __post_init__(self) -> None:
        if self.length_normalisation not in LENGTH_NORMALISATIONS:
            raise ValueError(
                f"the length normalisation is {self.length_normalisation!r}; choose "
                f"one of {', '.join(LENGTH_NORMALISATIONS)}"
            )
        shape = self.projection.matrix.shape
        if shape != (self.projection.mean.size, self.model.mean.size):
            raise ValueError(
                f"a projection of shape {shape} does not lead from embeddings of "
                f"{self.projection.mean.size} dimensions to a model of "
                f"{self.model.mean.size}"
            )

    def project(self, embeddings: ArrayLike) -> FloatArray:
        """``(count, dimensions) -> (count, model dimensions)``; NaN stays NaN."""
        rows = self.projection(embeddings)
        if self.length_normalisation == "none":
            return rows
        return scaled_to_dimensions(rows)

    def enrol(
        self, embeddings: ArrayLike, groups: Sequence[ArrayLike]
    ) -> tuple[FloatArray, NDArray[np.int64]]:
        """Make references of several recordings each, "by the book".

        Parameters
        ----------
        embeddings
            ``(recordings, dimensions)``, not projected.
        groups
            For each reference the positions of its recordings.

        Returns
        -------
        references
            ``(references, model dimensions)``: means of projected recordings.
        counts
            ``(references,)``
        """
        references = mean_embeddings(self.project(embeddings), groups)
        # Without recordings the mean is NaN, and so are its scores.
        counts = [max(1, np.asarray(group).size) for group in groups]
        return references, np.array(counts, dtype=np.int64)

    def score(
        self, references: ArrayLike, probes: ArrayLike, *, counts: ArrayLike = 1
    ) -> FloatArray:
        """Return the log-likelihood ratio of each reference and probe.

        Parameters
        ----------
        references
            ``(references, model dimensions)``, from :meth:`enrol` or :meth:`project`.
        probes
            ``(probes, model dimensions)``, from :meth:`project`.
        counts
            Recordings of each reference, ``(references,)`` or one for all.

        Returns
        -------
        (references, probes)
        """
        return self.model.score(
            references, probes, counts=counts, kaldi_length=self._kaldi
        )

    def score_pairs(
        self,
        references: ArrayLike,
        probes: ArrayLike,
        *,
        pairs: tuple[ArrayLike, ArrayLike],
        counts: ArrayLike = 1,
    ) -> FloatArray:
        """Return the log-likelihood ratio of listed pairs only: ``(pairs,)``.

        Parameters
        ----------
        references, probes, counts
            As for :meth:`score`.
        pairs
            Positions in the references and in the probes, ``(pairs,)`` each.
        """
        return self.model.score_pairs(
            references, probes, pairs=pairs, counts=counts, kaldi_length=self._kaldi
        )

    @property
    def _kaldi(self) -> bool:
        return self.length_normalisation == "kaldi"

    def save(self, path: Path) -> None:
        """Write a file ``.npz`` of plain arrays, which is there whole or not at all."""
        with beside(path) as place, place.open("wb") as file:
            np.savez(
                file,
                format=np.array(FORMAT),
                length_normalisation=np.array(self.length_normalisation),
                mean=self.projection.mean,
                projection=self.projection.matrix,
                model_mean=self.model.mean,
                between=self.model.between,
                within=self.model.within,
            )

    @classmethod
    def load(cls, path: Path) -> PldaBackend:
        """Read what :meth:`save` wrote; no code in a file is ever run.

        Raises
        ------
        ValueError
            The file is something else, or not whole.
        """
        # Opened here, since numpy leaves a file open that is none of its own.
        with path.open("rb") as file:
            try:
                fields = _fields_of(file)
            except Exception as error:  # zipfile, zlib and NumPy have many for damage
                raise ValueError(
                    f"{path} is no file of a PLDA model, or not all of one ({error}); "
                    f"{_NEXT}"
                ) from error
        try:
            return _backend_of(fields)
        except ValueError as error:
            raise ValueError(
                f"{path} is no file of a PLDA model: {error}; {_NEXT}"
            ) from error


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
    rows = finite(embeddings)
    refuse_too_few(rows, speakers, dimensions=dimensions)
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


def _fields_of(file: BinaryIO) -> dict[str, NDArray[np.generic]]:
    """Return the arrays of an npz file; packed ones, which may grow a lot, are none."""
    with zipfile.ZipFile(file) as members:
        if any(member.compress_type for member in members.infolist()):
            raise ValueError("it is compressed")
    file.seek(0)
    with np.load(file, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}


def _backend_of(fields: Mapping[str, NDArray[np.generic]]) -> PldaBackend:
    expected = {"format", "length_normalisation", *_ARRAYS}
    if set(fields) != expected:
        raise ValueError(
            f"it has {', '.join(sorted(fields))}; expected "
            f"{', '.join(sorted(expected))}"
        )
    if str(fields["format"]) != FORMAT:
        raise ValueError(f"its format is {str(fields['format'])!r}, not {FORMAT!r}")
    for name in _ARRAYS:
        array = fields[name]
        if array.dtype != np.float64 or not np.isfinite(array.astype(float)).all():
            raise ValueError(f"{name} ({array.dtype}) is not all finite float64")
    mean, matrix, model_mean, between, within = (fields[name] for name in _ARRAYS)
    model = TwoCovariance(
        np.asarray(model_mean, float),
        np.asarray(between, float),
        np.asarray(within, float),
    )
    for name, covariance, least in (("between", between, -1e-9), ("within", within, 0)):
        square = np.asarray(covariance, float)
        if not np.allclose(square, square.T):
            raise ValueError(f"{name} is not symmetric, as a covariance is")
        values = np.linalg.eigvalsh(square)
        if values[0] <= least * values[-1]:
            raise ValueError(f"{name} is no covariance: {values[0]:.3g} is a variance")
    return PldaBackend(
        Projection(np.asarray(mean, float), np.asarray(matrix, float)),
        model,
        str(fields["length_normalisation"]),  # type: ignore[arg-type]  # checked there
    )
