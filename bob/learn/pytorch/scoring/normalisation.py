"""Scores relative to those against a cohort: z-, t-, s-, zt- and adaptive s-norm.

A cohort is recordings (or mean embeddings) of speakers that appear in no trial. A
normalised score counts in deviations above the scores of one side of its trial,
reference or probe, against these impostors.

Deviations are those of the population, divided by the count, as in WeSpeaker.
SpeechBrain divides by the count less one, which makes all z-, t- and s-norms smaller by
one factor and moves no error rate.

Every row of a cohort counts, copies as often as they are there, and so does one of the
speaker under test: whoever calls takes those out. A NaN among cohort scores is left
out; a side with fewer than two cohort scores, or with no spread among them, normalises
to NaN. Of scores that tie for the last place of the top, it does not matter which are
taken.

References
----------
Auckenthaler et al., "Score normalization for text-independent speaker verification
systems", Digital Signal Processing 10, 2000 (z-, t- and zt-norm).
Kenny, "Bayesian speaker verification with heavy-tailed priors", Odyssey 2010 (s-norm).
Cumani et al., "Comparison of speaker recognition approaches for real applications",
Interspeech 2011 (adaptive s-norm).
Matejka et al., "Analysis of score normalization in multilingual speaker recognition",
Interspeech 2017 (its variants; here "AS-norm1": reference and probe each take the part
of the cohort that scores highest with themselves, as in WeSpeaker and SpeechBrain).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from bob.learn.pytorch.scoring.dense import score_rows
from bob.learn.pytorch.scoring.similarity import checked_pairs, cosine, cosine_of_pairs

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import ArrayLike, NDArray

    from bob.learn.pytorch.scoring.dense import Score
    from bob.learn.pytorch.scoring.similarity import Pairs

    FloatArray: TypeAlias = NDArray[np.float64]

#: Highest cohort scores of each side that adaptive normalisation takes.
TOP = 300

# Cohort scores selected from at a time: 1 MiB in float64 stays in the cache.
BLOCK_SCORES = 131_072
# Of a large cohort, one score in so many tells about where the highest begin.
SAMPLED = 16
LARGE_COHORT = 2048


@dataclass(frozen=True, eq=False)
class CohortStatistics:
    """Mean and deviation of the scores of references, or probes, against a cohort.

    Attributes
    ----------
    mean, deviation
        ``(count,)``. The deviation is NaN, and so is every normalised score, where
        it would be zero or rest on fewer than two scores.
    """

    mean: FloatArray
    deviation: FloatArray

    def __post_init__(self) -> None:
        if self.mean.ndim != 1 or self.mean.shape != self.deviation.shape:
            raise ValueError(
                f"means of shape {self.mean.shape} and deviations of shape "
                f"{self.deviation.shape} are no statistics; give one of each per row"
            )

    @classmethod
    def joined(cls, parts: Iterable[CohortStatistics]) -> CohortStatistics:
        """Return the statistics of some rows after those of others."""
        moments = [np.stack([part.mean, part.deviation]) for part in parts]
        return cls(*np.concatenate([np.empty((2, 0)), *moments], axis=1))

    def take(self, index: ArrayLike) -> CohortStatistics:
        """Return those at the positions (n,), in that order."""
        where = np.asarray(index, dtype=np.int64)
        return CohortStatistics(self.mean[where], self.deviation[where])

    def __len__(self) -> int:
        return self.mean.size


def cohort_statistics(
    cohort_scores: ArrayLike, *, top: int | None = None
) -> CohortStatistics:
    """Return mean and deviation of each row of scores against a cohort.

    Parameters
    ----------
    cohort_scores
        ``(count, cohort)``: one row per reference, or per probe.
    top
        Take only the highest scores of each row (adaptive normalisation); of rows that
        have fewer, since some are NaN, all.

    Raises
    ------
    ValueError
        The cohort is smaller than ``top``, or ``top`` smaller than 2.

    Examples
    --------
    >>> cohort_statistics([[0, 1, 3, 9]], top=2)
    CohortStatistics(mean=array([6.]), deviation=array([3.]))
    """
    rows = np.asarray(cohort_scores, dtype=np.float64)
    if rows.ndim != 2:
        raise ValueError(
            f"cohort scores of shape {rows.shape} have no rows; give "
            f"(references or probes, cohort)"
        )
    _check_top(top, rows.shape[1])
    moments = np.empty((2, len(rows)))
    size = max(1, BLOCK_SCORES // max(1, rows.shape[1]))
    for start in range(0, len(rows), size):
        block = rows[start : start + size]
        if block.shape[1] > 1 and not np.isnan(block).any():
            moments[:, start : start + size] = _moments(block, top)
            continue
        for place, row in enumerate(block, start):
            there = row[~np.isnan(row)]
            moments[:, place] = (
                _moments(there[np.newaxis], top)[:, 0] if there.size > 1 else np.nan
            )
    return CohortStatistics(*moments)


def against_cohort(
    embeddings: ArrayLike,
    cohort: ArrayLike,
    *,
    top: int | None = None,
    score: Score = cosine,
) -> CohortStatistics:
    """Score embeddings against a cohort, in blocks; keep means and deviations.

    Parameters
    ----------
    embeddings
        ``(count, dimensions)``.
    cohort
        ``(cohort, dimensions)``: recordings, or :func:`speaker_means`.
    top
        Take only the highest scores of each embedding.
    score
        Compares two blocks of rows.

    Examples
    --------
    >>> against_cohort([[1, 0]], [[2, 0], [0, 1], [-1, 0]])
    CohortStatistics(mean=array([0.]), deviation=array([0.81649658]))
    """
    others = np.asarray(cohort)
    _check_top(top, len(others))
    return CohortStatistics.joined(
        cohort_statistics(scores, top=top)
        for _, scores in score_rows(embeddings, others, score=score)
    )


def z_norm(
    scores: ArrayLike, references: CohortStatistics, *, pairs: Pairs | None = None
) -> FloatArray:
    """Zero normalisation: relative to the scores of the reference against the cohort.

    ``(score - mean) / deviation``, both of the reference (Auckenthaler et al., 2000).

    Parameters
    ----------
    scores
        ``(references, probes)``; with ``pairs`` ``(pairs,)``.
    references
        Statistics of each reference against a cohort of probes.
    pairs
        Positions in the references and in the probes, ``(pairs,)`` each.

    Returns
    -------
    (references, probes), or (pairs,)

    Examples
    --------
    >>> z_norm([[8.0]], cohort_statistics([[1.0, 3.0]]))
    array([[6.]])
    """
    raw, (reference, _) = _sides(scores, pairs, references=references)
    return _standardised(raw, references, reference)


def t_norm(
    scores: ArrayLike, probes: CohortStatistics, *, pairs: Pairs | None = None
) -> FloatArray:
    """Test normalisation: relative to the scores of the probe against the cohort.

    Parameters
    ----------
    scores, pairs
        As for `z_norm`, and so is the result: ``(references, probes)`` or ``(pairs,)``.
    probes
        Statistics of each probe against a cohort of references.
    """
    raw, (_, probe) = _sides(scores, pairs, probes=probes)
    return _standardised(raw, probes, probe)


def s_norm(
    scores: ArrayLike,
    *,
    references: CohortStatistics,
    probes: CohortStatistics,
    pairs: Pairs | None = None,
) -> FloatArray:
    """Symmetric normalisation: the mean of z- and t-norm.

    It is adaptive (AS-norm) with statistics of the ``top`` scores of each side (Kenny,
    2010; Matejka et al., 2017).

    Parameters
    ----------
    scores, pairs
        As for `z_norm`, and so is the result: ``(references, probes)`` or ``(pairs,)``.
    references, probes
        Statistics of each reference, and of each probe, against one cohort.
    """
    raw, (reference, probe) = _sides(
        scores, pairs, references=references, probes=probes
    )
    normalised = _standardised(raw, references, reference)
    normalised += _standardised(raw, probes, probe)
    normalised /= 2
    return normalised


def zt_norm(
    scores: ArrayLike,
    *,
    references: CohortStatistics,
    cohort_references: CohortStatistics,
    cohort_probe_scores: ArrayLike,
    pairs: Pairs | None = None,
) -> FloatArray:
    """Zero, then test normalisation, by a cohort that is zero-normalised as well.

    Parameters
    ----------
    scores, pairs
        As for `z_norm`, and so is the result: ``(references, probes)`` or ``(pairs,)``;
        scores are "A" in Bob.
    references
        Statistics of each reference against the cohort of probes ("B").
    cohort_references
        Statistics of each cohort reference against the cohort of probes ("D"), of which
        those of the same speaker are NaN, and so left out.
    cohort_probe_scores
        ``(cohort references, probes)``: each cohort reference against each probe
        of the trials ("C").
    """
    others = z_norm(cohort_probe_scores, cohort_references)
    return t_norm(
        z_norm(scores, references, pairs=pairs),
        cohort_statistics(others.T),
        pairs=pairs,
    )


def as_norm(
    references: ArrayLike,
    probes: ArrayLike,
    *,
    cohort: ArrayLike,
    top: int = TOP,
    pairs: Pairs | None = None,
) -> FloatArray:
    """Cosine of embeddings with adaptive symmetric normalisation (see `s_norm`).

    Parameters
    ----------
    references, probes
        ``(references, dimensions)`` and ``(probes, dimensions)``; where they are one
        array, it meets the cohort only once.
    cohort
        ``(cohort, dimensions)``: recordings, or :func:`speaker_means`.
    top
        Number of highest cohort scores of each side, at most the size of the cohort.
    pairs
        As for `z_norm`.

    Returns
    -------
    (references, probes), or (pairs,)
    """
    of_references = against_cohort(references, cohort, top=top)
    of_probes = (
        of_references
        if probes is references
        else against_cohort(probes, cohort, top=top)
    )
    scores = (
        cosine(references, probes)
        if pairs is None
        else cosine_of_pairs(references, probes, pairs=pairs)
    )
    return s_norm(scores, references=of_references, probes=of_probes, pairs=pairs)


def _sides(
    scores: ArrayLike,
    pairs: Pairs | None,
    *,
    references: CohortStatistics | None = None,
    probes: CohortStatistics | None = None,
) -> tuple[FloatArray, tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Return scores, and where in the statistics the two sides of each are."""
    raw = np.asarray(scores, dtype=np.float64)
    if pairs is not None:
        many = np.iinfo(np.int64).max
        first, second = checked_pairs(
            pairs,
            references=many if references is None else len(references),
            probes=many if probes is None else len(probes),
        )
        expected: tuple[int, ...] = first.shape
    else:
        rows, columns = raw.shape if raw.ndim == 2 else (0, 0)
        rows = rows if references is None else len(references)
        columns = columns if probes is None else len(probes)
        expected = rows, columns
        first = np.arange(rows)[:, np.newaxis]
        second = np.arange(columns)[np.newaxis]
    if raw.shape != expected:
        raise ValueError(
            f"scores of shape {raw.shape} do not fit their cohort statistics and "
            f"pairs, which expect {expected}: (references, probes), or with pairs "
            f"one score per pair"
        )
    return raw, (first, second)


def _standardised(
    scores: FloatArray, statistics: CohortStatistics, index: NDArray[np.int64]
) -> FloatArray:
    standardised: FloatArray = scores - statistics.mean[index]
    standardised /= statistics.deviation[index]
    return standardised


def too_small(cohort: int, top: int | None) -> str:
    """Return why a cohort of so many members normalises nothing; empty if it does."""
    if cohort < 2:
        count = "one member" if cohort else "no member"
        return (
            f"the cohort has {count}, and a spread takes 2 or more: give a larger one"
        )
    if top is not None and not 2 <= top <= cohort:
        return (
            f"the top {top} of a cohort of {cohort} were asked for; give a number from "
            f"2 to {cohort}, or a larger cohort"
        )
    return ""


def _check_top(top: int | None, cohort: int) -> None:
    if top is not None and (reason := too_small(cohort, top)):
        raise ValueError(reason)


def _moments(block: FloatArray, top: int | None) -> FloatArray:
    """(rows, cohort) without NaN -> (2, rows)."""
    if top is not None and top < block.shape[1]:
        block = _highest(block, top)
    mean = block.mean(axis=1)
    deviation = block.std(axis=1)
    # Equal scores may differ from their own mean by rounding.
    deviation[deviation <= 4 * np.finfo(float).eps * np.abs(mean)] = np.nan
    return np.stack([mean, deviation])


def _highest(block: FloatArray, top: int) -> FloatArray:
    """(rows, cohort) -> (rows, top), in no order."""
    cohort = block.shape[1]
    if cohort < max(LARGE_COHORT, 8 * top):
        return np.partition(block, cohort - top, axis=1)[:, cohort - top :]
    sample = block[:, ::SAMPLED]
    expected = top / SAMPLED
    # Four deviations lower: where too few are above, all are looked through.
    place = sample.shape[1] - 2 - int(expected + 4 * expected**0.5)
    bounds = np.partition(sample, place, axis=1)[:, place]
    highest = np.empty((len(block), top))
    for row, bound, found in zip(block, bounds, highest, strict=True):
        some = row[row >= bound]
        if some.size < top:
            some = row
        found[:] = np.partition(some, some.size - top)[some.size - top :]
    return highest
