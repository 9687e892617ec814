"""One process that works: how it starts, what it is told, how it ends."""

from __future__ import annotations

import pickle
import signal
import subprocess
import sys
import traceback
from contextlib import contextmanager, suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from bob.learn.pytorch import settings
from bob.learn.pytorch.parallel.children import python
from bob.learn.pytorch.parallel.partitions import check_one_each, pickled

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_PATIENCE = 5  # seconds for a process that was asked to end
# It imports from where this process does, in the same order.
_SERVE = (
    "number = int(sys.argv.pop(1)); sys.path[:] = sys.argv[1:]; del sys.argv[1:]; "
    "from bob.learn.pytorch.parallel.process import serve_at; serve_at(number)"
)


class WorkerTraceback(Exception):  # noqa: N818 - not raised, only shown
    """Where in another process an error came from."""

    def __str__(self) -> str:
        return f"\n\n{self.args[0]}"


class WorkerProcess:
    """A process that makes its work once, and then does one task after the other.

    Parameters
    ----------
    make_work
        Pickled; without arguments, makes what does a task.
    threads
        Of OpenMP in that process.
    """

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
        """What it reports, None where it has died.

        Raises
        ------
        Exception
            Whatever ended the work there.
        """
        try:
            if not self.connection.poll():
                return None
            content = self.connection.recv_bytes()
        except (EOFError, OSError):
            return None
        kind, value = pickle.loads(content)  # noqa: S301 - from our own process
        if kind == "failed":
            error, place = value
            raise error from WorkerTraceback(place)
        return kind, value

    def stop(self, *, at_once: bool) -> None:
        """Tell the process to end; `join` waits for it.

        Parameters
        ----------
        at_once
            Whether in the middle of what it does.
        """
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
        """In words, after it has died."""
        status = self._process.wait()
        if status >= 0:
            return f"exit status {status}"
        name = signal.Signals(-status).name
        if name == "SIGKILL":
            return "SIGKILL, as the system sends it when memory runs out"
        return name


@contextmanager
def _interrupts_are_ours() -> Iterator[None]:
    """Processes that are started inside never see Ctrl-C; ours waits until the end.

    Ctrl-C goes to every process of a terminal, and each would print a traceback.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def serve_at(number: int) -> None:
    """Do what comes through a connection that a process was started with."""
    serve(Connection(number))


def serve(connection: Connection) -> None:
    """Do what comes through a connection until its other end is closed."""
    work = None
    while (content := _received(connection)) is not None:
        try:
            # In here, since it imports and may fail with errors of the user.
            told = pickle.loads(content)  # noqa: S301 - from the process that started us
            if work is None:
                work = told()
                answer: tuple[str, object] = ("ready", None)
            else:
                answer = ("done", _results(work, told))
            message = pickle.dumps(answer, protocol=pickle.HIGHEST_PROTOCOL)
        except Exception as error:  # noqa: BLE001 - raised again where it is read
            message = _failure(error)
        with suppress(OSError):  # the other end has gone; the next turn sees it
            connection.send_bytes(message)


def _results(work: Any, items: Sequence[Any]) -> Sequence[Any]:  # noqa: ANN401
    results: Sequence[Any] = work(items)
    check_one_each(items, results)
    return results


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
