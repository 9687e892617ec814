"""Every figure against exact fractions worked out one threshold at a time."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import SCORES, crossing, inner_corners

from bob.learn.pytorch.metrics import ErrorCurve, MetricError


def roc(targets, non_targets):
    """(FMR, FNMR) of every decision, by counting, from "accept all" on."""
    points = [
        (
            Fraction(sum(n >= t for n in non_targets), len(non_targets)),
            Fraction(sum(p < t for p in targets), len(targets)),
        )
        for t in sorted({*targets, *non_targets})
    ]
    return [*points, (Fraction(0), Fraction(1))]


@given(SCORES, SCORES)
def test_every_decision_is_counted(targets, non_targets):
    curve = ErrorCurve.from_scores(targets, non_targets)

    found = list(zip(curve.false_match_rates, curve.false_non_match_rates, strict=True))

    assert found == [(float(x), float(y)) for x, y in roc(targets, non_targets)]


@given(SCORES, SCORES)
def test_every_threshold_makes_the_errors_it_stands_for(targets, non_targets):
    curve = ErrorCurve.from_scores(targets, non_targets)

    for index, threshold in enumerate(curve.thresholds):
        accepted = np.count_nonzero(np.array(non_targets) >= threshold)
        missed = len(targets) - np.count_nonzero(np.array(targets) >= threshold)
        assert (accepted, missed) == (curve.false_matches[index], curve.misses[index])


@given(SCORES, SCORES)
def test_equal_error_rate_is_interpolated_between_neighbours(targets, non_targets):
    points = roc(targets, non_targets)
    expected = next(
        crossing(a, b) for a, b in pairwise(points) if a[0] >= a[1] and b[0] <= b[1]
    )

    curve = ErrorCurve.from_scores(targets, non_targets)

    assert curve.equal_error_rate() == float(expected)
    assert curve.corners().equal_error_rate() == curve.equal_error_rate()


@given(SCORES, SCORES)
def test_hull_equal_error_rate_is_the_least_over_all_mixtures(targets, non_targets):
    """Mixing two decisions at random reaches every point between them."""
    points = roc(targets, non_targets)
    expected = min(
        crossing(a, b) for a in points for b in points if a[0] >= a[1] and b[0] <= b[1]
    )

    curve = ErrorCurve.from_scores(targets, non_targets)

    assert curve.rocch_equal_error_rate() == float(expected)
    assert curve.corners().rocch_equal_error_rate() == curve.rocch_equal_error_rate()


@given(
    SCORES,
    SCORES,
    st.sampled_from([Fraction(1, 1000), Fraction(1, 100), Fraction(1, 2)]),
    st.sampled_from([1, 10]),
)
def test_min_dcf_is_the_least_over_all_decisions(targets, non_targets, prior, c_miss):
    costs = [c_miss * prior * y + (1 - prior) * x for x, y in roc(targets, non_targets)]
    expected = min(costs) / min(c_miss * prior, 1 - prior)

    curve = ErrorCurve.from_scores(targets, non_targets)

    for same in (curve, curve.corners()):
        found = same.min_dcf(p_target=float(prior), c_miss=c_miss)
        assert found == pytest.approx(float(expected), abs=1e-12)
    assert expected <= 1


@given(SCORES, SCORES)
def test_corners_leave_out_only_what_lies_between(targets, non_targets):
    expected = inner_corners(roc(targets, non_targets))

    corners = ErrorCurve.from_scores(targets, non_targets).corners()

    rates = zip(corners.false_match_rates, corners.false_non_match_rates, strict=True)
    assert list(rates)[1:-1] == [(float(x), float(y)) for x, y in expected]


@given(SCORES, SCORES)
def test_equal_error_point_is_the_nearest_decision(targets, non_targets):
    expected = min((abs(x - y), x + y) for x, y in roc(targets, non_targets))

    point = ErrorCurve.from_scores(targets, non_targets).equal_error_point()

    x, y = point.false_match_rate, point.false_non_match_rate
    assert (abs(x - y), x + y) == pytest.approx(tuple(map(float, expected)))


def test_thresholds_lie_half_way_between_scores():
    curve = ErrorCurve.from_scores([1.0, 4.0], [0.0])

    np.testing.assert_array_equal(curve.thresholds[:-1], [0.0, 0.5, 2.5])
    assert 4.0 < curve.thresholds[-1] < 4.000001


def test_no_number_rejects_a_score_of_infinity():
    curve = ErrorCurve.from_scores([np.inf], [0.0])

    assert np.isnan(curve.thresholds[-1])
    assert curve.misses[-1] == 1


def test_scores_without_a_value_are_counted_and_left_out():
    curve = ErrorCurve.from_scores([1.0, np.nan, 2.0], [np.nan, np.nan, 0.0])

    assert (curve.targets, curve.non_targets, curve.failures) == (2, 1, 3)
    assert curve.equal_error_rate() == 0


def test_scores_of_any_shape_and_kind_are_taken():
    matrix = ErrorCurve.from_scores(np.array([[2, 3]], dtype=np.float32), [[0], [1]])

    assert (matrix.targets, matrix.non_targets) == (2, 2)


def test_the_scores_that_came_are_left_as_they_are():
    targets, non_targets = np.array([3.0, 1.0]), np.array([2.0, 0.0])

    ErrorCurve.from_scores(targets, non_targets)

    assert targets.tolist() == [3, 1]
    assert non_targets.tolist() == [2, 0]


@pytest.mark.parametrize(
    ("targets", "non_targets"),
    [([], [1.0]), ([1.0], []), ([], []), ([np.nan], [1.0]), ([1.0], [np.nan])],
)
def test_one_kind_of_trial_alone_is_refused_with_the_counts(targets, non_targets):
    with pytest.raises(MetricError, match=r"\d target and \d non-target trials have"):
        ErrorCurve.from_scores(targets, non_targets)


@pytest.mark.parametrize(
    "wrong",
    [
        {"p_target": 0},
        {"p_target": 1},
        {"p_target": np.nan},
        {"c_miss": 0},
        {"c_fa": np.inf},
    ],
)
def test_impossible_priors_and_costs_are_refused(wrong):
    curve = ErrorCurve.from_scores([1.0], [0.0])

    with pytest.raises(MetricError, match="the usual value is"):
        curve.min_dcf(**wrong)
