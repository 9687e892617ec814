"""Quality measures count within the range that training saw, and no further."""

import json

import numpy as np
import pytest
from files import from_json

from bob.learn.pytorch.calibration import (
    CalibrationError,
    LinearCalibration,
    TrainingTrials,
    fit_calibration,
    fit_fusion,
    fused,
    load_calibration,
    measured_columns,
    save_calibration,
)
from bob.learn.pytorch.calibration.quality import beyond_ranges, doubtful_weights

COLUMNS = ("score", "smaller log duration", "larger log duration")
COUNTS = TrainingTrials(9, 9)


@pytest.fixture
def trained():
    """Recordings of 3 to 5 s; short ones score lower, of one speaker or of two."""
    random = np.random.default_rng(0)
    seconds = random.uniform(3, 5, (2, 400))
    scores = random.normal(0, 0.1, 400) + 0.8 * np.log(seconds.min(axis=0) / 5)
    scores[:100] += 0.25
    values, columns = measured_columns(scores, {"duration": tuple(seconds)})
    return fit_calibration(values[:100], values[100:], columns=columns), seconds


def test_half_a_second_counts_as_the_shortest_recording_in_training(trained):
    calibration, seconds = trained
    shortest = seconds.min(axis=0).min()

    def ratio(duration):
        sides = {"duration": ([duration], [duration])}
        return calibration(measured_columns([0.2], sides)[0])[0]

    assert calibration.weights[1] < 0  # so a line would climb without limit
    low = calibration.ranges["larger log duration"][0]
    at_the_edge = calibration([0.2, np.log(shortest), low])
    assert ratio(0.5) == ratio(0.01) == pytest.approx(float(at_the_edge))
    assert ratio(60) == ratio(600)
    assert ratio(3.5) > ratio(4.5)


def test_the_range_is_that_of_the_smaller_and_of_the_larger_measure(trained):
    calibration, seconds = trained

    logs = np.log(seconds)
    assert calibration.ranges == {
        "smaller log duration": (logs.min(axis=0).min(), logs.min(axis=0).max()),
        "larger log duration": (logs.max(axis=0).min(), logs.max(axis=0).max()),
    }


def test_the_score_alone_is_calibrated_as_without_measures(trained):
    calibration, seconds = trained
    random = np.random.default_rng(0)
    random.uniform(3, 5, (2, 400))
    scores = random.normal(0, 0.1, 400) + 0.8 * np.log(seconds.min(axis=0) / 5)
    scores[:100] += 0.25

    alone = fit_calibration(scores[:100], scores[100:])

    assert calibration.plain == pytest.approx((alone.weights[0], alone.offset))
    assert alone.plain is None
    assert alone.ranges == {}


def test_what_lies_outside_is_said(trained):
    calibration, _ = trained
    columns, _ = measured_columns([0.2, 0.2], {"duration": ([0.5, 4], [4, 4])})

    (note,) = beyond_ranges(calibration, columns)
    (alone,) = beyond_ranges(calibration, columns[:1])

    assert note.startswith("in 1 of 2 trials the smaller duration lies outside of 3 s")
    assert alone.startswith("the smaller duration is 0.5 s, outside of 3 s")
    assert alone.endswith("it is taken as the nearest of these")
    assert beyond_ranges(calibration, columns[1:]) == []


def test_ranges_survive_the_file_and_old_files_have_none(trained, tmp_path):
    calibration, _ = trained
    path = tmp_path / "calibration.json"
    save_calibration(calibration, path)

    assert load_calibration(path) == calibration

    fields = from_json(path)
    del fields["ranges"], fields["score_alone"]
    path.write_text(json.dumps(fields))
    old = load_calibration(path)
    assert old([0.2, np.log(0.5), 1]) == pytest.approx(
        calibration.offset + np.dot(calibration.weights, [0.2, np.log(0.5), 1])
    )
    assert "does not say for which range of duration" in doubtful_weights(old)[-1]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("ranges", {"pitch": [1, 2]}, "the range of pitch is 1.0 to 2.0"),
        ("ranges", {COLUMNS[1]: [2, 1]}, "two finite numbers in order"),
        ("ranges", {COLUMNS[1]: [1]}, "must be two numbers"),
        ("ranges", [1, 2], "must map columns"),
        ("score_alone", {"weight": 1}, "lacks offset"),
        ("score_alone", 3, "must have a weight"),
    ],
)
def test_a_damaged_range_is_refused(trained, tmp_path, name, value, message):
    path = tmp_path / "calibration.json"
    save_calibration(trained[0], path)
    path.write_text(json.dumps(from_json(path) | {name: value}))

    with pytest.raises(CalibrationError, match=message):
        load_calibration(path)


@pytest.mark.parametrize(
    ("columns", "weights", "said"),
    [
        (COLUMNS, (9, -2, 1), "shorter recordings counts more"),
        (COLUMNS, (9, 2, -1), ""),
        (("score", "smaller cohort_mean", "larger cohort_mean"), (9, 1, 1), "cohort"),
        (("score", "smaller cohort_mean", "larger cohort_mean"), (9, -1, 0), ""),
        (("score", "smaller magnitude", "larger magnitude"), (9, 0, -1), "worse"),
        (("score", "smaller pitch", "larger pitch"), (9, 0, -1), ""),
        (("one", "two"), (2, -1), "the weight of two is negative (-1)"),
        (("one", "two"), (2, 1), ""),
    ],
)
def test_a_weight_of_another_sign_than_expected_is_said(columns, weights, said):
    ranges = dict.fromkeys(columns[1:], (0.0, 1.0))
    line = LinearCalibration(columns, weights, 0.0, 0.5, COUNTS, ranges=ranges)

    notes = doubtful_weights(line)

    assert len(notes) == bool(said)
    assert said in " ".join(notes)


def test_a_system_with_a_negative_weight_is_held_to_its_range():
    random = np.random.default_rng(0)
    noise = random.normal(size=300)
    one = noise + random.normal(0, 0.5, 300)
    one[:100] += 2
    kinds = {"one": one, "noise": noise}
    fusion = fit_fusion(
        {name: scores[:100] for name, scores in kinds.items()},
        {name: scores[100:] for name, scores in kinds.items()},
    )

    assert fusion.weights[1] < 0
    assert fusion.ranges == {"noise": (noise.min(), noise.max())}
    here, far, higher = fused(
        fusion, {"one": [0, 0, 9], "noise": [noise.min(), -99, noise.min()]}
    )
    assert here == far
    assert higher == pytest.approx(here + 9 * fusion.weights[0])
