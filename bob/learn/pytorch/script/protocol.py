"""`bob pytorch protocol`: protocols are written for Bob, converted, and checked."""

from __future__ import annotations

import json
import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bob.learn.pytorch.protocols.formats import FORMS
from bob.learn.pytorch.script.door import Group

if TYPE_CHECKING:
    from collections.abc import Callable

    from bob.learn.pytorch.protocols.checking import ProtocolReport
    from bob.learn.pytorch.protocols.counts import GroupSummary
    from bob.learn.pytorch.protocols.speakers import SpeakerRule
    from bob.learn.pytorch.protocols.trials import Database

_SHOWN = 5


class _WriteUnlessNamed(Group):
    """`protocol SOURCE OUTPUT` is `protocol write SOURCE OUTPUT`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put `write` before arguments that name no command."""
        helps = any(word in ctx.help_option_names for word in args[:1])
        if args and not helps and args[0] not in self.commands:
            args = ["write", *args]
        return super().parse_args(ctx, args)


@click.group(
    cls=_WriteUnlessNamed,
    context_settings={"help_option_names": ["-h", "--help"]},
)
def protocol() -> None:
    """Write, convert or check a protocol: its references, probes and trials.

    `protocol SOURCE OUTPUT` is `protocol write SOURCE OUTPUT`.

    SOURCE is a folder of speakers, a trial list (VoxCeleb, Kaldi, SRE), a data folder
    of Kaldi, WeSpeaker or ESPnet, a protocol of Bob or a CSV file.
    """


def _reading(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options for reading a source."""
    for option in reversed(
        [
            click.option(
                "--protocol",
                help="Name of the protocol. For a folder of speakers: session or "
                "recording (the unit that enrols), session-one-group or "
                "recording-one-group (all speakers in dev), or all-pairs.  [session, "
                "if most speakers have several]",
            ),
            click.option(
                "--layout",
                help="Meaning of the folder levels: speaker, session/speaker, …; "
                "speaker/session-* if names of files begin with the session.  "
                "[speaker]",
            ),
            click.option(
                "--enrol-count",
                type=int,
                help="Recordings that enrol a speaker.  [all of the first session, or "
                "one]",
            ),
            click.option(
                "--minimum-seconds",
                type=float,
                help="Leave out shorter recordings.  [0]",
            ),
            click.option(
                "--original-directory",
                type=click.Path(exists=True, file_okay=False),
                help="Folder that the paths in a list are relative to.  [that of the "
                "list]",
            ),
            click.option("--json", "as_json", is_flag=True, help="Report in JSON."),
        ]
    ):
        command = option(command)
    return command


_SOURCE = click.Path(exists=True, path_type=Path)
_FOLDER = click.Path(file_okay=False, path_type=Path)


@protocol.command()
@click.argument("source", type=_SOURCE)
@click.argument("output", type=_FOLDER)
@_reading
def write(source: Path, output: Path, *, as_json: bool, **reading: Any) -> None:  # noqa: ANN401 - click's
    """Write SOURCE to OUTPUT as a protocol in CSV, for Bob and for verify.py.

    A folder of speakers is enrolled from one session and probed with the others;
    speakers go to dev and eval in turn.
    """
    _convert(source, output, "bob", reading, as_json=as_json)


@protocol.command()
@click.argument("source", type=_SOURCE)
@click.argument("output", type=_FOLDER)
@click.option(
    "--to", "form", type=click.Choice(FORMS), required=True, help="Form to write."
)
@_reading
def convert(
    source: Path,
    output: Path,
    *,
    form: str,
    as_json: bool,
    **reading: Any,  # noqa: ANN401 - click's
) -> None:
    """Write SOURCE to OUTPUT in the form of another toolkit.

    A protocol that the form cannot say, such as a reference of several recordings in a
    list of pairs, is refused.
    """
    _convert(source, output, form, reading, as_json=as_json)


@protocol.command()
@click.argument("sources", type=_SOURCE, nargs=-1, required=True)
@click.option(
    "--contents",
    is_flag=True,
    help="Also find recordings of the same contents, which reads the files.",
)
@_reading
def check(
    sources: tuple[Path, ...],
    *,
    contents: bool,
    as_json: bool,
    **reading: Any,  # noqa: ANN401 - click's
) -> None:
    """Count the trials of SOURCES, and find faults that make results wrong.

    Speakers and recordings that groups share, recordings compared with themselves,
    trials that come twice, recordings that are missing or empty, trials of one session,
    imbalance. Several sources, such as a list for dev and one for eval, are looked at
    together. The exit status is 1 where there is an error, and 0 with warnings.
    """
    from bob.learn.pytorch.printing import printable
    from bob.learn.pytorch.protocols import checking as protocol_check
    from bob.learn.pytorch.protocols.trials import DatabaseError

    try:
        databases = {
            str(source): _database(source, blind=True, **reading) for source in sources
        }
        report = protocol_check.check(databases, contents=contents)
    except DatabaseError as error:
        raise click.ClickException(str(error)) from error
    notes = [note for database in databases.values() for note in _notes(database)]
    if as_json:
        groups = {name: found.as_dict() for name, found in report.groups.items()}
        findings = [asdict(finding) for finding in report.findings]
        content = {"notes": notes, "groups": groups, "findings": findings}
        click.echo(json.dumps({**content, "sound": report.is_sound}, indent=2))
    else:
        click.echo("\n".join(map(printable, [*notes, *_report_lines(report)])))
    if not report.is_sound:
        raise click.exceptions.Exit(1)


def _convert(
    source: Path, output: Path, form: str, reading: dict[str, Any], *, as_json: bool
) -> None:
    from bob.learn.pytorch.printing import printable
    from bob.learn.pytorch.protocols.counts import summarise
    from bob.learn.pytorch.protocols.opening import convert as converted
    from bob.learn.pytorch.protocols.trials import DatabaseError

    try:
        database = _database(source, **reading)
        written = converted(database, output, form=form)
        groups = summarise(database)
    except DatabaseError as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        place = error.filename2 or error.filename or output
        reason = f"{place}: {error.strerror or error}"
        raise click.ClickException(reason) from error
    root = output.resolve()
    notes = _notes(database)
    if as_json:
        report = {
            "database": database.name,
            "protocol": database.protocol,
            "folder": str(root),
            "read_as": {group: str(path) for group, path in written.items()},
            "seen_from": None if written.seen_from is None else str(written.seen_from),
            "notes": notes,
            "groups": {group: asdict(summary) for group, summary in groups.items()},
        }
        click.echo(json.dumps(report, indent=2))
    else:
        heading = f"protocol {database.protocol} of {database.name}: {root}"
        notes = tuple(f"  {note}" for note in notes)
        places = {} if form == "bob" else written
        lines = [heading, *notes, *_lines(groups), *_where(places, written.seen_from)]
        click.echo("\n".join(map(printable, lines)))


def _database(
    source: Path,
    *,
    protocol: str | None,
    layout: str | None,
    enrol_count: int | None,
    minimum_seconds: float | None,
    original_directory: str | None,
    blind: bool = False,
) -> Database:
    from bob.learn.pytorch.protocols.opening import as_database

    return as_database(
        source,
        protocol=protocol,
        original_directory=original_directory,
        rule=_rule(layout, enrol_count, minimum_seconds),
        blind=blind,
    )


def _notes(database: Database) -> tuple[str, ...]:
    notes: tuple[str, ...] = getattr(database, "notes", ())
    return notes


def _rule(
    layout: str | None, enrol_count: int | None, minimum_seconds: float | None
) -> SpeakerRule | None:
    if layout is None and enrol_count is None and minimum_seconds is None:
        return None
    from bob.learn.pytorch.protocols.speakers import SpeakerRule

    return SpeakerRule(layout, enrol_count, minimum_seconds or 0.0)


def _lines(groups: dict[str, GroupSummary]) -> list[str]:
    lines = []
    for group, summary in groups.items():
        lines.append(_counts(group, summary))
        if summary.missing:
            lines.append(f"  {len(summary.missing)} recordings are missing:")
            lines += _examples(summary.missing)
    return lines


def _where(written: dict[str, Path], start: Path | None) -> list[str]:
    """Return the arguments that read the groups again, in words."""
    paths = "" if start is None else f" --original-directory {shlex.quote(str(start))}"
    return [
        f"{group} is read from {shlex.quote(str(path))}{paths}"
        for group, path in written.items()
    ]


def _counts(group: str, summary: GroupSummary) -> str:
    if summary.unlabelled_trials:
        return (
            f"{group}: {summary.references} references, {summary.probes} probes, "
            f"{summary.unlabelled_trials} trials without labels"
        )
    return (
        f"{group}: {summary.speakers} speakers, {summary.references} references, "
        f"{summary.probes} probes, {summary.target_trials} target and "
        f"{summary.non_target_trials} non-target trials"
    )


def _examples(found: tuple[str, ...]) -> list[str]:
    more = ["    … (all of them with --json)"] if found[_SHOWN:] else []
    return [*(f"    {item}" for item in found[:_SHOWN]), *more]


def _report_lines(report: ProtocolReport) -> list[str]:
    lines = []
    for group, found in report.groups.items():
        lines.append(_counts(group, found.summary))
        spreads = [("enrolment recordings per reference", found.enrolment_recordings)]
        if not found.summary.unlabelled_trials:
            targets = found.target_trials_per_speaker
            spreads.insert(0, ("target trials per speaker", targets))
        for what, spread in spreads:
            least, median, most = spread
            lines.append(f"  {what}: {least:g} to {most:g}, median {median:g}")
        for of, conditions in (
            ("recordings", found.conditions),
            ("trials", found.trial_conditions),
        ):
            lines += [
                f"  {of} by {name}: "
                + ", ".join(f"{n} {value or 'unknown'}" for value, n in values.items())
                for name, values in conditions.items()
            ]
    for finding in report.findings:
        lines.append(f"{finding.severity}: {finding.group}: {finding.text}")
        lines += _examples(finding.examples)
    return lines if report.findings else [*lines, "nothing is wrong with it"]
