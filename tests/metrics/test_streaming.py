"""Figures of scores in blocks: those of all of them at once."""

from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bob.learn.pytorch.metrics import (
    ErrorCurve,
    MetricError,
    ScoreStream,
    figures,
    find_costs,
    runs,
)

TIED = st.sampled_from([-np.inf, -2.0, -1.0, -0.0, 0.0, 0.5, 1.0, 3.0, np.inf])


@pytest.fixture
def small(monkeypatch):
    """Runs so short, and so few merged at once, that even small tests need many."""
    monkeypatch.setattr(runs, "FAN_IN", 3)


def numbers_of(found):
    return [
        *astuple(found)[:8],
        *(number for cost in found.costs for number in astuple(cost)[1:]),
    ]


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("decimals", [0, 1, 3, 17])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_figures_of_a_stream_are_those_of_all_scores(decimals, kind):
    """1,024 scores of a kind in memory: 41,000 make many runs; ties cross blocks."""
    random = np.random.default_rng(decimals)
    targets = random.normal(1.5, 1, 3000).round(decimals).astype(kind)
    non_targets = random.normal(-0.5, 1, 38_000).round(decimals).astype(kind)
    targets[:2], non_targets[:3] = [np.nan, np.inf], [np.nan, np.inf, -np.inf]
    targets[7::500] = -np.inf
    costs = find_costs("0.3,0.01,10:1:0.05")

    with ScoreStream(memory=0) as stream:
        for block in range(10):
            stream.add(targets[block::10], non_targets[block::10])
        found = stream.figures(cost=costs)
        hull = stream.hull()

    expected = figures(targets, non_targets, cost=costs)
    np.testing.assert_allclose(numbers_of(found), numbers_of(expected), rtol=1e-12)
    assert found.eer == expected.eer
    assert found.failures == 2
    direct = ErrorCurve.from_scores(targets, non_targets)
    assert hull.min_dcf(p_target=0.07) == pytest.approx(direct.min_dcf(p_target=0.07))


def ascending(random):
    return np.arange(4000.0), np.arange(5000.0) + 0.5


def descending(random):
    return -np.arange(4000.0), 3000 - np.arange(5000.0)


def all_equal(random):
    return np.full(4000, 0.25), np.full(5000, 0.25)


def one_tie_in_every_block(random):
    """Of each 16 scores one is 1: in every run, and across all blocks."""
    scores = random.normal(size=(2, 5000))
    scores[:, ::16] = 1.0
    return scores


def apart(random):
    return random.normal(size=3000) + 100, random.normal(size=4000) - 100


def the_wrong_way_round(random):
    return random.normal(size=3000) - 100, random.normal(size=4000) + 100


def ends_of_the_numbers(random):
    some = [-1.7e308, -1e-323, -5e-324, -0.0, 0.0, 5e-324, 2.3e-308, 1e300, 1.7e308]
    return random.choice(some, 3000), random.choice(some, 4000)


def infinities_and_failures(random):
    some = [-np.inf, np.inf, np.nan, 0.0]
    return random.choice(some, 3000), random.choice(some, 4000)


def neighbours(random):
    """Scores between which there is no number."""
    steps = 1 + np.arange(3000) * 2.0**-52
    return random.choice(steps, 3000), random.choice(steps, 4000)


def one_target(random):
    return np.zeros(1), random.normal(size=6000)


def one_non_target(random):
    return random.normal(size=6000), np.zeros(1)


def more_failures_than_scores(random):
    return np.r_[np.full(3000, np.nan), 1.0], np.r_[np.full(3000, np.nan), 0.0]


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    "make",
    [
        ascending, descending, all_equal, one_tie_in_every_block, apart,
        the_wrong_way_round, ends_of_the_numbers, infinities_and_failures, neighbours,
        one_target, one_non_target, more_failures_than_scores,
    ],
    ids=lambda make: make.__name__,
)  # fmt: skip
def test_files_made_to_break_a_stream(make):
    """Many more scores than there is room for, against all of them at once."""
    targets, non_targets = make(np.random.default_rng(1))
    cost = find_costs("0.01,0.5,0.9")

    with ScoreStream(memory=0) as stream:
        for start in range(0, 6000, 700):
            part = slice(start, start + 700)
            stream.add(targets[part], non_targets[part])
        found = stream.figures(cost=cost)

    expected = figures(targets, non_targets, cost=cost)
    np.testing.assert_allclose(numbers_of(found), numbers_of(expected), rtol=1e-11)
    assert (found.eer, found.failures) == (expected.eer, expected.failures)


@pytest.mark.usefixtures("small")
def test_pieces_are_the_curve():
    random = np.random.default_rng(3)
    targets = random.normal(1, 1, 5000).round(2)
    non_targets = random.normal(-1, 1, 9000).round(3)

    with ScoreStream(memory=0) as stream:
        stream.add(targets, non_targets)
        pieces = [piece.curve for piece in stream.pieces()]

    whole = ErrorCurve.from_scores(targets, non_targets)
    assert len(pieces) > 10
    for name in ("thresholds", "misses", "false_matches"):
        joined = [getattr(pieces[0], name)]
        for piece in pieces[1:]:
            assert getattr(piece, name)[0] == joined[-1][-1]
            joined.append(getattr(piece, name)[1:])
        np.testing.assert_array_equal(np.concatenate(joined), getattr(whole, name))


@given(st.lists(TIED, min_size=1, max_size=20), st.lists(TIED, min_size=1, max_size=20))
def test_few_scores_with_heavy_ties(targets, non_targets):
    with ScoreStream() as stream:
        for score in targets:
            stream.add([score], [])
        stream.add([], non_targets)

        found = stream.figures()

    expected = figures(targets, non_targets)
    np.testing.assert_allclose(numbers_of(found), numbers_of(expected), rtol=1e-12)


def test_labels_may_come_beside_the_scores(tmp_path):
    scores = np.memmap(tmp_path / "s", np.float32, mode="w+", shape=(50, 40))
    scores[:] = np.random.default_rng(0).normal(size=scores.shape)
    labels = np.arange(scores.size).reshape(scores.shape) % 7 == 0

    with ScoreStream() as stream:
        stream.add_trials(scores, labels)
        found = stream.figures()
        with pytest.raises(MetricError, match="2000 scores came with 3 labels"):
            stream.add_trials(scores, [1, 0, 1])

    assert found.eer == figures(scores[labels], scores[~labels]).eer


@pytest.mark.parametrize("wrong", [-1, 2, np.nan, "target"])
def test_other_labels_are_refused_before_a_score_is_taken(wrong):
    """With -1 for non-targets, all trials would be targets."""
    with ScoreStream() as stream:
        with pytest.raises(MetricError, match="trial 2 has the label"):
            stream.add_trials([1.0, 2.0, 3.0], np.array([1, 0, wrong], dtype=object))
        stream.add_trials([1.0, 2.0], [1.0, 0.0])

        assert (stream.target_count, stream.non_target_count) == (1, 1)


def test_more_may_come_after_the_figures():
    with ScoreStream(memory=0) as stream:
        stream.add(np.arange(3000.0), np.arange(3000.0) - 2000)
        stream.figures()
        stream.add([-5.0], [4000.0])

        found = stream.figures()

    expected = figures([*np.arange(3000.0), -5], [*(np.arange(3000.0) - 2000), 4000])
    np.testing.assert_allclose(numbers_of(found), numbers_of(expected), rtol=1e-12)


def test_one_kind_alone_gives_counts_and_nan():
    with ScoreStream() as stream:
        stream.add([1.0, np.nan], [])

        assert np.isnan(stream.figures().eer)
        counts = (stream.target_count, stream.non_target_count, stream.failures)
        assert counts == (1, 0, 1)
        with pytest.raises(MetricError, match="1 target and 0 non-target"):
            stream.hull()


def test_temporary_files_are_gone_afterwards(tmp_path):
    with ScoreStream(memory=0, folder=str(tmp_path)) as stream:
        stream.add(np.arange(5000.0), np.arange(5000.0))
        stream.figures()

    assert list(tmp_path.iterdir()) == []


def test_memory_does_not_grow_with_the_scores():
    """1 MiB to work with; the scores alone are 2 MB and their curve would be 6."""
    import tracemalloc

    random = np.random.default_rng(0)
    figures([1.0], [0.0])  # what is imported on first use is not counted
    tracemalloc.start()
    try:
        with ScoreStream(memory=2**20) as stream:
            for _ in range(5):
                stream.add(random.normal(4, 8**0.5, 2500), random.normal(-4, 3, 47_500))
            found = stream.figures()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert found.targets + found.non_targets == 250_000
    assert peak < 3 * 2**20
