"""PLDA: embeddings -> log-likelihood ratios, by a two-covariance model.

A speaker is a point y ~ N(mean, between), and a recording of hers x ~ N(y, within).
The score of a trial is the log-likelihood ratio of "one speaker" against "two", which
is exact for references of any number of recordings ("by the book").

References
----------
Ioffe, "Probabilistic linear discriminant analysis", ECCV 2006.
Brummer and de Villiers, "The speaker partitioning problem", Odyssey 2010, section 4
(two-covariance model).
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from bob.learn.pytorch.choices import LENGTH_NORMALISATIONS
from bob.learn.pytorch.files import beside
from bob.learn.pytorch.scoring.enrolment import by_speaker, mean_embeddings
from bob.learn.pytorch.scoring.similarity import (
    checked_pairs,
    inner,
    inner_of_pairs,
    scaled_to_dimensions,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import BinaryIO

    from numpy.typing import ArrayLike, NDArray

    from bob.learn.pytorch.choices import LengthNormalisation

    FloatArray: TypeAlias = NDArray[np.float64]

FORMAT = "bob.learn.pytorch PLDA 1"
_NEXT = "train one with `bob pytorch plda train` or `train_plda`"
_ARRAYS = ("mean", "projection", "model_mean", "between", "within")


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
        """``(count, dimensions) -> (count, projected dimensions)``.

        Raises
        ------
        ValueError
            The embeddings have other dimensions than those of the training.
        """
        rows = np.asarray(embeddings, dtype=np.float64)
        if rows.ndim != 2 or rows.shape[1] != self.mean.size:
            raise ValueError(
                f"embeddings of shape {rows.shape} cannot be projected; expected "
                f"(count, {self.mean.size}), from the trained model that the "
                f"projection was trained on"
            )
        projected: FloatArray = (rows - self.mean) @ self.matrix
        return projected


@dataclass(frozen=True, eq=False)
class TwoCovariance:
    """Speakers and their recordings as two normal distributions.

    Attributes
    ----------
    mean
        ``(dimensions,)``
    between
        ``(dimensions, dimensions)``, covariance of speakers.
    within
        ``(dimensions, dimensions)``, covariance of the recordings of one speaker.
    """

    mean: FloatArray
    between: FloatArray
    within: FloatArray

    def __post_init__(self) -> None:
        square = (self.mean.size, self.mean.size)
        if self.between.shape != square or self.within.shape != square:
            raise ValueError(
                f"a mean of shape {self.mean.shape} and covariances of shapes "
                f"{self.between.shape} and {self.within.shape} do not make a model; "
                f"expected (dimensions,) and twice (dimensions, dimensions)"
            )

    @cached_property
    def basis(self) -> tuple[FloatArray, FloatArray]:
        """Axes ``(dimensions, dimensions)`` in which both covariances are diagonal.

        ``(x - mean) @ axes`` has covariance identity within a speaker, and between
        speakers the variances that follow, ``(dimensions,)``, descending.
        """
        from scipy.linalg import eigh  # here: it takes a moment to import

        ratios, axes = eigh(self.between, self.within)
        # BLAS takes no array that runs backwards.
        descending: FloatArray = np.ascontiguousarray(axes[:, ::-1])
        return descending, np.maximum(ratios[::-1], 0)

    def latent(self, embeddings: ArrayLike) -> FloatArray:
        """``(count, dimensions) -> (count, dimensions)`` in the axes of the basis."""
        rows = np.asarray(embeddings, dtype=np.float64)
        if rows.ndim != 2 or rows.shape[1] != self.mean.size:
            raise ValueError(
                f"embeddings of shape {rows.shape} do not fit the model; expected "
                f"(count, {self.mean.size})"
            )
        axes, _ = self.basis
        latent: FloatArray = (rows - self.mean) @ axes
        return latent

    def score(
        self,
        references: ArrayLike,
        probes: ArrayLike,
        *,
        counts: ArrayLike = 1,
        kaldi_length: bool = False,
    ) -> FloatArray:
        """Return the log-likelihood ratio of each reference and probe, in nats.

        Parameters
        ----------
        references
            ``(references, dimensions)``, each the mean of its recordings.
        probes
            ``(probes, dimensions)``, each one recording.
        counts
            Recordings of each reference, ``(references,)`` or one for all.
        kaldi_length
            Scale each side to the length that the model expects of it, as Kaldi's
            ``ivector-plda-scoring`` does by default.

        Returns
        -------
        (references, probes)
        """
        terms = self._terms(references, probes, counts, kaldi_length=kaldi_length)
        scores = inner(terms.cross, terms.probes)
        scores += terms.rows[:, np.newaxis]
        for code, column in enumerate(terms.columns()):
            # One count for all needs no copy of the rows that have it.
            rows = slice(None) if len(terms.curves) == 1 else terms.code == code
            scores[rows] += column
        return scores

    def score_pairs(
        self,
        references: ArrayLike,
        probes: ArrayLike,
        *,
        pairs: tuple[ArrayLike, ArrayLike],
        counts: ArrayLike = 1,
        kaldi_length: bool = False,
    ) -> FloatArray:
        """Return the ratios of listed pairs of positions only: ``(pairs,)``."""
        terms = self._terms(references, probes, counts, kaldi_length=kaldi_length)
        first, second = checked_pairs(
            pairs, references=len(terms.cross), probes=len(terms.probes)
        )
        scores = inner_of_pairs(terms.cross, terms.probes, pairs=(first, second))
        scores += terms.rows[first]
        scores += terms.columns()[terms.code[first], second]
        return scores

    def _terms(
        self,
        references: ArrayLike,
        probes: ArrayLike,
        counts: ArrayLike,
        *,
        kaldi_length: bool,
    ) -> _Terms:
        left = self.latent(references)
        number = _checked_counts(counts, len(left))
        one_array = probes is references and not kaldi_length
        right = left if one_array else self.latent(probes)
        _, ratios = self.basis
        if kaldi_length:
            _scale_as_expected(left, ratios, number)
            _scale_as_expected(right, ratios, np.ones(1))
        distinct, code = np.unique(number, return_inverse=True)
        # A probe of the same speaker is N(shrink * reference, known) along each axis,
        # one of somebody else N(0, alone).
        posterior = ratios / (1 + distinct[:, np.newaxis] * ratios)
        shrink = distinct[:, np.newaxis] * posterior
        known, alone = 1 + posterior, 1 + ratios
        slopes, bends = shrink / known, shrink**2 / known
        squares = right**2
        mine = squares if one_array else left**2
        rows = np.log(alone / known).sum(axis=1)[code]
        cross = np.empty_like(left)
        for place in range(len(distinct)):
            here = slice(None) if len(distinct) == 1 else code == place
            rows[here] -= mine[here] @ bends[place]
            cross[here] = left[here] * slopes[place]
        return _Terms(
            cross, rows / 2, right, squares, (1 / alone - 1 / known) / 2, code
        )

    def log_likelihood(
        self, embeddings: ArrayLike, speakers: Sequence[str] | Sequence[int]
    ) -> float:
        """Return the log-density of (recordings, dimensions) by speaker, in nats."""
        latent = self.latent(embeddings)
        codes, counts, means = by_speaker(latent, speakers)
        axes, ratios = self.basis
        number = counts[:, np.newaxis]
        scatter = ((latent - means[codes]) ** 2).sum()
        spread = 1 + number * ratios
        speaker = (np.log(spread) + number * means**2 / spread).sum()
        volume = 2 * len(latent) * np.linalg.slogdet(axes)[1]
        constant = latent.size * np.log(2 * np.pi)
        return float(volume - constant - scatter - speaker) / 2


@dataclass(frozen=True, eq=False)
class _Terms:
    """Terms of ratios: products of rows, and curves of the squares of probes."""

    cross: FloatArray
    rows: FloatArray
    probes: FloatArray
    squares: FloatArray
    curves: FloatArray
    code: NDArray[np.intp]

    def columns(self) -> FloatArray:
        """(distinct counts, probes)."""
        return inner(self.curves, self.squares)


@dataclass(frozen=True, eq=False)
class PldaBackend:
    """Centring, whitening or LDA, length normalisation, and a two-covariance model.

    Attributes
    ----------
    projection
        ``(dimensions,) -> (model dimensions,)``
    model
        The model of projected embeddings.
    length_normalisation : str
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
        """Return the log-likelihood ratio of each reference and probe, in nats.

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
        """Return the ratios of listed pairs of positions only: ``(pairs,)``."""
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
        # NumPy leaves files of others open.
        with path.open("rb") as file:
            try:
                return _backend_of(_fields_of(file))
            except Exception as error:  # zipfile, zlib and NumPy have many for damage
                raise ValueError(
                    f"{path} is no file of a PLDA model, or not all of one ({error}); "
                    f"{_NEXT}"
                ) from error


def _scale_as_expected(
    latent: FloatArray, ratios: FloatArray, counts: FloatArray
) -> None:
    """Scale rows so that their Mahalanobis length is what the model expects."""
    expected = ratios + 1 / counts[:, np.newaxis]
    squared = (latent**2 / expected).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        latent *= np.sqrt(latent.shape[1] / squared)[:, np.newaxis]


def _checked_counts(counts: ArrayLike, references: int) -> FloatArray:
    number = np.asarray(counts, dtype=np.float64)
    if number.shape not in ((), (references,)) or not (number >= 1).all():
        raise ValueError(
            f"counts of shape {number.shape} for {references} references; give how "
            f"many recordings each has (at least 1), or one number for all"
        )
    return np.broadcast_to(number, (references,))


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
    mean, matrix, model_mean, between, within = (
        np.asarray(fields[name], float) for name in _ARRAYS
    )
    model = TwoCovariance(model_mean, between, within)
    for name, square, least in (("between", between, -1e-9), ("within", within, 0)):
        if not np.allclose(square, square.T):
            raise ValueError(f"{name} is not symmetric, as a covariance is")
        values = np.linalg.eigvalsh(square)
        if values[0] <= least * values[-1]:
            raise ValueError(f"{name} is no covariance: {values[0]:.3g} is a variance")
    length = str(fields["length_normalisation"])
    return PldaBackend(Projection(mean, matrix), model, length)  # type: ignore[arg-type]
