"""Figures that are means over trials, and their intervals."""

import numpy as np
import pytest
from score_tables import table

from bob.learn.pytorch import metrics
from bob.learn.pytorch.metrics import (
    CLLR,
    ErrorCurve,
    MetricError,
    TrialMean,
    actual_cost_mean,
    confidence_intervals,
    find_costs,
)
from bob.learn.pytorch.metrics.bootstrap import resampled_values

MEANS = {
    "cllr": CLLR,
    "act_dcf": actual_cost_mean(find_costs("3:1:0.2")),
    "at 1": TrialMean.at(1, miss=1.0, false_match=4.0),
    "hter": TrialMean.at(0.5, miss=0.5, false_match=0.5),
    "fnmr": TrialMean.at(0.5, miss=1.0),
    "fmr": TrialMean.at(0.5, false_match=1.0),
}


def alone(targets, non_targets):
    """Each of the means by the function for it."""
    scores = targets, non_targets
    return {
        "cllr": metrics.cllr(*scores),
        "act_dcf": metrics.find_costs("3:1:0.2").actual(*scores),
        "at 1": metrics.act_dcf(*scores, threshold=1, p_target=0.2),
        "hter": metrics.half_total_error_rate(*scores, threshold=0.5),
        "fnmr": metrics.false_non_match_rate(targets, threshold=0.5),
        "fmr": metrics.false_match_rate(non_targets, threshold=0.5),
    }


def made_up_table(seed=0, *, speakers=9, probes_each=4):
    random = np.random.default_rng(seed)
    owner = np.repeat(np.arange(speakers), probes_each)
    same = np.arange(speakers)[:, None] == owner
    return table((random.normal(size=same.shape) + 2 * same).round(1), owner)


def test_each_mean_is_what_its_function_says():
    random = np.random.default_rng(0)
    targets, non_targets = random.normal(1, 1, 300).round(1), random.normal(0, 1, 400)
    targets[3] = np.nan

    found = {name: mean.of(targets, non_targets) for name, mean in MEANS.items()}

    assert found == pytest.approx(alone(targets, non_targets), rel=1e-12)


def test_resampled_means_equal_trials_written_out():
    """Drawn k times: k targets, and k x m non-targets with one drawn m times."""
    table = made_up_table()
    random = np.random.default_rng(5)
    claimed, real = table.subjects[1:]

    values = resampled_values(table, MEANS, resamples=20, seed=5)

    for draw in range(20):
        copies = np.bincount(random.integers(9, size=9), minlength=9)
        times = np.where(claimed == real, copies[real], copies[claimed] * copies[real])
        written = np.repeat(table.score, times)
        target = np.repeat(table.is_target, times)
        expected = alone(written[target], written[~target])
        found = {name: values[name][draw] for name in MEANS}
        assert found == pytest.approx(expected, rel=1e-12)


def test_means_and_curves_meet_the_same_draws():
    """The EER threshold moves, but FNMR at minus infinity is 0 and at infinity 1."""
    table = made_up_table(1)
    measures = {
        "none": TrialMean.at(np.inf, miss=1.0),
        "eer": ErrorCurve.equal_error_rate,
        "hter": TrialMean.at(1.0, miss=0.5, false_match=0.5),
    }

    values = resampled_values(table, measures, resamples=200, seed=1)

    assert (values["none"] == 1).all()
    assert np.corrcoef(values["eer"], values["hter"])[0, 1] > 0.5


def test_a_wrong_certainty_makes_the_upper_end_infinite():
    """One speaker has a target at minus infinity: some draws miss that speaker."""
    table = made_up_table()
    table.score[np.flatnonzero(table.is_target)[0]] = -np.inf

    interval = confidence_intervals(table, {"cllr": CLLR})["cllr"]

    assert interval.high == np.inf
    assert 0 < interval.low < 1


def test_a_kind_that_has_no_part_need_not_be_there():
    table = made_up_table()
    impostors = table.take(~table.is_target)

    assert TrialMean.at(0, false_match=1.0).of([], [1.0, -1.0]) == 0.5
    interval = confidence_intervals(
        impostors, {"fmr": TrialMean.at(0.0, false_match=1.0)}
    )["fmr"]
    assert 0.3 < interval.low < interval.high < 0.7
    with pytest.raises(MetricError, match=r"no target trial has a score \(1 failed\)"):
        CLLR.of([np.nan], [0.0])


def test_without_any_score_there_is_no_interval():
    table = made_up_table()
    table.score[:] = np.nan

    interval = confidence_intervals(table, {"cllr": CLLR})["cllr"]

    assert np.isnan(interval.low)
    assert interval.resamples == 0
