"""A real scheduler and real workers, some of which are killed in the middle."""

import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
from files import from_json

from bob.learn.pytorch.parallel.dask_client import dask_client
from bob.learn.pytorch.parallel.dask_workers import on_dask
from bob.learn.pytorch.parallel.partitions import WorkersError

HERE = Path(__file__).parent
NUMBERS = [list(range(start, start + 3)) for start in range(0, 30, 3)]
SQUARES = [[number * number for number in numbers] for numbers in NUMBERS]


@pytest.fixture
def work(monkeypatch):
    """The module of that name, for workers too."""
    monkeypatch.syspath_prepend(HERE)
    monkeypatch.setenv("PYTHONPATH", str(HERE))
    import parallel_work

    return parallel_work


@pytest.fixture
def in_this_process(work):
    """A scheduler and two workers in threads: quick, and nothing can be killed."""
    from distributed import Client, LocalCluster

    with (
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=False,
            dashboard_address=None,
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


class Cluster:
    """A scheduler and its workers, each a process of its own."""

    def __init__(self, folder):
        self._folder = folder
        self._place = folder / "scheduler.json"
        self._processes = []
        self.scheduler = self._start(
            "scheduler",
            "--port",
            "0",
            "--no-dashboard",
            "--scheduler-file",
            self._place,
        )
        wait_for(self._place.is_file)
        self.address = from_json(self._place)["address"]

    def _start(self, part, *arguments):
        command = [sys.executable, "-m", "dask", part, *map(str, arguments)]
        with (self._folder / f"{part}-{len(self._processes)}.log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
        self._processes.append(process)
        return process

    def start_worker(self, *, threads=1, starts_again=False):
        return self._start(
            "worker", self.address, "--nthreads", threads, "--no-dashboard",
            "--nanny" if starts_again else "--no-nanny",
            "--local-directory", self._folder,
        )  # fmt: skip

    def stop(self):
        for process in self._processes:
            process.kill()
            process.wait()


def wait_for(condition):
    end = time.monotonic() + 60
    while not (value := condition()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return value


@pytest.fixture
def cluster(tmp_path, work):
    folder = tmp_path / "cluster"
    folder.mkdir()
    cluster = Cluster(folder)
    yield cluster
    cluster.stop()


def test_results_come_back_whole_and_the_client_stays_open(in_this_process, work):
    results = list(
        on_dask(
            work.make_squares,
            [*NUMBERS, []],
            client=in_this_process,
            give_up=work.give_up,
        )
    )

    assert results == SQUARES
    assert in_this_process.status == "running"


def test_work_is_made_once_a_worker_and_forgotten_in_the_end(
    in_this_process, work, tmp_path
):
    results = on_dask(
        partial(work.make_noted, tmp_path),
        NUMBERS,
        client=in_this_process,
        give_up=work.give_up,
    )
    assert list(results) == SQUARES
    kept = in_this_process.run(
        lambda dask_worker: vars(dask_worker)["bob.learn.pytorch.work"]
    )

    assert 1 <= len(list(tmp_path.iterdir())) <= 2
    assert list(kept.values()) == [{}, {}]


def test_partitions_are_read_as_they_are_needed(in_this_process, work):
    read = []
    source = (read.append(number) or [number] for number in range(1000))

    results = on_dask(
        work.make_squares, source, client=in_this_process, give_up=work.give_up
    )
    first = next(results)
    results.close()

    assert first == [0]
    assert len(read) <= 8 * 2 + 1


def test_missing_weights_are_told_as_such(in_this_process, work):
    results = on_dask(
        work.make_without_weights, NUMBERS, client=in_this_process, give_up=work.give_up
    )

    with pytest.raises(work.MissingWeightsError, match="there are no weights"):
        list(results)


@pytest.mark.slow
def test_one_of_two_workers_killed_in_the_middle_costs_no_result(
    cluster, work, tmp_path
):
    workers = [cluster.start_worker(), cluster.start_worker()]

    with dask_client(cluster.address) as client:
        client.wait_for_workers(2)
        results = on_dask(
            partial(work.make_slow, 0.1, tmp_path),
            NUMBERS,
            client=client,
            give_up=work.give_up,
        )
        got = [next(results)]
        wait_for(lambda: len(list(tmp_path.glob("working-*"))) == 2)
        workers[0].send_signal(signal.SIGKILL)
        got += results

        assert got == SQUARES
        assert len(client.nthreads()) == 1


@pytest.mark.slow
def test_a_recording_that_kills_its_workers_is_given_up_and_no_other(
    cluster, work, tmp_path
):
    graves = tmp_path / "graves"
    graves.mkdir()
    workers = [cluster.start_worker() for _ in range(10)]

    with dask_client(cluster.address) as client:
        client.wait_for_workers(10)
        results = list(
            on_dask(
                partial(work.make_deadly, 7, 99, graves),
                NUMBERS,
                client=client,
                give_up=work.give_up,
            )
        )

    (failed,) = [value for some in results for value in some if isinstance(value, str)]
    expected = [value for some in SQUARES for value in some]
    expected[7] = failed
    assert [value for some in results for value in some] == expected
    assert failed.startswith(
        "7 ended 4 Dask workers that worked on it, the last at tcp"
    )
    assert sum(worker.poll() is not None for worker in workers) == 8


@pytest.mark.slow
def test_what_dies_beside_such_a_recording_is_not_given_up(cluster, work, tmp_path):
    """In four threads of one process; of two suspects at once, both would be."""
    cluster.start_worker(threads=4, starts_again=True)
    numbers = [list(range(start, start + 8)) for start in range(0, 160, 8)]

    with dask_client(cluster.address) as client:
        client.wait_for_workers(1)
        results = list(
            on_dask(
                partial(work.make_deadly, 9, 99, tmp_path),
                numbers,
                client=client,
                give_up=work.give_up,
            )
        )

    flat = [value for some in results for value in some]
    expected = [number * number for some in numbers for number in some]
    assert isinstance(flat[9], str)
    assert flat[:9] + flat[10:] == expected[:9] + expected[10:]


@pytest.mark.slow
def test_workers_that_die_while_they_load_end_the_work(cluster, work):
    for _ in range(4):
        cluster.start_worker()

    with dask_client(cluster.address) as client:
        client.wait_for_workers(4)
        results = on_dask(
            work.make_dead_on_arrival, NUMBERS, client=client, give_up=work.give_up
        )
        with pytest.raises(WorkersError, match=r"died while they loaded .*more memory"):
            list(results)


@pytest.mark.slow
def test_a_scheduler_that_is_killed_ends_the_work(cluster, work):
    cluster.start_worker()

    with dask_client(cluster.address, timeout=2) as client:
        client.wait_for_workers(1)
        results = on_dask(
            partial(work.make_slow, 0.2), NUMBERS, client=client, give_up=work.give_up
        )
        assert next(results) == SQUARES[0]
        cluster.scheduler.kill()
        with pytest.raises(WorkersError, match=r"scheduler at tcp://\S+ was lost"):
            list(results)


@pytest.mark.slow
def test_a_worker_that_comes_later_takes_part(cluster, work, tmp_path, caplog):
    with dask_client(cluster.address) as client:
        results = on_dask(
            partial(work.make_slow, 0.01, tmp_path),
            NUMBERS,
            client=client,
            give_up=work.give_up,
        )
        late = cluster.start_worker()
        assert list(results) == SQUARES

    assert "no worker is at tcp://" in caplog.text
    assert [path.name for path in tmp_path.glob("working-*")] == [f"working-{late.pid}"]
