"""How alike two embeddings are.

Everything is computed in float64, whatever comes. An embedding that is not finite, and
for the cosine one of length zero, is like nothing: its scores are NaN.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from bob.learn.pytorch.scoring.sparse import BLOCK_NUMBERS, inner_of_pairs

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    FloatArray: TypeAlias = NDArray[np.float64]

# Rows that are normalised at a time: 4096 of 512 dimensions take 16 MiB in float64.
BLOCK_ROWS = 4096


def cosine(
    references: ArrayLike, probes: ArrayLike, *, mean: ArrayLike | None = None
) -> FloatArray:
    """Cosine of the angle between each reference and each probe.

    ``(references, dimensions), (probes, dimensions) -> (references, probes)``

    Parameters
    ----------
    references, probes
        ``(references, dimensions)`` and ``(probes, dimensions)``.
    mean
        ``(dimensions,)``, subtracted from both sides first: the mean embedding of
        other speakers' recordings, such as those that the network was trained on.

    Examples
    --------
    >>> cosine([[1, 0], [0, 0]], [[2, 0], [0, 3], [-1, 0]])
    array([[ 1.,  0., -1.],
           [nan, nan, nan]])
    >>> cosine([[3, 4]], [[4, 3]], mean=[3, 3])
    array([[0.]])
    """
    left, right = centred(*_matched(references, probes), mean)
    scores = np.empty((len(left), len(right)))
    directions, lost = _directions(right)
    for start in range(0, len(left), BLOCK_ROWS):
        rows = slice(start, start + BLOCK_ROWS)
        block, lost_rows = _directions(left[rows])
        part = scores[rows]
        np.matmul(block, directions.T, out=part)
        # Rounding may exceed the range of a cosine by some 1e-16.
        np.clip(part, -1, 1, out=part)
        part[lost_rows] = np.nan
    scores[:, lost] = np.nan
    return scores


def cosine_of_pairs(
    references: ArrayLike,
    probes: ArrayLike,
    *,
    pairs: tuple[ArrayLike, ArrayLike],
    mean: ArrayLike | None = None,
) -> FloatArray:
    """Cosine of listed pairs only: ``(pairs,)``.

    Parameters
    ----------
    references, probes
        ``(references, dimensions)`` and ``(probes, dimensions)``; where they are one
        array, its rows are brought to length one only once.
    pairs
        Positions in the references and in the probes, ``(pairs,)`` each.
    mean
        ``(dimensions,)``, subtracted from both sides first.

    Examples
    --------
    >>> cosine_of_pairs([[1, 0]], [[2, 0], [0, 3]], pairs=([0], [1]))
    array([0.])
    """
    left, right = centred(*_matched(references, probes), mean)
    ours = unit_length(left)
    theirs = ours if right is left else unit_length(right)
    scores = inner_of_pairs(ours, theirs, pairs=pairs)
    return np.clip(scores, -1, 1, out=scores)


def centred(
    references: NDArray[np.generic],
    probes: NDArray[np.generic],
    mean: ArrayLike | None,
) -> tuple[NDArray[np.generic], NDArray[np.generic]]:
    """Both sides less the mean ``(dimensions,)``, if there is one.

    Raises
    ------
    ValueError
        The mean has other dimensions than the embeddings.
    """
    if mean is None:
        return references, probes
    middle = np.asarray(mean, dtype=np.float64)
    if middle.shape != references.shape[1:]:
        raise ValueError(
            f"a mean of shape {middle.shape} cannot be subtracted from embeddings of "
            f"{references.shape[1]} dimensions; take it of the same model's embeddings"
        )
    left = np.subtract(references, middle)
    return left, left if probes is references else np.subtract(probes, middle)


def euclidean(references: ArrayLike, probes: ArrayLike) -> FloatArray:
    """Negative Euclidean distance.

    ``(references, dimensions), (probes, dimensions) -> (references, probes)``

    Examples
    --------
    >>> euclidean([[0, 0]], [[3, 4]])
    array([[-5.]])
    """
    from scipy.spatial.distance import cdist  # here: it takes a second to import

    left, right = _matched(references, probes)
    # Differences, not |a|² + |b|² - 2ab: that loses all digits where a is near b.
    scores: FloatArray = -cdist(left, right)
    scores[~np.isfinite(left).all(axis=1)] = np.nan
    scores[:, ~np.isfinite(right).all(axis=1)] = np.nan
    return scores


def unit_length(embeddings: ArrayLike) -> FloatArray:
    """Divide each row by its Euclidean length; rows without a direction become NaN.

    ``(count, dimensions) -> (count, dimensions)``
    """
    directions, lost = _directions(np.asarray(embeddings))
    directions[lost] = np.nan
    return directions


def _directions(
    embeddings: NDArray[np.generic],
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Rows of length one in float64, and which rows have none (they are zeros)."""
    directions = np.empty(embeddings.shape)
    lost = np.empty(len(embeddings), dtype=np.bool_)
    size = max(1, BLOCK_NUMBERS // max(1, embeddings.shape[1]))
    for start in range(0, len(embeddings), size):
        part = slice(start, start + size)
        rows = embeddings[part].astype(np.float64)
        # Divided by the largest entry first, so that no square overflows or vanishes.
        peaks = np.abs(rows).max(axis=1, initial=0, keepdims=True)
        none = ~(np.isfinite(peaks) & (peaks > 0)).ravel()
        rows[none], peaks[none] = 0, 1
        rows /= peaks
        lengths = np.sqrt(np.einsum("nd,nd->n", rows, rows))
        lengths[none] = 1
        np.divide(rows, lengths[:, np.newaxis], out=directions[part])
        lost[part] = none
    return directions, lost


def _matched(
    references: ArrayLike, probes: ArrayLike
) -> tuple[NDArray[np.generic], NDArray[np.generic]]:
    left, right = np.asarray(references), np.asarray(probes)
    if left.ndim != 2 or right.ndim != 2 or left.shape[1] != right.shape[1]:
        raise ValueError(
            f"references of shape {left.shape} and probes of shape {right.shape} "
            f"cannot be compared; both must be (count, dimensions) and have the same "
            f"dimensions: embed both with one trained model"
        )
    return left, right
