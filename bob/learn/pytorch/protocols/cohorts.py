"""Cohorts: recordings of other speakers, for the normalisation of scores."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from bob.learn.pytorch.audio.paths import AUDIO_SUFFIXES
from bob.learn.pytorch.protocols.formats.bob_csv import CsvProtocolDatabase
from bob.learn.pytorch.protocols.formats.bob_databases import bob_cohort
from bob.learn.pytorch.protocols.formats.csv_file import read_recordings
from bob.learn.pytorch.protocols.formats.folder import warn_of_unreadable
from bob.learn.pytorch.protocols.names import recording_keys
from bob.learn.pytorch.protocols.opening import as_database
from bob.learn.pytorch.protocols.speakers import SpeakerDatabase
from bob.learn.pytorch.protocols.trials import DatabaseError, Recording

if TYPE_CHECKING:
    import os

    from bob.learn.pytorch.protocols.speakers import SpeakerRule
    from bob.learn.pytorch.protocols.trials import Database, Probe, Reference


def read_cohort(
    source: object,
    *,
    original_directory: str | os.PathLike[str] | None = None,
    rule: SpeakerRule | None = None,
) -> tuple[Recording, ...]:
    """Return every recording of a cohort, with its speaker.

    Parameters
    ----------
    source
        A folder of speakers, a folder of nothing but recordings (each of another
        speaker), a Kaldi data folder, a CSV file with ``path`` and ``subject_id``, a
        Bob CSV protocol (its ``for_znorm.csv`` and ``for_tnorm.csv``, or without them
        its ``for_background_model.csv``), a database, or a trial list, of which all
        recordings are taken.
    original_directory, rule
        See `as_database`.

    Raises
    ------
    DatabaseError
        With file and line for what is wrong; or there is no recording.
    """
    return _without_twins(_read(source, original_directory, rule)[0], source)


def read_speakers(
    source: object, *, rule: SpeakerRule | None = None
) -> tuple[Recording, ...]:
    """Return the recordings of `read_cohort`, with subjects only where they are known.

    Subjects are empty in a folder of nothing but recordings, and in trial lists, which
    say at most which two recordings are of one speaker.
    """
    found, known = _read(source, None, rule)
    recordings = _without_twins(found, source)
    if known:
        return recordings
    return tuple(replace(item, subject="") for item in recordings)


def knows_speakers(database: object) -> bool:
    """Return whether a database states its speakers rather than concluding them.

    Two subjects that a trial list seems to have may be one speaker.
    """
    return getattr(database, "knows_speakers", False) is True


def _without_twins(found: list[Recording], source: object) -> tuple[Recording, ...]:
    by_key = {item.key: item for item in found}
    if not by_key:
        raise DatabaseError(f"{source} has no recordings for a cohort")
    return tuple(by_key.values())


def _read(
    source: object,
    original_directory: str | os.PathLike[str] | None,
    rule: SpeakerRule | None,
) -> tuple[list[Recording], bool]:
    """Return recordings, and whether their speakers are known."""
    if isinstance(source, str | Path) and Path(source).suffix.lower() == ".csv":
        path = Path(source)
        return read_recordings(path, original_directory=original_directory), True
    if isinstance(source, str | Path) and _is_flat(Path(source).expanduser()):
        return _one_a_speaker(Path(source).expanduser()), False
    database = as_database(source, original_directory=original_directory, rule=rule)
    return _recordings(database), knows_speakers(database)


def own_cohort(
    database: Database, group: str
) -> tuple[tuple[Reference, ...], tuple[Probe, ...]]:
    """Return the cohorts of a database for t-norm and for z-norm, empty without any."""
    if isinstance(database, CsvProtocolDatabase):
        return database.t_cohort(), database.z_cohort()
    return bob_cohort(database, group)


def speakers_in_both(
    cohort: tuple[Recording, ...], database: Database
) -> tuple[str, ...]:
    """Return speakers of a cohort who are also compared, which they should not be."""
    compared = {
        item.subject
        for group in database.groups()
        for item in database.trials(group).recordings()
    }
    return tuple(sorted({item.subject for item in cohort} & compared))


def _is_flat(folder: Path) -> bool:
    """Return whether a folder holds recordings, and no folders or lists of them."""
    if not folder.is_dir():
        return False
    items = [item for item in folder.iterdir() if not item.name.startswith(".")]
    return any(_is_recording(item) for item in items) and not any(
        item.is_dir() or item.name in ("wav.scp", "trial_label") for item in items
    )


def _one_a_speaker(folder: Path) -> list[Recording]:
    names = sorted(item.name for item in folder.iterdir() if _is_recording(item))
    warn_of_unreadable((item.name for item in folder.iterdir()), folder)
    keys = recording_keys(names)
    return [Recording(keys[name], folder / name, keys[name]) for name in names]


def _is_recording(path: Path) -> bool:
    return path.suffix.lower() in AUDIO_SUFFIXES and not path.name.startswith(".")


def _recordings(database: Database) -> list[Recording]:
    if isinstance(database, SpeakerDatabase):
        return database.long_enough()[0]
    if isinstance(database, CsvProtocolDatabase):
        found = [item for one in database.z_cohort() for item in one.recordings]
        found += [item for one in database.t_cohort() for item in one.recordings]
        return found or list(database.training())
    return [
        recording
        for group in database.groups()
        for recording in database.trials(group).recordings()
    ]
