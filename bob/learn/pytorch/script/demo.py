"""`bob pytorch demo`: real speech through a real model, with one command."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shlex
import sys
import zlib
from dataclasses import dataclass
from pathlib import Path

import click

from bob.learn.pytorch.printing import printable
from bob.learn.pytorch.script.options import NEW_FOLDER, json_option

_CONFIGURATION = '''\
"""A speaker verification experiment; run it with verify.py."""

from bob.learn.pytorch.extractor import CallableExtractor
from bob.learn.pytorch.preprocessor.audio import EmbeddingExtractor
from bob.learn.pytorch.protocols.formats.folder import FolderDatabase
from bob.learn.pytorch.protocols.speakers import SpeakerRule

# {comment}
database = FolderDatabase(
    {recordings!r},
    rule=SpeakerRule(layout={layout!r}, minimum_seconds=1.0),
)
groups = {groups!r}

# Each recording becomes one embedding of 192 numbers, by a network trained elsewhere.
preprocessor = EmbeddingExtractor("campplus-zh-en")

# The embedding is already the feature, so there is nothing left to extract.
extractor = CallableExtractor(lambda x: x)
extracted_directory = "preprocessed"
skip_extraction = True

# Speakers are the mean of their enrolment embeddings; scores are cosines.
algorithm = "cosine"

sub_directory = {experiment!r}
temp_directory = {temporary!r}
result_directory = {results!r}

# Recordings that cannot be used are listed in the end, and their trials score nan.
allow_missing_files = True
'''


@click.command()
@click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of your own recordings: speaker/…/recording. [council meetings from "
    "PyPI]",
)
@click.option(
    "--output",
    type=NEW_FOLDER,
    default=Path("demo"),
    show_default=True,
    help="Folder of the configuration, the embeddings and the results.",
)
@json_option
def demo(data: Path | None, output: Path, as_json: bool) -> None:  # noqa: FBT001 - click hands it over
    """Fetch a model and recordings, run verify.py on them, print error rates.

    Without --data: nine speakers in meetings of the Seattle City Council, enrolled
    from one meeting and tested with the others. The configuration that is written
    can be changed and run again with `verify.py`.
    """
    if not as_json:
        click.echo("Fetching a model (81 MB) and recordings (39 MB), if not here yet")
    try:
        prepared = prepare(output, recordings=data)
    except OSError as error:
        raise click.ClickException(
            f"{error.filename or output} cannot be written ({error.strerror or error});"
            " give another folder with --output"
        ) from error
    configuration = printable(shlex.quote(str(prepared.configuration)))
    if not as_json:
        click.echo(f"Recordings: {printable(str(prepared.recordings))}")
        kept = " (it was there and stays as it is)" if prepared.kept else ""
        click.echo(f"Running:    verify.py {configuration}{kept}\n")
    status = _run(prepared, quiet=as_json)
    if status:
        sys.exit(status)
    if as_json and not prepared.report.exists():
        raise click.ClickException(
            f"{prepared.report} is not there: {configuration} was changed to "
            "write elsewhere; remove it to start afresh"
        )
    if as_json:
        click.echo(json.dumps(json.loads(prepared.report.read_text()), indent=2))
    else:
        verify = shlex.quote(str(Path(sys.executable).with_name("verify.py")))
        click.echo(f"Change it and run it again: {verify} {configuration}")


@dataclass(frozen=True)
class _Prepared:
    """The files of a demonstration.

    ``kept`` says that the configuration was there already and stays as it is.
    """

    recordings: Path
    configuration: Path
    report: Path
    kept: bool


def prepare(output: Path, *, recordings: Path | None = None) -> _Prepared:
    """Fetch model and recordings, and write a configuration for verify.py.

    Parameters
    ----------
    output
        Folder of the demonstration; made if it is not there.
    recordings
        Folder of speakers; None for the council meetings.

    Raises
    ------
    WeightsError
        If model or recordings cannot be fetched.
    DatabaseError
        If the folder holds no speakers.
    """
    from bob.learn.pytorch.files import write_text
    from bob.learn.pytorch.models.catalogue import find
    from bob.learn.pytorch.models.council_meetings import council_meetings
    from bob.learn.pytorch.models.store import fetch
    from bob.learn.pytorch.protocols.formats.folder import FolderDatabase
    from bob.learn.pytorch.protocols.speakers import SpeakerRule

    output = output.absolute()
    fetch(find("campplus-zh-en"), progress=True)
    if recordings is None:
        recordings, layout = council_meetings(), "session/speaker"
        comment = "Folders of meetings, in them speakers: one meeting enrols a speaker."
    else:
        recordings, layout = recordings.absolute(), "speaker"
        comment = "Folders of speakers, in them recordings."
    rule = SpeakerRule(layout=layout, minimum_seconds=1.0)
    database = FolderDatabase(recordings, rule=rule)
    # Each corpus has its own, so that their results do not take each other's place.
    name = recordings.name
    if not _is_of(output / f"{name}.py", recordings):
        name += f"-{zlib.crc32(os.fsencode(recordings)):08x}"
    configuration = output / f"{name}.py"
    kept = configuration.exists()
    if not kept:
        text = _CONFIGURATION.format(
            comment=comment,
            recordings=str(recordings),
            layout=layout,
            groups=list(database.groups()),
            experiment=name,
            temporary=str(output / "temp"),
            results=str(output / "results"),
        )
        write_text(configuration, text)
    results = output / "results" / name / str(database.protocol) / "nonorm"
    return _Prepared(recordings, configuration, results / "report.json", kept=kept)


def _is_of(configuration: Path, recordings: Path) -> bool:
    """Return whether a configuration names a folder, or is not there yet."""
    if not configuration.exists():
        return True
    return repr(str(recordings)) in configuration.read_text(encoding="utf-8")


def _run(prepared: _Prepared, *, quiet: bool) -> int:
    """Run verify.py in this process; ``quiet`` drops what it would print."""
    from bob.learn.pytorch.script.verify import main

    printed = io.StringIO() if quiet else sys.stdout
    with contextlib.redirect_stdout(printed):
        return main([str(prepared.configuration)])
