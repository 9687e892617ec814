"""Calibrations that weigh more than a score: their measures and columns.

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

from bob.learn.pytorch.calibration.linear import SCORE, LinearCalibration
from bob.learn.pytorch.calibration.logistic import CalibrationError
from bob.learn.pytorch.metrics.reliability import FEW_SPEAKERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import ArrayLike, NDArray

    from bob.learn.pytorch.calibration.isotonic import IsotonicCalibration

    FloatArray: TypeAlias = NDArray[np.float64]

#: The measure that is weighed by its logarithm.
DURATION = "duration"
_LOG_DURATION = "log duration"
#: Expected sign of the sum of both weights, and what the other sign favours.
_EXPECTED = {
    _LOG_DURATION: (1, "shorter recordings"),
    "magnitude": (1, "shorter embeddings, which are of worse recordings,"),
    "cohort_mean": (-1, "recordings that are more like the cohort"),
}
_SMALLER, _LARGER = "smaller ", "larger "


def is_fusion(calibration: LinearCalibration | IsotonicCalibration) -> bool:
    """Return whether the columns are scores of several systems."""
    if not isinstance(calibration, LinearCalibration):
        return False
    columns = calibration.columns
    if len(columns) == 1:
        return False
    return columns[0] != SCORE or columns[1:] != _columns_of(_names(columns))


def quality_of(
    calibration: LinearCalibration | IsotonicCalibration,
) -> tuple[str, ...]:
    """Return the measures that a calibration weighs beside the score; refuse a fusion.

    Examples
    --------
    >>> from bob.learn.pytorch.calibration import TrainingTrials
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
    """Return the columns of a calibration: scores, then measures of both sides.

    Parameters
    ----------
    scores
        ``(trials,)``
    measures
        Name -> measures of the references and of the probes, ``(trials,)`` each.
        Durations are in seconds; their natural logarithm is taken.

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


def beyond_ranges(calibration: LinearCalibration, values: ArrayLike) -> list[str]:
    """Say which measures ``(trials, columns)`` lie outside those that trained.

    Examples
    --------
    >>> from bob.learn.pytorch.calibration import TrainingTrials
    >>> columns = ("score", "smaller log duration", "larger log duration")
    >>> ranges = {columns[1]: (np.log(3), np.log(5))}
    >>> line = LinearCalibration(
    ...     columns, (9, -1, 0), -4, 0.5, TrainingTrials(9, 9), ranges=ranges
    ... )
    >>> beyond_ranges(line, [[0.2, np.log(0.5), np.log(4)]])
    ['the smaller duration is 0.5 s, outside of 3 s to 5 s where the calibration was \
trained; it is taken as the nearest of these']
    """
    rows = np.asarray(values, dtype=np.float64)
    found = []
    for column, (low, high) in calibration.ranges.items():
        numbers = rows[:, calibration.columns.index(column)]
        # Measures in files are rounded to six digits.
        slack = 1e-5 * max(1.0, abs(low), abs(high))
        outside = (numbers < low - slack) | (numbers > high + slack)
        if not outside.any():
            continue
        name, ends = _in_words(column, [low, high])
        name = f"score of {name}" if column == name else name
        there = f"outside of {ends[0]} to {ends[1]} where the calibration was trained"
        if len(rows) == 1:
            where = f"the {name} is {_in_words(column, numbers)[1][0]}, {there}; it is"
        else:
            count = f"{int(outside.sum()):,} of {len(rows):,} trials"
            where = f"in {count} the {name} lies {there}; it is"
        found.append(f"{where} taken as the nearest of these")
    return found


def doubtful_weights(
    calibration: LinearCalibration | IsotonicCalibration,
) -> list[str]:
    """Return what speaks against a fit, in sentences.

    These are trials that separated perfectly, weights of another sign than expected,
    and measures without a range.
    """
    if not isinstance(calibration, LinearCalibration):
        return []
    separated = _separated(calibration)
    if is_fusion(calibration):
        weights = zip(calibration.columns, calibration.weights, strict=True)
        return separated + [
            f"the weight of {name} is negative ({weight:.3g}): a higher score of it "
            "counts against one speaker. Check that higher means more alike there, or "
            "leave the system out"
            for name, weight in weights
            if weight < 0
        ]
    names = _names(calibration.columns)
    found = separated + [note for name in names for note in _doubt(calibration, name)]
    if names and not calibration.ranges:
        found.append(
            "the calibration does not say for which range of "
            f"{' and '.join(quality_of(calibration))} it was trained, so that nothing "
            "limits these measures: fit it again"
        )
    return found


def few_speakers_trained(
    calibration: LinearCalibration | IsotonicCalibration,
) -> list[str]:
    """Say that a calibration rests on few speakers, if it does."""
    speakers = calibration.provenance.get("speakers", "")
    if not speakers.isdecimal() or int(speakers) >= FEW_SPEAKERS:
        return []
    return [
        f"{speakers} speakers are few: ratios far from 1 are extrapolated, and other "
        "recordings may need a calibration of their own"
    ]


def _separated(calibration: LinearCalibration) -> list[str]:
    if not calibration.separated:
        return []
    trials = calibration.trained_on
    return [
        f"the {trials.targets} target and {trials.non_targets} non-target trials "
        "separate perfectly, which leaves the slope of a plain fit infinite: it was "
        f"fitted with the penalty {calibration.penalty:g}, and the size of the ratios "
        "depends on that. Fit on more or harder trials, or choose a penalty"
    ]


def _doubt(calibration: LinearCalibration, name: str) -> list[str]:
    """Say what is odd about the two weights of a measure."""
    expected = _EXPECTED.get(name)
    weights = dict(zip(calibration.columns, calibration.weights, strict=True))
    columns = [side + name for side in (_SMALLER, _LARGER)]
    slope = sum(weights[column] for column in columns)
    if expected is None or slope * expected[0] >= 0:
        return []
    ranges = calibration.ranges
    moves = sum(
        abs(weights[one]) * (ranges[one][1] - ranges[one][0])
        for one in columns
        if one in ranges
    )
    reach = f", by a factor of up to {np.exp(min(moves, 700)):.3g}" if moves else ""
    return [
        f"the weights of {_in_words(name, [])[0]} sum to {slope:.3g}: of equal scores, "
        f"that of {expected[1]} counts more for one speaker{reach}. Check that these "
        "recordings are like those that you will decide on, or leave the measure out"
    ]


def _in_words(column: str, numbers: Iterable[float]) -> tuple[str, list[str]]:
    """Return a measure, and numbers of it, as people know them."""
    if column.endswith(_LOG_DURATION):
        name = column.removesuffix(_LOG_DURATION) + DURATION
        return name, [f"{np.exp(number):.3g} s" for number in numbers]
    return column, [f"{number:.3g}" for number in numbers]


def _names(columns: tuple[str, ...]) -> list[str]:
    return [
        column.removeprefix(_SMALLER)
        for column in columns[1:]
        if column.startswith(_SMALLER)
    ]


def _columns_of(names: list[str]) -> tuple[str, ...]:
    return tuple(side + name for name in names for side in (_SMALLER, _LARGER))


def log_durations(seconds: ArrayLike) -> FloatArray:
    """Return natural logarithms of positive seconds, (count,); NaN stays NaN."""
    values = np.asarray(seconds, dtype=np.float64)
    if (values <= 0).any() or np.isinf(values).any():
        raise ValueError(
            f"{values[(values <= 0) | np.isinf(values)][0]} is no duration in seconds; "
            f"give positive numbers, and NaN for recordings that failed"
        )
    return np.log(values)
