"""All references against all probes in bounded memory, or into a file.

A score function is any ``(references, dimensions), (probes, dimensions) ->
(references, probes)``, such as :func:`~bob.learn.pytorch.scoring.cosine`. What can be
done once per embedding is best done before: rows of unit length need only
:func:`inner`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from bob.learn.pytorch.files import beside
from bob.learn.pytorch.scoring.similarity import (
    SCORES_AT_ONCE,
    cosine,
    spans,
    unit_length,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import ArrayLike, NDArray

    FloatArray: TypeAlias = NDArray[np.float64]
    Score: TypeAlias = Callable[[FloatArray, FloatArray], FloatArray]

# Probes that a score function of others sees at a time.
TILE = 2048
# Into a file; with fewer, probes would be read from memory too often.
ROWS_AT_LEAST = 64


def score_rows(
    references: ArrayLike,
    probes: ArrayLike,
    *,
    score: Score = cosine,
    at_once: int | None = None,
) -> Iterator[tuple[slice, FloatArray]]:
    """Score some references at a time against all probes.

    Parameters
    ----------
    references, probes
        ``(references, dimensions)`` and ``(probes, dimensions)``.
    score
        Compares two blocks of rows.
    at_once
        Number of scores that may be held, see `spans`.

    Yields
    ------
    tuple
        A slice of the references, and their scores ``(some, probes)``. The array is
        used again for those that follow.

    Examples
    --------
    >>> for rows, scores in score_rows([[1, 0], [0, 2]], [[0, 1]], at_once=1):
    ...     print(rows.start, scores)
    0 [[0.]]
    1 [[1.]]
    """
    left, right = np.asarray(references), np.asarray(probes)
    tile = TILE
    if score is cosine:
        # One row of each is enough for cosine to refuse what does not match.
        cosine(left[:1], right[:1])
        one_array = right is left
        left = unit_length(left)
        right = left if one_array else unit_length(right)
        # In one product, which the library cuts to the cache.
        score, tile = _of_directions, max(1, len(right))
    parts = list(spans(len(left), len(right), at_once=at_once))
    scores = np.empty((parts[0].stop if parts else 0, len(right)))
    for rows in parts:
        part = scores[: rows.stop - rows.start]
        for first in range(0, len(right), tile):
            columns = slice(first, first + tile)
            part[:, columns] = score(left[rows], right[columns])
        yield rows, part


def score_into_file(
    references: ArrayLike,
    probes: ArrayLike,
    *,
    path: Path,
    score: Score = cosine,
    dtype: Literal["float32", "float64"] = "float32",
) -> NDArray[np.floating[Any]]:
    """Write all scores into a file of NumPy, which may be larger than memory.

    Parameters
    ----------
    references, probes
        ``(references, dimensions)`` and ``(probes, dimensions)``.
    path
        A file ``.npy`` that is there whole or not at all.
    score
        Compares two blocks of rows.
    dtype
        Type of the numbers in the file; everything is computed in float64.

    Returns
    -------
    (references, probes)
        The file, mapped into memory to be read only.

    Raises
    ------
    ValueError
        There is no reference or no probe.
    """
    left, right = np.asarray(references), np.asarray(probes)
    shape = len(left), len(right)
    if 0 in shape:  # no system maps nothing into memory
        raise ValueError(f"{shape[0]} references and {shape[1]} probes give no scores")
    header = {
        "descr": np.dtype(dtype).str,
        "fortran_order": False,
        "shape": shape,
    }
    at_once = max(SCORES_AT_ONCE, ROWS_AT_LEAST * shape[1])
    # Written and not mapped: pages of a mapping stay in memory until the end.
    with beside(path) as place, place.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)  # type: ignore[no-untyped-call]
        for _, scores in score_rows(left, right, score=score, at_once=at_once):
            file.write(scores.astype(dtype).data)
    written: NDArray[np.floating[Any]] = np.load(
        path, mmap_mode="r", allow_pickle=False
    )
    return written


def _of_directions(left: FloatArray, right: FloatArray) -> FloatArray:
    scores: FloatArray = left @ right.T
    return np.clip(scores, -1, 1, out=scores)
