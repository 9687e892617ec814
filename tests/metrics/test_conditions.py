"""Figures by condition, against selecting the trials by hand."""

from fractions import Fraction

import numpy as np
import pytest
import score_tables
from hypothesis import given
from hypothesis import strategies as st

from bob.learn.pytorch.metrics import (
    CLLR,
    ErrorCurve,
    MetricError,
    Names,
    ScoreTable,
    TrialMean,
    alike,
    binned,
    breakdown,
    confidence_intervals,
    crossed,
    described,
    equal_error_rate,
    equalised_costs,
    find_costs,
)

MEASURES = {"eer": ErrorCurve.equal_error_rate, "cllr": CLLR}
GENDERS = {f"speaker{i}": "f" if i < 4 else "m" for i in range(10)}


@pytest.fixture
def table():
    random = np.random.default_rng(0)
    owner = np.repeat(np.arange(10), 4)
    same = np.arange(10)[:, None] == owner
    scores = (random.normal(size=same.shape) + 2 * same).round(1)
    scores[0, 5] = np.nan
    references = [f"speaker{i}-0" for i in range(10)]
    return score_tables.table(scores, owner, references=references)


def test_each_condition_has_the_figures_of_its_trials(table):
    gender = described(table.real, GENDERS)

    women, men = breakdown(table, gender, MEASURES, resamples=30)

    chosen = np.array([name == "f" for name in gender.tolist()])
    for condition, mask in ((women, chosen), (men, ~chosen)):
        part = table.take(mask)
        assert condition.figures["eer"] == equal_error_rate(
            part.targets, part.non_targets
        )
        assert condition.intervals == confidence_intervals(part, MEASURES, resamples=30)
        assert condition.targets == part.is_target.sum()
    assert (women.name, men.name) == ("f", "m")
    assert (women.failures, men.failures) == (1, 0)
    assert women.targets + women.non_targets == 10 * 16 - 1
    assert women.speakers == men.speakers == 10


def test_conditions_without_a_kind_of_trial_keep_what_can_be_said(table):
    """Trials across genders are all non-targets."""
    gender = crossed(
        described(table.claimed, GENDERS), described(table.real, GENDERS), ordered=False
    )
    measures = {
        **MEASURES,
        "fmr": TrialMean.at(1.0, false_match=1.0),
        "fnmr": TrialMean.at(1.0, miss=1.0),
    }

    found = {c.name: c for c in breakdown(table, gender, measures, resamples=20)}

    across = found["f / m"]
    assert list(found) == ["f / f", "f / m", "m / m"]
    assert (across.targets, across.non_targets) == (0, 4 * 24 + 6 * 16)
    assert np.isnan([across.figures["eer"], across.figures["fnmr"]]).all()
    claimed, real = np.array(table.claimed.tolist()), np.array(table.real.tolist())
    is_across = [GENDERS[a] != GENDERS[b] for a, b in zip(claimed, real, strict=True)]
    assert across.figures["fmr"] == np.mean(table.score[is_across] >= 1)
    assert set(across.intervals) == {"fmr"}


def test_crossed_conditions_may_be_ordered():
    reference, probe = Names.of("fmfm"), Names.of("mffm")

    ordered = crossed(reference, probe).tolist()

    assert ordered == ["f / m", "m / f", "f / f", "m / m"]
    assert crossed(reference, probe, ordered=False).tolist()[:2] == ["f / m", "f / m"]


def test_sessions_are_alike_or_not():
    reference, probe = Names.of(["1", "2", "3"]), Names.of(["2", "2", "4"])

    assert alike(reference, probe).tolist() == ["different", "same", "different"]


def test_numbers_fall_into_ranges_with_their_lower_edge():
    names = Names.of("abcd")
    values = {"a": 1.9, "b": 2.0, "c": 9.99, "d": 10.0}

    found = binned(names, values, edges=[2, 10], unit="s").tolist()

    assert found == ["below 2 s", "2 to 10 s", "2 to 10 s", "10 s and more"]


def test_what_is_not_known_is_refused_or_named():
    names = Names.of("abca")

    with pytest.raises(MetricError, match="2 names of the trials have no value, such"):
        described(names, {"a": "x"})
    assert described(names, {"a": "x"}, missing="?").tolist() == ["x", "?", "?", "x"]
    assert described(names.take([0, 3]), {"a": "x"}).tolist() == ["x", "x"]
    unknown = {"a": 1.0, "b": np.nan, "c": 3.0}
    with pytest.raises(MetricError, match="such as 'b'"):
        binned(names, unknown, edges=[2])
    assert binned(names, unknown, edges=[2], missing="?").tolist()[1] == "?"


def test_columns_that_do_not_fit_are_refused(table):
    with pytest.raises(MetricError, match="one name per trial"):
        breakdown(table, Names.of("ab"), MEASURES)
    with pytest.raises(MetricError, match="one of each per trial"):
        crossed(Names.of("ab"), Names.of("a"))
    with pytest.raises(MetricError, match="the condition names 2 trials and the table"):
        equalised_costs(table, Names.of("ab"), find_costs("0.5"))


@pytest.mark.parametrize("edges", [[3, 2], [1, 1], [], [np.nan], [1, np.nan]])
def test_edges_that_do_not_ascend_are_refused(edges):
    with pytest.raises(MetricError, match="do not ascend"):
        binned(Names.of("a"), {"a": 1.0}, edges=edges)


def test_ranges_with_near_edges_keep_names_of_their_own():
    """With six digits, both edges and thus two ranges would have one name."""
    names = Names.of("abc")
    values = {"a": 1_000_000.0, "b": 1_000_001.0, "c": 1_000_002.0}

    found = binned(names, values, edges=[1_000_000.5, 1_000_001.5]).tolist()

    assert found == [
        "below 1000000.5", "1000000.5 to 1000001.5", "1000001.5 and more",
    ]  # fmt: skip


def test_no_trial_has_no_condition(table):
    assert breakdown(table.take([]), Names.of([]), MEASURES) == []


def test_equalised_costs_are_those_of_partitions_made_equal_by_copies(table):
    """Each trial written out as often as makes all partitions equally large."""
    partition = described(table.real, GENDERS)
    cost = find_costs("0.2,0.5")
    scored = ~np.isnan(table.score)
    women = np.array([name == "f" for name in partition.tolist()])
    written = []
    for kind in (table.is_target, ~table.is_target):
        parts = [table.score[kind & scored & some] for some in (women, ~women)]
        common = np.lcm(parts[0].size, parts[1].size)
        written.append(
            np.concatenate([np.repeat(part, common // part.size) for part in parts])
        )

    minimum, actual = equalised_costs(table, partition, cost)

    assert minimum == pytest.approx(cost.minimum(ErrorCurve.from_scores(*written)))
    assert actual == pytest.approx(cost.actual(*written))


@given(
    st.lists(
        st.tuples(
            st.booleans(),
            st.sampled_from("xyz"),
            st.sampled_from([-np.inf, -2.0, 0.0, 0.5, 3.0, np.inf, np.nan]),
        ),
        min_size=2,
        max_size=40,
    )
)
def test_equalised_costs_by_trying_every_threshold(trials):
    """Rates of each partition counted one threshold at a time, in fractions."""
    cost = find_costs("0.2,0.9")
    table = ScoreTable(
        claimed=Names.of("a" for _ in trials),
        real=Names.of("ba"[target] for target, _, _ in trials),
        probe=Names.of(map(str, range(len(trials)))),
        score=np.array([score for *_, score in trials]),
    )
    partition = Names.of(part for _, part, _ in trials)
    scored = [trial for trial in trials if not np.isnan(trial[2])]
    if len({target for target, _, _ in scored}) < 2:
        with pytest.raises(MetricError, match="at least one of each"):
            equalised_costs(table, partition, cost)
        return

    def error(wanted, threshold):
        """Mean over the partitions of the share that is decided wrongly."""
        shares = []
        for name in "xyz":
            part = [s for t, p, s in scored if t == wanted and p == name]
            wrong = sum((s >= threshold) != wanted for s in part)
            shares += [Fraction(wrong, len(part))] if part else []
        return sum(shares) / len(shares)

    def of(one, threshold):
        miss, false_match = map(Fraction, one.weights)
        return miss * error(True, threshold) + false_match * error(False, threshold)

    thresholds = [*{score for *_, score in scored}, np.nan]
    least = [min(of(one, t) for t in thresholds) for one in cost.costs]
    actual = [of(one, one.threshold) for one in cost.costs]

    found = equalised_costs(table, partition, cost)

    assert found == pytest.approx(
        (float(sum(least) / 2), float(sum(actual) / 2)), rel=1e-12
    )


def test_one_partition_changes_nothing(table):
    cost = find_costs("sre16")

    found = equalised_costs(table, Names.of(["all"] * len(table)), cost)

    assert found == pytest.approx(
        (cost.minimum(table.curve()), cost.actual(table.targets, table.non_targets))
    )
