"""Intervals: against resampling by hand, and against their promise."""

from functools import partial

import numpy as np
import pytest
from scipy.integrate import trapezoid
from scipy.stats import norm
from score_tables import table

from bob.learn.pytorch.metrics import (
    ErrorCurve,
    MetricError,
    ScoreTable,
    confidence_intervals,
    equal_error_rate,
    min_dcf,
    resampled_curves,
    rocch_equal_error_rate,
)
from bob.learn.pytorch.metrics.bootstrap import corrected_percentiles, percentiles


def speakers_table(seed, *, speakers=12, probes_each=5, rounded=None):
    """Speakers are points; recordings scatter around them; near means alike."""
    random = np.random.default_rng(seed)
    places = random.normal(size=(speakers, 6))
    references = places + random.normal(size=places.shape) * 0.4
    owner = np.repeat(np.arange(speakers), probes_each)
    probes = places[owner] + random.normal(size=(owner.size, 6)) * 0.8
    scores = -np.square(references[:, None] - probes).sum(axis=-1)
    if rounded is not None:
        scores = scores.round(rounded)
    return table(scores, owner)


def by_hand(table, copies):
    """Scores of a resample with every trial written out as often as it counts."""
    claimed, real = table.claimed.tolist(), table.real.tolist()
    targets, non_targets = [], []
    for reference, probe, score in zip(claimed, real, table.score, strict=True):
        if reference == probe:
            targets += [score] * copies[reference]
        else:
            non_targets += [score] * (copies[reference] * copies[probe])
    return targets, non_targets


def test_resampled_curves_equal_trials_written_out():
    table = speakers_table(0, rounded=0)
    random = np.random.default_rng(5)
    names = table.subjects[0]

    for curve in resampled_curves(table, resamples=20, seed=5):
        drawn = random.integers(len(names), size=len(names))
        copies = {name: int(np.sum(drawn == i)) for i, name in enumerate(names)}
        expected = by_hand(table, copies)

        assert curve.equal_error_rate() == pytest.approx(equal_error_rate(*expected))
        assert curve.min_dcf(p_target=0.1) == pytest.approx(
            min_dcf(*expected, p_target=0.1)
        )
        assert curve.rocch_equal_error_rate() == pytest.approx(
            rocch_equal_error_rate(*expected)
        )


@pytest.mark.parametrize("seed", range(4))
def test_the_hull_of_a_resample_is_below_its_curve(seed):
    """Few speakers leave decisions without trials, several of them on one corner."""
    table = speakers_table(seed, speakers=5, probes_each=7)

    for curve in resampled_curves(table, resamples=100, seed=seed):
        area = -trapezoid(curve.misses, curve.false_matches)
        corners = curve.corners()
        kept = -trapezoid(corners.misses, corners.false_matches)
        assert kept == area
        assert corners.rocch_equal_error_rate() <= curve.equal_error_rate() + 1e-12


def test_failed_trials_change_nothing():
    table = speakers_table(1)
    extended = ScoreTable.from_trials(
        [*table.score, np.nan],
        trials=([*table.claimed.codes, 12], [*table.probe.codes, 0]),
        references=[*table.claimed.distinct, "absent"],
        reference_subjects=[*table.claimed.distinct, "absent"],
        probes=table.probe.distinct,
        probe_subjects=[f"speaker{i // 5}" for i in range(60)],
    )
    measures = {"eer": ErrorCurve.equal_error_rate}

    assert confidence_intervals(extended, measures) == confidence_intervals(
        table, measures
    )


def test_a_seed_repeats_the_interval_and_another_does_not():
    table = speakers_table(2)
    interval = partial(
        confidence_intervals, table, {"eer": ErrorCurve.equal_error_rate}, resamples=50
    )

    assert interval(seed=1) == interval(seed=1)
    assert interval(seed=1) != interval(seed=2)


def test_a_higher_level_gives_a_wider_interval():
    table = speakers_table(3)
    measures = {"eer": ErrorCurve.equal_error_rate}

    wide = confidence_intervals(table, measures, level=0.95)["eer"]
    narrow = confidence_intervals(table, measures, level=0.5)["eer"]

    assert wide.low < narrow.low < narrow.high < wide.high


def test_draws_without_both_kinds_of_trial_are_left_out():
    """Of two speakers, every second draw takes one of them twice."""
    table = speakers_table(4, speakers=2)

    interval = confidence_intervals(
        table, {"eer": ErrorCurve.equal_error_rate}, resamples=100
    )["eer"]

    assert 20 < interval.resamples < 80


def test_no_resample_at_all_gives_nan():
    none = confidence_intervals(
        speakers_table(4), {"eer": ErrorCurve.equal_error_rate}, resamples=0
    )["eer"]

    assert np.isnan([none.low, none.high]).all()
    assert none.resamples == 0


@pytest.mark.parametrize("level", [0.5, 0.95])
def test_percentiles_move_twice_as_far_as_the_figure_is_off_their_median(level):
    """Values at normal quantiles; the figure is half a deviation above their median.

    Bias-corrected by hand: one deviation up, so that the middle of the range is as far
    above the figure as the figure is above the median.
    """
    values = norm.ppf((np.arange(20_000) + 0.5) / 20_000)
    reach = norm.ppf((1 + level) / 2)

    moved = corrected_percentiles(values, 0.5, level=level)
    same = corrected_percentiles(values, 0.0, level=level)

    assert (moved.low, moved.high) == pytest.approx((1 - reach, 1 + reach), abs=1e-2)
    assert same == percentiles(values, level=level)


def test_values_that_all_equal_the_figure_give_no_interval():
    """1 / 3 and its neighbour are the same figure, worked out in two ways."""
    values = np.array([1 / 3, np.nextafter(1 / 3, 1), np.nan])

    interval = corrected_percentiles(values, 1 / 3, level=0.95)

    assert np.isnan([interval.low, interval.high]).all()
    assert not interval.says_something
    assert interval.resamples == 2


@pytest.mark.parametrize("figure", [-1.0, 0.0, 99.0, np.inf])
def test_a_figure_beside_all_values_still_has_a_range_of_them(figure):
    for values in (np.arange(9.0), np.array([0.0, 1.0, np.inf])):
        interval = corrected_percentiles(values, figure, level=0.95)

        assert values.min() <= interval.low <= interval.high <= values.max()


def test_an_impossible_level_is_refused():
    with pytest.raises(MetricError, match=r"such as 0\.95"):
        confidence_intervals(speakers_table(4), {}, level=95)
