"""What the ways of `evaluation_scoring.py` and `evaluation_rates.py` share.

Each way does its work once, in a process of its own, and prints a line of JSON:
`seconds` that the work took, without what came before it; `share` of the work that was
done, as a loop that would take an hour is timed on a part; and `values`, by name, in
which ways to do the same have to agree. Those that `make` write what others read.
"""

import argparse
import json
import sys
import time
from pathlib import Path

# VoxCeleb1: 145,160 recordings of 1,251 speakers in list E, which has 580,000 trials.
RECORDINGS, SPEAKERS, TRIALS = 145_160, 1_251, 580_000


def sized(count, scale):
    """So many, of a smaller or larger benchmark."""
    return max(20, round(count * scale))


def timed(work):
    """(seconds, what came of it)."""
    started = time.perf_counter()
    found = work()
    return time.perf_counter() - started, found


def do_one_of(ways):
    """Do what the command line names: `NAME FOLDER SCALE`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("name", choices=ways)
    parser.add_argument("folder", type=Path)
    parser.add_argument("scale", type=float)
    arguments = parser.parse_args()
    try:
        answer = ways[arguments.name](arguments.folder, arguments.scale)
    except ModuleNotFoundError as error:
        answer = {"missing": error.name}
    sys.stdout.write(json.dumps(answer) + "\n")
