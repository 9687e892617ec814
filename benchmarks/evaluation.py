"""Speed of scoring and evaluation, beside what else one would run.

`python benchmarks/evaluation.py` prints one table. The ways to answer a question take
turns, each time in a new process on one processor, and have to agree on the answer.
Keep the machine idle meanwhile; it takes a quarter of an hour and 8 GB of disk.
"""

import argparse
import json
import os
import platform
import tempfile
import textwrap
from importlib import metadata
from itertools import islice
from pathlib import Path

from evaluation_turns import HERE, Question, Way, answer_on_the_last_line, race
from tables import say

OURS = ("-m", "bob.learn.pytorch")
SCORING, RATES = ("evaluation_scoring.py", "evaluation_rates.py")
PACKAGES = (
    "numpy", "torch", "scikit-learn", "pandas", "bob.bio.base", "bob.measure"
)  # fmt: skip
# Where a page of the manual has the table.
MARK = ".. Printed by benchmarks/evaluation.py.\n\n.. code-block:: text\n"


def scores_in(name):
    """Read the first hundred scores of a file, the last word of each line."""

    def read(output, folder):
        # Scripts of ours say what share of a loop was done, or what is not installed.
        last = output.splitlines()[-1]
        answer = json.loads(last) if last.startswith("{") else {}
        if "missing" in answer:
            return answer
        with (folder / name).open() as file:
            lines = [line.split() for line in islice(file, 100)]
        values = {f"trial {at}": float(line[-1]) for at, line in enumerate(lines)}
        return answer | {"values": values}

    return read


def rates_of(millions):
    """Read what `bob pytorch metrics --json` prints."""

    def read(output, _):
        found = json.loads(output)
        names = ("eer", "min_dcf", "cllr")
        return {"values": {f"{name} of {millions}": found[name] for name in names}}

    return read


def ours(label, *words, read):
    """A whole command of this package."""
    return Way(label, (*OURS, *words), read, whole=True)


def library(label, script, name):
    """Work of a process that has loaded what it needs."""
    return Way(label, (str(HERE / script), name, "{folder}", "{scale}"))


def program(label, script, name, read=answer_on_the_last_line):
    """A whole program."""
    words = (str(HERE / script), name, "{folder}", "{scale}")
    return Way(label, words, read, whole=True)


def questions():
    """Everything that is measured."""
    stream = ("metrics", "--stream", "--json")
    return {
        "trials": Question(
            "580,000 trials of 145,160 recordings, 192 numbers each: from files to a "
            "file, the start of the program included",
            [
                ours(
                    "bob pytorch score",
                    *("score", "{folder}/store.h5", "{folder}/trials.txt"),
                    *("-o", "{folder}/ours.txt"),
                    read=scores_in("ours.txt"),
                ),
                program(
                    "a script of NumPy without a loop over trials",
                    *(SCORING, "trials numpy", scores_in("numpy.txt")),
                ),
                program(
                    "SpeechBrain's loop: torch CosineSimilarity",
                    *(SCORING, "trials speechbrain", scores_in("speechbrain.txt")),
                ),
                program(
                    "WeSpeaker's loop: sklearn cosine_similarity",
                    *(SCORING, "trials wespeaker", scores_in("wespeaker.txt")),
                ),
            ],
            prepare=(SCORING, "make trials"),
            goal="at most 3 s",
            is_reached=lambda ways: ways[0].median <= 3,
        ),
        "dense": Question(
            "1000 references x 5000 probes, 128 numbers each: scores, and a text file "
            "of them",
            [
                library("bob pytorch score", SCORING, "dense score"),
                library(
                    "verify.py: a file for each reference, joined", SCORING,
                    "dense verify",
                ),
                library("Bob 8, PipelineSimple", SCORING, "dense bob"),
            ],
            goal="at least 10 times as fast as Bob 8",
            is_reached=lambda ways: ways[2].median >= 10 * ways[0].median,
        ),
        "asnorm": Question(
            "AS-norm of 37,611 trials of 4,708 recordings, the 300 nearest of a cohort "
            "of 5,994",
            [
                library("as_norm, in float64", SCORING, "asnorm ours"),
                library(
                    "WeSpeaker's way: whole matrices, sorted", SCORING,
                    "asnorm wespeaker",
                ),
                library(
                    "SpeechBrain's way: the cohort at every trial", SCORING,
                    "asnorm speechbrain",
                ),
            ],
            goal="at most 1 s",
            is_reached=lambda ways: ways[0].median <= 1,
        ),
        "figures": Question(
            "EER, minDCF and Cllr of 5.5 million scores in memory",
            [
                library("figures, with min Cllr", RATES, "figures ours"),
                library(
                    "scikit-learn: roc_curve and brentq; NumPy", RATES,
                    "figures sklearn",
                ),
                library(
                    "the same, and min Cllr by IsotonicRegression", RATES,
                    "figures sklearn isotonic",
                ),
                library(
                    "scripts of VoxSRC: EER and minDCF only", RATES, "figures voxsrc"
                ),
                library("bob.measure", RATES, "figures bob"),
            ],
            goal="at most 2 s",
            is_reached=lambda ways: ways[0].median <= 2,
        ),
        "growth": Question(
            "EER, minDCF and Cllr of score files that grow, the start of the program "
            "included",
            [
                *(
                    ours(
                        f"bob pytorch metrics --stream, {millions} million",
                        *(*stream, f"{{folder}}/scores-{millions}.txt"),
                        read=rates_of(millions),
                    )
                    for millions in (1, 10, 100)
                ),
                *(
                    program(
                        f"pandas and scikit-learn, {millions} million",
                        *(RATES, f"growth pandas {millions}"),
                    )
                    for millions in (1, 10)
                ),
            ],
            prepare=(RATES, "make growth"),
            # Sorting takes a little more for each score, the more there are.
            goal="100 million in 15 times the time and 1.1 times the memory of 10",
            is_reached=lambda ways: (
                ways[2].median <= 15 * ways[1].median
                and ways[2].peak <= 1.1 * ways[1].peak
            ),
        ),
    }  # fmt: skip


def machine():
    """Where this runs, and with what."""
    with Path("/proc/cpuinfo").open() as file:
        named = [line.split(":")[1].strip() for line in file if "model name" in line]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    installed = {item.name: item.version for item in metadata.distributions()}
    versions = [f"{name} {installed.get(name, '(none)')}" for name in PACKAGES]
    processor = named[0] if named else platform.machine()
    return (
        f"{processor}, one of {os.cpu_count()} processors, {memory:.0f} GiB; "
        f"Python {platform.python_version()}, {', '.join(versions)}"
    )


def lines_of(question, *, scale):
    """The rows of the table that answer one question."""
    yield ""
    yield from textwrap.wrap(question.title, 86)
    done = [way for way in question.ways if not way.left_out]
    for way in question.ways:
        if way.left_out:
            yield f"  {way.label:46} {way.left_out}"
            continue
        digits = ".0f" if way.median >= 100 else ".3g"
        seconds = ("" if way.share == 1 else "~") + format(way.median, digits)
        ratio = f"{way.median / done[0].median:.1f}"
        yield (
            f"  {way.label:46} {seconds:>8} {ratio:>7} {way.peak:8.0f} "
            f"{len(way.seconds):5} {100 * way.share:6.3g} %"
        )
    if scale == 1 and len(done) == len(question.ways):
        reached = "yes" if question.is_reached(done) else "no"
        yield f"  Wanted: {question.goal}: {reached}."


def head_of(scale):
    """The head of the table."""
    yield from textwrap.wrap(machine(), 86)
    if scale != 1:
        yield f"Sizes are {scale:g} times those that are named."
    yield ""
    yield f"{'':48} {'seconds':>8} {'ratio':>7} {'peak MB':>8} {'runs':>5} {'done':>8}"


def as_dict(question):
    """The same for JSON."""
    return {
        "question": question.title,
        "goal": question.goal,
        "ways": [
            {"label": way.label, "left_out": way.left_out}
            if way.left_out
            else {
                "label": way.label,
                "seconds": way.seconds,
                "median": way.median,
                "processor_seconds": way.processor_seconds,
                "peak_mb": way.peak,
                "share_done": way.share,
            }
            for way in question.ways
        ],
    }


def put_into(page, lines):
    """Take the place of an earlier table on a page of the manual."""
    before, mark, after = page.read_text().partition(MARK)
    if not mark:
        raise SystemExit(f"{page} has no place for the table; expected there:\n{MARK}")
    rest = after.splitlines()
    end = next((at for at, line in enumerate(rest) if line[:1].strip()), len(rest))
    table = [f"   {line}".rstrip() for line in lines]
    text = "\n".join([before + mark, *table, "", "", *rest[end:]])
    page.write_text(text.rstrip() + "\n")


def main():
    """Print the table."""
    every = questions()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("questions", nargs="*", help=f"of {', '.join(every)}; all")
    parser.add_argument("--scale", type=float, default=1, help="of all sizes")
    parser.add_argument("--rounds", type=int, default=5, help="at most")
    parser.add_argument("--json", type=Path, help="file for what was measured")
    parser.add_argument("--page", type=Path, help="of the manual, to be filled in")
    parser.add_argument("--folder", type=Path, help="for temporary files")
    arguments = parser.parse_args()
    asked = arguments.questions or list(every)
    if unknown := set(asked) - set(every):
        parser.error(f"{', '.join(unknown)}: choose from {', '.join(every)}")
    os.sched_setaffinity(0, [max(os.sched_getaffinity(0))])
    lines = list(head_of(arguments.scale))
    say("\n".join(lines))
    for name in asked:
        with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
            race(
                every[name],
                Path(folder),
                scale=arguments.scale,
                rounds=arguments.rounds,
            )
        some = list(lines_of(every[name], scale=arguments.scale))
        say("\n".join(some))
        lines += some
    if arguments.json:
        found = {name: as_dict(every[name]) for name in asked}
        content = {"machine": machine(), "scale": arguments.scale, "questions": found}
        arguments.json.write_text(json.dumps(content, indent=2) + "\n")
    if arguments.page:
        put_into(arguments.page, lines)


if __name__ == "__main__":
    main()
