"""`bob pytorch store`: show a store of embeddings, and convert it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from bob.learn.pytorch.printing import printable
from bob.learn.pytorch.script.door import Group

_SHOWN = 10
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_NEW_FILE = click.Path(dir_okay=False, path_type=Path)


@click.group(cls=Group)
def store() -> None:
    """Show a store of embeddings, export it, import into it."""


@store.command()
@click.argument("path", metavar="STORE", type=_FILE)
@click.option(
    "--json", "as_json", is_flag=True, help="Report in JSON, with all failures."
)
def show(path: Path, as_json: bool) -> None:  # noqa: FBT001 - click hands it over
    """Show what STORE holds, also while it grows."""
    from bob.learn.pytorch.store import summarise

    summary = summarise(path)
    if as_json:
        click.echo(json.dumps(asdict(summary), indent=2))
        return
    unknown = summary.without_duration
    lines = [
        f"embeddings: {summary.embeddings} of {summary.dimensions} numbers",
        f"duration: {summary.hours:.2f} hours"
        + (f", and {unknown} recordings of unknown duration" if unknown else ""),
        f"failures: {len(summary.failures)}",
        *(f"  {name}: {why}" for name, why in list(summary.failures.items())[:_SHOWN]),
    ]
    if len(summary.failures) > _SHOWN:
        lines.append("  … (all of them with --json)")
    if summary.waiting:
        lines.append(f"not in the HDF5 part yet: {summary.waiting} records")
    lines += ["made by:", *(f"  {k}: {v}" for k, v in summary.fingerprint.items())]
    click.echo("\n".join(map(printable, lines)))


@store.command()
@click.argument("path", metavar="STORE", type=_FILE)
@click.argument("output", metavar="OUT", type=_NEW_FILE)
@click.option("--json", "as_json", is_flag=True, help="Report in JSON.")
def export(path: Path, output: Path, as_json: bool) -> None:  # noqa: FBT001
    """Export STORE to OUT: .npz, .parquet, .ark, .scp or .h5.

    For Kaldi, an ark and an scp file are written, and beside them .ark.json with what
    these cannot hold.
    """
    from bob.learn.pytorch.store import export as write

    write(path, output)
    if as_json:
        click.echo(json.dumps({"output": click.format_filename(output)}))
    else:
        click.echo(f"written: {printable(output)}")


@store.command("import")
@click.argument("source", metavar="IN", type=_FILE)
@click.argument("path", metavar="STORE", type=_NEW_FILE)
@click.option(
    "--made-by",
    multiple=True,
    metavar="KEY=VALUE",
    help="Origin of the embeddings, such as model=mine, where IN does not name it.  "
    "[made_by=unknown]",
)
@click.option("--json", "as_json", is_flag=True, help="Report in JSON.")
def import_(source: Path, path: Path, made_by: tuple[str, ...], as_json: bool) -> None:  # noqa: FBT001
    """Add the embeddings of IN (.npz, .parquet, .ark, .scp, .h5) to STORE.

    STORE is created where there is none. A record of the same name is replaced, but not
    an embedding by a failure.
    """
    from bob.learn.pytorch.store import import_ as add

    imported = add(source, path, fingerprint=_fingerprint(made_by))
    if as_json:
        click.echo(json.dumps(imported._asdict(), indent=2))
        return
    made = ", ".join(f"{key}={value}" for key, value in imported.fingerprint.items())
    click.echo(
        f"{imported.embeddings} embeddings and {imported.failures} failures are in "
        f"{printable(path)} (made by: {made})"
    )


def _fingerprint(made_by: tuple[str, ...]) -> dict[str, str] | None:
    if not made_by:
        return None
    for item in made_by:
        key, equals, value = item.partition("=")
        if not (key and equals and value):
            raise click.BadParameter(
                f"{item!r}: expected KEY=VALUE, such as model=mine",
                param_hint="--made-by",
            )
    return {item.partition("=")[0]: item.partition("=")[2] for item in made_by}
