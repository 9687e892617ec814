"""`bob pytorch embed`: embeddings of many recordings in one file."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bob.learn.pytorch.script import interrupts
from bob.learn.pytorch.script.extractors import (
    extractor_options,
    make_extractor,
    parallel_options,
    plain_errors,
    report_options,
)

if TYPE_CHECKING:
    from bob.learn.pytorch.extraction.extract import Extraction
    from bob.learn.pytorch.script.extractors import AnyExtractor

LISTS = (".txt", ".lst", ".list", ".scp")
STORES = (".h5", ".hdf5")
OTHERS = (".npz", ".parquet", ".ark", ".scp")


@click.command()
@click.argument("recordings", nargs=-1, required=True, type=click.Path())
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write: a store (.h5), or .npz, .parquet, .ark or .scp.",
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
    **options: Any,  # noqa: ANN401 - those of extractor_options
) -> None:
    """Embed RECORDINGS, files or lists of them, into one file.

    A list ends in .txt, .lst, .list or .scp and has one path a line, or a name, a
    blank and a path; lines that are empty or begin with '#' are skipped. What cannot be
    used is left out and reported, and the exit status is then 1.

    What is done is on disk every few seconds: a run that was stopped, in whatever way,
    is taken up by the same command. What a store holds already is not done again.
    """
    named = _named(recordings)
    _check_output(output)
    # A file of another kind is made of a store, at the end.
    place = output if output.suffix in STORES else Path(f"{output}.unfinished.h5")
    with plain_errors():
        from bob.learn.pytorch.extraction.extract import extract_into, sensible_jobs

        extractor = make_extractor(**options)
        jobs = jobs or sensible_jobs(len(named), device=extractor.chosen()["device"])
        try:
            run = extract_into(
                place, extractor, named, jobs=jobs, dask=dask, progress=True
            )
        except KeyboardInterrupt:
            click.echo(f"Stopped: {_kept(place)}", err=True)
            sys.exit(interrupts.INTERRUPTED)
        if place != output:
            from bob.learn.pytorch.storage.exchange import export
            from bob.learn.pytorch.storage.lock import remove

            export(place, output)
            remove(place)
        click.echo(_report(extractor, run, named, output, as_json=as_json))
    if run.failures and not allow_failures:
        sys.exit(1)


def _named(arguments: tuple[str, ...]) -> dict[str, str]:
    """Recordings by name, those of lists included."""
    from bob.learn.pytorch.audio import printable
    from bob.learn.pytorch.extraction.lists import read_list

    named: dict[str, str] = {}
    for argument in arguments:
        if not argument:
            raise click.BadParameter("an empty path", param_hint="RECORDINGS")
        try:
            is_list = Path(argument).suffix.lower() in LISTS
            more = read_list(argument) if is_list else {printable(argument): argument}
        except (OSError, ValueError) as error:
            raise click.BadParameter(str(error), param_hint="RECORDINGS") from error
        for name, path in more.items():
            if named.setdefault(name, path) != path:
                raise click.BadParameter(
                    printable(f"{name} stands for {named[name]} and for {path}"),
                    param_hint="RECORDINGS",
                )
    return named


def _check_output(output: Path) -> None:
    """Before the work, not after it."""
    if output.suffix not in STORES + OTHERS:
        raise click.BadParameter(
            f"{click.format_filename(output)} has to end in one of "
            f"{', '.join(STORES + OTHERS)}, which says what kind of file it is to be",
            param_hint="--output",
        )
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=output.parent).close()
    except OSError as error:
        raise click.BadParameter(
            f"{click.format_filename(output)} cannot be written ({error.strerror})",
            param_hint="--output",
        ) from error


def _kept(place: Path) -> str:
    """What a run that is stopped leaves."""
    from bob.learn.pytorch.storage.store import StoreError, summarise

    try:
        count = summarise(place).embeddings
    except StoreError:
        return "nothing was done yet"
    return (
        f"{count} embeddings are in {click.format_filename(place)}; the same command "
        "goes on from there"
    )


def _report(
    extractor: AnyExtractor,
    run: Extraction,
    named: dict[str, str],
    output: Path,
    *,
    as_json: bool,
) -> str:
    from bob.learn.pytorch.audio import printable

    paths = {name: printable(named[name]) for name in run.failures}
    failures = {
        name: why if name == paths[name] else f"{paths[name]}: {why}"
        for name, why in run.failures.items()
    }
    done = len(named) - len(failures)
    if as_json:
        content = {
            "output": click.format_filename(output),
            "embeddings": done,
            "computed": run.computed,
            "dimensions": extractor.model.embedding_size,
            "failures": failures,
            "ran_on": extractor.chosen(),
            "made_by": extractor.fingerprint(),
        }
        return json.dumps(content, indent=2)
    where = click.format_filename(output)
    lines = [f"{done} of {len(named)} recordings are in {where}"]
    if run.computed:
        on = ", ".join(extractor.chosen().values())
        lines.append(f"{run.computed} were computed now (on {on})")
    if failures:
        lines.append(f"{len(failures)} could not be used:")
        lines += [f"  {name}: {why}" for name, why in failures.items()]
    return "\n".join(lines)
