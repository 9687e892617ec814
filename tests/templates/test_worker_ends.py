"""When a worker ends, nothing of it remains, whoever ended it and how."""

import gc
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from bob.learn.pytorch.templates.format.errors import WorkerDied

BATCH = np.linspace(-1, 1, 1600, dtype=np.float32)[None]


def descriptors():
    return sorted(Path("/proc/self/fd").iterdir())


def wait_until_gone(process, seconds=10):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if psutil.Process(process).status() == psutil.STATUS_ZOMBIE:
                return
        except psutil.NoSuchProcess:
            return
        time.sleep(0.01)
    pytest.fail(f"process {process} is still there")


STARTED = """
import os, subprocess, sys
command = [sys.executable, '-c', 'import time; print(flush=True); time.sleep(600)']
pipe = dict(stdout=subprocess.PIPE)
children = [
    subprocess.Popen(command, **pipe),
    subprocess.Popen(command, start_new_session=True, **pipe),
]
for child in children:
    child.stdout.readline()
forked = os.fork()
if forked == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    import time
    time.sleep(600)
os.waitpid(forked, 0)
"""


def descendants(worker):
    (guard,) = [psutil.Process(worker._process.pid)]
    return [guard, *guard.children(recursive=True)]


OWNER = """
import sys, time
from pathlib import Path
import numpy as np
from bob.learn.pytorch.templates.install.environment import Environment
from bob.learn.pytorch.templates.format.template import from_content
from bob.learn.pytorch.templates.run.worker import Worker
content, home, code = eval(sys.argv[1])
home = Path(home)
environment = Environment("0", home, Path(sys.executable), home, home, "")
worker = Worker(from_content(content), environment, {})
worker.load()
print(worker._process.pid, flush=True)
exec(code)
"""


def owner(toy, tmp_path, code, **keys):
    """A process that has a worker, and does something then."""
    folder = tmp_path / "t"
    folder.mkdir(exist_ok=True)
    (tmp_path / "h").mkdir(exist_ok=True)
    argument = repr((dict(toy(**keys).content), str(tmp_path / "h"), code))
    return subprocess.Popen(
        [sys.executable, "-c", OWNER, argument],
        env={**os.environ, "TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.mark.parametrize("end", ["close", "crash"])
def test_nothing_that_a_template_started_outlives_it(start, end):
    """Not what has a session of its own, and not what cut itself loose."""
    worker = start(model_init=[STARTED, "model = 1"], embed_fwd=["os.abort()"])
    there = descendants(worker)
    assert len(there) >= 4  # a guard, the worker, two children; the last may be adopted

    if end == "close":
        worker.close()
    else:
        with pytest.raises(WorkerDied, match="SIGABRT"):
            worker.embed(BATCH, seconds=0.1)

    for process in there:
        wait_until_gone(process.pid)


def embed_until_it_dies(worker):
    """On a busy machine, it answers some more before the guard's turn to die comes."""
    for _ in range(1000):
        worker.embed(BATCH, seconds=0.1)


@pytest.mark.parametrize("then", ["while True: pass", "y = x[:, :4]"])
def test_a_template_that_kills_its_guard_ends_with_all_that_it_started(start, then):
    lines = ["import os", "os.kill(os.getppid(), 9)", then]
    worker = start(model_init=[STARTED, "model = 1"], embed_fwd=lines)
    there = descendants(worker)

    with pytest.raises(WorkerDied):
        embed_until_it_dies(worker)

    for process in there:
        wait_until_gone(process.pid)


@pytest.mark.parametrize(
    ("embed_fwd", "code"),
    [
        pytest.param(["y = x"], "time.sleep(600)", marks=pytest.mark.slow),
        (
            ["import re", "re.match('(a+)+b', 'a' * 99)"],
            "worker.embed(np.ones((1, 99), np.float32), seconds=0)",
        ),
        (["y = x"], "import os; os.fork(); time.sleep(30)"),  # the fork outlives it
    ],
    ids=["idle", "computing with Python's lock held", "with a fork of the parent"],
)
def test_nothing_remains_when_the_parent_is_killed(toy, tmp_path, embed_fwd, code):
    parent = owner(
        toy, tmp_path, code, model_init=[STARTED, "model = 1"], embed_fwd=embed_fwd
    )
    guard = psutil.Process(int(parent.stdout.readline()))
    there = [guard, *guard.children(recursive=True)]
    time.sleep(0.2)
    try:
        parent.kill()

        for process in there:
            wait_until_gone(process.pid)
        assert list((tmp_path / "t").iterdir()) == []
    finally:
        parent.stdout.close()
        parent.stderr.close()
        parent.wait()


@pytest.mark.parametrize(
    "code",
    [
        "",
        "import os; os._exit(0)",
        *(
            pytest.param(code, marks=pytest.mark.slow)
            for code in ("sys.exit(3)", "raise SystemExit", "del worker")
        ),
    ],
)
def test_a_parent_that_forgets_to_close_leaves_nothing(toy, tmp_path, code):
    parent = owner(toy, tmp_path, code)
    said, errors = parent.communicate(timeout=30)

    wait_until_gone(int(said))
    assert list((tmp_path / "t").iterdir()) == []
    assert "Exception ignored" not in errors
    assert "Warning" not in errors


def test_a_parent_without_standard_streams_works(toy, tmp_path):
    """The numbers 0, 1 and 2 would then be those of our pipes."""
    program = textwrap.dedent(
        """
        import os
        os.closerange(0, 3)
        """
    )
    code = """
made = worker.embed(np.ones((1, 9), np.float32), seconds=0)
Path('made').write_text(str(made))
"""
    (tmp_path / "t").mkdir()
    argument = repr((dict(toy().content), str(tmp_path / "t"), code))
    source = program + OWNER.replace("print(", "(lambda *_, **__: 0)(")

    subprocess.run([sys.executable, "-c", source, argument], cwd=tmp_path, check=True)

    assert (tmp_path / "made").read_text() == "[[1. 1. 1. 1.]]"


def test_ctrl_c_reaches_the_caller_and_ends_the_worker(start, temporary):
    lines = ["import time", "time.sleep(600)"]
    worker = start(embed_fwd=lines)
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()

    with pytest.raises(KeyboardInterrupt):
        worker.embed(BATCH, seconds=0.1)

    timer.join()
    assert not worker.is_alive
    wait_until_gone(worker._process.pid)
    assert list(temporary.iterdir()) == []


def test_a_folder_that_is_read_only_goes_too(start, temporary, environment):
    """And what install commands left, which is there by a link, stays as it is."""
    left = environment.work / "left"
    left.mkdir(mode=0o500)
    code = "import os; os.makedirs('a/b'); os.chmod('a/b', 0); os.chmod('a', 0o500)"
    start(model_init=[code, "model = 1"]).close()

    assert list(temporary.iterdir()) == []
    assert left.stat().st_mode & 0o777 == 0o500
    left.chmod(0o700)


def test_signal_handlers_of_a_template_do_no_harm(start):
    code = """
import signal
for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
    signal.signal(number, signal.SIG_IGN)
"""
    worker = start(model_init=[code, "model = 1"], limits={"seconds": 0.2})
    worker.embed(BATCH, seconds=0.1)
    process = psutil.Process(worker._process.pid)

    worker.close()

    wait_until_gone(process.pid)


def test_signals_that_the_caller_blocks_are_not_blocked_inside(start):
    """As a thread of some library has them, or a process of ours for Ctrl-C."""
    before = signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())
    try:
        worker = start(embed_fwd=["import os", "os.abort()"])
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

    with pytest.raises(WorkerDied, match="SIGABRT"):
        worker.embed(BATCH, seconds=0.1)


def test_no_descriptor_thread_or_folder_is_left_behind(start, temporary):
    start().close()
    gc.collect()
    before = len(descriptors()), threading.active_count()

    for number in range(2):
        worker = start(
            embed_fwd=["y = x[:, :4]" if number % 2 else "import os; os.abort()"]
        )
        try:
            worker.embed(BATCH, seconds=0.1)
        except WorkerDied:
            continue
        worker.close()

    assert (len(descriptors()), threading.active_count()) == before
    assert list(temporary.iterdir()) == []


@pytest.mark.slow
def test_no_descriptor_is_left_behind_by_twenty_workers(start):
    start().close()
    gc.collect()
    before = descriptors()

    for _ in range(20):
        start().close()

    assert descriptors() == before


def test_a_fork_of_the_parent_leaves_its_worker_alone(start):
    worker = start()
    child = os.fork()
    if child == 0:
        try:
            worker.embed(BATCH, seconds=0.1)
        except WorkerDied as error:
            worker.close()
            os._exit(7 if "forked" in str(error) else 8)
        os._exit(9)

    _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 7
    assert worker.embed(BATCH, seconds=0.1).shape == (1, 4)
