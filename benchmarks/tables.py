"""Speed of extraction, one table a question: `python benchmarks/tables.py TABLE`.

Every contender of a table runs in the same run, turn by turn, each in a process of its
own that is held to as many processors as it has threads; what is printed is the median
of the rounds. Keep the machine idle meanwhile.
"""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
SHARED = Path(os.environ.get("BOB_PYTORCH_SHARED", HERE.parents[1] / "shared"))
DATA = SHARED / "data/librispeech/test-other"
# Of sound: to embed so much takes half a minute.
LONG_SECONDS = 10_000


class Contender:
    """A way to make embeddings, in a process of its own."""

    def __init__(self, label, name, paths, *, threads, python=sys.executable, **more):
        self.label = label
        self.times, self.peak = [], 0.0
        self.list = tempfile.NamedTemporaryFile("w", suffix=".json")  # noqa: SIM115
        json.dump([str(path) for path in paths], self.list)
        self.list.flush()
        options = (json.dumps(more), str(threads))
        self.command = [python, HERE / "contenders.py", name, self.list.name, *options]
        self.environment = environment(threads)
        self.process = None

    def is_ready(self):
        """Load it; False where it cannot be, say as it is not installed."""
        self.error = ""
        self.process = subprocess.Popen(  # noqa: S603 - our own script
            self.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment,
        )
        if self.process.stdout.readline() == "ready\n":
            return True
        self.error = (self.process.stderr.read().strip().splitlines() or ["died"])[-1]
        return False

    def run(self):
        """Work once."""
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            self.error = (self.process.stderr.read().splitlines() or ["died"])[-1]
            return
        answer = json.loads(line)
        self.times.append(answer["sound"] / answer["took"])
        self.peak = max(self.peak, answer["peak_mb"])

    @property
    def speed(self):
        """Seconds of sound in a second, the median."""
        return statistics.median(self.times)

    def end(self):
        """Let it go."""
        self.process.kill()
        self.process.communicate()
        self.list.close()


def environment(threads):
    """Variables for a process of so many threads, which sleep while they wait."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    more = dict.fromkeys(names, str(threads))
    return {**os.environ, **more, "OMP_WAIT_POLICY": "passive"}


def race(contenders, rounds):
    """Run contenders turn by turn; gives those that could be loaded."""
    loaded = []
    with contextlib.ExitStack() as stack:
        for contender in contenders:
            stack.callback(contender.end)
            if contender.is_ready():
                loaded.append(contender)
            else:
                say(f"(left out: {contender.label}: {contender.error})")
        for _ in range(rounds):
            for contender in loaded:
                if not contender.error:
                    contender.run()
    for contender in loaded:
        if contender.error:
            say(f"(left out: {contender.label}: {contender.error})")
    return [contender for contender in loaded if not contender.error]


def say(line=""):
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def print_race(title, contenders, rounds):
    """The table of a race; ratios are to its first contender."""
    say(f"\n{title}")
    say(f"  {'':52} {'x real time':>11} {'ratio':>6} {'peak MB':>8}")
    done = race(contenders, rounds)
    for contender in done:
        ratio = contender.speed / done[0].speed
        say(
            f"  {contender.label:52} {contender.speed:11.0f} {ratio:6.2f} "
            f"{contender.peak:8.0f}"
        )


def path(arguments, recordings):
    """From files to a store, against the straightforward path."""
    choices = (
        ("float32", {"precision": "float32"}),
        ("bfloat16", {"precision": "bfloat16"}),
        ("float32 by ONNX Runtime", {"engine": "onnxruntime"}),
    )
    for threads in arguments.threads:
        ways = dict(choices)
        if threads == 1:  # the processes of others would load the kernel
            ways["float32 by oneDNN"] = {"kernel": False}
        # Several processes start at every round, which takes seconds.
        many = recordings * (10 if threads > 1 else 1)
        contenders = [
            Contender(
                "straightforward: numpy, eager float32, one by one",
                "straightforward",
                recordings,
                threads=threads,
            ),
            *(
                Contender(
                    f"embed, {label}, jobs={threads}",
                    "ours",
                    many,
                    threads=threads,
                    jobs=threads,
                    **options,
                )
                for label, options in ways.items()
            ),
        ]
        title = f"DltResNet34, files to store, {threads} thread(s)"
        print_race(title, contenders, arguments.rounds)


def rivals(arguments, recordings):
    """What a user would pick instead; with several threads, ours are processes."""
    some = recordings[:30]
    for threads in arguments.threads:
        many = some * (10 if threads > 1 else 1)
        held = {"threads": threads}
        theirs = {"python": arguments.rivals_python, **held}
        name = {"model": "campplus-zh-en", **held}
        embed = {"jobs": threads, **held}
        ours = {"model": "campplus-zh-en", **embed}
        contenders = [
            Contender("CAM++: plain torch, one by one", "plain CAM++", some, **held),
            Contender("CAM++: ours, one by one", "one by one", some, **name),
            Contender("CAM++: embed", "ours", many, **ours),
            Contender(
                "CAM++: embed, bfloat16", "ours", many, precision="bfloat16", **ours
            ),
            Contender(
                "CAM++: embed, ONNX Runtime", "ours", many, engine="onnxruntime", **ours
            ),
            Contender("DltResNet34: embed", "ours", many, **embed),
            Contender(
                "ECAPA-TDNN: SpeechBrain, one by one", "SpeechBrain", some, **theirs
            ),
            Contender(
                "ECAPA-TDNN: SpeechBrain, batches of 8", "SpeechBrain", some, batch=8,
                **theirs,
            ),
            Contender("GE2E: Resemblyzer", "Resemblyzer", some, **theirs),
        ]  # fmt: skip
        title = f"What else there is, {threads} thread(s)"
        print_race(title, contenders, arguments.rounds)


def growth(arguments, recordings):
    """Ten thousand recordings, and recordings of hours: time and memory."""
    say("\nDltResNet34, float32: how time and memory grow")
    say(f"  {'':34} {'seconds':>9} {'x real time':>11} {'peak MB':>8} {'rounds':>7}")
    for threads in arguments.threads:
        for count in (100, 1_000, 10_000):
            many = (recordings * (count // len(recordings) + 1))[:count]
            label = f"{count} recordings, jobs={threads}"
            report_one(label, many, threads=threads, rounds=arguments.rounds)
    import numpy as np
    import soundfile

    sound = np.concatenate([soundfile.read(path)[0] for path in recordings])
    with tempfile.TemporaryDirectory() as folder:
        for seconds in (1, 10, 60, 600, 3_600, 10_800):
            place = Path(folder) / f"{seconds}.wav"
            times = seconds * 16_000 // len(sound) + 1
            soundfile.write(place, np.tile(sound, times)[: seconds * 16_000], 16_000)
            label = f"1 recording of {seconds} s"
            report_one(label, [place], threads=1, rounds=arguments.rounds)
            place.unlink()


def report_one(label, paths, *, threads, rounds):
    """One contender in a process of its own; what takes minutes is done once."""
    import soundfile

    seconds = sum(soundfile.info(path).duration for path in paths)
    rounds = rounds if seconds < LONG_SECONDS else 1
    (done,) = race(
        [Contender(label, "ours", paths, threads=threads, jobs=threads)], rounds
    )
    say(
        f"  {label:34} {seconds / done.speed:9.2f} {done.speed:11.0f} "
        f"{done.peak:8.0f} {rounds:7}"
    )


def limit(arguments, _):
    """The networks against what the processor can do."""
    for threads in arguments.threads:
        command = [sys.executable, HERE / "limit.py", str(threads)]
        subprocess.run(command, check=True, env=environment(threads))  # noqa: S603


def half(*_):
    """How near half precision stays to exact embeddings."""
    command = [sys.executable, HERE / "half_precision.py"]
    subprocess.run(command, check=True, env=environment(1))  # noqa: S603


TABLES = {
    "path": path,
    "limit": limit,
    "half": half,
    "rivals": rivals,
    "growth": growth,
}


def main():
    """Print the tables that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", nargs="+", choices=TABLES)
    parser.add_argument("--data", type=Path, default=DATA, help="folder of recordings")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument(
        "--rivals-python",
        default=sys.executable,
        help="interpreter that has speechbrain and resemblyzer",
    )
    arguments = parser.parse_args()
    recordings = sorted(arguments.data.rglob("*.flac")) or sorted(
        arguments.data.rglob("*.wav")
    )
    if not recordings:
        parser.error(f"{arguments.data} holds no .flac or .wav")
    for table in arguments.tables:
        TABLES[table](arguments, recordings)


if __name__ == "__main__":
    main()
