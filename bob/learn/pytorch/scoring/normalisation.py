"""Scores relative to those of a cohort: z-, t-, s-, zt- and adaptive s-norm.

A cohort is recordings (or mean embeddings) of speakers that appear in no trial. What it
scores against one side of a trial, reference or probe, is what that side scores against
strangers; a normalised score counts in deviations above that.

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

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from bob.learn.pytorch.scoring.cohort import (
    CohortStatistics,
    against_cohort,
    cohort_statistics,
)
from bob.learn.pytorch.scoring.similarity import cosine, cosine_of_pairs
from bob.learn.pytorch.scoring.sparse import checked_pairs

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    FloatArray: TypeAlias = NDArray[np.float64]
    Pairs: TypeAlias = tuple[ArrayLike, ArrayLike]

TOP = 300


def z_norm(
    scores: ArrayLike, references: CohortStatistics, *, pairs: Pairs | None = None
) -> FloatArray:
    """Zero normalisation: relative to what the reference scores against strangers.

    Parameters
    ----------
    scores
        ``(references, probes)``; with ``pairs`` ``(pairs,)``.
    references
        Of each reference against a cohort of probes.
    pairs
        Positions in the references and in the probes, ``(pairs,)`` each.

    Returns
    -------
    Of the shape of the scores.

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
    """Test normalisation: relative to what the probe scores against strangers.

    Parameters
    ----------
    scores
        ``(references, probes)``; with ``pairs`` ``(pairs,)``.
    probes
        Of each probe against a cohort of references.
    pairs
        Positions in the references and in the probes, ``(pairs,)`` each.

    Returns
    -------
    Of the shape of the scores.
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

    It is adaptive (AS-norm) with statistics of the ``top`` scores of each side.

    Parameters
    ----------
    scores
        ``(references, probes)``; with ``pairs`` ``(pairs,)``.
    references, probes
        Of each reference, and of each probe, against one cohort.
    pairs
        Positions in the references and in the probes, ``(pairs,)`` each.

    Returns
    -------
    Of the shape of the scores.
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
    scores
        ``(references, probes)``; with ``pairs`` ``(pairs,)``. "A" in Bob.
    references
        Of each reference against the cohort of probes ("B"); NaN scores of the same
        speaker are left out.
    cohort_references
        Of each cohort reference against the cohort of probes ("D").
    cohort_probe_scores
        ``(cohort references, probes)``: each cohort reference against each probe
        of the trials ("C").
    pairs
        Positions in the references and in the probes, ``(pairs,)`` each.

    Returns
    -------
    Of the shape of the scores.
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
    """Cosine of embeddings with adaptive symmetric normalisation.

    Parameters
    ----------
    references, probes
        ``(references, dimensions)`` and ``(probes, dimensions)``; where they are one
        array, it meets the cohort only once.
    cohort
        ``(cohort, dimensions)``: recordings, or :func:`speaker_means`.
    top
        How many of the highest cohort scores of each side are taken; at most those
        that there are.
    pairs
        Positions in the references and in the probes, ``(pairs,)`` each.

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
    """Scores, and where in the statistics the two sides of each are."""
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
