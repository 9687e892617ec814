"""One small interface in front of folders, trial lists, CSV files and Bob databases."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from bob.learn.pytorch.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from bob.learn.pytorch.protocols.speaker_protocol import SpeakerRule

#: The file that tells a Bob CSV protocol apart from other folders.
ENROLLING_FILE = "for_enrolling.csv"


class DatabaseError(UserError, ValueError):
    """What was given as a database cannot be read; the message says where and why."""


@dataclass(frozen=True)
class Recording:
    """One recording of one speaker.

    Attributes
    ----------
    key : str
        Unique relative name without white space: names output files and score lines.
    path : Path or None
        Where the audio is, if that is known without decoding it. It may be missing.
    subject : str
        Who speaks.
    source : object or None
        The Bob file or sample behind this recording.
    metadata : mapping of str to str
        What else the database says about it.
    own_loader : bool
        The source loads its audio in a way of its own: ask it rather than the path.
    """

    key: str
    path: Path | None
    subject: str
    source: object | None = field(default=None, compare=False, repr=False)
    metadata: Mapping[str, str] = field(default_factory=dict, compare=False)
    own_loader: bool = False


@dataclass(frozen=True)
class Reference:
    """The recordings that enrol one reference of a speaker."""

    id: str
    subject: str
    recordings: tuple[Recording, ...]


@dataclass(frozen=True)
class Probe:
    """The recordings under test; `id` is the key when there is one recording."""

    id: str
    subject: str
    recordings: tuple[Recording, ...]


@dataclass(frozen=True)
class Trials:
    """Who is compared with whom in one group.

    Attributes
    ----------
    references, probes : tuple
        In the order of the score file.
    pairs : tuple of arrays of int, or None
        For each reference the indices into `probes`, in the order of the list.
        None: every reference against every probe.
    """

    references: tuple[Reference, ...]
    probes: tuple[Probe, ...]
    pairs: tuple[NDArray[np.int64], ...] | None = None

    def __post_init__(self) -> None:
        """Refuse ids that stand for two: their scores could not be told apart."""
        if len({item.id for item in self.references}) < len(self.references):
            _refuse_repeated("reference", self.references)
        # A probe that is listed twice scores the same twice, which does no harm.
        if len({item.id for item in self.probes}) < len(self.probes):
            _refuse_repeated("probe", dict.fromkeys(self.probes))

    def recordings(self) -> tuple[Recording, ...]:
        """Every recording of the group once, enrolment first.

        Raises
        ------
        DatabaseError
            If two recordings share a key: one would be scored in place of the other.
        """
        return self._recordings

    @cached_property
    def _recordings(self) -> tuple[Recording, ...]:
        by_key: dict[str, Recording] = {}
        items: tuple[Reference | Probe, ...] = (*self.references, *self.probes)
        for item in items:
            for recording in item.recordings:
                first = by_key.setdefault(recording.key, recording)
                if first is not recording and first.path != recording.path:
                    raise DatabaseError(
                        f"key {recording.key!r} is both {first.path} and "
                        f"{recording.path}; each recording needs a key of its own"
                    )
        return tuple(by_key.values())

    @property
    def is_labelled(self) -> bool:
        """True unless all subjects are empty, as in a blind list."""
        return not self.references or any(item.subject for item in self.references)

    def count(self) -> int:
        """Return how many trials there are."""
        if self.pairs is None:
            return len(self.references) * len(self.probes)
        return sum(len(probes) for probes in self.pairs)


def _refuse_repeated(kind: str, items: Iterable[Reference | Probe]) -> None:
    by_id: dict[str, Reference | Probe] = {}
    for item in items:
        if item.id in by_id:
            raise DatabaseError(
                f"{kind} id {item.id!r} stands for two {kind}s: "
                f"{_described(by_id[item.id])}; and {_described(item)}. Scores are "
                "kept by id: give each its own"
            )
        by_id[item.id] = item


def _described(item: Reference | Probe) -> str:
    keys = [recording.key for recording in item.recordings]
    more = f" and {len(keys) - 3} more" if keys[3:] else ""
    return f"{', '.join(keys[:3])}{more} of subject {item.subject!r}"


def with_trials(trials: Trials, *, group: str, protocol: str, files: str) -> Trials:
    """The same trials, if there are any.

    Parameters
    ----------
    trials : Trials
        Of one group.
    group, protocol : str
        The group, and the protocol with its database, for the message.
    files : str
        What to look into if there are none.

    Raises
    ------
    DatabaseError
        If no reference meets a probe.
    """
    if trials.count():
        return trials
    listed = "" if trials.pairs is None else " that are never compared"
    raise DatabaseError(
        f"the protocol {protocol} has no trials in group {group}: found "
        f"{len(trials.references)} references and {len(trials.probes)} probes{listed}; "
        f"complete {files}, or leave the group out"
    )


class Database(Protocol):
    """What an experiment asks of a database."""

    @property
    def name(self) -> str:
        """Short name for logs."""

    @property
    def protocol(self) -> str | None:
        """Name of the protocol in use; part of the results folder."""

    @property
    def original_directory(self) -> str | None:
        """Folder of the recordings."""

    @property
    def original_extension(self) -> str | None:
        """Extension of the recordings when the keys lack it."""

    def groups(self) -> tuple[str, ...]:
        """Groups with trials: some of ``dev`` and ``eval``."""

    def trials(self, group: str) -> Trials:
        """References, probes and who is compared with whom."""

    def training(self) -> tuple[Recording, ...]:
        """Recordings of other speakers, for whatever trains on them."""

    def annotations(self, recording: Recording) -> object | None:
        """What is annotated in a recording, None without annotations."""


class WithoutExtras:
    """A database of recordings and trials: no training set, no annotations."""

    original_extension: str | None = None

    def training(self) -> tuple[Recording, ...]:
        """No recordings."""
        return ()

    def annotations(self, recording: Recording) -> object | None:  # noqa: ARG002
        """None for every recording."""
        return None


def as_database(
    source: object,
    *,
    protocol: str | None = None,
    original_directory: str | os.PathLike[str] | None = None,
    rule: SpeakerRule | None = None,
    blind: bool = False,
) -> Database:
    """Whatever holds recordings and a protocol, behind the small interface.

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
    from bob.learn.pytorch.protocols.trial_columns import labelled

    if isinstance(source, (str, os.PathLike)):
        path = Path(source).expanduser()
        found = _from_path(path, protocol, original_directory, rule)
        return found if blind else labelled(found, source)
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
