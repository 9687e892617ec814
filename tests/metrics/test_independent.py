"""Figures beside those of other people's packages, on random tied scores.

`expected_cost` and `llreval` are on PyPI; without them these tests skip, and numbers
that they gave are in `test_costs.py` and `test_information.py`.
"""

import math

import numpy as np
import pytest

from bob.learn.pytorch import metrics
from bob.learn.pytorch.metrics import DetectionCost, find_costs

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def scores(seed, *, decimals):
    """Log-likelihood ratios, none of which is a threshold of Bayes."""
    random = np.random.default_rng(seed)
    targets = random.normal(3, 2, random.integers(1, 400)).round(decimals)
    non_targets = random.normal(-3, 2, random.integers(1, 4000)).round(decimals)
    return targets, non_targets


def labelled(targets, non_targets):
    labels = np.repeat([1, 0], [targets.size, non_targets.size])
    return np.concatenate([targets, non_targets]), labels


@pytest.mark.parametrize("decimals", [0, 1, 12])
@pytest.mark.parametrize("seed", range(10))
def test_llreval_gives_the_same(seed, decimals):
    rates = pytest.importorskip("llreval.bayes_error_rate")
    information = pytest.importorskip("llreval.cllr")
    hulls = pytest.importorskip("llreval.pav_rocch")
    targets, non_targets = scores(seed, decimals=decimals)
    pav = hulls.PAV(*labelled(targets, non_targets))
    odds = np.linspace(-7.03, 6.98, 41)
    default = rates.default_error_rate(odds)
    actual = rates.fast_Bayes_error_rate(*labelled(targets, non_targets), odds)
    minimum = hulls.ROCCH(pav).Bayes_error_rate(odds)

    found = metrics.bayes_error_rates(targets, non_targets, log_odds=odds)

    cllr = information.cllr(targets, non_targets)
    assert metrics.cllr(targets, non_targets) == pytest.approx(cllr, abs=1e-12)
    least = information.min_cllr(pav)
    assert metrics.min_cllr(targets, non_targets) == pytest.approx(least, abs=1e-12)
    np.testing.assert_allclose(found.actual * default, actual, rtol=1e-9)
    np.testing.assert_allclose(found.minimum * default, minimum, rtol=1e-9, atol=1e-12)
    # It looks for the largest Bayes error rate by search, to a few digits.
    eer = metrics.rocch_equal_error_rate(targets, non_targets)
    assert eer == pytest.approx(hulls.ROCCH(pav).EER(), abs=1e-5)


@pytest.mark.parametrize("cost", [(0.01, 1, 1), (0.05, 1, 1), (0.01, 10, 1)])
@pytest.mark.parametrize("seed", range(5))
def test_expected_cost_gives_the_same(seed, cost):
    """Its parts, as `average_cost` takes the priors of decisions for those of classes.

    Its least cost counts in single precision, and takes ties in file order.
    """
    package = pytest.importorskip("expected_cost.ec")
    tied, free = scores(seed, decimals=1), scores(seed, decimals=12)
    prior, miss, false_match = cost
    costs, priors = (
        package.CostMatrix([[0, false_match], [miss, 0]]),
        [1 - prior, prior],
    )
    least_weight = min(miss * prior, false_match * (1 - prior))
    own = find_costs(f"{miss}:{false_match}:{prior}")

    for some in (tied, free):
        ratios, labels = labelled(*some)
        decisions, _ = package.bayes_decisions(
            ratios, costs, priors, "log_likelihood_ratios", silent=True
        )
        confusion = package.generalized_confusion_matrix(
            labels, decisions, normalize="true", num_targets=2, num_decisions=2
        )
        actual = package.average_cost_from_confusion_matrix(
            confusion, np.array(priors), costs
        )
        assert own.actual(*some) == pytest.approx(actual / least_weight, rel=1e-9)
    ratios, labels = labelled(*free)
    least = package.average_cost_for_optimal_decisions(
        labels, ratios, costs, priors, score_type="log_likelihood_ratios"
    )
    curve = metrics.ErrorCurve.from_scores(*free)
    assert own.minimum(curve) == pytest.approx(least / least_weight, rel=1e-5)


@pytest.mark.parametrize("decimals", [0, 1, 12])
@pytest.mark.parametrize("seed", range(5))
def test_bob_measure_gives_the_same_where_it_is_right(seed, decimals):
    """Rates at a threshold, FNMR at an FMR, HTER, Cllr of moderate scores.

    Its least weighted error is that of its threshold; its min Cllr and its EER on the
    hull raise, and its Cllr overflows above 710.
    """
    bob_measure = pytest.importorskip("bob.measure")
    from bob.measure import calibration

    targets, non_targets = scores(seed, decimals=decimals)
    both = targets, non_targets
    threshold = 0.123
    fmr, fnmr = bob_measure.farfrr(non_targets, targets, threshold)

    point = metrics.operating_point(*both, threshold=threshold)

    assert (point.false_match_rate, point.false_non_match_rate) == (fmr, fnmr)
    assert point.half_total_error_rate == pytest.approx((fmr + fnmr) / 2)
    cllr = calibration.cllr(non_targets, targets)
    assert metrics.cllr(*both) == pytest.approx(cllr, abs=1e-12)
    for prior in (0.01, 0.5):
        at = bob_measure.min_weighted_error_rate_threshold(
            non_targets, targets, 1 - prior
        )
        one = DetectionCost(prior)
        theirs = metrics.act_dcf(*both, threshold=at, p_target=prior)
        found = metrics.min_dcf(*both, p_target=prior)
        assert found <= theirs + 1e-12
        if decimals == 12:  # of tied scores it may find another threshold
            assert found == pytest.approx(theirs, abs=1e-12)
        assert one.threshold == pytest.approx(math.log((1 - prior) / prior))
