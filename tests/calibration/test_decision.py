"""A cosine, a calibration, and what they say together."""

import math
import re

import pytest

from bob.learn.pytorch.calibration import (
    CalibrationError,
    IsotonicCalibration,
    LinearCalibration,
    TrainingTrials,
)
from bob.learn.pytorch.calibration.decision import cautions, decide, refuse_other_scores

SAID = {"model": "m", "weights": "w", "measure": "cosine", "normalisation": "none"}
COUNTS = TrainingTrials(targets=50, non_targets=200)


def line(provenance=SAID, columns=("score",)):
    weights = (20.0,) * len(columns)
    return LinearCalibration(columns, weights, -10.0, 0.5, COUNTS, provenance)


@pytest.mark.parametrize(
    ("score", "prior", "c_miss", "c_fa", "accepted"),
    [
        (0.50, 0.5, 1, 1, True),  # the ratio is 1, and the costs are even
        (0.4999, 0.5, 1, 1, False),
        (0.72, 0.01, 1, 1, False),  # e ** 4.4 = 81, and the odds against are 99
        (0.73, 0.01, 1, 1, True),  # e ** 4.6 = 99.5
        (0.386, 0.5, 10, 1, True),  # 1 / 9.78: a miss costs ten times as much
        (0.384, 0.5, 10, 1, False),  # 1 / 10.2
    ],
)
def test_a_pair_is_accepted_where_that_costs_less(score, prior, c_miss, c_fa, accepted):
    found = decide(score, line(), p_target=prior, c_miss=c_miss, c_fa=c_fa)

    assert found.likelihood_ratio == pytest.approx(math.exp(20 * score - 10))
    assert found.accepted is accepted


def test_the_threshold_is_said_on_both_scales():
    found = decide(0.6, line(), p_target=0.01)

    assert found.threshold.log_likelihood_ratio == pytest.approx(math.log(99))
    assert found.threshold.score == pytest.approx((math.log(99) + 10) / 20)
    assert found.threshold.provenance == SAID


def test_steps_have_a_ratio_and_no_threshold_of_a_score():
    steps = IsotonicCalibration((0.5,), (-2.0, 3.0), COUNTS, SAID)

    found = decide(0.7, steps)

    assert (found.log_likelihood_ratio, found.accepted) == (3.0, True)
    assert found.threshold.score is None


@pytest.mark.parametrize(
    ("prior", "reach"),
    [
        (0.99999, None),
        (1e-5, "1.0756, out of reach between -1 and 1: any .* as two speakers"),
        (1 - 1e-14, "-1.111[0-9], out of reach .* as one speaker"),
    ],
)
def test_a_threshold_that_no_cosine_reaches_is_said(prior, reach):
    """(log((1 - p) / p) + 10) / 20"""
    found = decide(0.5, line(provenance=SAID), p_target=prior)

    notes = cautions(found, line(provenance=SAID))

    assert found.beyond_cosines is (reach is not None)
    assert bool(re.search(reach or "out of reach", " ".join(notes))) is bool(reach)


def test_a_ratio_too_large_for_a_float_is_infinite():
    assert decide(1000.0, line()).likelihood_ratio == math.inf


QUALITY = (
    "score", "smaller log duration", "larger log duration", "smaller magnitude",
    "larger magnitude",
)  # fmt: skip


def test_the_quality_of_both_recordings_is_weighed():
    """By hand, the shorter one first; the threshold is what a cosine would need."""
    weights = (20.0, 1.0, 0.5, 0.1, -0.1)
    measured = LinearCalibration(QUALITY, weights, -10.0, 0.5, COUNTS, SAID)

    found = decide(
        0.5, measured, quality={"duration": (8.0, 2.0), "magnitude": (3.0, 5.0)}
    )

    ratio = math.log(2) + 0.5 * math.log(8) + 0.1 * (3 - 5)
    assert found.log_likelihood_ratio == pytest.approx(ratio)
    assert found.threshold.score == pytest.approx(0.5 - ratio / 20)
    assert set(found.quality) == {"duration", "magnitude"}


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (QUALITY[:3], "also weighs duration, and of two recordings there is a score;"),
        (("one", "two"), "it is a fusion of one, two"),
    ],
)
def test_what_two_recordings_do_not_tell_is_refused(columns, message):
    with pytest.raises(CalibrationError, match=message):
        decide(0.5, line(columns=columns))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"model": "other"}, "the model is 'other', not 'm' as here"),
        ({"weights": "other"}, "the weights is 'other'"),
        ({"measure": "euclidean"}, "the measure is 'euclidean'"),
        ({"normalisation": "as-norm, top 100"}, "the normalisation is 'as-norm"),
        ({"mean_subtracted": "True"}, "the mean_subtracted is 'True'"),
    ],
)
def test_a_calibration_of_other_scores_is_refused(changed, message):
    made_by = {"model": "m", "weights": "w"}
    refuse_other_scores(line(), made_by=made_by)

    with pytest.raises(CalibrationError, match=message):
        refuse_other_scores(line({**SAID, **changed}), made_by=made_by)


def test_what_a_calibration_does_not_say_is_a_caution():
    silent = line({})
    refuse_other_scores(silent, made_by={"model": "m"})

    (note,) = cautions(decide(0.5, silent), silent)

    assert "does not say of which model, measure, normalisation" in note


@pytest.mark.parametrize(
    ("score", "said"),
    [
        (0.76, None),  # e ** 5.2 = 181
        (0.77, "above 200 is extrapolated"),  # e ** 5.4 = 221
        (0.31, None),  # e ** -3.8 = 1 / 45
        (0.30, "below 1/50 is extrapolated"),  # e ** -4 = 1 / 55
    ],
)
def test_ratios_beyond_the_count_of_trials_are_extrapolated(score, said):
    found = cautions(decide(score, line()), line())

    assert (found == []) if said is None else (said in found[0])


def test_references_of_several_recordings_are_a_caution():
    several = line({**SAID, "enrolment recordings": "1 to 4"})

    (note,) = cautions(decide(0.5, several), several)

    assert "enrolled with 1 to 4 recordings" in note
