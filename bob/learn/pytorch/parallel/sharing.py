"""A list of items shared out to processes, or to Dask workers."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, TypeVar

from bob.learn.pytorch.parallel.processes import in_processes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from distributed import Client

T = TypeVar("T")
R = TypeVar("R")

# Items that go to a worker together: of recordings enough that some have one length.
PARTITION = 64


@dataclass(frozen=True)
class Workers:
    """The processes that share the work.

    Attributes
    ----------
    jobs
        Processes of this machine; 1 works in the calling one.
    dask
        Name, address or file of a Dask client, in place of processes.
    """

    jobs: int = 1
    dask: str | None = None


def share_out(
    make_work: Callable[[], Callable[[Sequence[T]], Sequence[R]]],
    items: Sequence[T],
    *,
    places: Sequence[int],
    total: int,
    jobs: int,
    client: Client | None,
    give_up: Callable[[T, str], R],
) -> Iterator[list[R]]:
    """Yield results of items in their order, a partition at a time.

    Items of a list come in the same partitions whatever of it is done already.

    Parameters
    ----------
    places, total
        Place of every item in the whole list, in ascending order, and its length.
    client
        Of a Dask scheduler, whose workers then do it, however many `jobs` says.
    make_work, jobs, give_up
        As of `bob.learn.pytorch.parallel.processes.in_processes`.
    """
    if client is not None:
        threads = client.nthreads()  # type: ignore[no-untyped-call]
        jobs = max(1, sum(threads.values()))
    size = max(1, min(PARTITION, -(-total // (4 * jobs))))
    placed = groupby(zip(places, items, strict=True), key=lambda pair: pair[0] // size)
    parts = ([item for _, item in part] for _, part in placed)
    if client is None:
        return in_processes(make_work, parts, jobs=jobs, give_up=give_up)
    from bob.learn.pytorch.parallel.dask_workers import on_dask

    return on_dask(make_work, parts, client=client, give_up=give_up)
