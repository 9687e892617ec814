"""Partitions of work: which are under way, which to do again, which are ready."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from bob.learn.pytorch.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

T = TypeVar("T")
R = TypeVar("R")

RETRIES = 3  # after the first time that a worker died with it


class WorkersError(UserError, RuntimeError):
    """Workers that cannot be had or that keep dying, with the next step."""


@dataclass(eq=False)
class _Partition(Generic[T, R]):
    items: Sequence[T]
    results: dict[int, Sequence[R]] = field(
        default_factory=dict
    )  # by place of the first
    done: int = 0

    def whole(self) -> list[R]:
        return [result for _, some in sorted(self.results.items()) for result in some]


@dataclass(eq=False)
class Task(Generic[T, R]):
    """One piece of work for a worker: a partition, or one item of it."""

    items: Sequence[T]
    partition: _Partition[T, R]
    start: int = 0
    deaths: int = 0  # of workers with it


class Window(Generic[T, R]):
    """The partitions between those that have not begun and those that are delivered.

    A partition with which workers died too often is done again item by item, and an
    item with which they died too often is given up, so one bad recording costs itself.

    Parameters
    ----------
    partitions
        Read one by one as workers become free; those without items are left out.
    give_up
        From an item and a reason to its result.
    """

    def __init__(
        self,
        partitions: Iterable[Sequence[T]],
        give_up: Callable[[T, str], R],
    ) -> None:
        self._source = iter(partitions)
        self._give_up = give_up
        self._open: deque[_Partition[T, R]] = deque()
        self._again: deque[Task[T, R]] = deque()

    def next_task(self, limit: int) -> Task[T, R] | None:
        """Return a new partition; None where `limit` are open, or all have begun."""
        if len(self._open) >= limit:
            return None
        for items in self._source:
            if len(items):
                partition: _Partition[T, R] = _Partition(items)
                self._open.append(partition)
                return Task(items, partition)
        return None

    def next_again(self) -> Task[T, R] | None:
        """Return work with which a worker died."""
        return self._again.popleft() if self._again else None

    def finish(self, task: Task[T, R], results: Sequence[R]) -> None:
        """Keep the results of a task."""
        task.partition.results[task.start] = results
        task.partition.done += len(task.items)

    def put_back(self, task: Task[T, R]) -> None:
        """Let another worker do a task, which is not to blame for the death of one."""
        self._again.appendleft(task)

    def died(self, task: Task[T, R], how: str) -> None:
        """Retry a task with which a process died; then split it, then give it up."""
        task.deaths += 1
        if task.deaths <= RETRIES:
            self.put_back(task)
        else:
            self.split(task, f"ended {task.deaths} processes that worked on it ({how})")

    def split(self, task: Task[T, R], reason: str) -> None:
        """Split a task with which workers died too often, or give up its one item."""
        if len(task.items) == 1:
            self.finish(task, [self._give_up(task.items[0], reason)])
            return
        self._again.extend(
            Task(task.items[place : place + 1], task.partition, start=place)
            for place in range(len(task.items))
        )

    def ready(self) -> Iterator[list[R]]:
        """Yield results of partitions that are done, each once, in order."""
        while self._open and self._open[0].done == len(self._open[0].items):
            yield self._open.popleft().whole()


class Crew:
    """Workers that do the tasks of a window: processes, or those of a Dask cluster."""

    def begin(self) -> None:
        """Get ready before the first task."""

    def hand_out(self, window: Window[Any, Any]) -> None:
        """Give work to every worker that has none."""
        raise NotImplementedError

    @property
    def is_busy(self) -> bool:
        """Return whether any task is under way."""
        raise NotImplementedError

    def listen(self, window: Window[Any, Any]) -> None:
        """Wait until something happens, and tell the window."""
        raise NotImplementedError

    def explain(self, error: Exception) -> None:
        """Raise a clearer error in place of one that ends the work, if there is one."""

    def end(self, *, at_once: bool) -> None:
        """Let the workers go, at once where the work was broken off."""
        raise NotImplementedError

    def deliver(self, window: Window[T, R]) -> Iterator[list[R]]:
        """Yield the results of each partition, in order, as they are made."""
        finished = False
        try:
            self.begin()
            while not finished:
                done = list(window.ready())
                # Before the results go out: nobody waits for whoever takes them.
                self.hand_out(window)
                finished = not self.is_busy
                yield from done
                if not finished:
                    self.listen(window)
        except Exception as error:
            self.explain(error)
            raise
        finally:
            self.end(at_once=not finished)


def results_of(work: Callable[[Any], Any], items: Sequence[Any]) -> Sequence[Any]:
    """Call work on items, on a worker."""
    results: Sequence[Any] = work(items)
    if len(results) != len(items):
        raise WorkersError(
            f"a worker made {len(results)} results of {len(items)} recordings; "
            "expected one of each: the function that works is at fault"
        )
    return results


def pickled(content: object) -> bytes:
    """Pickle items, or the function that makes the work, for a worker.

    Functions and classes that another process could not import, such as those of a
    configuration file, go along.
    """
    import cloudpickle

    try:
        return bytes(cloudpickle.dumps(content))
    except Exception as error:
        raise TypeError(
            f"{content!r} cannot be sent to another process ({error}); expected a "
            "function of a module, or functools.partial of one"
        ) from error
