"""Detection costs against sums by hand, brute force and other packages."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import logistic_scores

from bob.learn.pytorch.metrics import (
    PRESETS,
    DetectionCost,
    ErrorCurve,
    MetricError,
    bayes_error_rates,
    find_costs,
)

TIED = st.lists(
    st.sampled_from([-np.inf, -2.0, -1.0, 0.0, 0.5, 1.0, 3.0, np.inf]),
    min_size=1,
    max_size=30,
)


# (P_target, C_miss, C_fa): actual and least cost that PyPI's expected_cost 1.0 (with
# scikit-learn 1.5.2) gives for these scores: average_cost_from_confusion_matrix of
# bayes_decisions, and average_cost_for_optimal_decisions. The latter takes ties in file
# order, so that it gave the last number for them and the third with the ties resolved.
EXPECTED_COST = {
    (0.01, 1, 1): (0.9061666666666668, 0.8290000259876251, 0.8008332923054695),
    (0.005, 1, 1): (0.9166666666666666, 0.9028333239257336, 0.8861666545271873),
    (0.001, 1, 1): (0.9733333333333334, 0.9166667587123811, 0.9133333805948496),
    (0.05, 1, 1): (0.6475, 0.5148333311080933, 0.5135000124573708),
    (0.01, 10, 1): (0.5396, 0.40365003049373627, 0.3935500234365463),
}


@pytest.mark.parametrize("cost", EXPECTED_COST)
def test_expected_cost_says_the_same(cost):
    tied = logistic_scores()
    free = [
        scores + (np.arange(scores.size) + offset) * 2.0**-20
        for scores, offset in zip(tied, (0, 0.5), strict=True)
    ]
    actual, least, _ = EXPECTED_COST[cost]
    function = find_costs("{1}:{2}:{0}".format(*cost))

    assert function.actual(*tied) == pytest.approx(actual, abs=1e-12)
    # It counts in single precision.
    minimum = function.minimum(ErrorCurve.from_scores(*free))
    assert minimum == pytest.approx(least, abs=1e-6)


@pytest.mark.parametrize("cost", EXPECTED_COST)
def test_ties_in_file_order_would_underestimate_the_least_cost(cost):
    """Every threshold tried one by one; expected_cost 1.0 is below that."""
    targets, non_targets = logistic_scores()
    one = DetectionCost(*cost)
    thresholds = np.append(np.unique(np.concatenate([targets, non_targets])), np.inf)
    brute = min(
        one.weights[0] * np.mean(targets < threshold)
        + one.weights[1] * np.mean(non_targets >= threshold)
        for threshold in thresholds
    )

    found = one.of(one.min_point(ErrorCurve.from_scores(targets, non_targets)))

    assert found == pytest.approx(brute, abs=1e-12)
    assert EXPECTED_COST[cost][2] < found - 1e-3


def test_presets_are_what_their_evaluations_say():
    by_hand = {
        "p0.05": [(0.05, 1, 1)],
        "p0.01": [(0.01, 1, 1)],
        "p0.005": [(0.005, 1, 1)],
        "p0.001": [(0.001, 1, 1)],
        "voxsrc": [(0.05, 1, 1)],
        "sre08": [(0.01, 10, 1)],
        "sre10": [(0.001, 1, 1)],
        "sre12": [(0.01, 1, 1), (0.001, 1, 1)],
        "sre16": [(0.01, 1, 1), (0.005, 1, 1)],
        "sre18-vast": [(0.05, 1, 1)],
    }

    found = {
        name: [(cost.p_target, cost.c_miss, cost.c_fa) for cost in preset.costs]
        for name, preset in PRESETS.items()
    }

    assert found == by_hand
    assert all(find_costs(name.upper()) is preset for name, preset in PRESETS.items())


def test_thresholds_of_nist_are_the_logarithms_of_beta():
    """SRE 2016: beta is 99 and 199; 2008: 9.9, both errors weighted 1 to beta."""
    sre16 = find_costs("sre16").costs
    old = find_costs("sre08").costs[0]

    assert [cost.threshold for cost in sre16] == pytest.approx(np.log([99, 199]))
    assert old.threshold == pytest.approx(np.log(9.9))
    assert old.weights == pytest.approx((1, 9.9))


def test_a_mean_of_costs_has_a_threshold_for_each():
    """By hand: at P 0.5 one miss of two, at P 0.9 the miss is nine times as dear."""
    curve = ErrorCurve.from_scores([3.0, 1.0], [2.0, 0.0])

    function = find_costs("0.5, 0.9")

    assert function.minimum(curve) == pytest.approx((0.5 + 0.5) / 2)
    # Thresholds 0 and -log 9: every target is accepted, and both impostors.
    assert function.actual([3.0, 1.0], [2.0, 0.0]) == pytest.approx((1 + 1) / 2)
    assert str(function) == "mean of: P_target 0.5; P_target 0.9"


def test_a_score_on_the_threshold_is_accepted():
    even = find_costs("0.5")

    assert even.actual([0.0], [-1.0]) == 0
    assert even.actual([1.0], [0.0]) == 1


def test_actual_costs_with_infinities_and_failures():
    even = find_costs("0.5")

    assert even.actual([np.inf, np.nan], [-np.inf]) == 0
    assert even.actual([-np.inf], [np.inf, np.nan]) == 2
    with pytest.raises(MetricError, match="no target trial"):
        even.actual([np.nan], [0.0])


NO_COST = {
    r"voxsrc.*10:1:0\.01": ["", "sre99", "0.01,", "1:2", "a:b:c", "1:1:1:0.5"],
    "the usual value is": ["0", "1", "1.5", "nan", "0:1:0.5", "1:inf:0.5"],
    # The first and last had NaN as their cost, the second divided by zero.
    "too far apart for a cost": ["1e-320", "1e-200:1:1e-200", "1e308:1:0.9"],
}


@pytest.mark.parametrize(
    ("wrong", "said"), [(wrong, said) for said in NO_COST for wrong in NO_COST[said]]
)
def test_what_is_no_cost_is_refused_with_what_is(wrong, said):
    with pytest.raises(MetricError, match=said):
        find_costs(wrong)


@given(TIED, TIED, st.lists(st.floats(-8, 8), min_size=1, max_size=5))
def test_bayes_error_rates_are_the_costs_of_each_prior(targets, non_targets, odds):
    curve = ErrorCurve.from_scores(targets, non_targets)

    found = bayes_error_rates(targets, non_targets, log_odds=odds)

    for index, x in enumerate(odds):
        function = find_costs(repr(1 / (1 + np.exp(-x))))
        assert found.minimum[index] == pytest.approx(function.minimum(curve), rel=1e-9)
        if all(abs(score + x) > 1e-9 for score in (*targets, *non_targets)):
            actual = function.actual(targets, non_targets)
            assert found.actual[index] == pytest.approx(actual, rel=1e-9)


def test_llreval_draws_the_same_bayes_error_rates():
    """Its fast_Bayes_error_rate and ROCCH.Bayes_error_rate over the default rate."""
    odds = np.array([-7, -4.1, -2.1, 0.1, 2.1])
    default = np.minimum(1 / (1 + np.exp(-odds)), 1 / (1 + np.exp(odds)))
    actual = [
        0.0008867564958832949,
        0.013588189912038506,
        0.053548085432047754,
        0.08556099109222315,
        0.0531044630030702,
    ]
    minimum = [
        0.000835130261533925,
        0.011917467156178198,
        0.04112852609346994,
        0.07984984737484556,
        0.0531044630030702,
    ]

    found = bayes_error_rates(*logistic_scores(), log_odds=odds)

    np.testing.assert_allclose(found.actual * default, actual, rtol=1e-12)
    np.testing.assert_allclose(found.minimum * default, minimum, rtol=1e-12)


@pytest.mark.parametrize("wrong", [np.inf, np.nan, 800, -701])
def test_log_odds_that_are_no_odds_are_refused(wrong):
    """exp(800) is no number, and its product with a rate of 0 was NaN."""
    with pytest.raises(MetricError, match="finite numbers from -700 to 700"):
        bayes_error_rates([1.0], [0.0], log_odds=[0, wrong])


def test_costs_at_the_ends_of_what_odds_may_be():
    found = bayes_error_rates([1.0, 2.0], [0.0, 1.0], log_odds=[-700, 700])

    np.testing.assert_allclose(found.actual, [1, 1], rtol=1e-12)
    np.testing.assert_allclose(found.minimum, [0.5, 0.5], rtol=1e-12)
