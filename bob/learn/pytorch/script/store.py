"""`bob pytorch store`: show a store of embeddings, and convert it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from bob.learn.pytorch.printing import counted, printable
from bob.learn.pytorch.script.door import Group, report
from bob.learn.pytorch.script.options import FILE, NEW_FILE, json_option

if TYPE_CHECKING:
    from pathlib import Path

_SHOWN = 10


@click.group(cls=Group)
def store() -> None:
    """Show a store of embeddings, export it, import into it."""


@store.command()
@click.argument("path", metavar="STORE", type=FILE)
@click.option(
    "--json", "as_json", is_flag=True, help="Report in JSON, with all failures."
)
def show(path: Path, as_json: bool) -> None:  # noqa: FBT001 - click hands it over
    """Show what STORE holds, also while it grows."""
    from bob.learn.pytorch.store import summarise

    summary = summarise(path)
    unknown = summary.without_duration
    lines = [
        f"embeddings: {summary.embeddings} of {summary.dimensions} numbers",
        f"duration: {summary.hours:.2f} hours"
        + (
            f", and {counted(unknown, 'recording')} of unknown duration"
            if unknown
            else ""
        ),
        f"failures: {len(summary.failures)}",
        *(f"  {name}: {why}" for name, why in list(summary.failures.items())[:_SHOWN]),
    ]
    if len(summary.failures) > _SHOWN:
        lines.append("  … (all of them with --json)")
    if summary.waiting:
        lines.append(f"not in the HDF5 part yet: {summary.waiting} records")
    lines += ["made by:", *(f"  {k}: {v}" for k, v in summary.fingerprint.items())]
    report(asdict(summary), lines, as_json=as_json)


@store.command()
@click.argument("path", metavar="STORE", type=FILE)
@click.argument("output", metavar="OUT", type=NEW_FILE)
@json_option
def export(path: Path, output: Path, as_json: bool) -> None:  # noqa: FBT001
    """Export STORE to OUT: .npz, .parquet, .ark, .scp or .h5.

    For Kaldi, an ark and an scp file are written, and beside them .ark.json with what
    these cannot hold.
    """
    from bob.learn.pytorch.store import export as write

    write(path, output)
    content = {"output": click.format_filename(output)}
    report(content, [f"written: {printable(output)}"], as_json=as_json)


@store.command("import")
@click.argument("source", metavar="IN", type=FILE)
@click.argument("path", metavar="STORE", type=NEW_FILE)
@click.option(
    "--made-by",
    multiple=True,
    metavar="KEY=VALUE",
    help="Origin of the embeddings, such as model=mine, where IN does not name it.  "
    "[made_by=unknown]",
)
@json_option
def import_(source: Path, path: Path, made_by: tuple[str, ...], as_json: bool) -> None:  # noqa: FBT001
    """Add the embeddings of IN (.npz, .parquet, .ark, .scp, .h5) to STORE.

    STORE is created where there is none. A record of the same name is replaced, but not
    an embedding by a failure.
    """
    from bob.learn.pytorch.store import import_ as add

    imported = add(source, path, fingerprint=_fingerprint(made_by))
    made = ", ".join(f"{key}={value}" for key, value in imported.fingerprint.items())
    line = (
        f"{imported.embeddings} embeddings and {imported.failures} failures are in "
        f"{printable(path)} (made by: {made})"
    )
    report(imported._asdict(), [line], as_json=as_json)


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
