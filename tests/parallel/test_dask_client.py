"""From what a user says about Dask to a client, or to an error that helps."""

import asyncio
import gc
import logging
import os
import signal
import socket
import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from importlib.metadata import EntryPoint

import pytest

from bob.learn.pytorch.parallel import dask_client as module
from bob.learn.pytorch.parallel.dask_client import _held_back, dask_client
from bob.learn.pytorch.parallel.partitions import WorkersError
from bob.learn.pytorch.script import terminal

IN_THREADS = """
from distributed import Client, LocalCluster

cluster = LocalCluster(
    n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None
)
{name} = Client(cluster)
"""


def refusal(given, **more):
    with pytest.raises(WorkersError) as refused, dask_client(str(given), **more):
        pass
    return str(refused.value)


@pytest.mark.parametrize("name", ["dask_client", "client"])
def test_a_file_gives_its_client_and_what_it_started_is_closed(tmp_path, name):
    path = tmp_path / "cluster.py"
    path.write_text(IN_THREADS.format(name=name))

    with dask_client(str(path)) as client:
        cluster = client.cluster
        answer = client.submit(pow, 7, 2).result()

    assert answer == 49
    assert client.status == "closed"
    assert cluster.status.name == "closed"


def test_a_scheduler_at_an_address_is_used_and_lives_on():
    from distributed import LocalCluster

    options = {"processes": False, "dashboard_address": None, "protocol": "tcp://"}
    with LocalCluster(n_workers=1, threads_per_worker=1, **options) as cluster:
        with dask_client(cluster.scheduler_address) as client:
            answer = client.submit(pow, 7, 2).result()

        assert answer == 49
        assert client.status == "closed"
        assert cluster.status.name == "running"


def test_a_misspelt_name_is_answered_with_the_nearest():
    said = refusal("local-paralel")

    assert "no Dask client is called 'local-paralel'" in said
    assert "the nearest are local-parallel" in said


@pytest.mark.parametrize("address", ["http://10.0.0.1:8786", "tcp://10.0.0.1"])
def test_what_is_no_address_of_a_scheduler_is_refused(address):
    assert "expected one such as tcp://10.0.0.1:8786" in refusal(address)


def test_an_address_where_nobody_answers_is_told_in_time():
    with socket.socket() as held:  # bound, and nobody listens
        held.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{held.getsockname()[1]}"

        said = refusal(address, timeout=0.2)

    assert f"no Dask scheduler answers at {address} within 0.2 s" in said


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b"", "what accepts connections there says nothing"),
        (b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", "is not of Dask"),
        (bytes(1000), "is not of Dask"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "is not of Dask"),
    ],
    ids=["silent", "http", "zeros", "ssh"],
)
def test_a_server_that_is_no_scheduler_is_told_in_a_line_and_in_time(said, reason):
    accepted = []

    def answer(listening):
        with suppress(OSError):
            accepted.append(listening.accept()[0])
            accepted[0].sendall(said)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=answer, args=[listening], daemon=True).start()
        address = f"tcp://127.0.0.1:{listening.getsockname()[1]}"
        started = time.monotonic()
        told = refusal(address, timeout=0.3)
    accepted[0].close()

    assert time.monotonic() - started < 3
    assert reason in told
    assert "\n" not in told


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("scheduler = 1\n", "defines no client; expected a variable dask_client or"),
        ("x = 1\nclient = x / 0\n", "line 2: ZeroDivisionError: division by zero"),
        ("client = (\n", "line ?: SyntaxError"),
        ("dask_client = 'single-threaded'\n", "'single-threaded', which means this"),
        ("client = 3\n", "is a int; expected a distributed.Client"),
    ],
)
def test_a_file_without_a_client_is_refused(tmp_path, content, expected):
    path = tmp_path / "cluster.py"
    path.write_text(content)

    said = refusal(path)

    assert expected in said
    assert str(path) in said


def test_a_file_that_is_not_there_is_refused(tmp_path):
    assert f"there is no file {tmp_path}/none.py" in refusal(tmp_path / "none.py")


def test_a_client_that_cannot_be_had_here_is_told_with_its_reason():
    """Bob's slurm asks for a setting, which nobody has made here."""
    said = refusal("slurm")

    assert "the Dask client 'slurm' (bob.pipelines" in said
    assert "bob config set slurm.account" in said


def test_a_cluster_whose_jobs_cannot_be_submitted_from_here_is_refused(
    tmp_path, monkeypatch
):
    """Otherwise one would wait for workers for ever."""
    path = tmp_path / "cluster.py"
    path.write_text(
        IN_THREADS.format(name="client")
        + "class Job:\n    submit_command = 'nowhere-submit -x'\n"
        + "cluster.job_cls = Job\n"
    )

    assert "submits jobs with nowhere-submit, which is not on this" in refusal(path)


@pytest.mark.parametrize("submits", [True, False])
def test_what_libraries_log_of_a_start_is_told_only_where_it_is_used(
    tmp_path, caplog, submits
):
    """A cluster without its qsub logs thousands of lines before it is refused."""
    path = tmp_path / "cluster.py"
    path.write_text(
        "import logging\n"
        + IN_THREADS.format(name="client")
        + f"class Job:\n    submit_command = '{'true' if submits else 'nowhere'} -x'\n"
        + "cluster.job_cls = Job\n"
        + "for name in ('tornado.application', 'asyncio', 'distributed.deploy.spec'):\n"
        + "    logging.getLogger(name).error('Traceback of qsub')\n"
    )
    names = ("tornado.application", "asyncio", "distributed")
    for name in names:
        logging.getLogger(name).addHandler(caplog.handler)
    try:
        if submits:
            with dask_client(str(path)):
                pass
        else:
            assert "submits jobs with nowhere" in refusal(path)
    finally:
        for name in names:
            logging.getLogger(name).removeHandler(caplog.handler)

    told = {each.name for each in caplog.records if "of qsub" in each.getMessage()}
    expected = {"tornado.application", "asyncio", "distributed.deploy.spec"}
    assert told == (expected if submits else set())


def test_what_a_file_imports_does_not_change_what_ctrl_c_does(tmp_path):
    """dask_jobqueue makes it end the process with status 0, as if all were well."""
    path = tmp_path / "cluster.py"
    path.write_text("import dask_jobqueue.runner\n" + IN_THREADS.format(name="client"))
    # An earlier test may have imported it.
    terminal.take_back_interrupts()

    with dask_client(str(path)):
        during = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)

    assert during == (signal.default_int_handler, signal.SIG_DFL)


def test_a_name_can_be_used_again_after_its_client_was_closed(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    source = IN_THREADS.format(name="dask_client")
    (tmp_path / "registered_cluster.py").write_text(source)
    entry = EntryPoint("here", "registered_cluster:dask_client", module.GROUP)
    monkeypatch.setattr(module, "entry_points", lambda group: [entry])

    answers = []
    for _ in range(2):
        with dask_client("here") as client:
            answers.append(client.submit(pow, 7, 2).result())

    assert answers == [49, 49]


@pytest.mark.slow
def test_local_parallel_of_bob_starts_processes():
    # An earlier test may have imported Bob's clients.
    terminal.take_back_interrupts()

    with dask_client("local-parallel") as client:
        processes = client.run(os.getpid)
        on_interrupt = signal.getsignal(signal.SIGINT)

    assert len(processes) == len(os.sched_getaffinity(0))
    assert os.getpid() not in processes.values()
    assert on_interrupt is signal.default_int_handler


@pytest.mark.slow
def test_a_local_cluster_listens_to_this_machine_only():
    """Its dashboards too, and those of its workers."""
    import psutil

    with dask_client("local-p2"):
        ours = [psutil.Process(), *psutil.Process().children(recursive=True)]
        sockets = [one for each in ours for one in each.net_connections("inet")]

    listening = {one.laddr.ip for one in sockets if one.status == "LISTEN"}
    assert listening == {"127.0.0.1"}


@contextmanager
def told_to(name):
    """What comes through a handler of one logger."""
    texts = []
    handler = logging.Handler()
    handler.emit = lambda record: texts.append(record.getMessage())
    logging.getLogger(name).addHandler(handler)
    yield texts
    logging.getLogger(name).removeHandler(handler)


@pytest.fixture
def library(monkeypatch):
    """What is told to a library that has a handler of its own, as distributed has."""
    monkeypatch.setattr(logging.getLogger("library.part"), "propagate", False)
    with told_to("library.part") as texts:
        yield texts


@pytest.fixture
def root():
    """What is told to everybody."""
    with told_to(None) as texts:
        yield texts


def refuse(name, start=None):
    """What fails to start, and logs a traceback before."""
    with _held_back("library", "asyncio"):
        logging.getLogger(name).error("a traceback of 60 lines")
        if start is not None:
            asyncio.run(start())
        raise OSError("no qsub")


def test_it_is_told_after_a_good_start(library, root):
    with _held_back("library", "asyncio"):
        logging.getLogger("library.part").error("no such queue")
        logging.getLogger("library.other").error("new inside")
        assert (library, root) == ([], [])

    assert library == ["no such queue"]
    assert root == ["new inside"]


def test_it_is_dropped_where_an_error_tells(library, root):
    for name in ("library.part", "library.other", "library"):
        with pytest.raises(OSError, match="no qsub"):
            refuse(name)

    assert (library, root) == ([], [])


def test_nothing_later_and_nobody_else_is_held_back(library, root):
    with pytest.raises(OSError, match="no qsub"):
        refuse("library_of_others")
    logging.getLogger("library.part").error("later")
    logging.getLogger("library").error("later too")

    assert library == ["later"]
    assert root == ["a traceback of 60 lines", "later too"]


def test_a_handler_that_is_added_inside_stays(root):
    with ExitStack() as stack:
        with _held_back("library"):
            texts = stack.enter_context(told_to("library"))
        logging.getLogger("library").error("later")

        assert texts == root == ["later"]


def test_tasks_whose_error_nobody_asked_for_are_silent_too(root):
    """Their loop logs it when they are collected, which may be at the very end."""

    async def fail():
        raise FileNotFoundError("qsub")

    async def start():
        task = asyncio.ensure_future(fail())
        task.keeps_itself = [task]
        for _ in range(2):
            await asyncio.sleep(0)

    with pytest.raises(OSError, match="no qsub"):
        refuse("asyncio", start)
    gc.collect()

    assert root == []
