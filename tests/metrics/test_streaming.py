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
from bob.learn.pytorch.metrics.runs import SortedRuns, merged

TIED = st.sampled_from([-np.inf, -2.0, -1.0, -0.0, 0.0, 0.5, 1.0, 3.0, np.inf])
SCORES = st.lists(st.one_of(TIED, st.floats(allow_nan=False)), max_size=40)


@pytest.fixture
def small(monkeypatch):
    """Runs so short, and so few merged at once, that even small tests need many."""
    monkeypatch.setattr(runs, "FAN_IN", 3)


def all_of(kinds, rows):
    pieces = list(merged(kinds, rows=rows))
    if not pieces:
        return [], np.zeros((len(kinds), 0))
    values = [value for piece, _ in pieces for value in piece]
    return values, np.hstack([counts for _, counts in pieces])


def numbers_of(found):
    return [
        *astuple(found)[:8],
        *(number for cost in found.costs for number in astuple(cost)[1:]),
    ]


@given(SCORES, SCORES, st.integers(1, 7), st.integers(1, 20))
def test_numbers_come_back_in_order_each_once(first, second, rows, reading):
    before, runs.FAN_IN = runs.FAN_IN, 3
    kinds = [SortedRuns(rows=rows), SortedRuns(rows=rows)]
    try:
        for some, numbers in zip(kinds, (first, second), strict=True):
            for start in range(0, len(numbers), 11):
                some.add(np.array(numbers[start : start + 11]))

        values, counts = all_of(kinds, reading)
    finally:
        runs.FAN_IN = before
        for some in kinds:
            some.close()

    assert values == sorted({*first, *second})
    for kind, numbers in enumerate((first, second)):
        assert counts[kind].tolist() == [numbers.count(value) for value in values]


def test_single_and_double_precision_mix_without_a_loss():
    exact = np.random.default_rng(0).normal(size=50)
    kinds = [SortedRuns(rows=8)]
    kinds[0].add(exact[:25])
    kinds[0].add(exact[25:].astype(np.float32))
    kinds[0].add(np.array([1, 2, 2]))

    values, _ = all_of(kinds, 10)

    expected = {*exact[:25], *exact[25:].astype(np.float32).astype(float), 1.0, 2.0}
    assert values == sorted(expected)
    kinds[0].close()


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
        with pytest.raises(ValueError, match="2000 scores came with 3 labels"):
            stream.add_trials(scores, [1, 0, 1])

    assert found.eer == figures(scores[labels], scores[~labels]).eer


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
