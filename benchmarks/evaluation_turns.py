"""Ways to do the same take turns, each time in a new process."""

import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tables import environment

HERE = Path(__file__).parent
# Scores of a text file have six digits, and equal error rates the step of a trial.
RELATIVE, ABSOLUTE = 5e-3, 2e-6
# Of a loop, or of a program that takes this long, so many rounds are enough.
ROUNDS = ((60, 1), (10, 3), (0, 5))


def answer_on_the_last_line(output, _):
    """What `evaluation_work.py` prints."""
    return json.loads(output.splitlines()[-1])


@dataclass
class Way:
    """One way to do it; each run is a process of its own.

    `whole`: what counts is the time of the process, not only that of the work in it.
    """

    label: str
    command: tuple
    read: Callable = answer_on_the_last_line
    whole: bool = False
    seconds: list = field(default_factory=list)
    processor_seconds: list = field(default_factory=list)
    peak: float = 0.0
    share: float = 1.0
    longest: float = 0.0
    left_out: str = ""
    values: dict = field(default_factory=dict)

    def run(self, folder, scale):
        """Do it once."""
        arguments = [word.format(folder=folder, scale=scale) for word in self.command]
        took, usage, output = run([sys.executable, *arguments])
        self.longest = max(self.longest, took)
        self.peak = max(self.peak, usage.ru_maxrss / 1024)
        answer = self.read(output, folder)
        if "missing" in answer:
            self.left_out = f"{answer['missing']} is not installed"
            return
        self.share = answer.get("share", 1)
        inside = answer.get("seconds", 0)
        extrapolated = inside * (1 / self.share - 1)
        # On a busy machine, these still say what a whole process cost.
        self.processor_seconds.append(usage.ru_utime + usage.ru_stime)
        self.seconds.append(extrapolated + (took if self.whole else inside))
        self.values = answer["values"]

    def is_done(self, rounds):
        """Whether there were runs enough for its length."""
        enough = next(count for limit, count in ROUNDS if self.longest >= limit)
        return bool(self.left_out) or len(self.seconds) >= min(enough, rounds)

    @property
    def median(self):
        """Of the seconds."""
        return statistics.median(self.seconds)


@dataclass
class Question:
    """Ways to do the same; the first one is ours, to which ratios are."""

    title: str
    ways: list
    prepare: tuple = ()
    goal: str = ""
    is_reached: Callable = bool


def run(command):
    """(seconds, resources used, output) of a process of its own."""
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as error:
        started = time.perf_counter()
        process = subprocess.Popen(  # noqa: S603 - our own scripts
            command, stdout=output, stderr=error, env=environment(1)
        )
        _, status, usage = os.wait4(process.pid, 0)
        took = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        error.seek(0)
        if process.returncode:
            raise SystemExit(
                f"{' '.join(map(str, command))} ended with {process.returncode}:\n"
                f"{error.read()}"
            )
        return took, usage, output.read()


def race(question, folder, *, scale, rounds):
    """Let the ways take turns until each has run often enough."""
    if question.prepare:
        script, name = question.prepare
        run([sys.executable, HERE / script, name, folder, str(scale)])
    while waiting := [way for way in question.ways if not way.is_done(rounds)]:
        for way in waiting:
            way.run(folder, scale)
            told = way.left_out or f"{way.seconds[-1]:.2f} s"
            sys.stderr.write(f"{way.label}: {told}\n")
    refuse_disagreement(question.ways)


def refuse_disagreement(ways):
    """End where two ways have another answer."""
    known = {}
    for way in ways:
        for name, value in way.values.items():
            first, expected = known.setdefault(name, (way.label, value))
            if not math.isclose(value, expected, rel_tol=RELATIVE, abs_tol=ABSOLUTE):
                raise SystemExit(
                    f"{name}: {value} by {way.label}, {expected} by {first}; one of "
                    "them does not do what is measured"
                )
