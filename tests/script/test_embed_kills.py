"""`bob pytorch embed`, killed at any moment and started again."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bob.learn.pytorch.store.store import EmbeddingStore

RATE = 16_000
COUNT = 60


@pytest.fixture
def recordings(tmp_path):
    """Sixty recordings of one to four seconds, one of them silent, and their list."""
    noise = np.random.default_rng(0)
    for i in range(COUNT):
        samples = 0.1 * noise.standard_normal(int(RATE * noise.uniform(1, 4)))
        soundfile.write(f"{i}.wav", 0 * samples if i == 7 else samples, RATE)
    names = "".join(f"{i}.wav\n" for i in range(COUNT))
    (tmp_path / "list.txt").write_text(names)
    return tmp_path


def embed(weights, output, *, jobs):
    command = [
        *(sys.executable, "-m", "bob.learn.pytorch", "embed", "list.txt"),
        *("--model", str(weights), "-o", output, "--jobs", str(jobs)),
    ]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def check(store, whole):
    """Nothing lost, nothing doubled, every number the same to the last bit."""
    assert sorted(store.names) == sorted(whole.names)
    assert len(set(store.names)) == len(store.names) == COUNT - 1
    assert store.failures == whole.failures
    order = [store.names.index(name) for name in whole.names]
    np.testing.assert_array_equal(store.embeddings[order], whole.embeddings)
    np.testing.assert_array_equal(store.seconds[order], whole.seconds)


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_ten_kills_at_random_moments_lose_and_double_nothing(weights, recordings, jobs):
    whole = embed(weights, "whole.h5", jobs=jobs)
    whole.communicate()
    assert whole.returncode == 1  # the silent one
    chance = random.Random(jobs)
    longest = 4.0
    kills = 0

    while kills < 10:
        process = embed(weights, "some.h5", jobs=jobs)
        time.sleep(chance.uniform(0.5, longest))
        if process.poll() is None:
            # Either everything at once, or the main process alone.
            if kills % 2:
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()
            kills += 1
        else:
            (recordings / "some.h5").unlink()
        process.communicate()
    process = embed(weights, "some.h5", jobs=jobs)
    output, _ = process.communicate()

    assert process.returncode == 1, output
    assert "7.wav: is silent" in output
    check(EmbeddingStore.read("some.h5"), EmbeddingStore.read("whole.h5"))


@pytest.mark.slow
def test_a_worker_that_is_killed_costs_nothing(weights, recordings):
    embed(weights, "whole.h5", jobs=2).communicate()
    process = embed(weights, "some.h5", jobs=2)
    deadline = time.monotonic() + 60
    killed = False
    while not killed and process.poll() is None and time.monotonic() < deadline:
        children = _children(process.pid)
        if len(children) >= 2:
            time.sleep(2)
            os.kill(children[-1], signal.SIGKILL)
            killed = True
        time.sleep(0.05)
    process.communicate()

    assert killed
    assert process.returncode == 1
    check(EmbeddingStore.read("some.h5"), EmbeddingStore.read("whole.h5"))


def _children(parent):
    """Processes of Python's that a process has started to work."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            status = (place / "stat").read_text().rsplit(")", 1)[1].split()
            command = (place / "cmdline").read_bytes()
        except OSError:
            continue
        if int(status[1]) == parent and b"serve_at" in command:
            found.append(int(place.name))
    return found
