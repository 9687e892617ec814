"""The two-covariance model of embeddings, also called two-covariance PLDA.

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

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from bob.learn.pytorch.scoring.enrolment import by_speaker
from bob.learn.pytorch.scoring.projection import (
    TrainingError,
    finite,
    of_several_speakers,
    principal_axes,
    within_shares,
)
from bob.learn.pytorch.scoring.similarity import (
    checked_pairs,
    inner,
    inner_of_pairs,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    FloatArray: TypeAlias = NDArray[np.float64]

ITERATIONS = 20


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
        """Axes in which both covariances are diagonal.

        Returns
        -------
        axes
            ``(dimensions, dimensions)``: ``(x - mean) @ axes`` has covariance
            identity within a speaker.
        ratios
            ``(dimensions,)``, variance between speakers along each, descending.
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
        """Return the log-likelihood ratio of each reference and probe, as one product.

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
        """Return the log-likelihood ratio of listed pairs only: ``(pairs,)``.

        Parameters
        ----------
        references, probes, counts, kaldi_length
            As in :meth:`score`.
        pairs
            Positions in the references and in the probes, ``(pairs,)`` each.
        """
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
        """Return the log-density of all recordings, given their speakers, in nats."""
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
    """Terms of log-likelihood ratios.

    Each reference has a row to be multiplied with the probe, and a number; each probe
    its squares, weighed by a curve that depends on the count of recordings.
    """

    cross: FloatArray
    rows: FloatArray
    probes: FloatArray
    squares: FloatArray
    curves: FloatArray
    code: NDArray[np.intp]

    def columns(self) -> FloatArray:
        """(distinct counts, probes)."""
        return inner(self.curves, self.squares)


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
    rows = finite(embeddings)
    codes, counts, means = of_several_speakers(rows, speakers)
    white = principal_axes(rows)
    if white.matrix.shape[1] < rows.shape[1]:
        raise TrainingError(
            f"{len(rows)} embeddings vary in {white.matrix.shape[1]} directions only "
            f"of {rows.shape[1]}; whiten them, or reduce the dimensions by LDA, which "
            f"leave the others out, or train on more recordings"
        )
    within_shares(white(rows), speakers)
    centred: FloatArray = rows - white.mean
    deviations: FloatArray = rows - means[codes]
    total = centred.T @ centred / len(rows)
    scatter = deviations.T @ deviations
    model = TwoCovariance(means.mean(axis=0), total / 2, total / 2)
    for _ in range(iterations):
        model = _improved(model, means, counts, scatter)
    return model


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
