"""Every figure of a report, against the metrics that it comes from."""

import math

import numpy as np
import pytest

from bob.learn.pytorch.metrics import (
    ScoreTable,
    act_dcf,
    cllr,
    equal_error_rate,
    find_costs,
    half_total_error_rate,
    min_cllr,
    min_dcf,
)
from bob.learn.pytorch.report.systems import evaluate_systems


def test_the_figures_are_those_of_the_metrics(system, table):
    one = evaluate_systems([system()], resamples=20).systems[0]
    trials = table()
    targets, non_targets = trials.targets, trials.non_targets
    dev = table(seed=9).curve().equal_error_point().threshold

    assert one.figures.eer == equal_error_rate(targets, non_targets)
    assert one.figures.min_dcf == min_dcf(targets, non_targets, p_target=0.01)
    assert one.figures.act_dcf == pytest.approx(
        act_dcf(targets, non_targets, threshold=math.log(99), p_target=0.01)
    )
    assert one.figures.cllr == cllr(targets, non_targets)
    assert one.figures.min_cllr == min_cllr(targets, non_targets)
    assert one.figures.hter == half_total_error_rate(
        targets, non_targets, threshold=dev
    )
    assert set(one.figures.intervals) == {
        "eer", "rocch_eer", "min_dcf", "act_dcf", "cllr", "min_cllr", "hter",
    }  # fmt: skip
    for name in ("eer", "cllr"):
        interval = one.figures.intervals[name]
        assert interval.low <= getattr(one.figures, name) <= interval.high


def test_the_actual_cost_of_several_applications_is_their_mean(system):
    cost = find_costs("0.01,0.1")

    one = evaluate_systems([system()], cost=cost, resamples=200).systems[0]

    interval = one.figures.intervals["act_dcf"]
    assert interval.low <= one.figures.act_dcf <= interval.high
    assert [mark.kind for mark in one.figures.decisions] == [
        "eer", "minimum", "actual", "minimum", "actual", "dev",
    ]  # fmt: skip


def test_two_systems_are_compared_on_what_both_could_score(system):
    found = evaluate_systems(
        [system(), system("second", noise=2.5, seed=1, failed=[0, 5])], resamples=50
    )

    (pair,) = found.pairs
    assert (pair.first, pair.second) == ("first", "second")
    assert pair.compared.differences["eer"].difference < 0
    assert pair.compared.differences["eer"].interval.high < 0
    assert pair.compared.decisions.second_only > pair.compared.decisions.first_only


def test_of_many_systems_each_is_compared_with_the_first(system):
    names = "abcdef"

    found = evaluate_systems([system(name) for name in names], resamples=2)

    assert [(pair.first, pair.second) for pair in found.pairs] == [
        ("a", name) for name in names[1:]
    ]


def test_systems_on_other_trials_are_not_compared_and_it_is_said_why(system):
    other = system("other")
    part = np.arange(len(other.table) - 1)

    found = evaluate_systems(
        [system(), type(other)("other", other.table.take(part))], resamples=2
    )

    assert found.pairs == ()
    assert "not run on the same trials" in found.uncompared[0]


def test_without_target_trials_there_are_warnings_and_no_figures(system, table):
    trials = table()
    only = type(system())("none", trials.take(~trials.is_target))

    one = evaluate_systems([only], resamples=5).systems[0]

    assert one.figures.curve is None
    assert math.isnan(one.figures.eer)
    assert one.figures.decisions == ()
    assert "no error rate" in one.figures.warnings[0]


def test_cosines_are_said_to_be_no_likelihood_ratios(system, table):
    trials = table()
    cosines = ScoreTable(
        trials.claimed, trials.real, trials.probe, np.tanh(trials.score / 9)
    )

    one = evaluate_systems([type(system())("cosine", cosines)], resamples=0).systems[0]

    assert one.figures.uncalibrated
    assert any("cosines" in warning for warning in one.figures.warnings)
    assert one.figures.intervals == {}


def test_metadata_become_pairs_of_classes_and_quartiles(system):
    conditions = evaluate_systems([system()], resamples=0).systems[0].figures.conditions

    assert list(conditions) == ["gender, reference / probe", "probe_seconds"]
    genders = {part.name: part for part in conditions["gender, reference / probe"]}
    assert list(genders) == ["f / f", "f / m", "m / m"]
    assert genders["f / m"].targets == 0
    assert genders["f / f"].targets == genders["m / m"].targets == 18
    seconds = [part.name for part in conditions["probe_seconds"]]
    assert seconds[0].startswith("below ")
    assert seconds[-1].endswith(" and more")
    assert len(seconds) == 4
