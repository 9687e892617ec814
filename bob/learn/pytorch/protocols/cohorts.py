"""Recordings of other speakers, which scores are normalised with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from bob.learn.pytorch.audio.paths import AUDIO_SUFFIXES
from bob.learn.pytorch.protocols.formats.csv_protocol import (
    CsvFileDatabase,
    CsvProtocolDatabase,
    read_recordings,
)
from bob.learn.pytorch.protocols.formats.folder import (
    SpeakerDatabase,
    warn_of_unreadable,
)
from bob.learn.pytorch.protocols.formats.kaldi_trials import KaldiTrialDatabase
from bob.learn.pytorch.protocols.names import recording_keys
from bob.learn.pytorch.protocols.opening import as_database
from bob.learn.pytorch.protocols.trials import (
    Database,
    DatabaseError,
    Probe,
    Recording,
    Reference,
)

if TYPE_CHECKING:
    import os

    from bob.learn.pytorch.protocols.speaker_protocol import SpeakerRule


def read_cohort(
    source: object,
    *,
    original_directory: str | os.PathLike[str] | None = None,
    rule: SpeakerRule | None = None,
) -> tuple[Recording, ...]:
    """Every recording of a cohort, with its speaker.

    Parameters
    ----------
    source
        A folder of speakers, a folder of nothing but recordings (each of a speaker of
        its own), a Kaldi data folder, a CSV file with ``path`` and
        ``subject_id``, a Bob CSV protocol (its ``for_znorm.csv`` and ``for_tnorm.csv``,
        or without them its ``for_background_model.csv``), a database, or a trial list,
        of which all recordings are taken.
    original_directory, rule
        See `as_database`.

    Raises
    ------
    DatabaseError
        With file and line for what is wrong, or if there is no recording.
    """
    return _without_twins(_read(source, original_directory, rule)[0], source)


def read_speakers(
    source: object, *, rule: SpeakerRule | None = None
) -> tuple[Recording, ...]:
    """Return the recordings of `read_cohort`, with subjects that are known to be so.

    Subjects are empty where nobody says who speaks: in a folder of nothing but
    recordings, and in trial lists, which say at most which two speak alike.
    """
    found, known = _read(source, None, rule)
    recordings = _without_twins(found, source)
    if known:
        return recordings
    return tuple(replace(item, subject="") for item in recordings)


def knows_speakers(database: object) -> bool:
    """Return whether a database says who speaks, and does not conclude it from labels.

    Two subjects that a trial list seems to have may be one speaker.
    """
    return isinstance(
        database,
        SpeakerDatabase | CsvProtocolDatabase | CsvFileDatabase | KaldiTrialDatabase,
    )


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
    """Return recordings, and whether it is known who speaks in each."""
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
    """What a database names for t-norm and for z-norm; empty where it names nothing."""
    if isinstance(database, CsvProtocolDatabase):
        return database.t_cohort(), database.z_cohort()
    from bob.learn.pytorch.protocols.formats.bob_cohorts import bob_cohort

    return bob_cohort(database, group)


def speakers_in_both(
    cohort: tuple[Recording, ...], database: Database
) -> tuple[str, ...]:
    """Speakers of a cohort who are also compared, which they should not be."""
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
        return [item.recording for item in database.long_enough()[0]]
    if isinstance(database, CsvProtocolDatabase):
        found = [item for probe in database.z_cohort() for item in probe.recordings]
        for reference in database.t_cohort():
            found += reference.recordings
        return found or list(database.training())
    return [
        recording
        for group in database.groups()
        for recording in database.trials(group).recordings()
    ]
