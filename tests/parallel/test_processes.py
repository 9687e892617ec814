"""Real processes, some of which are killed in the middle."""

import os
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import pytest

from bob.learn.pytorch.parallel.partitions import Window, WorkersError
from bob.learn.pytorch.parallel.processes import _threads_each, in_processes
from bob.learn.pytorch.settings import threads_of_children

HERE = Path(__file__).parent
NUMBERS = [list(range(start, start + 3)) for start in range(0, 30, 3)]
SQUARES = [[number * number for number in numbers] for numbers in NUMBERS]


@pytest.fixture
def work(monkeypatch):
    """The module of that name; processes that are started get our path."""
    monkeypatch.syspath_prepend(HERE)
    import parallel_work

    return parallel_work


@pytest.fixture
def run(work):
    def run(make_work, partitions=NUMBERS, *, jobs=2, **more):
        return in_processes(
            make_work, partitions, jobs=jobs, give_up=work.give_up, **more
        )

    return run


def wait_for(folder, pattern, count):
    """Files that processes make, once there are so many."""
    end = time.monotonic() + 30
    while len(found := list(Path(folder).glob(pattern))) < count:
        assert time.monotonic() < end, f"only {found}"
        time.sleep(0.02)
    return found


def is_running(number):
    """Whether a process works; one that is dead and not yet buried does not."""
    try:
        state = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in "ZX"


def test_two_processes_make_their_work_once_and_results_keep_the_order(
    run, work, tmp_path
):
    results = list(run(partial(work.make_noted, tmp_path)))

    made = {int(path.name.partition("-")[2]) for path in tmp_path.iterdir()}
    assert results == SQUARES
    assert len(made) == 2
    assert os.getpid() not in made
    assert not any(is_running(number) for number in made)


def test_no_more_processes_than_partitions_are_started(run, work, tmp_path):
    results = list(run(partial(work.make_noted, tmp_path), [[2], [], [3]], jobs=5))

    assert results == [[4], [9]]
    assert len(list(tmp_path.iterdir())) == 2


def test_nothing_to_do(run, work, tmp_path):
    assert list(run(partial(work.make_noted, tmp_path), [])) == []
    assert list(tmp_path.iterdir()) == []


def test_partitions_are_read_as_they_are_needed(run, work):
    read = []
    source = (read.append(number) or [number] for number in range(1000))

    results = run(work.make_squares, source, jobs=1)
    first = next(results)
    results.close()

    assert first == [0]
    assert len(read) <= 5


def test_one_of_two_processes_killed_in_the_middle_costs_no_result(run, work, tmp_path):
    results = run(partial(work.make_slow, 0.1, tmp_path))
    got = [next(results)]
    victim = wait_for(tmp_path, "working-*", 1)[0]
    os.kill(int(victim.name.partition("-")[2]), signal.SIGKILL)
    got += results

    assert got == SQUARES
    assert len(wait_for(tmp_path, "working-*", 3)) == 3


def test_a_partition_is_retried_three_times(run, work, tmp_path):
    results = list(run(partial(work.make_deadly, 7, 3, tmp_path), jobs=1))

    assert results == SQUARES
    assert len(list(tmp_path.glob("grave-*"))) == 3


def test_a_recording_that_kills_its_processes_is_given_up_and_no_other(
    run, work, tmp_path
):
    results = list(run(partial(work.make_deadly, 7, 99, tmp_path)))

    (failed,) = [value for some in results for value in some if isinstance(value, str)]
    expected = [value for some in SQUARES for value in some]
    expected[7] = failed
    assert [value for some in results for value in some] == expected
    assert failed == (
        "7 ended 4 processes that worked on it (SIGKILL, as the system sends it when "
        "memory runs out)"
    )
    assert len(list(tmp_path.glob("grave-*"))) == 8  # 4 the partition, 4 the number


def test_missing_weights_are_told_as_such(run, work):
    with pytest.raises(work.MissingWeightsError, match="there are no weights") as told:
        list(run(work.make_without_weights))

    assert "make_without_weights" in str(told.value.__cause__)


def test_an_error_that_does_not_pickle_is_told_by_its_text(run, work):
    with pytest.raises(RuntimeError, match="OddError: something odd at the end"):
        list(run(work.make_odd))


def test_as_many_results_as_recordings_are_expected(run, work):
    with pytest.raises(WorkersError, match="made 2 results of 3 recordings"):
        list(run(work.make_too_few))


@pytest.mark.slow
def test_processes_that_die_while_they_load_end_the_work(run, work):
    with pytest.raises(WorkersError, match=r"4 processes in a row .*start fewer jobs"):
        list(run(work.make_dead_on_arrival))


def test_what_cannot_be_sent_is_refused_at_once(run):
    with pytest.raises(TypeError, match="expected a function of a module"):
        run(threading.Lock().acquire)


@pytest.mark.parametrize("jobs", [0, -1])
def test_a_count_of_processes_that_is_none_is_refused(run, work, jobs):
    with pytest.raises(ValueError, match=rf"jobs is {jobs}; expected a count"):
        run(work.make_squares, jobs=jobs)


def test_processes_share_the_processors_and_wait_asleep(run, work, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)

    results = list(run(work.make_surroundings, [[1]], jobs=2))

    assert results == [[(str(max(1, len(os.sched_getaffinity(0)) // 2)), "passive")]]
    assert "OMP_NUM_THREADS" not in os.environ
    assert _threads_each(10_000) == 1


@pytest.mark.parametrize(
    ("asked", "threads"), [("2", "2"), ("64", "8"), ("4,2", "8"), ("", "8")]
)
def test_a_smaller_number_of_threads_that_the_user_asks_for_counts(
    monkeypatch, asked, threads
):
    monkeypatch.setenv("OMP_NUM_THREADS", asked)

    with threads_of_children(8):
        inside = os.environ["OMP_NUM_THREADS"]

    assert inside == threads
    assert os.environ["OMP_NUM_THREADS"] == asked


def started(tmp_path):
    """A Python of its own with two processes that are busy for long."""
    command = [sys.executable, str(HERE / "parallel_work.py"), str(tmp_path)]
    main = subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    busy = wait_for(tmp_path, "working-*", 2)
    return main, [int(path.name.partition("-")[2]) for path in busy]


def test_after_ctrl_c_all_are_gone_at_once_and_one_traceback_is_printed(tmp_path):
    main, busy = started(tmp_path)

    for number in busy:
        os.kill(number, signal.SIGINT)
    time.sleep(0.3)
    assert all(is_running(number) for number in busy)  # it is not for them
    before = time.monotonic()
    os.killpg(main.pid, signal.SIGINT)  # as a terminal does: to every process
    _, said = main.communicate(timeout=20)

    assert time.monotonic() - before < 3
    assert said.count("Traceback") == 1
    assert said.rstrip().endswith("KeyboardInterrupt")
    assert not any(is_running(number) for number in busy)


@pytest.mark.slow
def test_processes_end_in_silence_after_the_main_one_was_killed(tmp_path):
    """What they are doing they finish first, so it is short here."""
    script = tmp_path / "main.py"
    script.write_text(
        "import sys, time\n"
        f"sys.path.insert(0, {str(HERE)!r})\n"
        "from functools import partial\n"
        "from parallel_work import make_slow, give_up\n"
        "from bob.learn.pytorch.parallel.processes import in_processes\n"
        "if __name__ == '__main__':\n"
        f"    work = partial(make_slow, 1, {str(tmp_path)!r})\n"
        "    parts = [[n] for n in range(99)]\n"
        "    list(in_processes(work, parts, jobs=2, give_up=give_up))\n"
    )
    main = subprocess.Popen([sys.executable, str(script)], stderr=subprocess.PIPE)
    busy = [
        int(path.name.partition("-")[2]) for path in wait_for(tmp_path, "working-*", 2)
    ]

    main.kill()
    _, said = main.communicate()

    end = time.monotonic() + 10
    while any(is_running(number) for number in busy):
        assert time.monotonic() < end
        time.sleep(0.05)
    assert said == b""


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


def test_beside_a_slow_partition_others_do_fifteen_and_then_wait(run, work, tmp_path):
    """Two processes may have sixteen partitions open, and hold no more results."""
    partitions = [[number] for number in range(30)]

    results = run(partial(work.make_held, 0, 16, tmp_path), partitions)

    assert list(results) == partitions
    assert (tmp_path / "seen").read_text() == "16"
