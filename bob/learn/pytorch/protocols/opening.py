"""Databases opened by what their path, or object, is."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from bob.learn.pytorch.protocols.trials import (
    ENROLLING_FILE,
    Database,
    DatabaseError,
    labelled,
)

if TYPE_CHECKING:
    from bob.learn.pytorch.protocols.speaker_protocol import SpeakerRule


def read_protocol(
    path: str | os.PathLike[str],
    *,
    protocol: str | None = None,
    original_directory: str | os.PathLike[str] | None = None,
    rule: SpeakerRule | None = None,
    blind: bool = False,
) -> Database:
    r"""Read a protocol or a list of trials, whatever its format.

    Parameters
    ----------
    path : path
        A Bob CSV protocol, a Kaldi (WeSpeaker) or ESPnet data folder, a folder of
        speakers, a file of trials (VoxCeleb, Kaldi, SRE), or one CSV file that lists
        the recordings.
    protocol, original_directory, rule, blind
        See `as_database`.

    Returns
    -------
    Database
        ``groups()`` and ``trials(group)`` say who is compared with whom.

    Raises
    ------
    DatabaseError
        The path is of no such format; with file and line for what is wrong in it.

    Examples
    --------
    >>> trials = getfixture("tmp_path") / "trials.txt"
    >>> _ = trials.write_text("1 ann/1.wav ann/2.wav\n0 ann/1.wav bob/1.wav\n")
    >>> read_protocol(trials).trials("dev").count()
    2
    """
    found = _from_path(Path(path).expanduser(), protocol, original_directory, rule)
    return found if blind else labelled(found, path)


def as_database(
    source: object,
    *,
    protocol: str | None = None,
    original_directory: str | os.PathLike[str] | None = None,
    rule: SpeakerRule | None = None,
    blind: bool = False,
) -> Database:
    """Return whatever holds recordings and a protocol as a `Database`.

    Parameters
    ----------
    source : object
        A `Database`; a Bob database of the legacy (``model_ids``, ``enroll_files``,
        ``probe_files``) or of today's interface (``references``, ``probes``); or a
        path: a Bob CSV protocol, a Kaldi (WeSpeaker) or ESPnet data folder, a folder
        of speakers, a file of trials (VoxCeleb, Kaldi, SRE), or one CSV file that
        lists the recordings.
    protocol : str, optional
        Protocol to use; for a folder of speakers ``session``, ``recording``, either
        with ``-one-group``, or ``all-pairs``. Trial lists and CSV files have one only:
        there it names the results.
    original_directory : path, optional
        Folder that the paths in a list are relative to. Default: the list's own.
    rule : SpeakerRule, optional
        How a folder of speakers, Kaldi's included, becomes a protocol.
    blind : bool
        Take a list without labels too, whose subjects are empty.

    Raises
    ------
    DatabaseError
        For anything else, saying what was looked for.

    Notes
    -----
    No recording is opened, and no Bob package is imported. A trial list with its
    label last names Kaldi utterances if there is a ``wav.scp`` beside it (see
    `kaldi_trials.beside`); otherwise the names are paths.
    """
    if isinstance(source, type):
        raise DatabaseError(
            f"{source.__name__} is a class; expected a database object: call it with "
            f"what it needs, {source.__name__}(…)"
        )
    if isinstance(source, (str, os.PathLike)):
        return read_protocol(
            source,
            protocol=protocol,
            original_directory=original_directory,
            rule=rule,
            blind=blind,
        )
    if rule is not None or original_directory is not None:
        raise DatabaseError(
            f"{type(source).__name__} says itself where its recordings are and what "
            "enrols: set that there, not through a rule or an original directory"
        )
    if hasattr(source, "trials") and hasattr(source, "groups"):
        if protocol is not None:
            source.protocol = protocol  # type: ignore[attr-defined]
        if not blind:
            labelled(source, getattr(source, "name", source))
        return source  # type: ignore[return-value]
    from bob.learn.pytorch.protocols.formats import bob_databases

    return bob_databases.wrap(source, protocol=protocol)


def _from_path(
    path: Path,
    protocol: str | None,
    original_directory: str | os.PathLike[str] | None,
    rule: SpeakerRule | None,
) -> Database:
    if path.is_dir():
        return _from_folder(path, protocol, original_directory, rule)
    if not path.is_file():
        raise DatabaseError(
            f"database {str(path)!r} does not exist (seen from {Path.cwd()}); expected "
            "a folder of speakers, a Bob CSV protocol, a Kaldi data folder, a trial "
            "list or a CSV file"
        )
    from bob.learn.pytorch.protocols.formats.trial_lines import is_pair_table

    if rule is not None:
        raise DatabaseError(
            f"{path} says itself what enrols and what probes; layout, enrolment count "
            "and minimum duration are for folders of speakers: leave them out"
        )
    if path.suffix.lower() == ".csv" and not is_pair_table(path):
        from bob.learn.pytorch.protocols.formats.csv_protocol import CsvFileDatabase

        return CsvFileDatabase(
            path, protocol=protocol, original_directory=original_directory
        )
    return _from_trial_list(path, protocol, original_directory)


def _from_trial_list(
    path: Path, protocol: str | None, original_directory: str | os.PathLike[str] | None
) -> Database:
    from bob.learn.pytorch.protocols.formats import (
        kaldi_trials,
        sre_tables,
        trial_lists,
    )

    if sre_tables.is_sre_table(path):
        from bob.learn.pytorch.protocols.formats.named_trials import sre_database

        return sre_database(
            path, protocol=protocol, original_directory=original_directory
        )
    listed = trial_lists.read_trial_list(path)
    folders = None if listed.label_first else kaldi_trials.folders_of(listed)
    if folders is None:
        return trial_lists.TrialListDatabase(
            {"dev": listed}, protocol=protocol, original_directory=original_directory
        )
    return kaldi_trials.KaldiTrialDatabase(
        listed,
        folders[0],
        enrolment=folders[1],
        protocol=protocol,
        original_directory=original_directory,
    )


def _from_folder(
    folder: Path,
    protocol: str | None,
    original_directory: str | os.PathLike[str] | None,
    rule: SpeakerRule | None,
) -> Database:
    if rule is None and _is_csv_protocol(folder):
        from bob.learn.pytorch.protocols.formats.csv_protocol import CsvProtocolDatabase

        return CsvProtocolDatabase(
            folder, protocol=protocol, original_directory=original_directory
        )
    if rule is None and (folder / "trial_label").is_file():
        from bob.learn.pytorch.protocols.formats.named_trials import espnet_database

        return espnet_database(
            folder, protocol=protocol, original_directory=original_directory
        )
    from bob.learn.pytorch.protocols.formats import kaldi_trials

    if (folder / "wav.scp").is_file() or kaldi_trials.is_between_folders(folder):
        return _from_kaldi(folder, protocol, original_directory, rule)
    from bob.learn.pytorch.protocols.formats.folder import FolderDatabase

    if original_directory is not None:
        raise DatabaseError(
            f"{folder} is read as a folder of speakers, which holds the recordings "
            f"itself: leave out the original directory {str(original_directory)!r}"
        )
    return FolderDatabase(folder, protocol=protocol, rule=rule)


def _is_csv_protocol(folder: Path) -> bool:
    depths = (f"*/{ENROLLING_FILE}", f"*/*/{ENROLLING_FILE}")
    return any(any(folder.glob(pattern)) for pattern in depths)


def _from_kaldi(
    folder: Path,
    protocol: str | None,
    original_directory: str | os.PathLike[str] | None,
    rule: SpeakerRule | None,
) -> Database:
    if rule is None and (folder / "trials").exists():
        from bob.learn.pytorch.protocols.formats import kaldi_trials

        listed, protocol = kaldi_trials.chosen(folder / "trials", protocol)
        return _from_trial_list(listed, protocol, original_directory)
    from bob.learn.pytorch.protocols.formats.kaldi import KaldiFolderDatabase

    return KaldiFolderDatabase(
        folder, protocol=protocol, original_directory=original_directory, rule=rule
    )
