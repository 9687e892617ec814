"""Work on partitions in several processes of this machine."""

from __future__ import annotations

import os
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any, TypeVar

from bob.learn.pytorch.parallel.partitions import RETRIES, Window, WorkersError, pickled
from bob.learn.pytorch.parallel.process import WorkerProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from bob.learn.pytorch.parallel.partitions import Task

T = TypeVar("T")
R = TypeVar("R")

# Partitions a process that are under way, or wait for one that takes long: enough that
# an hour among recordings of seconds stops nobody, few enough to be done again.
_OPEN = 8


def in_processes(
    make_work: Callable[[], Callable[[Sequence[T]], Sequence[R]]],
    partitions: Iterable[Sequence[T]],
    *,
    jobs: int,
    give_up: Callable[[T, str], R],
) -> Iterator[list[R]]:
    """Results of each partition, from processes that each load what they need once.

    They come in the order of the partitions; those of later ones wait for a long one.

    The processes are started, not forked, and share the processors: each has
    processors / jobs threads of OpenMP, or as many as OMP_NUM_THREADS says if that is
    fewer. They import from where this process does, and do not run its script again.

    With a process that dies (killed for memory, say), nothing is lost: another one gets
    its partition, up to three times, then item by item. An item with which four
    processes died becomes what ``give_up`` makes of it.

    Parameters
    ----------
    make_work
        Called once in each process; what it gives turns items into as many results. It
        must pickle: a function of a module, or `functools.partial` of one.
    partitions
        Items that go to a process together. They are read as they are needed, and at
        most eight a process are under way or wait.
    jobs
        How many processes.
    give_up
        From an item and a reason to its result.

    Raises
    ------
    ValueError
        `jobs` is not 1 or more.
    TypeError
        `make_work` does not pickle.
    WorkersError
        Processes die while they load, four in a row.
    Exception
        Whatever `make_work`, or what it makes, raises in a process.
    """
    if jobs < 1:
        raise ValueError(f"jobs is {jobs!r}; expected a count of processes, 1 or more")
    window = Window(partitions, give_up)
    return _delivered(window, _Crew(pickled(make_work), jobs=jobs))


def processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def threads_each(jobs: int) -> int:
    """Threads for each of several processes that share the processors of this one."""
    return max(1, processors() // jobs)


def _delivered(window: Window[T, R], crew: _Crew) -> Iterator[list[R]]:
    finished = False
    try:
        while not finished:
            done = list(window.ready())
            # Before the results go out: nobody waits for whoever takes them.
            crew.hand_out(window)
            finished = not crew.is_busy
            yield from done
            crew.listen(window)
    finally:
        crew.end(at_once=not finished)


class _Crew:
    """The processes, as many as there is work for."""

    def __init__(self, make_work: bytes, *, jobs: int) -> None:
        self._make_work = make_work
        self._jobs = jobs
        self._workers: list[WorkerProcess] = []
        self._tasks: dict[WorkerProcess, Task[Any, Any]] = {}
        self._deaths_at_start = 0

    @property
    def is_busy(self) -> bool:
        return bool(self._tasks)

    def hand_out(self, window: Window[T, R]) -> None:
        """Give every process work, and start processes if there is more."""
        idle = [worker for worker in self._workers if worker not in self._tasks]
        while idle or len(self._workers) < self._jobs:
            task = window.next_again() or window.next_task(_OPEN * self._jobs)
            if task is None:
                return
            worker = idle.pop() if idle else self._started()
            self._tasks[worker] = task
            if worker.is_ready:
                worker.begin(task.items)

    def _started(self) -> WorkerProcess:
        worker = WorkerProcess(self._make_work, threads=threads_each(self._jobs))
        self._workers.append(worker)
        return worker

    def listen(self, window: Window[T, R]) -> None:
        """Wait until something happens, and see to it."""
        busy = list(self._tasks)
        # One that has died closes its end.
        happened = wait([worker.connection for worker in busy]) if busy else []
        for worker in busy:
            if worker.connection in happened:
                self._see_to(worker, window)

    def _see_to(self, worker: WorkerProcess, window: Window[T, R]) -> None:
        report = worker.receive()
        if report is None:
            self._bury(worker, window)
        elif report[0] == "ready":
            self._deaths_at_start = 0
            worker.is_ready = True
            worker.begin(self._tasks[worker].items)
        else:
            window.finish(self._tasks.pop(worker), report[1])

    def _bury(self, worker: WorkerProcess, window: Window[T, R]) -> None:
        how = worker.cause_of_death()
        worker.stop(at_once=True)
        self._workers.remove(worker)
        task = self._tasks.pop(worker)
        if worker.is_ready:
            window.died(task, how)
            return
        window.put_back(task)
        self._deaths_at_start += 1
        if self._deaths_at_start > RETRIES:
            raise WorkersError(
                f"{self._deaths_at_start} processes in a row ended while they loaded "
                f"the trained model ({how}). If memory ran out, start fewer jobs than "
                f"{self._jobs}"
            )

    def end(self, *, at_once: bool) -> None:
        for worker in self._workers:
            worker.stop(at_once=at_once)
        for worker in self._workers:
            worker.join()
