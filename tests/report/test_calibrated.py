"""What calibrated scores are worth, and how far they are to be trusted."""

import json
import math

import pytest

from bob.learn.pytorch.calibration import LinearCalibration
from bob.learn.pytorch.calibration.linear import TrainingTrials
from bob.learn.pytorch.metrics import cllr
from bob.learn.pytorch.report.calibrated import summary


@pytest.fixture
def made(table):
    """Figures of two groups, and a calibration of few speakers."""
    trials = TrainingTrials(targets=35, non_targets=1400)
    calibration = LinearCalibration(
        ("score",), (2.0,), -1.5, 0.5, trials, {"speakers": "5", "penalty": "0.001"}
    )
    return {"dev": table(), "eval": table(seed=1)}, calibration


def words(calibration, tables):
    return " ".join(summary(calibration, tables)[1].split())


def test_figures_are_those_of_each_group(made):
    tables, calibration = made

    content = json.loads(json.dumps(summary(calibration, tables)[0]))

    assert (content["weight"], content["offset"]) == (2, -1.5)
    for group, table in tables.items():
        found = content["groups"][group]
        assert found["cllr"] == cllr(table.targets, table.non_targets)
        assert found["costs"][0]["act_dcf_threshold"] == pytest.approx(math.log(99))


def test_the_text_has_a_column_for_each_group_and_the_formula(made):
    tables, calibration = made

    lines = summary(calibration, tables)[1].splitlines()

    assert lines[0].split() == ["dev", "eval"]
    cell = f"{cllr(tables['eval'].targets, tables['eval'].non_targets):.4f}"
    assert next(line for line in lines if "Cllr" in line).endswith(cell)
    expected = "= 2 x score -1.5, trained on 35 target and 1,400"
    assert expected in words(calibration, tables)


def test_what_quality_measures_add_is_told(made):
    tables, plain = made
    weighing = LinearCalibration(
        ("score", "smaller a", "larger a"), (2.0, -0.5, 0.25), -1.5, 0.5,
        plain.trained_on, {},
    )  # fmt: skip

    content, _ = summary(weighing, tables)

    assert content["weights"] == {"score": 2, "smaller a": -0.5, "larger a": 0.25}
    assert (
        "To this log-likelihood ratio, quality measures add "
        "-0.5 x smaller a +0.25 x larger a. "
    ) in words(weighing, tables)


def test_few_speakers_and_a_penalty_are_told(made):
    tables, few = made
    many = LinearCalibration(
        ("score",), (1.0,), 0.0, 0.5, few.trained_on, {"speakers": "20"}
    )

    for note in ("5 speakers are few", "The penalty 0.001 keeps"):
        assert note in words(few, tables)
    for note in ("are few", "The penalty"):
        assert note not in words(many, tables)
