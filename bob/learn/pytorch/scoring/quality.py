"""What tells of a recording how far to trust its scores."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    FloatArray: TypeAlias = NDArray[np.float64]


def magnitudes(embeddings: ArrayLike, *, mean: ArrayLike | None = None) -> FloatArray:
    """Euclidean length of each embedding, less the mean if there is one.

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


def log_durations(seconds: ArrayLike) -> FloatArray:
    """Natural logarithm of durations, ``(count,)``.

    Raises
    ------
    ValueError
        A duration is not above zero; NaN is let through, as that of a failed
        recording.
    """
    values = np.asarray(seconds, dtype=np.float64)
    if (values <= 0).any() or np.isinf(values).any():
        raise ValueError(
            f"{values[(values <= 0) | np.isinf(values)][0]} is no duration in seconds; "
            f"give positive numbers, and NaN for recordings that failed"
        )
    return np.log(values)
