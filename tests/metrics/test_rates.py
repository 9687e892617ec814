"""The public figures against closed forms and independent implementations."""

import numpy as np
import pytest
from scipy.stats import norm

from bob.learn.pytorch import metrics
from bob.learn.pytorch.metrics import MetricError


@pytest.fixture
def tied():
    """Scores rounded so far that most are tied."""
    random = np.random.default_rng(7)
    targets = random.normal(1.5, 1, 3000).round(1)
    return targets, random.normal(-0.5, 1, 40_000).round(1)


@pytest.fixture
def free():
    random = np.random.default_rng(8)
    return random.normal(1, 1, 2000), random.normal(-1, 1, 30_000)


def test_two_normal_curves_two_deviations_apart():
    """Targets N(1, 1), impostors N(-1, 1): the rate is Phi(-1) = 0.1587."""
    random = np.random.default_rng(0)
    targets = random.normal(1, 1, 100_000)
    impostors = random.normal(-1, 1, 100_000)

    rate = metrics.equal_error_rate(targets, impostors)

    assert rate == pytest.approx(norm.cdf(-1), abs=0.003)
    assert metrics.rocch_equal_error_rate(targets, impostors) <= rate
    threshold = metrics.equal_error_threshold(targets, impostors)
    assert threshold == pytest.approx(0, abs=0.02)


def test_min_dcf_of_two_normal_curves():
    """The best threshold is where the log-likelihood ratio 2 t meets log 99."""
    random = np.random.default_rng(1)
    threshold = np.log(99) / 2
    expected = norm.cdf(threshold - 1) + 99 * norm.sf(threshold + 1)

    found = metrics.min_dcf(
        random.normal(1, 1, 200_000), random.normal(-1, 1, 2_000_000)
    )

    assert found == pytest.approx(expected, abs=0.01)


def test_equal_error_rate_equals_the_root_on_the_roc_of_scikit_learn(tied):
    """VoxSRC's way: brentq on the interpolated ROC, with no point dropped."""
    from scipy.interpolate import interp1d
    from scipy.optimize import brentq
    from sklearn.metrics import roc_curve

    labels = np.repeat([1, 0], [len(scores) for scores in tied])
    fmr, tpr, _ = roc_curve(labels, np.concatenate(tied), drop_intermediate=False)
    expected = brentq(lambda x: 1 - x - interp1d(fmr, tpr)(x), 0, 1, xtol=1e-14)

    assert metrics.equal_error_rate(*tied) == pytest.approx(expected, abs=1e-9)


def test_det_points_are_the_roc_of_scikit_learn(tied):
    from sklearn.metrics import roc_curve

    labels = np.repeat([1, 0], [len(scores) for scores in tied])
    fmr, tpr, _ = roc_curve(labels, np.concatenate(tied), drop_intermediate=False)

    found_fmr, found_fnmr = metrics.det_points(*tied)

    full = set(zip(fmr.round(12), (1 - tpr).round(12), strict=True))
    found = set(zip(found_fmr.round(12), found_fnmr.round(12), strict=True))
    assert found <= full
    assert (found_fmr[0], found_fnmr[0]) == (1, 0)
    assert (found_fmr[-1], found_fnmr[-1]) == (0, 1)


def test_ties_in_file_order_would_flatter_the_cost():
    """All impostors of one score are accepted together with the target tied to them.

    A script that sorts targets before impostors of the same score "finds" a threshold
    between them (as NIST's does) and a cost of 0.
    """
    targets, impostors = [1.0, 1.0], [1.0, 0.0]

    assert metrics.min_dcf(targets, impostors, p_target=0.5) == 0.5
    assert metrics.equal_error_rate(targets, impostors) == pytest.approx(1 / 3)


def test_one_trial_of_each_kind():
    assert metrics.equal_error_rate([1.0], [0.0]) == 0
    assert metrics.equal_error_rate([0.0], [1.0]) == 1
    assert metrics.equal_error_rate([0.0], [0.0]) == 0.5
    assert metrics.rocch_equal_error_rate([0.0], [1.0]) == 0.5
    assert metrics.min_dcf([0.0], [1.0]) == 1


def test_rates_at_a_threshold_accept_what_lies_on_it():
    assert metrics.false_match_rate([0.0, 1.0, np.nan, 2.0], threshold=1) == 2 / 3
    assert metrics.false_non_match_rate([0.0, 1.0, 2.0, 3.0], threshold=1) == 0.25
    rate = metrics.half_total_error_rate([0.0, 1.0], [0.0, 2.0], threshold=1)
    assert rate == 0.5
    assert metrics.false_match_rate([-np.inf, np.inf], threshold=1e300) == 0.5


def test_actual_cost_at_a_threshold(free):
    """By hand: 0.01 x FNMR + 0.99 x FMR over 0.01."""
    targets, impostors = free
    expected = np.mean(targets < 2) + 99 * np.mean(impostors >= 2)

    assert metrics.act_dcf(*free, threshold=2) == pytest.approx(expected)


def test_actual_cost_is_least_at_the_threshold_of_min_dcf(tied):
    point = metrics.min_dcf_point(*tied, p_target=0.05)

    actual = metrics.act_dcf(*tied, threshold=point.threshold, p_target=0.05)

    assert actual == pytest.approx(metrics.min_dcf(*tied, p_target=0.05))


def test_failure_to_acquire_is_the_share_without_score():
    assert metrics.failure_to_acquire([[1.0, np.nan], [np.nan, np.inf]]) == 0.5
    with pytest.raises(MetricError, match="no trial"):
        metrics.failure_to_acquire([])


def test_a_rate_of_no_trial_is_refused():
    with pytest.raises(MetricError, match=r"no target trial has a score \(1 failed\)"):
        metrics.false_non_match_rate([np.nan], threshold=0)
    with pytest.raises(MetricError, match="no non-target trial"):
        metrics.false_match_rate([], threshold=0)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_bob_measure_agrees_where_it_is_right(free):
    """Its rates at a threshold, its cost un-normalised, its equal errors nearly."""
    bob_measure = pytest.importorskip("bob.measure")
    targets, impostors = free

    far, frr = bob_measure.farfrr(impostors, targets, 0.3)
    threshold = bob_measure.min_weighted_error_rate_threshold(impostors, targets, 0.99)
    costs = bob_measure.farfrr(impostors, targets, threshold)
    equal = bob_measure.eer(impostors, targets)

    assert metrics.false_match_rate(impostors, threshold=0.3) == pytest.approx(far)
    assert metrics.false_non_match_rate(targets, threshold=0.3) == pytest.approx(frr)
    dcf = (0.99 * costs[0] + 0.01 * costs[1]) / 0.01
    assert metrics.min_dcf(*free) == pytest.approx(dcf, abs=1e-12)
    assert metrics.equal_error_rate(*free) == pytest.approx(equal, abs=1 / 2000)
