"""What calibrated scores are worth, and how far they are to be trusted."""

import json
import math

import pytest

from bob.learn.pytorch.calibration import LinearCalibration
from bob.learn.pytorch.calibration.linear import TrainingTrials
from bob.learn.pytorch.metrics import cllr
from bob.learn.pytorch.report.calibrated import (
    as_dict,
    as_text,
    calibrated_figures,
    notes_on,
)


@pytest.fixture
def made(table):
    """Figures of two groups, and a calibration of few speakers."""
    trials = TrainingTrials(targets=35, non_targets=1400)
    calibration = LinearCalibration(
        ("score",), (2.0,), -1.5, 0.5, trials, {"speakers": "5", "penalty": "0.001"}
    )
    return {"dev": table(), "eval": table(seed=1)}, calibration


def test_figures_are_those_of_each_group(made):
    tables, calibration = made

    found = calibrated_figures(tables)

    for group, table in tables.items():
        assert found[group].cllr == cllr(table.targets, table.non_targets)
        assert found[group].costs[0].act_dcf_threshold == pytest.approx(math.log(99))
    content = json.loads(json.dumps(as_dict(found, calibration)))
    assert (content["weight"], content["offset"]) == (2, -1.5)
    assert content["groups"]["eval"]["cllr"] == found["eval"].cllr


def test_the_text_has_a_column_for_each_group_and_the_formula(made):
    tables, calibration = made
    found = calibrated_figures(tables)

    text = as_text(found, calibration)

    assert text.splitlines()[0].split() == ["dev", "eval"]
    cell = f"{found['eval'].cllr:.4f}"
    assert next(line for line in text.splitlines() if "Cllr" in line).endswith(cell)
    assert "= 2 x score -1.5, trained on 35 target and 1,400" in " ".join(text.split())


def test_what_quality_measures_add_is_told(made):
    _, plain = made
    weighing = LinearCalibration(
        ("score", "smaller a", "larger a"), (2.0, -0.5, 0.25), -1.5, 0.5,
        plain.trained_on, {},
    )  # fmt: skip

    assert notes_on(weighing)[1] == (
        "To this log-likelihood ratio, quality measures add "
        "-0.5 x smaller a +0.25 x larger a."
    )
    assert as_dict({}, weighing)["weights"] == {
        "score": 2, "smaller a": -0.5, "larger a": 0.25,
    }  # fmt: skip


def test_few_speakers_and_a_penalty_are_told(made):
    _, few = made
    many = LinearCalibration(
        ("score",), (1.0,), 0.0, 0.5, few.trained_on, {"speakers": "20"}
    )

    assert len(notes_on(few)) == 3
    assert "5 speakers are few" in notes_on(few)[-1]
    assert "The penalty 0.001" in notes_on(few)[1]
    assert len(notes_on(many)) == 1
