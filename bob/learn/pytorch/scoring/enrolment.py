"""Several recordings -> one reference: by their embeddings or by their scores.

A group lists, by position, the embeddings that belong to one reference; an embedding
may belong to several. Nothing is left out silently: a NaN among the embeddings or
scores of a group makes the result NaN, and a group without any gives NaN as well.
Whoever calls drops failed recordings from the groups.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from bob.learn.pytorch.scoring.similarity import unit_length

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    FloatArray: TypeAlias = NDArray[np.float64]

Fusion: TypeAlias = Literal["mean", "max", "min", "median"]

FUSIONS: Mapping[str, Callable[..., FloatArray]] = {
    "mean": np.mean,
    "max": np.max,
    "min": np.min,
    "median": np.median,
}


def mean_embeddings(
    embeddings: ArrayLike,
    groups: Sequence[ArrayLike],
    *,
    length_normalised: bool = False,
) -> FloatArray:
    """Return one embedding per reference, the mean of those of its recordings.

    Parameters
    ----------
    embeddings
        ``(recordings, dimensions)``.
    groups
        For each reference the positions of its recordings.
    length_normalised
        Bring every recording to length one first, so that each counts the same.

    Returns
    -------
    (references, dimensions)

    Examples
    --------
    >>> mean_embeddings([[0, 2], [4, 0], [1, 1]], [[0, 1], [2]])
    array([[2., 1.],
           [1., 1.]])
    """
    stack = np.asarray(embeddings, dtype=np.float64)
    if length_normalised:
        stack = unit_length(stack)
    return _per_group(stack, groups, fuse=np.mean)


def fuse_scores(
    scores: ArrayLike, groups: Sequence[ArrayLike], *, fusion: Fusion = "mean"
) -> FloatArray:
    """Return one row of scores per reference, from those of each of its recordings.

    Parameters
    ----------
    scores
        ``(recordings, probes)``.
    groups
        For each reference the positions of its recordings.

    Returns
    -------
    (references, probes)

    Raises
    ------
    ValueError
        There is no such fusion: "scores cannot be fused by 'sum'; choose one of …".

    Examples
    --------
    >>> fuse_scores([[0.1, 0.8], [0.3, 0.2]], [[0, 1]], fusion="max")
    array([[0.3, 0.8]])
    """
    if fusion not in FUSIONS:
        raise ValueError(
            f"scores cannot be fused by {fusion!r}; choose one of {', '.join(FUSIONS)}"
        )
    rows = np.asarray(scores, dtype=np.float64)
    return _per_group(rows, groups, fuse=FUSIONS[fusion])


def speaker_means(
    embeddings: ArrayLike,
    speakers: Sequence[str] | Sequence[int],
    *,
    length_normalised: bool = False,
) -> FloatArray:
    """Return the mean embedding of each speaker, sorted by name.

    ``(recordings, dimensions) -> (speakers, dimensions)``

    Parameters
    ----------
    embeddings, speakers
        ``(recordings, dimensions)``, and the speaker of each recording.
    length_normalised
        Bring every recording to length one first.

    Raises
    ------
    ValueError
        "3 names of speakers do not belong to embeddings of shape (4, 192); give one
        name per embedding".

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


def by_speaker(
    rows: FloatArray, speakers: Sequence[str] | Sequence[int]
) -> tuple[NDArray[np.intp], NDArray[np.intp], FloatArray]:
    """Return speakers as codes, and the recordings and mean of each.

    ``(recordings,), (speakers,), (speakers, dimensions)``, speakers sorted by name.
    """
    _, codes, counts = np.unique(
        np.asarray(speakers), return_inverse=True, return_counts=True
    )
    if rows.ndim != 2 or codes.shape != rows.shape[:1]:
        raise ValueError(
            f"{codes.size} names of speakers do not belong to embeddings of shape "
            f"{rows.shape}; give one name per embedding"
        )
    order = np.argsort(codes, kind="stable")
    starts = np.cumsum(counts) - counts
    means = np.add.reduceat(rows[order], starts, axis=0) / counts[:, np.newaxis]
    return codes, counts, means


def _per_group(
    rows: FloatArray,
    groups: Sequence[ArrayLike],
    *,
    fuse: Callable[..., FloatArray],
) -> FloatArray:
    """(rows, columns), positions per group -> (groups, columns)."""
    if rows.ndim != 2:
        raise ValueError(
            f"an array of shape {rows.shape} cannot be grouped; give one row per "
            f"recording: (recordings, dimensions) or (recordings, probes)"
        )
    fused = np.full((len(groups), rows.shape[1]), np.nan)
    for row, group in zip(fused, groups, strict=True):
        members = rows[np.asarray(group, dtype=np.int64)]
        if len(members):
            row[:] = fuse(members, axis=0)
    return fused
