"""Damaged files of every format: an error with a name, or what is right; never else.

Mutants are the same at every run. One alone, such as the 17th of wav:
`python tests/attacks/attacker.py FOLDER '[["audio/WAV", 17, 18]]'`.
"""

import json
import queue
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

ATTACKER = Path(__file__).with_name("attacker.py")
# Of one mutant: processor time, which a busy machine does not change, and a guard.
SECONDS, WALL_SECONDS = 5, 120
FAULTS = ("crash", "hang", "differs")
AUDIO = tuple(f"audio/{name}" for name in (
    "AIFF", "AU", "AVR", "CAF", "FLAC", "HTK", "IRCAM", "MAT4", "MAT5", "MP3", "MPC2K",
    "NIST", "OGG", "PAF", "PVF", "RF64", "SDS", "SVX", "VOC", "W64", "WAV", "WAVEX",
    "WVE", "XI",
))  # fmt: skip
OTHERS = (
    *(f"checkpoint/{form}" for form in ("zip", "legacy", "safetensors", "odd entries")),
    *(f"store/{form}" for form in ("h5", "npz", "parquet", "ark", "scp")),
    *("feature/hdf5", "plda/npz", "calibration/linear", "calibration/isotonic"),
    *(
        f"scores/{form}"
        for form in ("four", "five", "csv", "wespeaker", "voxsrc", "kaldi", "espnet")
    ),
    *(
        f"protocol/{kind}"
        for kind in ("voxceleb", "wespeaker", "kaldi", "kaldi without trials")
    ),
    *(f"protocol/{kind}" for kind in ("espnet", "one csv", "bob", "sre")),
    *("template/json", "settings/toml", "settings/json"),
)


class Outcome(NamedTuple):
    """What came of one mutant."""

    name: str
    number: int
    kind: str
    seconds: float
    detail: str


def attacked(jobs, folder):
    """Yield what came of every mutant, whatever it did to the process that read it."""
    jobs = list(jobs)
    while jobs:
        done = yield from _process(jobs, folder)
        if done is None:
            return
        name, number = done
        while jobs[0][0] != name:
            del jobs[0]
        jobs[0] = (name, number + 1, jobs[0][2])
        if jobs[0][1] >= jobs[0][2]:
            del jobs[0]


def _process(jobs, folder):
    """Read until the end, and return None, or the mutant that ended the process."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "errors").open("w+", errors="replace") as errors:
        process = subprocess.Popen(
            [sys.executable, ATTACKER, folder / "now", json.dumps(jobs)],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        lines = queue.SimpleQueue()
        reader = threading.Thread(target=_lines, args=(process.stdout, lines))
        reader.start()
        try:
            trying, why = yield from _until_the_end(process, lines)
            if not why:
                process.wait(timeout=WALL_SECONDS)
        finally:
            process.kill()
            process.wait()
            reader.join()
            process.stdout.close()
        errors.seek(0)
        told = errors.read()[-2000:]
    if trying is None and not process.returncode and not why:
        return None
    assert trying, f"the attacker ended with {process.returncode}: {told}"
    kind = "hang" if why else "crash"
    detail = why or f"ended with {process.returncode}: {told}"
    yield Outcome(*trying, kind, float(SECONDS), detail)
    return trying


def _lines(stream, lines):
    for line in stream:
        lines.put(line)
    lines.put(None)


def _until_the_end(process, lines):
    """Yield outcomes; return the mutant that was being read, and what it exceeded."""
    trying, began, used = None, time.monotonic(), 0.0
    while True:
        try:
            line = lines.get(timeout=1)
        except queue.Empty:
            if trying is None:
                continue
            if _processor_seconds(process) - used > SECONDS:
                return trying, f"took more than {SECONDS} s"
            if time.monotonic() - began > WALL_SECONDS:
                return trying, f"did nothing for {WALL_SECONDS} s"
            continue
        if line is None:
            return trying, ""
        kind, *told = json.loads(line)
        if kind == "try":
            trying, began = tuple(told), time.monotonic()
            used = _processor_seconds(process)
        else:
            trying = None
            yield Outcome(*told)


def _processor_seconds(process):
    try:
        times = psutil.Process(process.pid).cpu_times()
    except psutil.Error:
        return 0.0
    return times.user + times.system


def check(parts, folder, say, title):
    """Attack in parallel, report the counts, and fail if there is any fault."""
    start = time.monotonic()
    with ThreadPoolExecutor(len(parts)) as pool:
        attacks = pool.map(
            lambda at: list(attacked(parts[at], folder / str(at))), range(len(parts))
        )
        outcomes = [outcome for some in attacks for outcome in some]
    took = time.monotonic() - start
    for name in sorted({outcome.name for outcome in outcomes}):
        some = [outcome for outcome in outcomes if outcome.name == name]
        slowest = max(outcome.seconds for outcome in some)
        say(f"  {name}: {_counted(some)}; slowest {slowest:.2f} s")
    say(f"{title}, in {took:.0f} s: {_counted(outcomes)}")
    faults = [outcome for outcome in outcomes if outcome.kind in FAULTS]
    assert not faults, "\n".join(map(str, faults[:20]))
    planned = sum(last - first for jobs in parts for _, first, last in jobs)
    assert len(outcomes) == planned
    assert max(outcome.seconds for outcome in outcomes) < SECONDS


def _counted(outcomes):
    counts = Counter(outcome.kind for outcome in outcomes)
    listed = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
    return f"{len(outcomes)} mutants: {listed}"


@pytest.fixture
def said(record_property):
    """Print a line at the end of the run."""
    return partial(record_property, "said")


def jobs_of(names, count):
    return [(name, 0, count) for name in names]


def test_a_few_mutants_of_every_format(tmp_path, said):
    parts = [jobs_of(OTHERS, 8), jobs_of(AUDIO, 8)]

    check(parts, tmp_path, lambda line: said(line) if line[0] != " " else None, "a few")


@pytest.mark.slow
def test_mutants_of_every_format_but_audio(tmp_path, said):
    jobs = jobs_of(OTHERS, 400)

    check([jobs[::2], jobs[1::2]], tmp_path, said, "all but audio")


@pytest.mark.slow
def test_mutants_of_audio_give_what_another_decoder_reads(tmp_path, said):
    """Four in five are damaged in their header: 2,000 of each container."""
    jobs = jobs_of(AUDIO, 2500)

    check([jobs[::2], jobs[1::2]], tmp_path, said, "audio")


def test_a_hang_and_a_death_are_found(tmp_path):
    """What watches is watched: a process that is killed from within is a crash."""
    attacker = tmp_path / "attacker.py"
    attacker.write_text(
        "import json, os, sys\n"
        "jobs = json.loads(sys.argv[2])\n"
        "for name, first, last in jobs:\n"
        "    for n in range(first, last):\n"
        "        print(json.dumps(['try', name, n]), flush=True)\n"
        "        if name == 'dies' and n == 1: os.abort()\n"
        "        while name == 'hangs' and n == 0: pass\n"
        "        print(json.dumps(['end', name, n, 'same', 0.0, '']), flush=True)\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(globals(), "ATTACKER", attacker)
        patch.setitem(globals(), "SECONDS", 0.2)
        outcomes = attacked([("dies", 0, 3), ("hangs", 0, 2)], tmp_path / "now")
        kinds = [(outcome.name, outcome.kind) for outcome in outcomes]

    assert kinds == [
        ("dies", "same"),
        ("dies", "crash"),
        ("dies", "same"),
        ("hangs", "hang"),
        ("hangs", "same"),
    ]
