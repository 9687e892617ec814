"""Similarity of embeddings: all with all, or listed pairs only.

Everything is computed in float64, whatever comes. An embedding that is not finite, and
for the cosine one of length zero, is like nothing: its scores are NaN. Rows of listed
pairs are gathered and multiplied in small blocks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike, NDArray

    FloatArray: TypeAlias = NDArray[np.float64]
    Positions: TypeAlias = NDArray[np.int64]
    Pairs: TypeAlias = tuple[ArrayLike, ArrayLike]

# Rows that are normalised at a time: 4096 of 512 dimensions take 16 MiB in float64.
BLOCK_ROWS = 4096
# Numbers gathered of one side at a time: 512 KiB in float64 stay in the cache.
BLOCK_NUMBERS = 65_536
# Numbers of differences that are held at a time.
DIFFERENCES_AT_ONCE = 1 << 20
SCORES_AT_ONCE = 4_000_000


def cosine(
    references: ArrayLike, probes: ArrayLike, *, mean: ArrayLike | None = None
) -> FloatArray:
    """Return the cosine of the angle between each reference and each probe.

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
    left, right = centred(*matched(references, probes), mean)
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
    pairs: Pairs,
    mean: ArrayLike | None = None,
) -> FloatArray:
    """Return the cosine of listed pairs only: ``(pairs,)``.

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
    left, right = centred(*matched(references, probes), mean)
    ours = unit_length(left)
    theirs = ours if right is left else unit_length(right)
    scores = inner_of_pairs(ours, theirs, pairs=pairs)
    return np.clip(scores, -1, 1, out=scores)


def centred(
    references: NDArray[np.generic],
    probes: NDArray[np.generic],
    mean: ArrayLike | None,
) -> tuple[NDArray[np.generic], NDArray[np.generic]]:
    """Subtract the mean ``(dimensions,)`` from both sides, if there is one."""
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
    """Return the negative Euclidean distance.

    ``(references, dimensions), (probes, dimensions) -> (references, probes)``

    Examples
    --------
    >>> euclidean([[0, 0]], [[3, 4]])
    array([[-5.]])
    """
    from scipy.spatial.distance import cdist  # here: it takes a second to import

    left, right = matched(references, probes)
    # Differences, not |a|² + |b|² - 2ab: that loses all digits where a is near b.
    scores: FloatArray = -cdist(left, right)
    scores[~np.isfinite(left).all(axis=1)] = np.nan
    scores[:, ~np.isfinite(right).all(axis=1)] = np.nan
    return scores


def euclidean_of_pairs(
    references: ArrayLike, probes: ArrayLike, *, pairs: Pairs
) -> FloatArray:
    """Return the negative Euclidean distance of listed pairs only: ``(pairs,)``.

    Examples
    --------
    >>> euclidean_of_pairs([[0, 0]], [[3, 4], [0, 1]], pairs=([0], [1]))
    array([-1.])
    """
    left, right = (np.asarray(rows, np.float64) for rows in matched(references, probes))
    first, second = checked_pairs(pairs, references=len(left), probes=len(right))
    scores = np.empty(first.size)
    size = max(1, DIFFERENCES_AT_ONCE // max(1, left.shape[1]))
    for start in range(0, scores.size, size):
        part = slice(start, start + size)
        difference = left[first[part]] - right[second[part]]
        scores[part] = -np.sqrt(np.einsum("nd,nd->n", difference, difference))
    scores[np.isinf(scores)] = np.nan
    return scores


def inner(references: ArrayLike, probes: ArrayLike) -> FloatArray:
    """Return the inner product of each reference with each probe, in float64.

    ``(references, dimensions), (probes, dimensions) -> (references, probes)``

    Examples
    --------
    >>> inner([[1, 2]], [[3, 4], [5, 6]])
    array([[11., 17.]])
    """
    left, right = (np.asarray(rows, np.float64) for rows in (references, probes))
    product: FloatArray = np.matmul(left, right.T)
    return product


def inner_of_pairs(
    references: ArrayLike, probes: ArrayLike, *, pairs: Pairs
) -> FloatArray:
    """Return the inner product of listed pairs of rows, in float64: ``(pairs,)``.

    Parameters
    ----------
    references, probes
        ``(references, dimensions)`` and ``(probes, dimensions)``.
    pairs
        Positions in the references and in the probes, ``(pairs,)`` each.

    Raises
    ------
    IndexError
        A position is outside of its array (negative ones are).

    Examples
    --------
    >>> inner_of_pairs([[1, 2]], [[3, 4], [5, 6]], pairs=([0, 0], [1, 0]))
    array([17., 11.])
    """
    left, right = (
        np.ascontiguousarray(rows, dtype=np.float64) for rows in (references, probes)
    )
    first, second = checked_pairs(pairs, references=len(left), probes=len(right))
    products = np.empty(first.size)
    size = max(1, BLOCK_NUMBERS // max(1, left.shape[1]))
    gathered = np.empty((2, min(size, first.size), left.shape[1]))
    for start in range(0, first.size, size):
        part = slice(start, start + size)
        ours, theirs = gathered[:, : first[part].size]
        # "clip" takes numpy's fast path; all positions were checked before.
        np.take(left, first[part], axis=0, out=ours, mode="clip")
        np.take(right, second[part], axis=0, out=theirs, mode="clip")
        np.einsum("nd,nd->n", ours, theirs, out=products[part])
    return products


def checked_pairs(
    pairs: Pairs, *, references: int, probes: int
) -> tuple[Positions, Positions]:
    """Return both lists of positions as integers; refuse any outside of its array."""
    first, second = (np.asarray(index, dtype=np.int64) for index in pairs)
    if first.ndim != 1 or first.shape != second.shape:
        raise ValueError(
            f"positions of shapes {first.shape} and {second.shape} are no list of "
            f"pairs; give one position of a reference and one of a probe per trial"
        )
    for name, index, count in (
        ("reference", first, references),
        ("probe", second, probes),
    ):
        if index.size and not (index.min() >= 0 and index.max() < count):
            wrong = index.min() if index.min() < 0 else index.max()
            raise IndexError(
                f"a pair names {name} {wrong}, but there are {count}; positions "
                f"count from 0"
            )
    return first, second


def unit_length(embeddings: ArrayLike) -> FloatArray:
    """Divide each row by its Euclidean length; rows without a direction become NaN.

    ``(count, dimensions) -> (count, dimensions)``
    """
    directions, lost = _directions(np.asarray(embeddings))
    directions[lost] = np.nan
    return directions


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


def magnitudes(embeddings: ArrayLike, *, mean: ArrayLike | None = None) -> FloatArray:
    """Return the Euclidean length of each embedding, less the mean if there is one.

    ``(count, dimensions) -> (count,)``

    Examples
    --------
    >>> magnitudes([[3, 4]])
    array([5.])
    """
    rows = np.asarray(embeddings, dtype=np.float64)
    if mean is not None:
        rows = rows - np.asarray(mean, dtype=np.float64)
    lengths: FloatArray = np.linalg.norm(rows, axis=1)
    return lengths


def _directions(
    embeddings: NDArray[np.generic],
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Return rows of length one in float64, and a mask of those without one (zeros)."""
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


def matched(
    references: ArrayLike, probes: ArrayLike
) -> tuple[NDArray[np.generic], NDArray[np.generic]]:
    """Return both sides as arrays ``(count, dimensions)``; refuse other dimensions."""
    left, right = np.asarray(references), np.asarray(probes)
    if left.ndim != 2 or right.ndim != 2 or left.shape[1] != right.shape[1]:
        raise ValueError(
            f"references of shape {left.shape} and probes of shape {right.shape} "
            f"cannot be compared; both must be (count, dimensions) and have the same "
            f"dimensions: embed both with one trained model"
        )
    return left, right


def spans(rows: int, columns: int, *, at_once: int | None = None) -> Iterator[slice]:
    """Yield spans of rows that are scored together, so that few scores are held.

    Parameters
    ----------
    at_once
        Number of scores that may be held, by default 32 MB of them; at least a row.

    Examples
    --------
    >>> list(spans(3, 50, at_once=100))
    [slice(0, 2, None), slice(2, 3, None)]
    """
    many = SCORES_AT_ONCE if at_once is None else at_once
    height = max(1, many // max(1, columns))
    for start in range(0, rows, height):
        yield slice(start, min(start + height, rows))
