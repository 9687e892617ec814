"""`bob pytorch embed`: embeddings of many recordings in one file."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from bob.learn.pytorch.printing import printable
from bob.learn.pytorch.script import terminal
from bob.learn.pytorch.script.door import report
from bob.learn.pytorch.script.extractors import (
    asking,
    extractor_options,
    parallel_options,
    report_options,
)
from bob.learn.pytorch.script.options import NEW_FILE, speakers_option

if TYPE_CHECKING:
    from pathlib import Path

    from bob.learn.pytorch.recordings import Embedded


@click.command()
@click.argument("recordings", nargs=-1, required=True, type=click.Path())
@click.option(
    "-o",
    "--output",
    "into",
    required=True,
    type=NEW_FILE,
    help="File to write: a store (.h5), or .npz, .parquet, .ark or .scp.",
)
@speakers_option(
    "--speakers",
    purpose="Speakers of the recordings, which the store keeps for cohorts and PLDA. ",
)
@extractor_options
@parallel_options
@report_options
def embed(
    recordings: tuple[str, ...],
    into: Path,
    allow_failures: bool,  # noqa: FBT001 - click hands it over
    as_json: bool,  # noqa: FBT001
    yes: bool,  # noqa: FBT001
    **options: Any,  # noqa: ANN401 - those of speakers_, extractor_ and parallel_options
) -> None:
    """Embed RECORDINGS, files, folders or lists of them, into one file.

    A folder is one of speakers (--layout), of Kaldi, or whatever `bob pytorch protocol`
    reads, and a CSV file has the columns path and subject_id: who speaks is stored
    then too. A list ends in .txt, .lst, .list or .scp and has one path a line, or a
    name, a blank and a path; lines that are empty or begin with '#' are skipped. A
    .json or .jsonl is a manifest of NeMo. What cannot be used is left out and
    reported, and the exit status is then 1.

    What is done is on disk every few seconds. If a run was stopped, run the same
    command again to continue. What a store holds already is not done again.
    """
    from bob.learn.pytorch.recordings import embed_into

    try:
        made = embed_into(
            into, recordings, ask=asking(yes=yes), progress=True, **options
        )
    except KeyboardInterrupt:
        click.echo(f"Stopped: {_kept(into)}", err=True)
        sys.exit(terminal.INTERRUPTED)
    notes = _notes(made)
    lines = _for_people(made, into, notes)
    report(_for_programs(made, into, notes), lines, as_json=as_json)
    if made.run.failures and not allow_failures:
        sys.exit(1)


def _kept(output: Path) -> str:
    """Say what a run that is stopped leaves."""
    from bob.learn.pytorch.recordings import store_for
    from bob.learn.pytorch.store.store import StoreError, summarise

    place = store_for(output)
    try:
        count = summarise(place).embeddings
    except StoreError:
        return "nothing was done yet"
    return (
        f"{count} embeddings are in {printable(place)}; the same command "
        "goes on from there"
    )


def _notes(made: Embedded) -> list[str]:
    """Say which recordings are short, of a lower rate, or may hold little speech."""
    from bob.learn.pytorch.audio.doubts import level_notes
    from bob.learn.pytorch.preprocessor.audio.loading import recording_notes

    names = made.stored.names
    rows = {name: row for row, name in enumerate(names) if name in made.paths}
    return recording_notes(made.stored, rows) + level_notes(made.run.doubts)


def _failures(made: Embedded) -> dict[str, str]:
    """Return the reason of every failure by name, with the path where it is another."""
    paths = {name: printable(made.paths[name]) for name in made.run.failures}
    return {
        name: why if printable(name) == paths[name] else f"{paths[name]}: {why}"
        for name, why in made.run.failures.items()
    }


def _for_programs(made: Embedded, output: Path, notes: list[str]) -> dict[str, Any]:
    run, extractor = made.run, made.extractor
    return {
        "output": click.format_filename(output),
        "embeddings": len(made.paths) - len(run.failures),
        "reused": run.reused,
        "computed": run.computed,
        "dimensions": extractor.model.embedding_size,
        "failures": _failures(made),
        "notes": notes,
        "ran_on": extractor.chosen(),
        "made_by": extractor.fingerprint(),
    }


def _for_people(made: Embedded, output: Path, notes: list[str]) -> list[str]:
    run, failures, count = made.run, _failures(made), len(made.paths)
    lines = [
        f"{count - len(failures)} of {count} recordings are in {printable(output)}",
        f"{run.reused} of {count} came from the store",
    ]
    if run.computed:
        on = ", ".join(made.extractor.chosen().values())
        lines[1] += f", {run.computed} were computed now (on {on})"
    if failures:
        lines.append(f"{len(failures)} could not be used:")
        lines += [f"  {name}: {why}" for name, why in failures.items()]
    return lines + [f"Note: {note}" for note in notes]
