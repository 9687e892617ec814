"""Steps against scikit-learn's isotonic regression and against all partitions."""

import itertools
import math

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression

from bob.learn.pytorch.calibration import (
    CalibrationError,
    IsotonicCalibration,
    TrainingTrials,
    fit_isotonic,
)


def tied(seed, targets=60, non_targets=200):
    """Scores of which many are equal."""
    random = np.random.default_rng(seed)
    return (
        random.normal(1, 1.5, targets).round(),
        random.normal(-1, 1.5, non_targets).round(),
    )


def best_by_force(counts):
    """Highest likelihood of targets over all ways to cut the scores into pools."""
    best = (-math.inf, None)
    for cuts in itertools.product([False, True], repeat=len(counts) - 1):
        starts = [0, *(i + 1 for i, cut in enumerate(cuts) if cut)]
        pools = np.add.reduceat(counts, starts, axis=0)
        share = pools[:, 0] / pools.sum(axis=1)
        if (np.diff(share) <= 0).any():
            continue
        with np.errstate(divide="ignore", invalid="ignore"):
            terms = pools * np.log(np.stack([share, 1 - share], axis=1))
        likelihood = np.where(pools == 0, 0, terms).sum()
        if likelihood > best[0] + 1e-12:
            best = (likelihood, starts)
    return best[1]


@pytest.mark.parametrize("seed", range(20))
def test_pools_are_the_best_of_all(seed):
    counts = np.random.default_rng(seed).integers(0, 4, (9, 2))
    counts[counts.sum(axis=1) == 0] = 1
    sides = [np.repeat(np.arange(9), column) for column in counts.T]

    found = fit_isotonic(*sides, bounded=False)

    starts = best_by_force(counts)
    assert found.thresholds == tuple(start - 0.5 for start in starts[1:])
    pooled = np.add.reduceat(counts, starts, axis=0)
    with np.errstate(divide="ignore"):
        ratios = np.log(pooled[:, 0] / pooled[:, 1]) - np.log(np.divide(*counts.sum(0)))
    np.testing.assert_allclose(found.ratios, ratios, atol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_ratios_are_those_of_scikit_learn_with_heavy_ties(seed):
    targets, non_targets = tied(seed)
    scores = np.concatenate([targets, non_targets])
    label = np.arange(260) < 60
    share = IsotonicRegression().fit(scores, label).predict(scores)
    with np.errstate(divide="ignore"):
        expected = np.log(share / (1 - share)) - math.log(60 / 200)

    found = fit_isotonic(targets, non_targets, bounded=False)(scores)

    np.testing.assert_allclose(found, expected, atol=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_bounded_ratios_are_finite_and_rise(seed):
    calibration = fit_isotonic(*tied(seed))

    ratios = calibration([-np.inf, *np.linspace(-9, 9, 99), np.inf])

    assert np.isfinite(ratios).all()
    assert (np.diff(ratios) >= 0).all()
    assert ratios[0] < 0 < ratios[-1]
    unbounded = fit_isotonic(*tied(seed), bounded=False)
    assert np.abs(ratios).max() <= np.abs(unbounded([-99.0, 99.0])).max()


def test_a_bound_is_a_trial_of_each_kind_at_both_ends():
    """0 | 1 with 2 and 4 trials: (1 of 5, 3 of 3 + 1) at odds of 4 to 6."""
    calibration = fit_isotonic([1.0] * 2, [0.0] * 4)

    prior = math.log(4 / 6)
    assert calibration.thresholds == (0.5,)
    assert calibration.ratios == pytest.approx(
        (math.log(1 / 5) - prior, math.log(3 / 1) - prior)
    )


def test_scores_at_a_threshold_belong_to_the_step_above():
    calibration = IsotonicCalibration((0.5,), (-1.0, 2.0), TrainingTrials(1, 1))

    found = calibration([[0.5, 0.4999], [np.nan, np.inf]])

    np.testing.assert_array_equal(found, [[2, -1], [np.nan, 2]])


def test_neighbouring_floats_and_infinities_are_told_apart():
    next_one = np.nextafter(1.0, 2.0)
    close = fit_isotonic([next_one], [1.0], bounded=False)
    assert close([1.0, next_one]).tolist() == [-np.inf, np.inf]

    outer = fit_isotonic([np.inf], [-np.inf], bounded=False)
    assert outer([-np.inf, np.inf]).tolist() == [-np.inf, np.inf]


def test_failures_are_left_out_and_counted():
    calibration = fit_isotonic([1.0, np.nan, 0.0], [0.0, np.nan])

    assert calibration.trained_on == TrainingTrials(2, 1, 2)
    with pytest.raises(CalibrationError, match="0 target and 1 non-target"):
        fit_isotonic([np.nan], [1.0])


def test_scores_without_information_have_one_ratio():
    assert fit_isotonic([1.0, 0.0], [1.0, 0.0]).ratios == pytest.approx((0,))
    assert fit_isotonic([0.0], [1.0], bounded=False).ratios == (0,)


@pytest.mark.parametrize(
    ("thresholds", "ratios"),
    [((1.0,), (0.0,)), ((1.0, 0.5), (0.0, 1.0, 2.0)), ((1.0,), (1.0, 0.0))],
)
def test_steps_that_do_not_rise_are_refused(thresholds, ratios):
    with pytest.raises(CalibrationError, match="no steps"):
        IsotonicCalibration(thresholds, ratios, TrainingTrials(1, 1))
