"""Scores of listed pairs only: rows are gathered and multiplied in small blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    FloatArray: TypeAlias = NDArray[np.float64]
    Positions: TypeAlias = NDArray[np.int64]

# Numbers gathered of one side at a time: 512 KiB in float64 stay in the cache.
BLOCK_NUMBERS = 65_536


def inner_of_pairs(
    references: ArrayLike, probes: ArrayLike, *, pairs: tuple[ArrayLike, ArrayLike]
) -> FloatArray:
    """Inner product of listed pairs of rows, in float64: ``(pairs,)``.

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
    pairs: tuple[ArrayLike, ArrayLike], *, references: int, probes: int
) -> tuple[Positions, Positions]:
    """Both lists of positions as integers, none outside of its array.

    Raises
    ------
    ValueError
        The two lists are not of one length.
    IndexError
        A position is negative, or not below the count of rows.
    """
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
