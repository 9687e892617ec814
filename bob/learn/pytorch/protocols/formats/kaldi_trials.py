"""Trials between the ids of Kaldi data folders: ``enrolled tested target``."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from bob.learn.pytorch.protocols.formats.kaldi import DataFolder, read_data_folder
from bob.learn.pytorch.protocols.formats.voxceleb import about
from bob.learn.pytorch.protocols.identities import subjects_of
from bob.learn.pytorch.protocols.names import safe_name
from bob.learn.pytorch.protocols.trials import (
    DatabaseError,
    Probe,
    Recording,
    Reference,
    Trials,
    WithoutExtras,
)

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from bob.learn.pytorch.protocols.formats.trial_lists import TrialList

_ENROLLING = ("enroll", "enrol")


def beside(trial_list: Path) -> tuple[Path, Path] | None:
    """(test folder, enrolment folder) that the ids of a trial list may be in.

    The test folder is that of the list if that has a ``wav.scp``, or the one above, as
    WeSpeaker has it (``trials/list.kaldi``). The enrolment folder is then ``enroll`` or
    ``enrol`` beside it (beside ``eval_test`` also ``eval_enroll``), or the same.
    Otherwise they are the folders ``test`` or ``eval``, and ``enroll`` or ``enrol``, of
    the folder of the list, if both have a ``wav.scp``.
    """
    folder = trial_list.absolute().parent
    above = (folder.parent,) if folder.name == "trials" else ()
    for both in (folder, *above):
        if (both / "wav.scp").is_file():
            return both, _enrolment_beside(both)
    tests = [folder / name for name in ("test", "eval")]
    enrolments = [folder / name for name in _ENROLLING]
    for test in tests:
        for enrolment in enrolments:
            if (test / "wav.scp").is_file() and (enrolment / "wav.scp").is_file():
                return test, enrolment
    return None


def _enrolment_beside(test: Path) -> Path:
    """Find the enrolment folder beside a test folder by its name, or that folder."""
    names = [*_ENROLLING, *(test.name.replace("test", name) for name in _ENROLLING)]
    found = (test.with_name(name) for name in names)
    return next((path for path in found if (path / "wav.scp").is_file()), test)


def folders_of(listed: TrialList) -> tuple[Path, Path] | None:
    """Return the folders of `beside` that the names of a trial list are in.

    A test folder enrols, too, where it has all names of the enrolled side, and the
    folder that is there for it has not.

    Raises
    ------
    DatabaseError
        One of the folders cannot be read.
    """
    found = beside(listed.path)
    if found is None or found[0] == found[1]:
        return found
    test, enrolment = (read_data_folder(folder) for folder in found)
    if enrolment.knows(listed.enrolled) or not test.knows(listed.enrolled):
        return found
    return found[0], found[0]


def is_between_folders(folder: Path) -> bool:
    """Return whether a folder has a list ``trials`` between two data folders in it."""
    trials = folder / "trials"
    return trials.is_file() and beside(trials) is not None


def chosen(trials: Path, protocol: str | None) -> tuple[Path, str | None]:
    """The list of trials, and the name of its protocol: a file, or one in a folder.

    Raises
    ------
    DatabaseError
        The folder has several, or no such list.
    """
    if trials.is_file():
        return trials, protocol
    found = {path.stem: path for path in sorted(trials.iterdir()) if path.is_file()}
    name = next(iter(found)) if protocol is None and len(found) == 1 else protocol
    if name not in found:
        asked = "no protocol was named" if protocol is None else f"no {protocol!r}"
        raise DatabaseError(
            f"{trials}: {asked}; it has the lists {', '.join(found) or 'none'}"
        )
    return found[name], name


class KaldiTrialDatabase(WithoutExtras):
    """Trials between the ids of Kaldi data folders.

    The enrolled side is an utterance, or a speaker with all utterances of the
    enrolment folder. Subjects are the speakers of ``utt2spk`` if these explain all
    labels; otherwise speakers are what target trials join.

    Parameters
    ----------
    trials : TrialList
        The list.
    folder : path
        Data folder with the utterances under test.
    enrolment : path, optional
        Data folder with those that enrol; default: the same.
    protocol : str, optional
        Names the results; default: the name of the list.
    original_directory : path, optional
        What relative paths in wav.scp are seen from.
    """

    def __init__(
        self,
        trials: TrialList,
        folder: str | os.PathLike[str],
        *,
        enrolment: str | os.PathLike[str] | None = None,
        protocol: str | None = None,
        original_directory: str | os.PathLike[str] | None = None,
    ) -> None:
        self._listed = trials
        self._folders = (Path(folder), Path(enrolment or folder))
        self._given_directory = original_directory
        self.name = self._folders[0].resolve().name
        self.protocol: str | None = protocol or trials.path.stem
        self.original_directory: str | None = str(
            Path(original_directory or folder).resolve()
        )

    def groups(self) -> tuple[str, ...]:
        """``dev``, and whatever else the protocol has."""
        return ("dev",)

    @property
    def is_labelled(self) -> bool:
        """Return whether the list has labels."""
        return self._listed.is_labelled

    @property
    def notes(self) -> tuple[str, ...]:
        """Which of VoxCeleb's lists this is, if any."""
        return about(self._listed)

    def trials(self, group: str) -> Trials:
        """References, probes and who is compared with whom in a group."""
        if group != "dev":
            raise DatabaseError(
                f"{self._listed.path} has no group {group!r}; a trial list alone is dev"
            )
        return self._trials

    @cached_property
    def _trials(self) -> Trials:
        test, enrolment = (read_data_folder(folder) for folder in self._folders)
        tests = test.recordings(self._given_directory)
        enrolments = enrolment.recordings(self._given_directory)
        _check_same(tests, enrolments, self._folders)
        tested = [self._utterance(name, tests, test) for name in self._listed.tested]
        enrolled = [
            self._enrolling(name, enrolments, enrolment)
            for name in self._listed.enrolled
        ]
        self._check_apart(enrolled, tested)
        enrolled_by, tested_by = self._subjects(enrolled, tested)
        return Trials(
            tuple(
                Reference(safe_name(name), subject, _spoken_by(subject, recordings))
                for name, subject, recordings in zip(
                    self._listed.enrolled, enrolled_by, enrolled, strict=True
                )
            ),
            tuple(
                Probe(item.key, subject, _spoken_by(subject, [item]))
                for item, subject in zip(tested, tested_by, strict=True)
            ),
            self._listed.pairs(),
        )

    def _utterance(
        self, name: str, recordings: Mapping[str, Recording], data: DataFolder
    ) -> Recording:
        if name not in recordings:
            raise DatabaseError(
                f"{self._listed.where(name)}: {name!r} is not in "
                f"{data.folder / 'wav.scp'}; add its recording there"
            )
        return recordings[name]

    def _enrolling(
        self, name: str, recordings: Mapping[str, Recording], data: DataFolder
    ) -> list[Recording]:
        if name in recordings:
            return [recordings[name]]
        if name in data.utterances:
            return [recordings[utterance] for utterance in data.utterances[name]]
        raise DatabaseError(
            f"{self._listed.where(name)}: {name!r} is neither an utterance of "
            f"{data.folder / 'wav.scp'} nor a speaker of its utt2spk; add it to one"
        )

    def _check_apart(
        self, enrolled: Sequence[Sequence[Recording]], tested: Sequence[Recording]
    ) -> None:
        """No speaker is enrolled with a recording that then probes."""
        position = {item.key: index for index, item in enumerate(tested)}
        pairs = self._listed.pairs()
        for index, recordings in enumerate(enrolled):
            if len(recordings) == 1:
                continue
            own = {position.get(item.key) for item in recordings}
            both = next((probe for probe in pairs[index] if probe in own), None)
            if both is not None:
                name = self._listed.enrolled[index]
                raise DatabaseError(
                    f"{self._listed.where(name)}: {name!r} is enrolled with all its "
                    f"utterances, {tested[both].key!r} among them, which also probes "
                    "it; give the enrolment utterances a data folder of their own "
                    "(enroll/ beside test/)"
                )

    def _subjects(
        self, enrolled: Sequence[Sequence[Recording]], tested: Sequence[Recording]
    ) -> tuple[list[str], list[str]]:
        """The subjects of both sides, such that every label is explained."""
        proposed: dict[str, str] = {}
        sides: tuple[list[str], list[str]] = ([], [])
        for name, recordings in zip(self._listed.enrolled, enrolled, strict=True):
            alone = recordings[0].key == safe_name(name)
            sides[0].append(recordings[0].key if alone else f"speaker {name}")
            proposed[sides[0][-1]] = recordings[0].subject
        for item in tested:
            sides[1].append(item.key)
            proposed[item.key] = item.subject
        found = subjects_of(
            self._listed, (list(proposed), list(proposed.values())), sides
        )
        return [found[name] for name in sides[0]], [found[name] for name in sides[1]]


def _check_same(
    tests: Mapping[str, Recording],
    enrolments: Mapping[str, Recording],
    folders: tuple[Path, Path],
) -> None:
    for utterance in tests.keys() & enrolments.keys():
        if tests[utterance].path != enrolments[utterance].path:
            raise DatabaseError(
                f"utterance {utterance!r} is another recording in "
                f"{folders[0] / 'wav.scp'} than in {folders[1] / 'wav.scp'}; give each "
                "recording an id of its own"
            )


def _spoken_by(subject: str, recordings: Sequence[Recording]) -> tuple[Recording, ...]:
    return tuple(replace(item, subject=subject) for item in recordings)
