"""FNMR at an FMR and the other way round, by trying every threshold."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bob.learn.pytorch.metrics import (
    MetricError,
    fmr_at_fnmr,
    fnmr_at_fmr,
    operating_point,
)

SCORES = st.lists(
    st.sampled_from([-np.inf, -2.0, -1.0, -0.0, 0.0, 0.5, 1.0, 3.0, np.inf]),
    min_size=1,
    max_size=30,
)
RATES = st.one_of(st.sampled_from([0.0, 0.1, 0.29, 0.5, 1.0]), st.floats(0, 1))


def decisions(targets, non_targets):
    """(FMR, FNMR) of "accept none" and of every score as a threshold."""
    targets, non_targets = np.array(targets), np.array(non_targets)
    found = [
        (float(np.mean(non_targets >= t)), float(np.mean(targets < t)))
        for t in {*targets, *non_targets}
    ]
    return [*found, (0.0, 1.0)]


@given(SCORES, SCORES, RATES)
def test_the_least_fnmr_that_an_fmr_allows(targets, non_targets, rate):
    expected = min((y, x) for x, y in decisions(targets, non_targets) if x <= rate)

    point = fnmr_at_fmr(targets, non_targets, rate=rate)

    found = point.false_non_match_rate, point.false_match_rate
    assert found == pytest.approx(expected, abs=1e-15)


@given(SCORES, SCORES, RATES)
def test_the_least_fmr_that_an_fnmr_allows(targets, non_targets, rate):
    expected = min(pair for pair in decisions(targets, non_targets) if pair[1] <= rate)

    point = fmr_at_fnmr(targets, non_targets, rate=rate)

    found = point.false_match_rate, point.false_non_match_rate
    assert found == pytest.approx(expected, abs=1e-15)


def test_a_rate_that_is_met_exactly_counts_as_met():
    """0.29 x 100 is less than 29 in floating point; 29 of 100 is 0.29 all the same."""
    point = fnmr_at_fmr([28.5], range(100), rate=0.72 - 0.01)

    assert point.false_match_rate == 0.71
    assert fnmr_at_fmr([0.0], np.arange(100), rate=0.29).false_match_rate <= 0.29


def test_a_point_has_the_rates_of_its_threshold():
    targets, non_targets = [1.0, 2.0, 5.0, np.nan], [0.0, 1.5, 3.0, 4.0]

    point = fnmr_at_fmr(targets, non_targets, rate=0.25)

    assert point == operating_point(targets, non_targets, threshold=point.threshold)
    assert point.false_match_rate == 0
    assert point.false_non_match_rate == pytest.approx(2 / 3)


@pytest.mark.parametrize("rate", [-0.1, 1.1, np.nan, 5])
def test_what_is_no_rate_is_refused(rate):
    for measure in (fnmr_at_fmr, fmr_at_fnmr):
        with pytest.raises(MetricError, match="fraction between 0 and 1"):
            measure([1.0], [0.0], rate=rate)
