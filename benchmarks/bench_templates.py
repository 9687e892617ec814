"""What it costs to run a model in a process of its own; Resemblyzer is installed."""

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bob.learn.pytorch.models.council_meetings import council_meetings
from bob.learn.pytorch.templates.format.template import from_content, load
from bob.learn.pytorch.templates.install.environment import Environment
from bob.learn.pytorch.templates.run.runner import install, start
from bob.learn.pytorch.templates.run.worker import Worker

SECONDS = 3
CALLS = 40
ROUNDS = 5

# Run by the Python of the environment: the same package, called as its README says.
DIRECT = """
import json, sys, time
import numpy as np
from resemblyzer import VoiceEncoder, preprocess_wav
encoder = VoiceEncoder("cpu", verbose=False)
samples = np.load(sys.argv[1])
encoder.embed_utterance(preprocess_wav(samples[0]))
print("ready", flush=True)
for _ in sys.stdin:
    times = []
    for clip in samples:
        started = time.perf_counter()
        encoder.embed_utterance(preprocess_wav(clip))
        times.append(time.perf_counter() - started)
    print(json.dumps(times), flush=True)
"""


@pytest.fixture
def here(tmp_path):
    """This Python as the environment of a template."""
    for folder in ("work", "home"):
        (tmp_path / folder).mkdir()
    return Environment(
        key="0" * 16,
        folder=tmp_path,
        python=Path(sys.executable),
        work=tmp_path / "work",
        home=tmp_path / "home",
        lock_sha256="1" * 64,
    )


def bench_round_trip(benchmark, here):
    """Three seconds of sound to a worker that does nothing with them, and back."""
    template = from_content(
        {
            "authors": [],
            "references": [],
            "downstream_tasks": [],
            "import_cmds": ["import numpy as np"],
            "model_init": ["model = 1"],
            "embed_fwd": ["y = x[:, :256]"],
            "sample_rate": 16_000,
            "in_shape": 2,
            "in_type": "numpy",
        }
    )
    worker = Worker(template, here, {})
    try:
        worker.load()
        batch = np.zeros((1, SECONDS * 16_000), np.float32)

        benchmark(worker.embed, batch, seconds=SECONDS)
    finally:
        worker.close()
    benchmark.extra_info["ms"] = 1e3 * benchmark.stats.stats.median


def clips():
    """Three seconds out of each of some recordings of real speech."""
    found = []
    for path in sorted(council_meetings().rglob("*.wav")):
        samples, rate = soundfile.read(path, dtype="float32")
        if rate == 16_000 and len(samples) >= SECONDS * rate:
            found.append(samples[: SECONDS * rate])
    return np.stack(found[:CALLS])


def bench_resemblyzer(benchmark, tmp_path):
    """The template in its worker against the package called directly, in turns."""
    template = load("speech/resemblyzer")
    environment, _ = install(template, trusted=True)
    samples = clips()
    np.save(tmp_path / "clips.npy", samples)
    worker = start(template, trusted=True)
    worker.embed(samples[0], seconds=SECONDS)
    direct = subprocess.Popen(  # noqa: S603 - our own program
        [environment.python, "-c", DIRECT, tmp_path / "clips.npy"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert direct.stdout.readline() == "ready\n"
    ours, theirs = [], []

    def in_turns():
        for clip in samples:
            started = time.perf_counter()
            worker.embed(clip, seconds=SECONDS)
            ours.append(time.perf_counter() - started)
        direct.stdin.write("\n")
        direct.stdin.flush()
        theirs.extend(json.loads(direct.stdout.readline()))

    try:
        benchmark.pedantic(in_turns, rounds=ROUNDS, iterations=1)
    finally:
        worker.close()
        direct.communicate("")
    isolated, called = statistics.median(ours), statistics.median(theirs)
    benchmark.extra_info["ms in a worker"] = 1e3 * isolated
    benchmark.extra_info["ms called directly"] = 1e3 * called
    benchmark.extra_info["overhead %"] = 100 * (isolated / called - 1)
