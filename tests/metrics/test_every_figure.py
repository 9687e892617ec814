"""Every public figure against counting, one threshold at a time, in exact fractions."""

import math
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from oracles import crossing, inner_corners

from bob.learn.pytorch import metrics
from bob.learn.pytorch.metrics import DetectionCost, ErrorCurve, MetricError

# Few values, so that nearly every trial is tied with others; or the ends of what a
# number can be; or any number. NaN is a trial that failed.
TIED = st.sampled_from([-np.inf, -1.0, -0.0, 0.0, 0.5, 1.0, 3.0, np.inf, np.nan])
ENDS = st.sampled_from(
    [-1.7e308, -5e-324, 0.0, 5e-324, 1e-323, 2.5e-308, 1e308, 1.7e308]
)
SCORES = st.one_of(
    *(st.lists(some, min_size=1, max_size=25) for some in (TIED, ENDS, st.floats()))
).filter(lambda scores: not np.isnan(scores).all())
PRIORS = st.sampled_from([0.001, 0.01, 0.05, 0.3, 0.5, 0.9])
COSTS = st.sampled_from([0.1, 1, 10])
THRESHOLDS = st.one_of(st.sampled_from([-np.inf, 0.0, 0.5, 1.0, np.inf]), st.floats())


def scored(scores):
    return [score for score in scores if not math.isnan(score)]


def share(count, scores):
    return Fraction(count, len(scored(scores)))


def fmr(non_targets, threshold):
    return share(sum(x >= threshold for x in scored(non_targets)), non_targets)


def fnmr(targets, threshold):
    return share(sum(not x >= threshold for x in scored(targets)), targets)


def decisions(targets, non_targets):
    """(FMR, FNMR) from "accept all" to "accept none"."""
    found = [
        (fmr(non_targets, threshold), fnmr(targets, threshold))
        for threshold in sorted({*scored(targets), *scored(non_targets)})
    ]
    return [*found, (Fraction(0), Fraction(1))]


def astride(pairs):
    return [
        crossing(a, b) for a, b in pairs if a[0] >= a[1] and b[0] <= b[1] and a != b
    ]


def cost(point, prior, miss, false_match):
    """Normalised, from its definition."""
    weights = (
        Fraction(miss) * Fraction(prior),
        Fraction(false_match) * (1 - Fraction(prior)),
    )
    return (weights[0] * point[1] + weights[1] * point[0]) / min(weights)


def bits(log_odds):
    """log2(1 + exp(x)), in double precision whatever x is."""
    if log_odds > 700:
        return log_odds / math.log(2)
    return math.log2(1 + math.exp(log_odds)) if log_odds > -700 else 0.0


@given(SCORES, SCORES)
def test_equal_error_rates(targets, non_targets):
    points = decisions(targets, non_targets)

    eer = metrics.equal_error_rate(targets, non_targets)
    rocch = metrics.rocch_equal_error_rate(targets, non_targets)

    assert eer == float(astride(pairwise(points))[0])
    assert rocch == float(min(astride((a, b) for a in points for b in points)))


@given(SCORES, SCORES)
def test_the_equal_error_threshold_makes_the_rates_nearest(targets, non_targets):
    nearest = min(abs(x - y) for x, y in decisions(targets, non_targets))

    threshold = metrics.equal_error_threshold(targets, non_targets)

    rates = fmr(non_targets, threshold), fnmr(targets, threshold)
    assert abs(rates[0] - rates[1]) == nearest


@given(SCORES, SCORES, PRIORS, COSTS, COSTS)
def test_the_least_cost_and_its_threshold(targets, non_targets, prior, miss, wrong):
    application = {"p_target": prior, "c_miss": miss, "c_fa": wrong}
    points = decisions(targets, non_targets)
    least = min(cost(point, prior, miss, wrong) for point in points)

    point = metrics.min_dcf_point(targets, non_targets, **application)

    # A threshold of NaN rejects all, as no number does where a score is infinite.
    there = fmr(non_targets, point.threshold), fnmr(targets, point.threshold)
    assert float(cost(there, prior, miss, wrong)) == pytest.approx(
        float(least), rel=1e-12
    )
    found = metrics.min_dcf(targets, non_targets, **application)
    assert found == pytest.approx(float(least), rel=1e-12)
    assert point.false_match_rate == float(there[0])
    assert point.false_non_match_rate == float(there[1])


@given(SCORES, SCORES, THRESHOLDS, PRIORS, COSTS)
def test_rates_and_costs_at_a_threshold(targets, non_targets, threshold, prior, miss):
    x, y = fmr(non_targets, threshold), fnmr(targets, threshold)
    both = targets, non_targets

    point = metrics.operating_point(*both, threshold=threshold)

    assert point.false_match_rate == float(x)
    assert point.false_non_match_rate == float(y)
    assert metrics.false_match_rate(non_targets, threshold=threshold) == float(x)
    assert metrics.false_non_match_rate(targets, threshold=threshold) == float(y)
    half = metrics.half_total_error_rate(*both, threshold=threshold)
    assert half == pytest.approx(float((x + y) / 2), rel=1e-15)
    actual = metrics.act_dcf(*both, threshold=threshold, p_target=prior, c_miss=miss)
    assert actual == pytest.approx(float(cost((x, y), prior, miss, 1)), rel=1e-12)
    assert point.dcf(p_target=prior, c_miss=miss) == actual
    weights = DetectionCost(prior, miss).weights
    means = metrics.TrialMean.at(threshold, miss=weights[0], false_match=weights[1])
    assert means.of(*both) == pytest.approx(actual, rel=1e-12)
    assert metrics.TrialMean.at(threshold, miss=0.5, false_match=0.5).of(
        *both
    ) == pytest.approx(half, rel=1e-12)
    assert metrics.TrialMean.at(threshold, false_match=1.0).of(
        [], non_targets
    ) == pytest.approx(float(x))
    assert metrics.TrialMean.at(threshold, miss=1.0).of(targets, []) == pytest.approx(
        float(y)
    )


@given(SCORES, SCORES, st.sampled_from(sorted(metrics.PRESETS)))
def test_preset_costs_at_the_best_and_at_the_threshold_of_bayes(
    targets, non_targets, name
):
    preset = metrics.PRESETS[name]
    points = decisions(targets, non_targets)
    least, actual = [], []
    for one in preset.costs:
        each = one.p_target, one.c_miss, one.c_fa
        least.append(min(cost(point, *each) for point in points))
        odds = one.p_target / (1 - one.p_target)
        threshold = -math.log(odds * one.c_miss / one.c_fa)
        here = fmr(non_targets, threshold), fnmr(targets, threshold)
        actual.append(cost(here, *each))
    expected = [float(sum(some) / len(some)) for some in (least, actual)]
    curve = ErrorCurve.from_scores(targets, non_targets)

    found = metrics.figures(targets, non_targets, cost=preset)

    assert [found.min_dcf, found.act_dcf] == pytest.approx(expected, rel=1e-12)
    assert preset.minimum(curve) == pytest.approx(expected[0], rel=1e-12)
    assert preset.actual(targets, non_targets) == pytest.approx(expected[1], rel=1e-12)
    mean = metrics.actual_cost_mean(preset).of(targets, non_targets)
    assert mean == pytest.approx(expected[1], rel=1e-12)


@given(SCORES, SCORES)
def test_cllr_is_infinite_only_where_a_certainty_is_wrong(targets, non_targets):
    expected = sum(bits(-x) for x in scored(targets)) / len(scored(targets))
    expected += sum(bits(x) for x in scored(non_targets)) / len(scored(non_targets))
    # A sum of costs may be beyond any number although none is infinite.
    assume(
        expected < math.inf
        or math.inf in {-min(scored(targets)), max(scored(non_targets))}
    )

    found = metrics.cllr(targets, non_targets)

    assert found == pytest.approx(expected / 2, rel=1e-12)
    mean = metrics.CLLR.of(targets, non_targets)
    assert mean == pytest.approx(expected / 2, rel=1e-12)


@given(SCORES, SCORES)
def test_thresholds_of_the_hull_make_its_errors(targets, non_targets):
    hull = ErrorCurve.from_scores(targets, non_targets).hull()

    for place, threshold in enumerate(hull.thresholds):
        assert hull.false_match_rates[place] == float(fmr(non_targets, threshold))
        assert hull.false_non_match_rates[place] == float(fnmr(targets, threshold))


@given(SCORES, SCORES)
def test_all_figures_at_once(targets, non_targets):
    found = metrics.figures(targets, non_targets)

    both = targets, non_targets
    assert found.targets == len(scored(targets))
    assert found.non_targets == len(scored(non_targets))
    assert found.failures == sum(map(math.isnan, targets + non_targets))
    assert found.eer == metrics.equal_error_rate(*both)
    np.testing.assert_equal(found.eer_threshold, metrics.equal_error_threshold(*both))
    assert found.rocch_eer == metrics.rocch_equal_error_rate(*both)
    assert found.cllr == metrics.cllr(*both)
    assert found.min_cllr == pytest.approx(metrics.min_cllr(*both), abs=1e-13)
    (only,) = found.costs
    rates = (
        fmr(non_targets, only.min_dcf_threshold),
        fnmr(targets, only.min_dcf_threshold),
    )
    assert only.min_dcf == pytest.approx(float(cost(rates, 0.01, 1, 1)), rel=1e-12)


@given(SCORES, SCORES)
def test_det_points_are_the_corners(targets, non_targets):
    points = decisions(targets, non_targets)
    corners = inner_corners(points)

    found = list(zip(*metrics.det_points(targets, non_targets), strict=True))

    assert found == [(float(x), float(y)) for x, y in [points[0], *corners, points[-1]]]


@given(st.lists(TIED, min_size=1))
def test_failure_to_acquire(scores):
    expected = Fraction(len(scores) - len(scored(scores)), len(scores))

    assert metrics.failure_to_acquire(scores) == float(expected)


@pytest.mark.parametrize(
    "scores", [([1.0, np.nan], [np.nan]), ([], [np.inf]), ([np.nan], [0.0, 0.0])]
)
def test_one_kind_alone_is_refused_by_what_needs_both(scores):
    even = metrics.find_costs("0.5")
    for figure in (
        metrics.equal_error_rate,
        metrics.equal_error_threshold,
        metrics.rocch_equal_error_rate,
        metrics.min_dcf,
        metrics.min_dcf_point,
        metrics.det_points,
        metrics.cllr,
        metrics.min_cllr,
        even.actual,
        lambda *both: metrics.act_dcf(*both, threshold=0),
        lambda *both: metrics.half_total_error_rate(*both, threshold=0),
        lambda *both: metrics.operating_point(*both, threshold=0),
        lambda *both: metrics.fnmr_at_fmr(*both, rate=0.1),
        lambda *both: metrics.fmr_at_fnmr(*both, rate=0.1),
        lambda *both: metrics.bayes_error_rates(*both, log_odds=[0]),
        metrics.actual_cost_mean(even).of,
    ):
        with pytest.raises(MetricError, match="at least one"):
            figure(*scores)
    assert math.isnan(metrics.figures(*scores).eer)
