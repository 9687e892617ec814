"""`bob pytorch protocol`: protocols are written for Bob, converted, and checked."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from itertools import chain
from typing import TYPE_CHECKING, Any

import click

from bob.learn.pytorch.protocols.formats import FORMS
from bob.learn.pytorch.script.door import Group, report
from bob.learn.pytorch.script.options import NEW_FOLDER, SOURCE, json_option, together

if TYPE_CHECKING:
    from pathlib import Path

    from bob.learn.pytorch.protocols.trials import Database


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


# Options for reading a source.
_reading = together(
    *reversed(
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
            json_option,
        ]
    )
)


@protocol.command()
@click.argument("source", type=SOURCE)
@click.argument("output", type=NEW_FOLDER)
@_reading
def write(source: Path, output: Path, *, as_json: bool, **reading: Any) -> None:  # noqa: ANN401 - click's
    """Write SOURCE to OUTPUT as a protocol in CSV, for Bob and for verify.py.

    A folder of speakers is enrolled from one session and probed with the others;
    speakers go to dev and eval in turn.
    """
    _convert(source, output, "bob", reading, as_json=as_json)


@protocol.command()
@click.argument("source", type=SOURCE)
@click.argument("output", type=NEW_FOLDER)
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
@click.argument("sources", type=SOURCE, nargs=-1, required=True)
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
    from bob.learn.pytorch.protocols.checking import check as checked

    databases = {
        str(source): _database(source, blind=True, **reading) for source in sources
    }
    found = checked(databases, contents=contents)
    notes = [note for database in databases.values() for note in _notes(database)]
    content = {"notes": notes, **found.as_dict()}
    report(content, chain(notes, found.as_lines()), as_json=as_json)
    if not found.is_sound:
        raise click.exceptions.Exit(1)


def _convert(
    source: Path, output: Path, form: str, reading: dict[str, Any], *, as_json: bool
) -> None:
    from bob.learn.pytorch.protocols.counts import summarise
    from bob.learn.pytorch.protocols.opening import convert as converted

    database = _database(source, **reading)
    written = converted(database, output, form=form)
    groups, start = summarise(database), written.seen_from
    content = {
        "database": database.name,
        "protocol": database.protocol,
        "folder": str(output.resolve()),
        "read_as": {group: str(path) for group, path in written.items()},
        "seen_from": None if start is None else str(start),
        "notes": _notes(database),
        "groups": {group: asdict(summary) for group, summary in groups.items()},
    }
    lines = [
        f"protocol {database.protocol} of {database.name}: {content['folder']}",
        *(f"  {note}" for note in _notes(database)),
        *(
            line
            for group, summary in groups.items()
            for line in summary.as_lines(group)
        ),
    ]
    if form != "bob":
        # The arguments that read the groups again.
        paths = f" --original-directory {shlex.quote(str(start))}" if start else ""
        lines += [
            f"{group} is read from {shlex.quote(str(path))}{paths}"
            for group, path in written.items()
        ]
    report(content, lines, as_json=as_json)


def _database(
    source: Path,
    *,
    protocol: str | None,
    original_directory: str | None,
    blind: bool = False,
    **rule: Any,  # noqa: ANN401 - of a folder of speakers
) -> Database:
    from bob.learn.pytorch.protocols.opening import as_database
    from bob.learn.pytorch.protocols.speakers import SpeakerRule

    return as_database(
        source,
        protocol=protocol,
        original_directory=original_directory,
        rule=SpeakerRule.given(**rule),
        blind=blind,
    )


def _notes(database: Database) -> tuple[str, ...]:
    notes: tuple[str, ...] = getattr(database, "notes", ())
    return notes
