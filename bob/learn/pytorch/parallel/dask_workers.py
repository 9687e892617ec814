"""Work on partitions on the workers of a Dask cluster."""

from __future__ import annotations

import logging
import pickle
import threading
import time
import uuid
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, Any, TypeVar

from bob.learn.pytorch.parallel.partitions import (
    Crew,
    Window,
    WorkersError,
    pickled,
    results_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from distributed import Client

    from bob.learn.pytorch.parallel.partitions import Task

T = TypeVar("T")
R = TypeVar("R")

logger = logging.getLogger(__name__)

_OPEN = 8  # partitions a thread of a worker: see `processes`
_COUNT_AGAIN = 5  # seconds after which the workers are counted again
_KEPT = "bob.learn.pytorch.work"  # where a worker keeps what it made


def on_dask(
    make_work: Callable[[], Callable[[Sequence[T]], Sequence[R]]],
    partitions: Iterable[Sequence[T]],
    *,
    client: Client,
    give_up: Callable[[T, str], R],
) -> Iterator[list[R]]:
    """Yield the results of each partition from Dask workers, which load the work once.

    They come in the order of the partitions; those of later ones wait for a long one.

    Workers may come and go. Of one that is lost, others do the partitions, as often as
    ``distributed.scheduler.allowed-failures`` of the scheduler says (3), then item by
    item, one at a time; an item that is lost with that many workers again becomes what
    ``give_up`` makes of it. The client stays open.

    Parameters
    ----------
    make_work, partitions, give_up
        See `bob.learn.pytorch.parallel.processes.in_processes`. Every worker must be
        able to import the work, and calls it in all of its threads at once.
    client
        Client of the scheduler, as `dask_client` gives it.

    Raises
    ------
    TypeError
        `make_work` does not pickle.
    WorkersError
        The scheduler is lost, or workers die while they load.
    Exception
        Whatever `make_work`, or what it makes, raises on a worker.
    """
    return _Cluster(client, pickled(make_work)).deliver(Window(partitions, give_up))


class _Cluster(Crew):
    """The work under way on the workers of a cluster."""

    def __init__(self, client: Client, make_work: bytes) -> None:
        import distributed

        # Their functions have no types.
        as_completed: Callable[..., Any] = distributed.as_completed
        self._client: Any = client
        self._make_work = make_work
        self._run = f"bob-{uuid.uuid4().hex}"
        self._number = 0
        self._tasks: dict[Any, Task[Any, Any]] = {}
        self._completed = as_completed(loop=client.loop)
        # Done one at a time: the scheduler suspects all that waited at a worker that
        # died, and a recording is given up only if it alone is under suspicion.
        self._suspect: Any = None
        self._limit = 0
        self._counted = -float("inf")

    @property
    def _address(self) -> str:
        return str(self._client.scheduler.address)

    @property
    def is_busy(self) -> bool:
        return bool(self._tasks)

    def begin(self) -> None:
        """Let one worker load the work, so that its fault is reported as such."""
        from distributed import KilledWorker

        if not self._client.nthreads():
            logger.warning("no worker is at %s yet; waiting for one", self._address)
        future = self._submit([], priority=1)
        try:
            future.result()
        except KilledWorker as error:
            raise WorkersError(
                f"Dask workers at {self._address} died while they loaded the "
                f"trained model, the last at {error.last_worker.address}: give them "
                "more memory, and see their logs"
            ) from error

    def hand_out(self, window: Window[Any, Any]) -> None:
        self._count_workers()
        if self._suspect is None and (task := window.next_again()):
            # First, since what is ready may have to wait for it.
            self._suspect = self._begin(task, priority=1)
        while task := window.next_task(self._limit):
            self._begin(task, priority=0)

    def _begin(self, task: Task[Any, Any], *, priority: int) -> Any:  # noqa: ANN401
        future = self._submit(task.items, priority=priority)
        self._tasks[future] = task
        self._completed.add(future)
        return future

    def _submit(self, items: Sequence[Any], *, priority: int) -> Any:  # noqa: ANN401
        self._number += 1
        return self._client.submit(
            _work_on,
            self._run,
            self._make_work,
            # As bytes: Dask would look through it for futures and tasks.
            pickled(items),
            key=f"{self._run}-{self._number}",
            pure=False,
            priority=priority,
        )

    def _count_workers(self) -> None:
        now = time.monotonic()
        if now - self._counted > _COUNT_AGAIN:
            threads = sum(self._client.nthreads().values())
            self._limit = _OPEN * max(1, threads)
            self._counted = now

    def listen(self, window: Window[Any, Any]) -> None:
        from distributed import KilledWorker

        future = next(self._completed)
        task = self._tasks.pop(future)
        if future is self._suspect:
            self._suspect = None
        try:
            results = future.result()
        except KilledWorker as error:
            window.split(
                task,
                f"ended {error.allowed_failures + 1} Dask workers that worked on it, "
                f"the last at {error.last_worker.address}",
            )
        else:
            window.finish(task, results)

    def explain(self, error: Exception) -> None:
        if isinstance(error, CancelledError) or self._client.status != "running":
            raise WorkersError(
                f"the Dask scheduler at {self._address} was lost, or it dropped the "
                "work; what has been stored is kept: start the same command again"
            ) from error

    def end(self, *, at_once: bool) -> None:
        """Take back what is not done, and let the workers forget what they made."""
        del at_once  # nothing is left to do where the work is finished
        if self._client.status != "running":
            return
        self._client.cancel(list(self._tasks))
        self._client.run(_forget, self._run, on_error="ignore")


class _Made:
    """The work that one worker made, for all of its threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._work: Any = None

    def get(self, make_work: bytes) -> Any:  # noqa: ANN401
        with self._lock:
            if self._work is None:
                self._work = pickle.loads(make_work)()  # noqa: S301 - from our client
            return self._work


def _work_on(run: str, make_work: bytes, pickled_items: bytes) -> Sequence[Any]:
    """Do items on the worker that calls this; without items, only make the work."""
    from distributed import get_worker

    kept = vars(get_worker()).setdefault(_KEPT, {})
    work = kept.setdefault(run, _Made()).get(make_work)
    items = pickle.loads(pickled_items)  # noqa: S301 - from our client
    if not items:
        return []
    return results_of(work, items)


def _forget(run: str, dask_worker: Any) -> None:  # noqa: ANN401 - Dask names and gives it
    """Free on a worker what was made for a run."""
    vars(dask_worker).get(_KEPT, {}).pop(run, None)
