"""A client of Dask, from what a user says: a name of Bob's, an address or a file."""

from __future__ import annotations

import asyncio
import difflib
import gc
import importlib
import logging
import re
import runpy
import shutil
import signal
import sys
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bob.learn.pytorch import settings
from bob.learn.pytorch.parallel.partitions import WorkersError
from bob.learn.pytorch.parallel.processes import processors
from bob.learn.pytorch.printing import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from importlib.metadata import EntryPoint

    from distributed import Client

logger = logging.getLogger(__name__)

GROUP = "dask.client"
_VARIABLES = ("dask_client", "client")
_SCHEMES = ("tcp", "tls")
# What a cluster that cannot start its workers fills the screen by.
_LOGGERS = ("asyncio", "distributed", "tornado")
_PATIENCE = 15  # seconds for a cluster to end its workers


@contextmanager
def dask_client(given: str, *, timeout: float = 10) -> Iterator[Client]:
    """Yield a client, closed in the end with the cluster that it started.

    Workers must see recordings and weights under the same paths as this process, and
    need this package. Until it is closed, processes that are started do not look for
    modules in the working folder (from Python 3.11 on).

    Parameters
    ----------
    given
        Address of a scheduler (``tcp://`` or ``tls://``), path of a Python file that
        defines ``dask_client`` or ``client``, ``local-parallel`` or ``local-p4`` for
        processes of this machine that only it can reach, or a name of the entry-point
        group ``dask.client``, in which bob.pipelines has ``sge`` and ``slurm``.
    timeout
        Seconds to wait for the scheduler at an address.

    Raises
    ------
    WorkersError
        `given` is no address, file or name, or gives no usable client.
    """
    import distributed  # noqa: F401 - which sets up its loggers

    with settings.safe_path_of_children():
        with _held_back(*_LOGGERS):
            client = _started(given, timeout=timeout)
        try:
            yield client
        finally:
            _close(client)


def _started(given: str, *, timeout: float) -> Client:
    if "://" in given:
        return _at_address(given, timeout=timeout)
    if given.endswith(".py"):
        client = _of_file(Path(given).expanduser())
    elif local := re.fullmatch(r"local-p(?:arallel|([1-9][0-9]{0,3}))", given):
        client = _local(int(local[1] or processors()))
    else:
        client = _registered(given)
    try:
        _check_submits(client, given)
    except WorkersError:
        _close(client)
        raise
    return client


def _at_address(address: str, *, timeout: float) -> Client:
    import distributed

    scheme, _, place = address.partition("://")
    if scheme not in _SCHEMES or ":" not in place:
        raise WorkersError(
            f"{address!r} is no address of a Dask scheduler; expected one such as "
            "tcp://10.0.0.1:8786 or tls://10.0.0.1:8786"
        )
    try:
        # In a new thread, where no loop of asyncio runs yet.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(asyncio.run, _greet(address, timeout)).result()
        # Their functions have no types.
        make: Callable[..., Client] = distributed.Client
        return make(address, timeout=timeout)
    except (TimeoutError, asyncio.TimeoutError) as error:
        silent = "what accepts connections there says nothing"
        raise _no_scheduler(address, timeout, str(error) or silent) from error
    except OSError as error:
        raise _no_scheduler(address, timeout, str(error)) from error
    # What another kind of server says is taken for sizes of arrays, and the like.
    except Exception as error:
        other = f"what it says is not of Dask: {type(error).__name__}: {error}"
        raise _no_scheduler(address, timeout, other) from error


def _no_scheduler(address: str, timeout: float, reason: str) -> WorkersError:
    return WorkersError(
        f"no Dask scheduler answers at {address} within {timeout:g} s "
        f"({' '.join(reason.split())[:200]}). Start one there with `dask scheduler`, "
        "or ask for the right address"
    )


async def _greet(address: str, timeout: float) -> None:
    """See whether a scheduler answers, for whose greeting a client waits for ever."""
    from distributed import Security
    from distributed.comm import core

    # Their functions have no types.
    security: Callable[[], Any] = Security
    connect: Callable[..., Any] = core.connect
    secrets = security().get_connection_args("client")
    greeting = connect(address, timeout=timeout, **secrets)
    (await asyncio.wait_for(greeting, timeout)).abort()


def _local(count: int) -> Client:
    """Start a cluster as bob.pipelines does, its dashboards closed to others."""
    from distributed import Client, LocalCluster

    make: Callable[..., LocalCluster] = LocalCluster
    return Client(  # type: ignore[no-untyped-call]
        make(
            n_workers=count,
            threads_per_worker=1,
            dashboard_address="127.0.0.1:8787",
            worker_dashboard_address="127.0.0.1:0",
        )
    )


def _of_file(path: Path) -> Client:
    if not path.is_file():
        raise WorkersError(
            f"there is no file {path.absolute()}; expected a Python file that defines "
            f"{' or '.join(_VARIABLES)}"
        )
    try:
        with _signals_kept():
            variables = runpy.run_path(str(path))
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        lines = [frame.lineno for frame in frames if frame.filename == str(path)]
        raise WorkersError(
            f"{path}, line {lines[-1] if lines else '?'}: "
            f"{type(error).__name__}: {error}"
        ) from error
    for name in _VARIABLES:
        if name in variables:
            return _checked(variables[name], f"{name} in {path}")
    raise WorkersError(
        f"{path} defines no client; expected a variable {' or '.join(_VARIABLES)} that "
        "is a distributed.Client"
    )


def _registered(name: str) -> Client:
    known = {entry.name: entry for entry in entry_points(group=GROUP)}
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.3) or sorted(known)
        raise WorkersError(
            f"no Dask client is called {name!r}; "
            f"{nearest(near or ['none, since bob.pipelines is not installed'])}. An "
            "address of a scheduler begins with tcp:// or tls://, and a Python file "
            "ends with .py"
        )
    try:
        with _signals_kept():
            found = _loaded(known[name])
    except Exception as error:
        raise WorkersError(
            f"the Dask client {name!r} ({known[name].value}) cannot be had here: "
            f"{type(error).__name__}: {error}"
        ) from error
    return _checked(found, f"the Dask client {name!r}")


def _loaded(entry: EntryPoint) -> object:
    found = entry.load()
    if getattr(found, "status", None) == "closed":
        # Importing the module made it, and we closed it after an earlier use.
        importlib.reload(sys.modules[entry.module])
        found = entry.load()
    return found


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Keep what is imported inside from changing what Ctrl-C does.

    dask_jobqueue, which Bob's clients import, makes it end the process with status 0.
    """
    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(number) for number in signals]
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            for number, handler in zip(signals, before, strict=True):
                signal.signal(number, handler)


def _checked(found: object, place: str) -> Client:
    from distributed import Client

    if isinstance(found, str):
        raise WorkersError(
            f"{place} is {found!r}, which means this process and no workers; leave "
            "--dask away for that"
        )
    if not isinstance(found, Client):
        raise WorkersError(
            f"{place} is a {type(found).__name__}; expected a distributed.Client"
        )
    return found


def _check_submits(client: Client, given: str) -> None:
    """Refuse a cluster whose jobs cannot be submitted: we would wait for ever."""
    job: Any = getattr(client.cluster, "job_cls", None)
    command = str(getattr(job, "submit_command", "") or "").partition(" ")[0]
    if command and shutil.which(command) is None:
        raise WorkersError(
            f"{given} submits jobs with {command}, which is not on this machine; start "
            "on one from which jobs are submitted"
        )


def _close(client: Any) -> None:  # noqa: ANN401 - their methods have no types
    cluster = client.cluster
    client.close()
    if cluster is None:
        return
    try:
        cluster.close(timeout=_PATIENCE)
    # A cluster that never got its jobs fails to end them; and one of which a worker
    # has just died may wait for it for ever.
    except (AssertionError, TimeoutError, asyncio.TimeoutError):
        logger.debug("the cluster %s did not close", cluster, exc_info=True)


class _Kept(logging.Handler):
    """Keeps what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@contextmanager
def _held_back(*names: str) -> Iterator[None]:
    """Hold back messages to loggers of these names, and to those below them.

    It is logged after all where the block ends well. Where it raises, the error tells
    what is wrong, and what else was said goes to our own log at the level DEBUG.
    """
    kept = _Kept()
    before = [(each, each.handlers[:], each.propagate) for each in _loggers(names)]
    for each, _, _ in before:
        each.handlers[:] = [kept]
        each.propagate = False
    try:
        yield
    except BaseException:
        for record in kept.records:
            logger.debug("%s: %s", record.name, record.getMessage())
        kept.records.clear()
        # Tasks whose error nobody asked for log it when they go: they go now.
        gc.collect()
        kept.records.clear()
        raise
    finally:
        for each, handlers, propagate in before:
            added = [handler for handler in each.handlers if handler is not kept]
            each.handlers[:] = [*handlers, *added]
            each.propagate = propagate
        for record in kept.records:
            logging.getLogger(record.name).handle(record)


def _loggers(names: tuple[str, ...]) -> list[logging.Logger]:
    """Return loggers of the names, and those below that have their own handlers."""
    below = tuple(f"{name}." for name in names)
    known = list(logging.root.manager.loggerDict.items())
    return [logging.getLogger(name) for name in names] + [
        found
        for name, found in known
        if name.startswith(below)
        and isinstance(found, logging.Logger)
        and (found.handlers or not found.propagate)
    ]
