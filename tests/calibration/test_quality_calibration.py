"""Calibrations with quality measures, told from fusions."""

import numpy as np
import pytest

from bob.learn.pytorch.calibration import (
    CalibrationError,
    IsotonicCalibration,
    LinearCalibration,
    TrainingTrials,
    measured_columns,
)
from bob.learn.pytorch.calibration.quality import is_fusion, quality_of

COUNTS = TrainingTrials(9, 9)


def linear(*columns):
    return LinearCalibration(columns, (1.0,) * len(columns), 0.0, 0.5, COUNTS)


@pytest.mark.parametrize(
    ("columns", "quality"),
    [
        (("score",), ()),
        (("anything",), ()),
        (("score", "smaller log duration", "larger log duration"), ("duration",)),
        (
            ("score", "smaller a", "larger a", "smaller log duration",
             "larger log duration"),
            ("a", "duration"),
        ),
    ],
)  # fmt: skip
def test_what_a_calibration_weighs(columns, quality):
    assert not is_fusion(linear(*columns))
    assert quality_of(linear(*columns)) == quality


def test_steps_weigh_a_score_alone():
    assert quality_of(IsotonicCalibration((0.5,), (-1.0, 1.0), COUNTS)) == ()


@pytest.mark.parametrize(
    "columns",
    [
        ("one", "two"),
        ("score", "two"),
        ("score", "smaller a"),
        ("one", "smaller a", "larger a"),
    ],
)
def test_everything_else_is_a_fusion(columns):
    assert is_fusion(linear(*columns))
    with pytest.raises(CalibrationError, match=f"fusion of {', '.join(columns)}"):
        quality_of(linear(*columns))


def test_the_columns_are_those_of_the_calibration():
    values, columns = measured_columns(
        [0.5, 0.25], {"duration": ([1, 4], [2, 2]), "a": ([3, 3], [1, 5])}
    )

    assert quality_of(linear(*columns)) == ("duration", "a")
    expected = [
        [0.5, 0, np.log(2), 1, 3],
        [0.25, np.log(2), np.log(4), 3, 5],
    ]
    np.testing.assert_allclose(values, expected)


def test_a_trial_with_a_failed_side_has_no_measure():
    values, _ = measured_columns([0.3], {"d": ([5.0], [np.nan]), "m": ([7.0], [8.0])})

    np.testing.assert_array_equal(values, [[0.3, np.nan, np.nan, 7, 8]])


@pytest.mark.parametrize("sides", [([1.0], [1.0]), ([1.0, 2.0], [1.0]), (1.0, 1.0)])
def test_each_trial_has_measures_of_both_sides(sides):
    with pytest.raises(ValueError, match="the two sides have a of shapes"):
        measured_columns([1.0, 2.0], {"a": sides})
