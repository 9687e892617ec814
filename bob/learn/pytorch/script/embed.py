"""`bob pytorch embed`: embeddings of many recordings in one file."""

from __future__ import annotations

import json
import sys
import tempfile
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
    blank and a path. What cannot be used is left out and reported, and the exit
    status is then 1.
    """
    with plain_errors():
        from bob.learn.pytorch.extraction.collection import collect

        named = _named(recordings)
        _check_writable(output)
        extractor = make_extractor(model, channel=channel, device=device)
        collection = collect(extractor, named, progress=True)
        collection.save(output)
    click.echo(_report(collection, output, as_json=as_json))
    if collection.failures and not allow_failures:
        sys.exit(1)


def _named(arguments: tuple[str, ...]) -> dict[str, str]:
    """Recordings by name, those of lists included."""
    from bob.learn.pytorch.extraction.collection import read_list

    named: dict[str, str] = {}
    for argument in arguments:
        try:
            is_list = Path(argument).suffix.lower() in LISTS
            more = read_list(argument) if is_list else {argument: argument}
        except (OSError, ValueError) as error:
            raise click.BadParameter(str(error), param_hint="RECORDINGS") from error
        for name, path in more.items():
            if named.setdefault(name, path) != path:
                raise click.BadParameter(
                    f"{name} stands for {named[name]} and for {path}",
                    param_hint="RECORDINGS",
                )
    return named


def _check_writable(output: Path) -> None:
    """Before the work, not after it."""
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=output.parent).close()
    except OSError as error:
        raise click.BadParameter(
            f"{output} cannot be written ({error.strerror})", param_hint="--output"
        ) from error


def _report(collection: Collection, output: Path, *, as_json: bool) -> str:
    if as_json:
        return json.dumps(
            {
                "output": str(output),
                "embeddings": len(collection.names),
                "dimensions": collection.embeddings.shape[1],
                "failures": dict(collection.failures),
                "made_by": dict(collection.fingerprint),
            },
            indent=2,
        )
    total = len(collection.names) + len(collection.failures)
    lines = [f"{len(collection.names)} of {total} recordings are in {output}"]
    if collection.failures:
        lines.append(f"{len(collection.failures)} could not be used:")
        lines += [f"  {name}: {why}" for name, why in collection.failures.items()]
    return "\n".join(lines)
