"""How far workers run ahead of the slowest partition, where order is kept."""

from functools import partial
from pathlib import Path

import pytest

from bob.learn.pytorch.parallel.partitions import Window
from bob.learn.pytorch.parallel.processes import in_processes

HERE = Path(__file__).parent


@pytest.fixture
def work(monkeypatch):
    """The module of that name, for other processes too."""
    monkeypatch.syspath_prepend(HERE)
    import uneven_work

    return uneven_work


def begun_tasks(window, limit):
    tasks = []
    while task := window.next_task(limit):
        tasks.append(task)
    return tasks


def test_what_is_done_waits_for_those_before_it_and_for_no_other():
    window = Window([[i] for i in range(9)], str)
    first, second, third, fourth = begun_tasks(window, 4)

    window.finish(second, ["b"])
    assert list(window.ready()) == []
    window.finish(fourth, ["d"])
    window.finish(first, ["a"])

    assert list(window.ready()) == [["a"], ["b"]]
    assert len(begun_tasks(window, 4)) == 2  # two of four still wait, or work
    window.finish(third, ["c"])
    assert list(window.ready()) == [["c"], ["d"]]


def test_no_more_begin_than_may_wait_for_the_first():
    window = Window([[i] for i in range(9)], str)
    first, *others = begun_tasks(window, 4)

    for task in others:
        window.finish(task, ["x"])

    assert window.next_task(4) is None
    assert list(window.ready()) == []
    window.finish(first, ["a"])
    assert list(window.ready()) == [["a"], ["x"], ["x"], ["x"]]
    assert len(begun_tasks(window, 4)) == 4


def test_work_of_a_worker_that_died_comes_before_what_is_new():
    window = Window([[i] for i in range(9)], str)
    first, *others = begun_tasks(window, 4)
    for task in others:
        window.finish(task, ["x"])

    window.died(first, "SIGKILL")

    assert window.next_again() is first
    window.finish(first, ["a"])
    assert next(window.ready()) == ["a"]


def test_beside_a_slow_partition_others_do_fifteen_and_then_wait(work, tmp_path):
    """Two processes may have sixteen partitions open, and hold no more results."""
    partitions = [[number] for number in range(30)]

    results = in_processes(
        partial(work.make_held, 0, 16, tmp_path),
        partitions,
        jobs=2,
        give_up=work.give_up,
    )

    assert list(results) == partitions
    assert (tmp_path / "seen").read_text() == "16"
