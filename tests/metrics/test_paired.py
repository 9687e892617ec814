"""Two systems on the same trials."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binomtest
from score_tables import table

from bob.learn.pytorch.metrics import (
    CLLR,
    ErrorCurve,
    MetricError,
    Names,
    ScoreTable,
    confidence_intervals,
    equal_error_rate,
    mcnemar,
    paired_differences,
    paired_tables,
)

MEASURES = {"eer": ErrorCurve.equal_error_rate, "cllr": CLLR}


def system(*, noise, seed, speakers=20, probes_each=6):
    """Speakers and recordings are always the same; the system hears them with noise."""
    world, own = np.random.default_rng(0), np.random.default_rng(seed)
    places = world.normal(size=(speakers, 6))
    references = places + world.normal(size=places.shape) * 0.4
    owner = np.repeat(np.arange(speakers), probes_each)
    probes = places[owner] + world.normal(size=(owner.size, 6)) * 0.8
    scores = 4 - np.square(references[:, None] - probes).sum(axis=-1)
    return table(
        scores + own.normal(size=scores.shape) * noise,
        owner,
        references=[f"speaker{i}-a" for i in range(speakers)],
    )


def shuffled(table, seed=0):
    """The same trials in another order, with names numbered differently."""
    mixed = table.take(np.random.default_rng(seed).permutation(len(table)))
    columns = {
        name: Names.of(getattr(mixed, name).tolist())
        for name in ("claimed", "real", "probe", "model")
    }
    return replace(mixed, **columns)


def test_trials_are_matched_by_name():
    first, second = system(noise=0, seed=1), system(noise=1, seed=2)

    one, other = paired_tables(first, shuffled(second))

    np.testing.assert_array_equal(one.score, first.score)
    np.testing.assert_array_equal(other.score, second.score)
    assert other.probe is first.probe


def test_four_columns_are_matched_with_five():
    first, second = system(noise=0, seed=1), shuffled(system(noise=1, seed=2))

    _, other = paired_tables(first, replace(second, model=None))

    np.testing.assert_array_equal(other.score, paired_tables(first, second)[1].score)


def test_many_names_do_not_run_out_of_numbers(monkeypatch):
    from bob.learn.pytorch.metrics import paired

    first, second = system(noise=0, seed=1), system(noise=1, seed=2)
    monkeypatch.setattr(paired, "_LARGEST", 100)

    _, other = paired_tables(first, shuffled(second))

    np.testing.assert_array_equal(other.score, second.score)


def test_what_either_could_not_score_is_left_out_for_both():
    first, second = system(noise=0, seed=1), system(noise=1, seed=2)
    first.score[3], second.score[5] = np.nan, np.nan

    one, other = paired_tables(first, second)

    assert np.flatnonzero(np.isnan(one.score)).tolist() == [3, 5]
    assert np.flatnonzero(np.isnan(other.score)).tolist() == [3, 5]


def test_other_trials_are_refused_with_an_example():
    first = system(noise=0, seed=1)
    less = first.take(np.arange(len(first)) != 7)

    with pytest.raises(MetricError, match=r"1 are in the first alone.*probe7"):
        paired_tables(first, less)
    with pytest.raises(MetricError, match="0 are in the first alone;"):
        paired_tables(less, first)
    with pytest.raises(MetricError, match="same trials"):
        paired_tables(
            first, replace(first, real=first.real.take(np.arange(2399, -1, -1)))
        )


def test_a_trial_that_is_there_twice_is_refused():
    first = system(noise=0, seed=1)
    twice = first.take([0, 0, 1])

    with pytest.raises(MetricError, match="the second system has a trial"):
        paired_tables(first.take([0, 1, 2]), twice)
    with pytest.raises(
        MetricError,
        match=r"the first system .* speaker0-a with probe0 \(trial 2\): take .* out",
    ) as repeated:
        paired_tables(twice, twice)
    assert "protocol check" in str(repeated.value)
    assert "five columns" not in str(repeated.value)
    with pytest.raises(MetricError, match=r"speaker0 with probe0 .*five columns, CSV"):
        paired_tables(replace(twice, model=None), twice)


def test_a_system_does_not_differ_from_itself():
    table = system(noise=0, seed=1)

    found = paired_differences(table, shuffled(table), MEASURES, resamples=50)

    for difference in found.values():
        assert difference.difference == 0
        assert not difference.interval.says_something
        assert difference.p_value == 1


def test_differences_are_those_of_both_systems_on_the_same_draws():
    """By hand: trials of each draw written out for both."""
    first, second = system(noise=0, seed=1), system(noise=3, seed=2)
    claimed, real = first.subjects[1:]
    random = np.random.default_rng(4)
    changes = []
    for _ in range(40):
        copies = np.bincount(random.integers(20, size=20), minlength=20)
        times = np.where(claimed == real, copies[real], copies[claimed] * copies[real])
        target = np.repeat(first.is_target, times)
        rates = [
            equal_error_rate(written[target], written[~target])
            for written in (np.repeat(table.score, times) for table in (first, second))
        ]
        changes.append(rates[0] - rates[1])

    found = paired_differences(
        first, shuffled(second), MEASURES, resamples=40, seed=4, level=0.9
    )["eer"]

    assert found.first == first.curve().equal_error_rate()
    assert found.second == second.curve().equal_error_rate()
    low, high = np.quantile(changes, [0.05, 0.95])
    assert (found.interval.low, found.interval.high) == pytest.approx((low, high))
    assert found.p_value == pytest.approx(
        min(1, 2 * (1 + sum(np.array(changes) >= 0)) / 41)
    )


def test_pairing_knows_more_than_two_intervals():
    first, second = system(noise=1, seed=1), system(noise=1.5, seed=2)

    found = paired_differences(first, second, MEASURES, resamples=200)["eer"]

    alone = confidence_intervals(first, MEASURES, resamples=200)["eer"]
    width = found.interval.high - found.interval.low
    assert width < alone.high - alone.low


def test_mcnemar_counts_what_only_one_got_wrong():
    """By hand: 6 trials of 3 subjects; each at a threshold of its own."""
    first = ScoreTable.from_matrix(
        [[1.0, 0.0, 9.0], [0.0, 0.0, 0.0]],
        references=["a", "b"],
        reference_subjects=["a", "b"],
        probes=["p", "q", "r"],
        probe_subjects=["a", "b", "c"],
    )
    second = replace(first, score=np.array([0.0, 1.0, 0.0, np.nan, 12.0, 12.0]))

    found = mcnemar(first, second, thresholds=(1.0, 10.0))

    # First: a-p right, a-q right, a-r wrong; b-p failed; b-q wrong, b-r right.
    # Second: a-p wrong, a-q right, a-r right; b-q right, b-r wrong.
    assert (found["target"].first_only, found["target"].second_only) == (1, 1)
    assert (found["non_target"].first_only, found["non_target"].second_only) == (1, 1)
    assert (found["all"].first_only, found["all"].second_only) == (2, 2)
    assert found["all"].p_value == 1


@pytest.mark.parametrize("counts", [(0, 0), (1, 9), (9, 1), (40, 61), (5000, 5200)])
def test_mcnemar_is_the_exact_binomial_test(counts):
    from bob.learn.pytorch.metrics import McNemar

    expected = binomtest(counts[0], sum(counts)).pvalue if sum(counts) else 1

    assert McNemar(*counts).p_value == pytest.approx(expected)


@pytest.mark.slow
def test_equal_systems_are_told_apart_no_more_often_than_promised():
    """150 pairs of systems with equal noise: about 5 % have a p-value below 0.05."""
    rejected = 0
    for seed in range(150):
        found = paired_differences(
            system(noise=2, seed=2 * seed + 1, speakers=30),
            system(noise=2, seed=2 * seed + 2, speakers=30),
            MEASURES,
            resamples=200,
        )
        rejected += found["eer"].p_value < 0.05

    assert rejected / 150 < 0.1
