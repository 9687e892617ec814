"""`bob pytorch protocol`: a folder or list becomes a protocol that Bob reads."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from bob.learn.pytorch.verification.protocol_summary import GroupSummary
    from bob.learn.pytorch.verification.speaker_protocol import SpeakerRule

_SHOWN = 5


@click.command()
@click.argument("source", type=click.Path(exists=True, path_type=Path))
@click.argument("output", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--protocol", help="Name of the protocol; for speakers: session, recording."
)
@click.option("--layout", help="Folder levels: speaker (default), session/speaker, …")
@click.option("--enrol-count", type=int, help="Recordings that enrol a speaker.")
@click.option("--minimum-seconds", type=float, help="Leave out shorter recordings.")
@click.option(
    "--original-directory",
    type=click.Path(exists=True, file_okay=False),
    help="Folder that the paths in a list are relative to.",
)
@click.option("--json", "as_json", is_flag=True, help="Report in JSON.")
def protocol(
    source: Path,
    output: Path,
    protocol: str | None,
    layout: str | None,
    enrol_count: int | None,
    minimum_seconds: float | None,
    original_directory: str | None,
    as_json: bool,  # noqa: FBT001 - click hands it over
) -> None:
    """Write SOURCE to OUTPUT as a protocol in CSV, for Bob and for verify.py.

    SOURCE is a folder of speakers, a trial list (VoxCeleb, Kaldi), a Kaldi data
    folder or a CSV file. A folder of speakers is enrolled from one session and probed
    with the others; speakers go to dev and eval in turn.
    """
    from bob.learn.pytorch.audio import printable
    from bob.learn.pytorch.verification.csv_writing import write_csv_protocol
    from bob.learn.pytorch.verification.database import DatabaseError, as_database
    from bob.learn.pytorch.verification.protocol_summary import summarise

    try:
        database = as_database(
            source,
            protocol=protocol,
            original_directory=original_directory,
            rule=_rule(layout, enrol_count, minimum_seconds),
        )
        root = write_csv_protocol(database, output)
        groups = summarise(database)
    except DatabaseError as error:
        raise click.ClickException(str(error)) from error
    notes: tuple[str, ...] = getattr(database, "notes", ())
    if as_json:
        report = {
            "database": database.name,
            "protocol": database.protocol,
            "folder": str(root),
            "notes": notes,
            "groups": {group: asdict(summary) for group, summary in groups.items()},
        }
        click.echo(json.dumps(report, indent=2))
    else:
        heading = f"protocol {database.protocol} of {database.name}: {root}"
        notes = tuple(f"  {note}" for note in notes)
        click.echo(printable("\n".join([heading, *notes, *_lines(groups)])))


def _rule(
    layout: str | None, enrol_count: int | None, minimum_seconds: float | None
) -> SpeakerRule | None:
    if layout is None and enrol_count is None and minimum_seconds is None:
        return None
    from bob.learn.pytorch.verification.speaker_protocol import SpeakerRule

    return SpeakerRule(layout, enrol_count, minimum_seconds or 0.0)


def _lines(groups: dict[str, GroupSummary]) -> list[str]:
    lines = []
    for group, summary in groups.items():
        lines.append(
            f"{group}: {summary.speakers} speakers, {summary.references} references, "
            f"{summary.probes} probes, {summary.target_trials} target and "
            f"{summary.non_target_trials} non-target trials"
        )
        if summary.missing:
            lines.append(f"  {len(summary.missing)} recordings are missing:")
            lines += [f"    {path}" for path in summary.missing[:_SHOWN]]
        if summary.missing[_SHOWN:]:
            lines.append("    … (all of them with --json)")
    return lines
