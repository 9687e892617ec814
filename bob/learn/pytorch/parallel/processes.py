"""Work on partitions in several processes of this machine."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import traceback
from contextlib import contextmanager, suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Any, TypeVar

from bob.learn.pytorch import settings
from bob.learn.pytorch.parallel.partitions import (
    RETRIES,
    Crew,
    Window,
    WorkersError,
    pickled,
    results_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from bob.learn.pytorch.parallel.partitions import Task

T = TypeVar("T")
R = TypeVar("R")

# Partitions a process that are under way, or wait for one that takes long: enough that
# an hour among recordings of seconds stops nobody, few enough to be done again.
_OPEN = 8
# `-P` is new in Python 3.11. What `-c` looks through first is the working folder, which
# is the empty entry: it goes before anything is imported.
_FIRST = "import sys; sys.path[:] = filter(None, sys.path); "
_PATIENCE = 5  # seconds for a process that was asked to end
# It imports from where this process does, in the same order.
_SERVE = (
    "number = int(sys.argv.pop(1)); sys.path[:] = sys.argv[1:]; del sys.argv[1:]; "
    "from bob.learn.pytorch.parallel.processes import _serve_at; _serve_at(number)"
)


def in_processes(
    make_work: Callable[[], Callable[[Sequence[T]], Sequence[R]]],
    partitions: Iterable[Sequence[T]],
    *,
    jobs: int,
    give_up: Callable[[T, str], R],
) -> Iterator[list[R]]:
    """Yield the results of each partition from processes, which load the work once.

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
        Called once in each process; returns what turns items into as many results. It
        must pickle: a function of a module, or `functools.partial` of one.
    partitions
        Items that go to a worker together. They are read as they are needed, and at
        most eight a process, or thread of a worker, are under way or wait.
    jobs
        Number of processes.
    give_up
        Makes the result of an item that is given up, from it and a reason.

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
    crew = _Processes(pickled(make_work), jobs=jobs)
    return crew.deliver(Window(partitions, give_up))


def processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _threads_each(jobs: int) -> int:
    """Return the threads for each process that shares the processors of this one."""
    return max(1, processors() // jobs)


def python(code: str, *arguments: str) -> list[str]:
    """Return a command that runs code in this Python, away from the working folder.

    A file there that is called like a module, such as ``pip.py``, is not run. Folders
    that the user named in ``PYTHONPATH`` count as ever.
    """
    warnings = [f"-W{option}" for option in sys.warnoptions]
    isolated = ["-I"] if sys.flags.isolated else []
    return [sys.executable, *isolated, *warnings, "-c", _FIRST + code, *arguments]


class _Processes(Crew):
    """The processes, as many as there is work for."""

    def __init__(self, make_work: bytes, *, jobs: int) -> None:
        self._make_work = make_work
        self._jobs = jobs
        self._workers: list[_Worker] = []
        self._tasks: dict[_Worker, Task[Any, Any]] = {}
        self._deaths_at_start = 0

    @property
    def is_busy(self) -> bool:
        return bool(self._tasks)

    def hand_out(self, window: Window[Any, Any]) -> None:
        idle = [worker for worker in self._workers if worker not in self._tasks]
        while idle or len(self._workers) < self._jobs:
            task = window.next_again() or window.next_task(_OPEN * self._jobs)
            if task is None:
                return
            if idle:
                worker = idle.pop()
            else:
                worker = _Worker(self._make_work, threads=_threads_each(self._jobs))
                self._workers.append(worker)
            self._tasks[worker] = task
            if worker.is_ready:
                worker.begin(task.items)

    def listen(self, window: Window[Any, Any]) -> None:
        busy = list(self._tasks)
        # One that has died closes its end.
        happened = wait([worker.connection for worker in busy])
        for worker in busy:
            if worker.connection in happened:
                self._see_to(worker, window)

    def _see_to(self, worker: _Worker, window: Window[Any, Any]) -> None:
        report = worker.receive()
        if report is None:
            self._bury(worker, window)
        elif report[0] == "ready":
            self._deaths_at_start = 0
            worker.is_ready = True
            worker.begin(self._tasks[worker].items)
        else:
            window.finish(self._tasks.pop(worker), report[1])

    def _bury(self, worker: _Worker, window: Window[Any, Any]) -> None:
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


class _WorkerTraceback(Exception):  # noqa: N818 - not raised, only shown
    """Place in another process that an error came from."""

    def __str__(self) -> str:
        return f"\n\n{self.args[0]}"


class _Worker:
    """A process that makes its work once, and then does one task after the other."""

    def __init__(self, make_work: bytes, *, threads: int) -> None:
        self.connection, theirs = Pipe()
        number = theirs.fileno()
        with settings.threads_of_children(threads), _interrupts_are_ours():
            self._process = subprocess.Popen(  # noqa: S603 - no shell, our own program
                python(_SERVE, str(number), *sys.path),
                stdin=subprocess.DEVNULL,
                pass_fds=[number],
            )
        theirs.close()
        self.is_ready = False
        self._send(make_work)

    def begin(self, items: Sequence[Any]) -> None:
        """Send what is to be done."""
        self._send(pickled(items))

    def _send(self, content: bytes) -> None:
        # Of a process that has just died; whoever listens to it learns that.
        with suppress(OSError):
            self.connection.send_bytes(content)

    def receive(self) -> tuple[str, Any] | None:
        """Return its report, None where it died; raise what ended the work there."""
        try:
            if not self.connection.poll():
                return None
            content = self.connection.recv_bytes()
        except (EOFError, OSError):
            return None
        kind, value = pickle.loads(content)  # noqa: S301 - from our own process
        if kind == "failed":
            error, place = value
            raise error from _WorkerTraceback(place)
        return kind, value

    def stop(self, *, at_once: bool) -> None:
        """Tell the process to end, in the middle of a task or behind it."""
        self.connection.close()
        if at_once:
            self._process.terminate()

    def join(self) -> None:
        """Wait until the process has ended, and see to it that it does."""
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def cause_of_death(self) -> str:
        """Return the cause in words, after it has died."""
        status = self._process.wait()
        if status >= 0:
            return f"exit status {status}"
        name = signal.Signals(-status).name
        if name == "SIGKILL":
            return "SIGKILL, as the system sends it when memory runs out"
        return name


@contextmanager
def _interrupts_are_ours() -> Iterator[None]:
    """Keep Ctrl-C from processes that are started inside; ours waits until the end.

    Ctrl-C goes to every process of a terminal, and each would print a traceback.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve_at(number: int) -> None:
    """Do what comes through the connection of a number until its other end closes."""
    connection = Connection(number)
    work = None
    while (content := _received(connection)) is not None:
        try:
            # In here, since it imports and may fail with errors of the user.
            told = pickle.loads(content)  # noqa: S301 - from the process that started us
            if work is None:
                work = told()
                answer: tuple[str, object] = ("ready", None)
            else:
                answer = ("done", results_of(work, told))
            message = pickle.dumps(answer, protocol=pickle.HIGHEST_PROTOCOL)
        except Exception as error:  # noqa: BLE001 - raised again where it is read
            message = _failure(error)
        with suppress(OSError):  # the other end has gone; the next turn sees it
            connection.send_bytes(message)


def _received(connection: Connection) -> bytes | None:
    try:
        return connection.recv_bytes()
    except (EOFError, OSError):
        return None


def _failure(error: Exception) -> bytes:
    place = "".join(traceback.format_exception(error))
    try:
        message = pickle.dumps(("failed", (error, place)))
        pickle.loads(message)  # noqa: S301 - some pickle and do not come back
    except Exception:  # noqa: BLE001 - any; then its text must do
        told = RuntimeError(f"{type(error).__name__}: {error}")
        message = pickle.dumps(("failed", (told, place)))
    return message
