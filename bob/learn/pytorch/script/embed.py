"""`bob pytorch embed`: embeddings of many recordings in one file."""

from __future__ import annotations

import json
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from bob.learn.pytorch.script.extractors import (
    extractor_options,
    make_extractor,
    plain_errors,
)

if TYPE_CHECKING:
    from bob.learn.pytorch.extraction.collection import Collection

LISTS = (".txt", ".lst", ".list", ".scp")
INTERRUPTED = 130  # the exit status of a process that Ctrl-C ended


@click.command()
@click.argument("recordings", nargs=-1, required=True, type=click.Path())
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write, .npz: names, embeddings, failed, reasons, made_by.",
)
@extractor_options
@click.option(
    "--allow-failures",
    is_flag=True,
    help="Exit with 0 even if recordings could not be used.",
)
@click.option("--json", "as_json", is_flag=True, help="Report in JSON.")
def embed(
    recordings: tuple[str, ...],
    output: Path,
    model: str,
    channel: int | Literal["mix"] | None,
    device: str | None,
    allow_failures: bool,  # noqa: FBT001 - click hands it over
    as_json: bool,  # noqa: FBT001
) -> None:
    """Embed RECORDINGS, files or lists of them, into one file.

    A list ends in .txt, .lst, .list or .scp and has one path a line, or a name, a
    blank and a path; lines that are empty or begin with '#' are skipped. What cannot be
    used is left out and reported, and the exit status is then 1.

    Ctrl-C, and an error that ends the work, leave in the file what is done by then,
    with the other recordings among the failed ones; a file that was there before stays,
    and it goes beside as .part.npz. The next run does all of its work again.
    """
    with plain_errors():
        from bob.learn.pytorch.extraction.collection import collect

        named = _named(recordings)
        _check_writable(output)
        extractor = make_extractor(model, channel=channel, device=device)
        try:
            collection = collect(
                extractor, named, progress=True, when_stopped=partial(_keep, output)
            )
        except KeyboardInterrupt:
            sys.exit(INTERRUPTED)
        _save(collection, output)
        click.echo(_report(collection, named, output, as_json=as_json))
    if collection.failures and not allow_failures:
        sys.exit(1)


def _save(collection: Collection, output: Path) -> None:
    try:
        collection.save(output)
    except OSError as error:
        raise click.ClickException(
            f"{click.format_filename(output)} cannot be written ({error.strerror}); "
            f"{len(collection.names)} embeddings are lost: make room, or name another "
            "place with --output, and start again"
        ) from error


def _keep(output: Path, collection: Collection) -> None:
    """Save what is done when the work ends early."""
    done = "nothing was done yet"
    if collection.names:
        place = output.with_suffix(".part.npz") if output.exists() else output
        _save(collection, place)
        done = _count(collection, place)
    click.echo(f"Stopped: {done}", err=True)


def _named(arguments: tuple[str, ...]) -> dict[str, str]:
    """Recordings by name, those of lists included."""
    from bob.learn.pytorch.audio import printable
    from bob.learn.pytorch.extraction.collection import read_list

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


def _check_writable(output: Path) -> None:
    """Before the work, not after it."""
    if output.suffix != ".npz":
        raise click.BadParameter(
            f"{output} is to be an npz file; end its name in .npz",
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


def _count(collection: Collection, output: Path) -> str:
    done, total = (
        len(collection.names),
        len(collection.names) + len(collection.failures),
    )
    return f"{done} of {total} recordings are in {click.format_filename(output)}"


def _report(
    collection: Collection, named: dict[str, str], output: Path, *, as_json: bool
) -> str:
    from bob.learn.pytorch.audio import printable

    paths = {name: printable(named[name]) for name in collection.failures}
    failures = {
        name: why if name == paths[name] else f"{paths[name]}: {why}"
        for name, why in collection.failures.items()
    }
    if as_json:
        return json.dumps(
            {
                "output": click.format_filename(output),
                "embeddings": len(collection.names),
                "dimensions": collection.embeddings.shape[1],
                "failures": failures,
                "made_by": dict(collection.fingerprint),
            },
            indent=2,
        )
    lines = [_count(collection, output)]
    if failures:
        lines.append(f"{len(failures)} could not be used:")
        lines += [f"  {name}: {why}" for name, why in failures.items()]
    return "\n".join(lines)
