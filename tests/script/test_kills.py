"""Commands that are killed when their outputs are all but done, and run again."""

import subprocess
import sys

import numpy as np
import pytest
from stores import store

# Python tells of each renaming before it is done.
PROGRAM = """
import os, signal, sys
left = int(sys.argv.pop(1))
def hook(event, values):
    global left
    if event == "os.rename" and ".unfinished-" in str(values[0]):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(hook)
from bob.learn.pytorch.script.pytorch import pytorch
pytorch()
"""
COMMANDS = {
    "score": "score e.h5 list.txt -o out.txt",
    "calibrate": "calibrate s.txt --into c",
    "report": "report s.txt -o out.html -o out.csv --resamples 20",
    "store": "store export e.h5 out.npz",
    "plda": "plda train e.h5 -o p.npz --speakers utt2spk",
    "protocol": "protocol convert list.txt folder --to bob",
}


def run(words, *, killed_at=0):
    """Kill a command at one of its renamings, counted from 1."""
    command = [sys.executable, "-c", PROGRAM, str(killed_at), *words]
    return subprocess.run(command, check=False, capture_output=True, text=True)


@pytest.fixture
def inputs(tmp_path):
    random = np.random.default_rng(0)
    rows, trials, speakers, scores = {}, [], [], []
    for speaker in range(12):
        middle = random.standard_normal(4)
        for take in range(3):
            name = f"s{speaker}-{take}"
            rows[name] = middle + 0.5 * random.standard_normal(4)
            speakers.append(f"{name} s{speaker}\n")
            trials.append(
                f"{int(take < 2)} s{speaker}-0 s{(speaker + take // 2) % 12}-1"
            )
            score = random.standard_normal() + 2 * (take < 2)
            other = speaker if take < 2 else (speaker + 1) % 12
            scores.append(f"s{speaker} s{other} s{other}-{take} {score}\n")
    store("e.h5", rows)
    (tmp_path / "list.txt").write_text("\n".join(trials) + "\n")
    (tmp_path / "utt2spk").write_text("".join(speakers))
    (tmp_path / "s.txt").write_text("".join(scores))
    return tmp_path


def unfinished(folder):
    return [path for path in folder.rglob("*") if ".unfinished-" in path.name]


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_the_next_run_leaves_no_debris_of_one_that_was_killed(inputs, command):
    words = COMMANDS[command].split()
    kills = 0
    while (killed := run(words, killed_at=kills + 1)).returncode == -9:
        kills += 1
        assert unfinished(inputs)
    assert kills > 0
    assert killed.returncode == 0, killed.stderr
    assert unfinished(inputs) == []
