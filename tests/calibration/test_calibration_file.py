"""Calibrations in files."""

import json

import numpy as np
import pytest

from bob.learn.pytorch.calibration import (
    CalibrationError,
    IsotonicCalibration,
    LinearCalibration,
    TrainingTrials,
    fit_isotonic,
    load_calibration,
    save_calibration,
)

LINEAR = LinearCalibration(
    columns=("score", "smaller log duration"),
    weights=(0.1 + 0.2, -1 / 3),
    offset=1e-17,
    p_target=0.01,
    trained_on=TrainingTrials(3, 5, 1),
    provenance={"trained model": "campplus-zh-en", "protocol": "Räte, dev"},
)
ISOTONIC = IsotonicCalibration(
    (0.1, np.inf), (-np.inf, 1 / 3, np.inf), TrainingTrials(2, 2), {"a": "b"}
)


@pytest.mark.parametrize(
    "calibration", [LINEAR, ISOTONIC, fit_isotonic([1, 2, 3], [0, 1, 2])]
)
def test_what_is_read_is_what_was_written_to_the_last_bit(calibration, tmp_path):
    path = tmp_path / "new" / "calibration.json"

    save_calibration(calibration, path)

    assert load_calibration(path) == calibration


def test_a_file_is_plain_json_that_people_can_read(tmp_path):
    path = tmp_path / "calibration.json"

    save_calibration(LINEAR, path)

    assert json.loads(path.read_text("utf-8")) == {
        "format": "bob.learn.pytorch calibration 1",
        "kind": "linear",
        "columns": ["score", "smaller log duration"],
        "weights": [0.30000000000000004, -0.3333333333333333],
        "offset": 1e-17,
        "p_target": 0.01,
        "trained_on": {"targets": 3, "non_targets": 5, "failures": 1},
        "provenance": {"trained model": "campplus-zh-en", "protocol": "Räte, dev"},
    }
    assert "Räte" in path.read_text("utf-8")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"format": "2"}, "no calibration"),
        ({"kind": "cubic"}, "kind is 'cubic'"),
        ({"offset": None}, "lacks offset"),
        ({"more": 1}, "unknown more"),
        ({"offset": "1"}, "offset has '1'"),
        ({"offset": True}, "offset has True"),
        ({"offset": 10**400}, "offset"),
        ({"weights": [1.0]}, "1 weights"),
        ({"weights": 1.0}, "weights must be a list"),
        ({"weights": [1.0, "inf"]}, "weights has 'inf'"),
        ({"columns": "score"}, "columns must be"),
        ({"columns": ["score", 1]}, "columns must be"),
        ({"p_target": 1}, "p_target is 1"),
        ({"provenance": {"a": 1}}, "provenance must"),
        ({"provenance": []}, "provenance must"),
        ({"trained_on": {"targets": 1, "non_targets": 1}}, "lacks failures"),
        ({"trained_on": 5}, "trained_on must"),
        (
            {"trained_on": {"targets": 1.5, "non_targets": 1, "failures": 0}},
            "targets is 1.5",
        ),
        (
            {"trained_on": {"targets": 1, "non_targets": -1, "failures": 0}},
            "non_targets is -1",
        ),
    ],
)
def test_a_changed_file_is_refused_with_its_name(changes, why, tmp_path):
    path = tmp_path / "calibration.json"
    save_calibration(LINEAR, path)
    fields = {**json.loads(path.read_text("utf-8")), **changes}
    if None in changes.values():
        del fields["offset"]
    path.write_text(json.dumps(fields))

    with pytest.raises(CalibrationError, match=rf"calibration\.json: .*{why}"):
        load_calibration(path)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "no JSON"),
        (b"[1]", "no calibration"),
        (b'{"offset": NaN}', "NaN is no number"),
        (b"\xff\xfe", "decode"),
    ],
)
def test_no_other_file_is_taken_for_a_calibration(content, why, tmp_path):
    path = tmp_path / "calibration.json"
    path.write_bytes(content)

    with pytest.raises(CalibrationError, match=why):
        load_calibration(path)


def test_steps_in_disorder_are_refused(tmp_path):
    path = tmp_path / "calibration.json"
    save_calibration(ISOTONIC, path)
    path.write_text(path.read_text().replace("0.1", "1e999"))

    with pytest.raises(CalibrationError, match="thresholds has inf"):
        load_calibration(path)
