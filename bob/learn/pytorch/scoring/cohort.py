"""What references, or probes, score against a cohort of other speakers.

Deviations are those of the population, divided by the count, as in WeSpeaker.
SpeechBrain divides by the count less one, which makes all z-, t- and s-norms smaller by
one factor and moves no error rate.

Every row of a cohort counts, copies as often as they are there, and so does one of the
speaker under test: whoever calls takes those out. A NaN among cohort scores is left
out; a side with fewer than two cohort scores, or with no spread among them, normalises
to NaN: `no_spread` says so. Of scores that tie for the last place of the top, it does
not matter which are taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from bob.learn.pytorch.scoring.dense import score_rows
from bob.learn.pytorch.scoring.enrolment import by_speaker
from bob.learn.pytorch.scoring.similarity import cosine, unit_length

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import ArrayLike, NDArray

    from bob.learn.pytorch.scoring.dense import Score

    FloatArray: TypeAlias = NDArray[np.float64]

# Cohort scores selected from at a time: 1 MiB in float64 stays in the cache.
BLOCK_SCORES = 131_072
# Of a large cohort, one score in so many tells about where the highest begin.
SAMPLED = 16
LARGE_COHORT = 2048


@dataclass(frozen=True, eq=False)
class CohortStatistics:
    """What references, or probes, score against a cohort.

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
        """Those of some rows after those of others."""
        moments = [np.stack([part.mean, part.deviation]) for part in parts]
        return cls(*np.concatenate([np.empty((2, 0)), *moments], axis=1))

    def take(self, index: ArrayLike) -> CohortStatistics:
        """Return those at the positions, in that order."""
        where = np.asarray(index, dtype=np.int64)
        return CohortStatistics(self.mean[where], self.deviation[where])

    def __len__(self) -> int:
        return self.mean.size


def cohort_statistics(
    cohort_scores: ArrayLike, *, top: int | None = None
) -> CohortStatistics:
    """Mean and deviation of each row of scores against a cohort.

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
    _fill(moments, rows, top)
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
        What compares two blocks of rows.

    Examples
    --------
    >>> against_cohort([[1, 0]], [[2, 0], [0, 1], [-1, 0]])
    CohortStatistics(mean=array([0.]), deviation=array([0.81649658]))
    """
    rows = np.asarray(embeddings)
    others = np.asarray(cohort)
    _check_top(top, len(others))
    moments = np.empty((2, len(rows)))
    for part, scores in score_rows(rows, others, score=score):
        _fill(moments[:, part], scores, top)
    return CohortStatistics(*moments)


def speaker_means(
    embeddings: ArrayLike,
    speakers: Sequence[str] | Sequence[int],
    *,
    length_normalised: bool = False,
) -> FloatArray:
    """Mean embedding of each speaker, sorted by name: a cohort with one row each.

    ``(recordings, dimensions) -> (speakers, dimensions)``

    Parameters
    ----------
    embeddings, speakers
        ``(recordings, dimensions)``, and who speaks in each recording.
    length_normalised
        Bring every recording to length one first.

    Examples
    --------
    >>> speaker_means([[0, 2], [9, 9], [4, 0]], ["ann", "bob", "ann"])
    array([[2., 1.],
           [9., 9.]])
    """
    rows = np.asarray(embeddings, dtype=np.float64)
    if length_normalised:
        rows = unit_length(rows)
    return by_speaker(rows, speakers)[2]


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


def no_spread(
    statistics: CohortStatistics, usable: ArrayLike, names: Sequence[str]
) -> str:
    """Return what has no spread among its cohort scores; empty if all have one.

    Parameters
    ----------
    usable
        ``(count,)``, whether there is an embedding.
    names
        Of these references, or probes.
    """
    lacking = np.flatnonzero(np.asarray(usable) & np.isnan(statistics.deviation))
    if not lacking.size:
        return ""
    more = f" (and those of {lacking.size - 1} others)" if lacking.size > 1 else ""
    return (
        f"the scores of {names[lacking[0]]} against the cohort{more} do not differ, so "
        "nothing can be normalised by them: is the cohort copies of one recording? "
        "Give one of different speakers"
    )


def _check_top(top: int | None, cohort: int) -> None:
    if top is not None and (reason := too_small(cohort, top)):
        raise ValueError(reason)


def _fill(moments: FloatArray, scores: FloatArray, top: int | None) -> None:
    """(rows, cohort) -> (2, rows): mean and deviation, a few rows at a time."""
    size = max(1, BLOCK_SCORES // max(1, scores.shape[1]))
    for start in range(0, len(scores), size):
        part = slice(start, start + size)
        block = scores[part]
        if block.shape[1] > 1 and not np.isnan(block).any():
            moments[:, part] = _moments(block, top)
            continue
        for place, row in enumerate(block, start):
            there = row[~np.isnan(row)]
            moments[:, place] = (
                _moments(there[np.newaxis], top)[:, 0] if there.size > 1 else np.nan
            )


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
