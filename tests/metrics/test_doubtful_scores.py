"""What is said of scores that no figure should be taken from."""

import numpy as np
import pytest

from bob.learn.pytorch.metrics import (
    Interval,
    evaluate,
    figures,
    find_costs,
    misfits,
    wrong_way_round,
)


def drawn(shift=2.0, scale=1.0, targets=200, non_targets=2000):
    """Log-likelihood ratios of two normal curves, d' = 2, moved and stretched."""
    random = np.random.default_rng(0)
    return (
        scale * (2 * random.normal(1, 1, targets)) + shift - 2,
        scale * (2 * random.normal(-1, 1, non_targets)) + shift - 2,
    )


def test_distances_are_the_wrong_way_round():
    targets, non_targets = drawn()
    eer = figures(-targets, -non_targets).eer

    (note,) = wrong_way_round(eer, (200, 2000))

    assert note.startswith("the scores look the wrong way round")
    assert f"(EER {100 * eer:.1f} %)" in note
    assert "turn the sign of distances" in note


@pytest.mark.parametrize(
    ("eer", "kinds", "interval"),
    [
        (0.16, (200, 2000), None),
        (0.53, (200, 2000), None),
        (0.98, (200, 2000), Interval(0.4, 1.0, 0.95, 100)),
        (1.0, (2, 900), None),
    ],
)
def test_what_may_be_chance_is_not_called_reversed(eer, kinds, interval):
    assert wrong_way_round(eer, kinds, interval=interval) == []


def test_an_interval_without_width_does_not_hide_reversed_scores():
    interval = Interval(np.nan, np.nan, 0.95, 50)

    assert wrong_way_round(1.0, (20, 20), interval=interval)


def test_scores_that_are_all_equal_and_infinite_ones_are_said():
    constant = evaluate(([0.3], [0.3, np.nan])).doubts
    infinite = evaluate(([0.3, 2], [-np.inf, np.nan])).doubts
    texts = [
        [doubt.text for doubt in some if doubt.kind == "scores"]
        for some in (constant, infinite, evaluate(([np.nan], [])).doubts)
    ]

    assert texts[0] == [
        "all 2 scores are 0.3, which tells nothing of who speaks: check the model "
        "that made them"
    ]
    assert texts[1][0].startswith("1 of 3 scores are infinite")
    assert not texts[2]


def test_log_likelihood_ratios_fit_themselves():
    assert misfits(figures(*drawn())) == []


@pytest.mark.parametrize(
    ("moved", "said"),
    [
        ({"shift": 5.0}, "actDCF is 3."),
        ({"scale": 3.0}, ", above 1: rejecting every trial would cost less"),
        ({"shift": 4.5}, "at P_target 0.5, where minDCF is 0.29"),
        ({"shift": 7.0}, "Cllr is 2."),
    ],
)
def test_a_calibration_of_other_recordings_does_not_fit(moved, said):
    cost = find_costs("p0.01" if "P_target 0.5" not in said else "0.5")
    (note,) = misfits(figures(*drawn(**moved), cost=cost))

    assert note.startswith("the calibration does not fit these scores: ")
    assert said in note
    assert "Calibrate on development scores of recordings like these" in note


def test_ratios_that_tell_little_are_no_misfit():
    """Right by construction, d' = 1: actDCF is above 1 by chance, and by little."""
    for seed in range(20):
        random = np.random.default_rng(seed)
        spread = 2**0.5
        found = figures(random.normal(1, spread, 300), random.normal(-1, spread, 3000))
        assert misfits(found) == []


def test_scores_in_the_wrong_order_are_not_called_a_misfit():
    targets, non_targets = drawn()

    assert misfits(figures(-targets, -non_targets)) == []


def test_one_error_of_few_trials_is_no_misfit():
    """At P_target 0.01, one of 140 false alarms costs 0.71."""
    targets, non_targets = np.linspace(4, 9, 35), np.linspace(-9, 2, 139)
    found = figures(targets, np.append(non_targets, 4.7))

    assert found.act_dcf > found.min_dcf + 0.5
    assert misfits(found) == []
