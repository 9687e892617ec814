"""Templates that do what no template should: what is told of it."""

import os
import re
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest

from bob.learn.pytorch.templates.format.errors import (
    StageError,
    TookTooLong,
    WorkerDied,
)

BATCH = np.linspace(-1, 1, 1600, dtype=np.float32)[None]


@pytest.fixture
def fails(start):
    """`fails(**keys)`: what embedding raises."""

    def embed(**keys):
        with pytest.raises((StageError, WorkerDied)) as raised:
            start(**keys).embed(BATCH, seconds=0)
        return raised.value

    return embed


@pytest.fixture
def impatient(monkeypatch):
    """A process that does not answer any more is not waited for as long."""
    monkeypatch.setattr("bob.learn.pytorch.templates.run.worker.LAST_WORDS", 0.05)


def test_an_environment_without_torch_is_told(fails):
    imports = ["import sys", "sys.modules['torch'] = None"]

    error = fails(in_type="torch", import_cmds=imports)

    assert error.reason.startswith("x: ModuleNotFoundError: import of torch halted")
    assert error.stage == "pre_proc"
    assert "bob_template" not in str(error)


@pytest.mark.parametrize(
    "stage", ["import_cmds", "model_init", "pre_proc", "embed_fwd"]
)
def test_a_typo_in_each_stage_names_template_stage_and_line(fails, toy, stage):
    lines = [*toy().content.get(stage, ()), "import os os"]

    error = fails(**{stage: lines})

    place = f"template toy, {stage}[{len(lines) - 1}] at `import os os`: "
    assert str(error).startswith(place + "no Python: invalid syntax")
    assert (error.template, error.stage) == ("toy", stage)


@pytest.mark.parametrize(
    ("stage", "line", "how"),
    [
        ("import_cmds", "os._exit(3)", "exit status 3"),
        ("model_init", "os._exit(3)", "exit status 3"),
        ("pre_proc", "os._exit(3)", "exit status 3"),
        ("embed_fwd", "os._exit(0)", "exit status 0"),
    ],
)
def test_an_exit_in_each_stage_names_template_stage_and_line(fails, stage, line, how):
    error = fails(**{stage: ["import os", line]})

    assert str(error) == (
        f"template toy, {stage}[1] at `{line}`: the process of the model ended in the "
        f"middle, with {how}"
    )


def test_a_segmentation_fault_shows_the_line_and_where_it_was(fails):
    error = fails(embed_fwd=["import ctypes", "ctypes.string_at(0)"])

    assert "embed_fwd[1] at `ctypes.string_at(0)`" in str(error)
    assert "with signal SIGSEGV" in str(error)
    assert "in string_at" in str(error)


def test_a_process_that_the_system_kills_is_told(fails):
    error = fails(embed_fwd=["import os, signal", "os.kill(os.getpid(), 9)"])

    assert "with signal SIGKILL, as the system sends it when memory runs" in str(error)


@pytest.mark.parametrize(
    "lines",
    [
        ["parts = []", "while True:\n    parts.append(bytearray(1 << 24))"],
        ["y = np.ones(1 << 40)"],
    ],
    ids=["a bit at a time", "at once"],
)
def test_memory_without_end_is_an_error_with_the_limit(fails, lines):
    error = fails(embed_fwd=lines, limits={"memory_mb": 512})

    assert isinstance(error, StageError)
    assert "(the template may take 512 MB: limits.memory_mb)" in error.reason
    assert "MemoryError" in error.reason


def test_an_output_that_only_looks_large_is_refused_before_it_is_copied(fails):
    lines = ["y = np.broadcast_to(np.float32(1), (1, 10**12))"]

    error = fails(embed_fwd=lines, limits={"memory_mb": 512})

    assert "of shape (1, 1000000000000)" in error.reason
    assert "more than the 512 MB" in error.reason


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("while True: pass", id="busy", marks=pytest.mark.slow),
        pytest.param("re.match('(a+)+b', 'a' * 99)", id="holding Python's lock"),
    ],
)
def test_a_loop_without_end_is_ended_and_shown(start, line):
    lines = ["import numpy as np", "import re"]
    worker = start(import_cmds=lines, embed_fwd=[line], limits={"seconds": 0.2})

    with pytest.raises(WorkerDied) as raised:
        worker.embed(BATCH, seconds=0.01)

    assert f"template toy, embed_fwd[0] at `{line}`: took longer" in str(raised.value)
    assert "0.25 s" in str(raised.value)
    assert 'File "<embed_fwd[0]>", line 1' in str(raised.value)


BUSY = "while time.thread_time() < end: pass"


def test_a_process_that_waits_for_its_turn_has_the_time_that_it_may_compute(start):
    """Four processes on one processor: each takes four times as long."""
    lines = ["end = time.thread_time() + 0.3", BUSY, "y = x[:, :4]"]
    worker = start(
        import_cmds=["import time"], embed_fwd=lines, limits={"seconds": 0.5}
    )
    (model,) = psutil.Process(worker._process.pid).children()
    processor = model.cpu_affinity()[0]
    model.cpu_affinity([processor])
    code = f"import os; os.sched_setaffinity(0, [{processor}])\nwhile True: pass"
    others = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(3)]
    try:
        time.sleep(0.2)
        started = time.monotonic()
        made = worker.embed(BATCH, seconds=0)
    finally:
        for other in others:
            other.kill()
            other.wait()

    assert made.shape == (1, 4)
    assert time.monotonic() - started > 0.5


def test_a_process_that_sleeps_is_ended_much_later(start):
    lines = ["import time", "time.sleep(99)"]
    worker = start(embed_fwd=lines, limits={"seconds": 0.04})
    started = time.monotonic()

    with pytest.raises(TookTooLong, match=r"no answer in 0\.4 s.* of the 0\.04 s"):
        worker.embed(BATCH, seconds=0)

    assert 0.4 <= time.monotonic() - started < 5


def test_children_that_compute_count_too(start):
    run = "subprocess.run([sys.executable, '-S', '-c', '0'])"
    code = f"import subprocess, sys\nwhile True: {run}"
    worker = start(embed_fwd=[code], limits={"seconds": 0.2})

    with pytest.raises(TookTooLong, match=r"longer than the 0\.2 s"):
        worker.embed(BATCH, seconds=0)


@pytest.mark.slow
def test_a_loop_without_end_while_it_loads_is_ended(start):
    limits = {"load_seconds": 3}

    with pytest.raises(WorkerDied, match=r"model_init\[0\].*longer than the 3 s"):
        start(model_init=["while True: pass"], limits=limits)


@pytest.mark.slow
def test_a_long_recording_may_take_longer(start):
    lines = ["import time", "time.sleep(0.5)", "y = x"]
    worker = start(embed_fwd=lines, limits={"seconds": 0.1})

    assert worker.embed(BATCH, seconds=3600).shape == BATCH.shape


@pytest.mark.parametrize("printed", ["sys.stdout"])
def test_a_megabyte_of_printing_does_no_harm_and_its_end_is_shown(start, printed):
    lines = [f"print('line\\n' * 200_000, 'last', file={printed})", "y = x[:, :n]"]
    worker = start(
        import_cmds=["import sys"],
        model_init=["model, n = 1, 2"],
        embed_fwd=[*lines, "n = None if n == 3 else 3", "1 // (n or 0)"],
    )

    worker.embed(BATCH, seconds=0.1)
    with pytest.raises(StageError) as raised:
        worker.embed(BATCH, seconds=0.1)

    assert "ZeroDivisionError" in raised.value.reason
    assert re.search(
        r"last on standard (output|error):\n( +line\n)+ +last", str(raised.value)
    )
    assert len(str(raised.value)) < 3000


def test_a_template_may_remove_its_working_directory(start):
    lines = ["import os, shutil", "shutil.rmtree(os.getcwd(), True)", "model = 1"]
    worker = start(model_init=lines)

    with pytest.raises(StageError, match="the directory to work in cannot be entered"):
        worker.embed(BATCH, seconds=0.1)


def test_the_model_runs_again_after_an_error_of_a_line(start):
    worker = start(embed_fwd=["y = x[:, :4] / (1 // int(x.any()))"])

    with pytest.raises(StageError):
        worker.embed(np.zeros((1, 100), np.float32), seconds=0.1)

    assert worker.embed(BATCH, seconds=0.1).shape == (1, 4)


def test_a_worker_that_died_says_so_and_no_more(start):
    worker = start(embed_fwd=["import os", "os._exit(1)"])
    with pytest.raises(WorkerDied):
        worker.embed(BATCH, seconds=0.1)

    assert not worker.is_alive
    with pytest.raises(WorkerDied, match="the worker has ended"):
        worker.embed(BATCH, seconds=0.1)
    worker.close()


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    "line",
    [
        "os.closerange(0, 100)",
        "threading.Thread(target=time.sleep, args=(9,)).start(); os.closerange(3, 100)",
    ],
    ids=["all", "all but standard, with a thread that goes on"],
)
def test_a_template_that_closes_our_pipes_is_ended(start, line):
    lines = ["import os, threading, time", "import numpy as np"]
    worker = start(import_cmds=lines, embed_fwd=[line, "y = x"], limits={"seconds": 20})

    with pytest.raises(WorkerDied, match=r"embed_fwd\[[01]\]"):
        worker.embed(BATCH, seconds=0.1)


@pytest.mark.usefixtures("impatient")
def test_something_else_in_our_pipe_ends_the_worker(start):
    lines = ["import os", "[os.write(n, b'\\0\\0\\0\\5hello') for n in pipes]", "y = x"]
    search = """
pipes = []
for n in range(3, 100):
    try:
        if os.readlink('/proc/self/fd/%d' % n).startswith('pipe:'): os.write(n, b'')
    except OSError: continue
    else: pipes.append(n)
"""
    worker = start(model_init=["import os", search, "model = 1"], embed_fwd=lines)

    with pytest.raises(WorkerDied):
        worker.embed(BATCH, seconds=0.1)


FIND_MEMORY = """
import os
found = []
for n in range(3, 100):
    try:
        if 'bob-template' in os.readlink('/proc/self/fd/%d' % n): found.append(n)
    except OSError: pass
"""


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="this system has none")
def test_a_template_cannot_take_shared_memory_away(start):
    """Who reads what is gone of a file is killed by SIGBUS."""
    cut = "left = [n for n in found if os.ftruncate(n, 0)]"
    worker = start(model_init=[FIND_MEMORY, "model = 1"], embed_fwd=[cut, "y = x"])

    for _ in range(2):
        with pytest.raises(StageError, match="PermissionError"):
            worker.embed(BATCH, seconds=0.1)


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="this system has none")
def test_shared_memory_that_is_said_to_be_endless_does_no_harm(start):
    grow = "[os.ftruncate(n, 1 << 62) for n in found]"
    worker = start(
        model_init=[FIND_MEMORY, "model = 1"], embed_fwd=[grow, "y = x[:, :4]"]
    )

    for size in (16, 100_000):
        batch = np.ones((1, size), np.float32)
        np.testing.assert_array_equal(worker.embed(batch, seconds=0.1), batch[:, :4])


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    "answer",
    [
        '{"ok": true, "seconds": 0, "cpu_seconds": 0, "shape": [-1], "dtype": "int8"}',
        '{"ok": true, "seconds": 0, "cpu_seconds": 0, "shape": [1], "dtype": "O"}',
        "{}",
        "[" * 100_000,
    ],
)
def test_an_answer_that_is_none_of_ours_ends_the_worker(start, answer):
    """Code of a template answers in place of our worker."""
    lines = [
        "import bob_template_frames as frames, json, sys",
        f"answer = {answer!r}.encode()",
        "content = len(answer).to_bytes(4, 'big') + answer",
        "model = frames.send = lambda to, _: frames.os.write(to, content)",
    ]
    worker = start(model_init=lines)

    with pytest.raises(WorkerDied, match=r"embed_fwd\[0\].*it was ended"):
        worker.embed(BATCH, seconds=0.1)


@pytest.mark.parametrize("stage", [-1, 99])
def test_a_place_that_is_none_is_told_as_such(start, stage):
    note = f"frames.PLACE.pack_into(worker._taken.map(64), 0, {stage}, 0)"
    lines = [
        "import bob_template_frames as frames, gc, os",
        "worker = next(o for o in gc.get_objects() if type(o).__name__ == '_Worker')",
        f"{note}; os._exit(1)",
    ]
    worker = start(embed_fwd=lines)

    with pytest.raises(WorkerDied, match=r"a place that it does not tell.*status 1"):
        worker.embed(BATCH, seconds=0.1)


def test_a_child_that_goes_on_as_a_copy_gives_no_second_answer(start):
    worker = start(
        model_init=["import os", "model = 1"],
        embed_fwd=["child = os.fork() == 0", "y = x[:, :4] * (-1 if child else 1)"],
    )

    for number in range(1, 5):
        batch = np.full((1, 4), number, np.float32)
        np.testing.assert_array_equal(worker.embed(batch, seconds=0.1), batch)
        time.sleep(0.02)


def test_ctrl_c_of_a_template_is_an_error_of_the_line(fails):
    error = fails(embed_fwd=["y = 1", "raise KeyboardInterrupt"])

    assert str(error).startswith(
        "template toy, embed_fwd[1] at `raise KeyboardInterrupt`: KeyboardInterrupt"
    )


def test_what_a_template_says_can_always_be_shown(fails):
    error = fails(embed_fwd=["raise ValueError('\\udcff \\x00 ü')"])

    assert str(error).encode()
    assert "ü" in error.reason
