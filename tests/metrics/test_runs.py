"""Numbers from files, in order: as `sorted` gives them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bob.learn.pytorch.metrics import runs
from bob.learn.pytorch.metrics.runs import SortedRuns, merged

TIED = st.sampled_from([-np.inf, -2.0, -1.0, -0.0, 0.0, 0.5, 1.0, 3.0, np.inf])
ENDS = st.sampled_from([-1.7e308, -5e-324, 0.0, 5e-324, 1e-323, 1.7e308])
SCORES = st.lists(st.one_of(TIED, ENDS, st.floats(allow_nan=False)), max_size=40)


@pytest.fixture
def three_at_once(monkeypatch):
    """So few runs are merged at once that even small tests merge several times."""
    monkeypatch.setattr(runs, "FAN_IN", 3)


def all_of(kinds, rows):
    pieces = list(merged(kinds, rows=rows))
    if not pieces:
        return [], np.zeros((len(kinds), 0))
    values = [value for piece, _ in pieces for value in piece]
    return values, np.hstack([counts for _, counts in pieces])


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


@pytest.mark.usefixtures("three_at_once")
def test_doubles_just_below_a_single_stay_below_it():
    """Read one at a time: a limit rounded to single precision would let 1 pass."""
    doubles = 1 - 2.0 ** -np.arange(30, 50)
    kinds = [SortedRuns(rows=4)]
    kinds[0].add(np.ones(9, dtype=np.float32))
    kinds[0].add(doubles)

    values, counts = all_of(kinds, 1)

    assert values == [*doubles, 1.0]
    assert counts.tolist() == [[1] * 20 + [9]]
    kinds[0].close()


@pytest.mark.usefixtures("three_at_once")
@pytest.mark.parametrize("reading", [1, 8, 1000])
@pytest.mark.parametrize("each", [7, 8, 9])
def test_one_number_in_every_run_is_counted_over_all(each, reading):
    """A run ends where a block ends, or one before or after."""
    kinds = [SortedRuns(rows=8), SortedRuns(rows=8)]
    for turn in range(40):
        kinds[0].add(np.full(each, 0.5))
        kinds[1].add(np.array([0.5, float(turn)]))

    values, counts = all_of(kinds, reading)

    assert values == sorted({0.5, *map(float, range(40))})
    at = values.index(0.5)
    assert counts[:, at].tolist() == [40 * each, 40]
    assert counts.sum(axis=1).tolist() == [40 * each, 80]
    for some in kinds:
        some.close()


@pytest.mark.usefixtures("three_at_once")
def test_no_more_runs_than_are_merged_at_once_and_no_more_rows(monkeypatch):
    seen = []
    original = runs._merge

    def watched(some, **options):
        seen.append(len(some))
        for values, counts in original(some, **options):
            seen.append(len(some))
            assert values.size <= options["rows"] + len(some)
            yield values, counts

    monkeypatch.setattr(runs, "_merge", watched)
    random = np.random.default_rng(0)
    kinds = [SortedRuns(rows=16)]
    kinds[0].add(random.normal(size=2000))

    values, _ = all_of(kinds, 16)

    assert len(values) == 2000
    assert values == sorted(values)
    assert max(seen) <= 4  # three on disk, and one that is still in memory
    kinds[0].close()


def test_numbers_are_on_disk_and_nothing_is_left(tmp_path):
    some = SortedRuns(rows=10, folder=str(tmp_path))
    some.add(np.arange(95.0))

    assert some.total == 95
    assert len(some.runs()) == 10
    assert all_of([some], 20)[0] == list(range(95))
    some.close()

    assert list(tmp_path.iterdir()) == []
