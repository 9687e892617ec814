"""`bob pytorch embed`: embeddings of many recordings in one file."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bob.learn.pytorch.printing import printable
from bob.learn.pytorch.script.extractors import (
    extractor_options,
    make_extractor,
    parallel_options,
    plain_errors,
    report_options,
)
from bob.learn.pytorch.script.score_options import plain_errors as scoring_errors
from bob.learn.pytorch.script.score_options import speakers_option
from bob.learn.pytorch.script.terminal import INTERRUPTED
from bob.learn.pytorch.store import OTHERS, STORES

if TYPE_CHECKING:
    from bob.learn.pytorch.inference.extract import Extraction
    from bob.learn.pytorch.preprocessor.audio.loading import Extractor

LISTS = (".txt", ".lst", ".list", ".scp", ".json", ".jsonl")


@click.command()
@click.argument("recordings", nargs=-1, required=True, type=click.Path())
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write: a store (.h5), or .npz, .parquet, .ark or .scp.",
)
@speakers_option(
    "--speakers", purpose="Who speaks, which the store keeps for cohorts and PLDA. "
)
@extractor_options
@parallel_options
@report_options
def embed(
    recordings: tuple[str, ...],
    output: Path,
    jobs: int | None,
    dask: str | None,
    allow_failures: bool,  # noqa: FBT001 - click hands it over
    as_json: bool,  # noqa: FBT001
    **options: Any,  # noqa: ANN401 - those of speakers_option and extractor_options
) -> None:
    """Embed RECORDINGS, files, folders or lists of them, into one file.

    A folder is one of speakers (--layout), of Kaldi, or whatever `bob pytorch protocol`
    reads, and a CSV file has the columns path and subject_id: who speaks is stored
    then too. A list ends in .txt, .lst, .list or .scp and has one path a line, or a
    name, a blank and a path; lines that are empty or begin with '#' are skipped. A
    .json or .jsonl is a manifest of NeMo. What cannot be used is left out and
    reported, and the exit status is then 1.

    What is done is on disk every few seconds: a run that was stopped, in whatever way,
    is taken up by the same command. What a store holds already is not done again.
    """
    speakers, layout = options.pop("speakers"), options.pop("layout")
    _check_output(output)
    with scoring_errors():
        named, known = _named(recordings, layout)
        if speakers is not None:
            known |= _spoken(list(named), speakers, layout)
    # A file of another kind is made of a store, at the end.
    place = output if output.suffix in STORES else Path(f"{output}.unfinished.h5")
    with plain_errors():
        from bob.learn.pytorch.inference.extract import extract_into, sensible_jobs

        extractor = make_extractor(**options)
        jobs = jobs or sensible_jobs(len(named), device=extractor.chosen()["device"])
        try:
            run = extract_into(
                place,
                extractor,
                named,
                jobs=jobs,
                dask=dask,
                progress=True,
                speakers=known,
            )
        except KeyboardInterrupt:
            click.echo(f"Stopped: {_kept(place)}", err=True)
            sys.exit(INTERRUPTED)
        notes = _notes(place, named, run)
        if place != output:
            from bob.learn.pytorch.store.exchange import export
            from bob.learn.pytorch.store.lock import remove

            export(place, output)
            remove(place)
        click.echo(_report(extractor, run, named, output, notes=notes, as_json=as_json))
    if run.failures and not allow_failures:
        sys.exit(1)


def _named(
    arguments: tuple[str, ...], layout: str | None
) -> tuple[dict[str, str], dict[str, str]]:
    """Path and speaker of recordings, by name."""

    named: dict[str, str] = {}
    speakers: dict[str, str] = {}
    for argument in arguments:
        if not argument:
            raise click.BadParameter("an empty path", param_hint="RECORDINGS")
        try:
            more, known = _recordings(argument, layout)
        except (OSError, ValueError) as error:
            raise click.BadParameter(str(error), param_hint="RECORDINGS") from error
        for name, path in more.items():
            if named.setdefault(name, path) != path:
                raise click.BadParameter(
                    printable(f"{name} stands for {named[name]} and for {path}"),
                    param_hint="RECORDINGS",
                )
        speakers |= known
    return named, speakers


def _recordings(
    argument: str, layout: str | None
) -> tuple[dict[str, str], dict[str, str]]:
    """Path and speaker, by name, of what one argument names."""
    from bob.learn.pytorch.audio import storable
    from bob.learn.pytorch.inference.lists import read_list
    from bob.learn.pytorch.protocols.cohorts import read_speakers
    from bob.learn.pytorch.protocols.speakers import SpeakerRule

    path = Path(argument)
    if path.suffix.lower() in LISTS:
        named = read_list(argument)
        beside = path.with_name("utt2spk")
        is_kaldi = path.name == "wav.scp" and beside.is_file()
        return named, _spoken(list(named), beside, None) if is_kaldi else {}
    if not path.is_dir() and path.suffix.lower() != ".csv":
        # Spellings of one path are one recording.
        return {storable(os.path.normpath(argument)): argument}, {}
    found = read_speakers(path, rule=None if layout is None else SpeakerRule(layout))
    named = {item.key: str(item.path) for item in found if item.path is not None}
    return named, {item.key: item.subject for item in found if item.subject}


def _spoken(names: list[str], source: Path, layout: str | None) -> dict[str, str]:
    """Return the speakers that a file or folder knows, by name of the recording."""
    from bob.learn.pytorch.experiment.stored_speakers import speakers_by_row

    rows = speakers_by_row(names, source, layout=layout)
    if len(rows) < len(names):
        click.echo(
            f"{printable(source)} says who speaks in {len(rows)} of "
            f"{len(names)} recordings",
            err=True,
        )
    return {names[row]: speaker for row, speaker in rows.items()}


def _check_output(output: Path) -> None:
    """Before the work, not after it."""
    if output.suffix not in STORES + OTHERS:
        raise click.BadParameter(
            f"{printable(output)} has to end in one of "
            f"{', '.join(STORES + OTHERS)}, which says what kind of file it is to be",
            param_hint="--output",
        )
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=output.parent).close()
    except OSError as error:
        raise click.BadParameter(
            f"{printable(output)} cannot be written ({error.strerror})",
            param_hint="--output",
        ) from error


def _kept(place: Path) -> str:
    """What a run that is stopped leaves."""
    from bob.learn.pytorch.store.store import StoreError, summarise

    try:
        count = summarise(place).embeddings
    except StoreError:
        return "nothing was done yet"
    return (
        f"{count} embeddings are in {printable(place)}; the same command "
        "goes on from there"
    )


def _notes(place: Path, named: dict[str, str], run: Extraction) -> list[str]:
    """Say which recordings are short, of a lower rate, or may hold little speech."""
    from bob.learn.pytorch.audio.doubts import level_notes
    from bob.learn.pytorch.script.recommended import recording_notes
    from bob.learn.pytorch.store.store import read

    stored = read(place, embeddings=False)
    rows = {name: row for row, name in enumerate(stored.names) if name in named}
    return recording_notes(stored, rows) + level_notes(run.doubts)


def _report(
    extractor: Extractor,
    run: Extraction,
    named: dict[str, str],
    output: Path,
    *,
    notes: list[str],
    as_json: bool,
) -> str:

    paths = {name: printable(named[name]) for name in run.failures}
    failures = {
        name: why if printable(name) == paths[name] else f"{paths[name]}: {why}"
        for name, why in run.failures.items()
    }
    done = len(named) - len(failures)
    if as_json:
        content = {
            "output": click.format_filename(output),
            "embeddings": done,
            "reused": run.reused,
            "computed": run.computed,
            "dimensions": extractor.model.embedding_size,
            "failures": failures,
            "notes": notes,
            "ran_on": extractor.chosen(),
            "made_by": extractor.fingerprint(),
        }
        return json.dumps(content, indent=2)
    where = printable(output)
    lines = [
        f"{done} of {len(named)} recordings are in {where}",
        f"{run.reused} of {len(named)} came from the store",
    ]
    if run.computed:
        on = ", ".join(extractor.chosen().values())
        lines[1] += f", {run.computed} were computed now (on {on})"
    if failures:
        lines.append(f"{len(failures)} could not be used:")
        lines += [printable(f"  {name}: {why}") for name, why in failures.items()]
    lines += [f"Note: {printable(note)}" for note in notes]
    return "\n".join(lines)
