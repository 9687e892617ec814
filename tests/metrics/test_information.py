"""Cllr and min Cllr against the sums of their definitions and other packages."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import SCORES, logistic_scores

from bob.learn.pytorch.metrics import ErrorCurve, MetricError, cllr, min_cllr


def slow_min_cllr(targets, non_targets):
    """Pool adjacent violators one by one, in fractions, then the sum of Cllr."""
    blocks = []
    for score in sorted({*targets, *non_targets}):
        blocks.append([targets.count(score), non_targets.count(score)])
        while len(blocks) > 1 and Fraction(blocks[-2][0], sum(blocks[-2])) >= Fraction(
            blocks[-1][0], sum(blocks[-1])
        ):
            last = blocks.pop()
            blocks[-1] = [a + b for a, b in zip(blocks[-1], last, strict=True)]
    total = 0.0
    for t, n in blocks:
        if t and n:
            ratio = (t / len(targets)) / (n / len(non_targets))
            total += t / len(targets) * math.log2(1 + 1 / ratio)
            total += n / len(non_targets) * math.log2(1 + ratio)
    return total / 2


@pytest.fixture
def tied():
    return logistic_scores()


@given(
    st.lists(st.floats(-50, 50), min_size=1, max_size=30),
    st.lists(st.floats(-50, 50), min_size=1, max_size=30),
)
def test_cllr_is_the_mean_cost_in_bits(targets, non_targets):
    expected = sum(math.log2(1 + math.exp(-x)) for x in targets) / len(targets)
    expected += sum(math.log2(1 + math.exp(x)) for x in non_targets) / len(non_targets)

    assert cllr(targets, non_targets) == pytest.approx(expected / 2, abs=1e-12)


@given(SCORES, SCORES)
def test_min_cllr_is_that_of_pooled_adjacent_violators(targets, non_targets):
    found = min_cllr(targets, non_targets)

    assert found == pytest.approx(slow_min_cllr(targets, non_targets), abs=1e-12)
    assert -1e-12 <= found <= 1 + 1e-12


@given(SCORES, SCORES)
def test_the_hull_keeps_every_least_cost_and_bends_one_way(targets, non_targets):
    curve = ErrorCurve.from_scores(targets, non_targets)

    hull = curve.hull()

    for prior in (0.001, 0.05, 0.5, 0.9):
        assert hull.min_dcf(p_target=prior) == pytest.approx(
            curve.min_dcf(p_target=prior), abs=1e-12
        )
    assert hull.rocch_equal_error_rate() == pytest.approx(
        curve.rocch_equal_error_rate(), abs=1e-12
    )
    x, y = np.diff(hull.false_match_rates), np.diff(hull.false_non_match_rates)
    assert (x[:-1] * y[1:] - x[1:] * y[:-1] <= 1e-12).all()
    assert (hull.misses[0], hull.false_matches[0]) == (0, len(non_targets))
    assert (hull.misses[-1], hull.false_matches[-1]) == (len(targets), 0)


def test_llreval_says_the_same_of_tied_scores(tied):
    """PyPI's llreval 0.0.3: cllr(), min_cllr(PAV), ROCCH(PAV).EER() on these scores."""
    assert cllr(*tied) == pytest.approx(0.34173756739716554, abs=1e-13)
    assert min_cllr(*tied) == pytest.approx(0.30653443183119594, abs=1e-13)
    eer = ErrorCurve.from_scores(*tied).rocch_equal_error_rate()
    assert eer == pytest.approx(0.080355329947256, abs=1e-10)


def test_isotonic_regression_of_scikit_learn_gives_the_same_minimum(tied):
    from sklearn.isotonic import IsotonicRegression

    targets, non_targets = tied
    labels = np.repeat([1.0, 0.0], [len(targets), len(non_targets)])
    posterior = IsotonicRegression().fit_transform(np.concatenate(tied), labels)
    with np.errstate(divide="ignore"):
        odds = np.log(posterior / (1 - posterior)) - np.log(300 / 2000)

    assert min_cllr(*tied) == pytest.approx(cllr(odds[:300], odds[300:]), abs=1e-12)


def test_scores_that_say_nothing_cost_one_bit():
    assert cllr([0, 0], [0]) == 1
    assert min_cllr([7, 7], [7]) == 1
    assert min_cllr([1, 2], [3]) == 1  # the wrong way round: nothing to be saved


def test_well_calibrated_scores_of_normal_curves_lose_nothing():
    """Targets N(m/2, m), impostors N(-m/2, m) are their own log-likelihood ratios."""
    random = np.random.default_rng(0)
    targets = random.normal(4, np.sqrt(8), 200_000)
    impostors = random.normal(-4, np.sqrt(8), 200_000)

    found = cllr(targets, impostors)

    # Numerically: the integral of the density times log2(1 + exp(-x)).
    x = np.linspace(-40, 50, 200_001)
    density = np.exp(-((x - 4) ** 2) / 16) / np.sqrt(16 * np.pi)
    expected = np.sum(density * np.log2(1 + np.exp(-x))) * (x[1] - x[0])
    assert found == pytest.approx(expected, abs=2e-3)
    assert 0 <= found - min_cllr(targets, impostors) < 1e-3


def test_a_certainty_costs_nothing_when_right_and_everything_when_wrong():
    assert cllr([np.inf], [-np.inf]) == 0
    assert cllr([-np.inf, 3], [0]) == np.inf
    assert cllr([3], [np.inf]) == np.inf
    assert min_cllr([-np.inf, 3], [0]) < 1


def test_large_scores_do_not_overflow():
    """A factor of e^1000 wrong is 1000 nats; bob.measure raises OverflowError here."""
    assert cllr([-1000.0], [-1000.0]) == pytest.approx(500 / np.log(2))


def test_costs_beyond_the_largest_number_are_infinite_without_a_warning():
    assert cllr([1.0], [1.7e308]) == np.inf
    assert cllr([-1e308, -1e308], [0]) == np.inf  # their sum is above 1.8e308
    assert cllr([1.7e308], [-1.7e308]) == 0


def test_failures_are_left_out():
    assert cllr([np.nan, 0], [0, np.nan]) == 1
    assert min_cllr([np.nan, 1], [0]) == 0


@pytest.mark.parametrize("measure", [cllr, min_cllr])
@pytest.mark.parametrize("scores", [([], [1.0]), ([1.0], []), ([np.nan], [1.0])])
def test_one_kind_of_trial_alone_is_refused(measure, scores):
    with pytest.raises(MetricError, match="at least one of each is needed"):
        measure(*scores)
