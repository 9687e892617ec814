"""Calibrations that weigh more than a score: which measures, in which columns.

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

from bob.learn.pytorch.scoring.calibration import SCORE, LinearCalibration
from bob.learn.pytorch.scoring.logistic import CalibrationError
from bob.learn.pytorch.scoring.quality import log_durations

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

    from bob.learn.pytorch.scoring.isotonic import IsotonicCalibration

    FloatArray: TypeAlias = NDArray[np.float64]

#: Of this measure, the logarithm is weighed.
DURATION = "duration"
_LOG_DURATION = "log duration"
_SMALLER, _LARGER = "smaller ", "larger "


def is_fusion(calibration: LinearCalibration | IsotonicCalibration) -> bool:
    """Whether the columns are scores of several systems."""
    if not isinstance(calibration, LinearCalibration):
        return False
    columns = calibration.columns
    if len(columns) == 1:
        return False
    return columns[0] != SCORE or columns[1:] != _columns_of(_names(columns))


def quality_of(
    calibration: LinearCalibration | IsotonicCalibration,
) -> tuple[str, ...]:
    """Measures of both sides that it needs beside the score; empty for none.

    Raises
    ------
    CalibrationError
        It is a fusion.

    Examples
    --------
    >>> from bob.learn.pytorch.scoring import TrainingTrials
    >>> columns = ("score", "smaller log duration", "larger log duration")
    >>> quality_of(
    ...     LinearCalibration(columns, (9, 1, 0), -4, 0.5, TrainingTrials(9, 9))
    ... )
    ('duration',)
    """
    if not isinstance(calibration, LinearCalibration):
        return ()
    if is_fusion(calibration):
        raise CalibrationError(
            f"it is a fusion of {', '.join(calibration.columns)}, not a calibration of "
            "one system: apply it to the scores of all of them (`bob pytorch fuse "
            "--use`)"
        )
    names = _names(calibration.columns)
    return tuple(DURATION if name == _LOG_DURATION else name for name in names)


def measured_columns(
    scores: ArrayLike, measures: Mapping[str, tuple[ArrayLike, ArrayLike]]
) -> tuple[FloatArray, tuple[str, ...]]:
    """The score of each trial with measures of its two sides.

    Parameters
    ----------
    scores
        ``(trials,)``
    measures
        By name: of the references and of the probes, ``(trials,)`` each. Of durations
        (in seconds), the logarithm is taken.

    Returns
    -------
    values
        ``(trials, 1 + 2 measures)``
    columns
        Their names, as calibrations have them.

    Raises
    ------
    ValueError
        A duration is not above zero, or lengths differ.

    Examples
    --------
    >>> values, columns = measured_columns([0.7], {"duration": ([1.0], [20.0])})
    >>> columns
    ('score', 'smaller log duration', 'larger log duration')
    >>> values.round(2)
    array([[0.7, 0. , 3. ]])
    """
    stack = [np.asarray(scores, dtype=np.float64)]
    names = []
    for name, sides in measures.items():
        left, right = (np.asarray(side, dtype=np.float64) for side in sides)
        if not left.shape == right.shape == stack[0].shape:
            raise ValueError(
                f"of scores of shape {stack[0].shape}, the two sides have {name} of "
                f"shapes {left.shape} and {right.shape}; give one number per trial"
            )
        if name == DURATION:
            left, right = log_durations(left), log_durations(right)
        stack += [np.minimum(left, right), np.maximum(left, right)]
        names.append(_LOG_DURATION if name == DURATION else name)
    return np.stack(stack, axis=1), (SCORE, *_columns_of(names))


def _names(columns: tuple[str, ...]) -> list[str]:
    return [
        column.removeprefix(_SMALLER)
        for column in columns[1:]
        if column.startswith(_SMALLER)
    ]


def _columns_of(names: list[str]) -> tuple[str, ...]:
    return tuple(side + name for name in names for side in (_SMALLER, _LARGER))
