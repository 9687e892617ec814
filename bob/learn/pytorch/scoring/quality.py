"""What tells how far to trust a score: further columns of a calibration.

A measure (duration, length of the embedding, mean cohort score) has one value per
recording. A trial has two, which become the smaller and the larger one, so that it
does not matter which recording is the reference.

References
----------
Thienpondt, Desplanques and Demuynck, "The IDLab VoxSRC-20 submission: large margin
fine-tuning and quality-aware score calibration in DNN based speaker verification",
ICASSP 2021.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from bob.learn.pytorch.scoring.calibration import SCORE
from bob.learn.pytorch.scoring.sparse import checked_pairs

if TYPE_CHECKING:
    from collections.abc import Mapping

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


def quality_columns(
    scores: ArrayLike,
    measures: Mapping[str, tuple[ArrayLike, ArrayLike]],
    *,
    pairs: tuple[ArrayLike, ArrayLike],
) -> tuple[FloatArray, tuple[str, ...]]:
    """The score of each trial with the quality of its two sides.

    Parameters
    ----------
    scores
        ``(trials,)``
    measures
        By name: of each reference and of each probe, ``(references,)`` and
        ``(probes,)``.
    pairs
        Positions in the references and in the probes, ``(trials,)`` each.

    Returns
    -------
    values
        ``(trials, 1 + 2 measures)``, for a calibration with these columns.
    columns
        ``("score", "smaller <name>", "larger <name>", ...)``

    Examples
    --------
    >>> values, columns = quality_columns(
    ...     [0.7], {"log duration": ([2.0], [1.0])}, pairs=([0], [0])
    ... )
    >>> columns
    ('score', 'smaller log duration', 'larger log duration')
    >>> values
    array([[0.7, 1. , 2. ]])
    """
    stack = [np.asarray(scores, dtype=np.float64)]
    names = [SCORE]
    for name, sides in measures.items():
        left, right = (np.asarray(side, dtype=np.float64) for side in sides)
        first, second = checked_pairs(pairs, references=len(left), probes=len(right))
        if stack[0].shape != first.shape:
            raise ValueError(
                f"scores of shape {stack[0].shape} do not belong to {first.size} pairs"
            )
        stack.append(np.minimum(left[first], right[second]))
        stack.append(np.maximum(left[first], right[second]))
        names += [f"smaller {name}", f"larger {name}"]
    return np.stack(stack, axis=1), tuple(names)
