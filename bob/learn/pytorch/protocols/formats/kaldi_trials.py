"""Trials between the ids of Kaldi data folders: ``enrolled tested target``.

`opening.convert` has the files of its forms ``kaldi`` and ``wespeaker``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bob.learn.pytorch.protocols.formats.kaldi import (
    DataFolder,
    check_same,
    read_data_folder,
    write_data,
)
from bob.learn.pytorch.protocols.formats.trial_list import label_leads, read_trial_list
from bob.learn.pytorch.protocols.listed import ListedTrials, Named, TrialList
from bob.learn.pytorch.protocols.trials import DatabaseError, Recording, chosen
from bob.learn.pytorch.protocols.writing import (
    Written,
    each_trial,
    first_word,
    groups_of_singles,
    in_line,
    write_lines,
)

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from bob.learn.pytorch.protocols.trials import Database, Trials

_WORDS = {True: "target", False: "nontarget"}
_ENROLLING = ("enroll", "enrol")


def is_it(path: Path) -> bool:
    """Return whether the names of a list are ids of data folders beside it."""
    return _beside(path) is not None and not label_leads(path)


def read(
    path: Path,
    *,
    protocol: str | None = None,
    original_directory: str | os.PathLike[str] | None = None,
) -> KaldiTrialDatabase:
    """Read a list of trials; see `KaldiTrialDatabase`."""
    listed = read_trial_list(path)
    folder, enrolment = _folders_of(listed)
    return KaldiTrialDatabase(
        listed,
        folder,
        enrolment=enrolment,
        protocol=protocol,
        original_directory=original_directory,
    )


def has_lists(folder: Path) -> bool:
    """Return whether a folder has lists, in or between data folders."""
    trials = folder / "trials"
    between = trials.is_file() and _beside(trials) is not None
    return between or (trials.exists() and (folder / "wav.scp").is_file())


def list_in(folder: Path, protocol: str | None) -> tuple[Path, str | None]:
    """Return the list of a folder, and the name of its protocol.

    The list is the file ``trials``, or that of the protocol in a folder ``trials``.
    """
    trials = folder / "trials"
    if trials.is_file():
        return trials, protocol
    found = {path.stem: path for path in sorted(trials.iterdir()) if path.is_file()}
    name = chosen(found, protocol, where=trials, kind="lists")
    return found[name], name


def _beside(trial_list: Path) -> tuple[Path, Path] | None:
    """Return (test folder, enrolment folder) that the ids of a trial list may be in.

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


def _folders_of(listed: TrialList) -> tuple[Path, Path]:
    """Return the folders of `_beside` that the names of a trial list are in.

    A test folder enrols, too, where it has all names of the enrolled side, and the
    folder that is there for it has not.
    """
    found = _beside(listed.path)
    assert found is not None  # noqa: S101 - is_it has found them
    if found[0] == found[1]:
        return found
    test, enrolment = (read_data_folder(folder) for folder in found)
    if enrolment.knows(listed.enrolled) or not test.knows(listed.enrolled):
        return found
    return found[0], found[0]


class KaldiTrialDatabase(ListedTrials):
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
        Folder that relative paths in wav.scp are seen from.
    """

    knows_speakers = True

    def __init__(
        self,
        trials: TrialList,
        folder: str | os.PathLike[str],
        *,
        enrolment: str | os.PathLike[str] | None = None,
        protocol: str | None = None,
        original_directory: str | os.PathLike[str] | None = None,
    ) -> None:
        self._folders = (Path(folder), Path(enrolment or folder))
        self._given_directory = original_directory
        super().__init__(
            {"dev": trials},
            name=self._folders[0].resolve().name,
            protocol=protocol,
            original_directory=Path(original_directory or folder).resolve(),
        )

    def _named(self, listed: TrialList) -> Named:
        test, enrolment = (read_data_folder(folder) for folder in self._folders)
        tests = test.recordings(self._given_directory)
        enrolments = enrolment.recordings(self._given_directory)
        check_same(tests, enrolments, [folder / "wav.scp" for folder in self._folders])
        named = Named(
            listed,
            {
                name: _enrolling(listed, name, enrolments, enrolment)
                for name in listed.enrolled
            },
            {name: _utterance(listed, name, tests, test) for name in listed.tested},
        )
        _check_apart(named)
        return named


def _utterance(
    listed: TrialList, name: str, recordings: Mapping[str, Recording], data: DataFolder
) -> Recording:
    if name not in recordings:
        raise DatabaseError(
            f"{listed.where(name)}: {name!r} is not in "
            f"{data.folder / 'wav.scp'}; add its recording there"
        )
    return recordings[name]


def _enrolling(
    listed: TrialList, name: str, recordings: Mapping[str, Recording], data: DataFolder
) -> Sequence[Recording]:
    if name in recordings:
        return [recordings[name]]
    if name in data.utterances:
        return [recordings[utterance] for utterance in data.utterances[name]]
    raise DatabaseError(
        f"{listed.where(name)}: {name!r} is neither an utterance of "
        f"{data.folder / 'wav.scp'} nor a speaker of its utt2spk; add it to one"
    )


def _check_apart(named: Named) -> None:
    """Refuse a speaker who is enrolled with a recording that then probes."""
    listed = named.listed
    position = {named.testing[name].key: at for at, name in enumerate(listed.tested)}
    pairs = listed.pairs()
    for index, name in enumerate(listed.enrolled):
        recordings = named.enrolling[name]
        if len(recordings) == 1:
            continue
        own = {position.get(item.key) for item in recordings}
        both = next((probe for probe in pairs[index] if probe in own), None)
        if both is not None:
            key = named.testing[listed.tested[both]].key
            raise DatabaseError(
                f"{listed.where(name)}: {name!r} is enrolled with all its "
                f"utterances, {key!r} among them, which also probes it; give the "
                "enrolment utterances a data folder of their own (enroll/ beside test/)"
            )


def write(database: Database, folder: Path) -> Written:
    """Write the form ``kaldi``; see `opening.convert`."""
    written = Written()
    groups = groups_of_singles(database, "kaldi", references=False)
    for group, trials in groups.items():
        enrolling = [item for r in trials.references for item in r.recordings]
        probing = [item for probe in trials.probes for item in probe.recordings]
        write_data(folder / group / "enroll", enrolling, _enrolled_once(trials))
        write_data(folder / group / "test", probing, _subjects(probing))
        _refuse_self_trials(trials)
        names = [reference.id for reference in trials.references]
        written[group] = _write_list(folder / group / "trials", trials, names)
    return written


def write_wespeaker(database: Database, folder: Path) -> Written:
    """Write the form ``wespeaker``; see `opening.convert`."""
    groups = groups_of_singles(database, "wespeaker")
    found = [item for trials in groups.values() for item in trials.recordings()]
    write_data(folder, found, _subjects(found))
    written = Written()
    for group, trials in groups.items():
        names = [reference.recordings[0].key for reference in trials.references]
        path = folder / "trials" / f"{group}.kaldi"
        written[group] = _write_list(path, trials, names)
    return written


def _write_list(path: Path, trials: Trials, names: Sequence[str]) -> Path:
    ids = (reference.id for reference in trials.references)
    called = dict(zip(ids, names, strict=True))
    lines = (
        f"{first_word(called[reference.id])} {in_line(probe.recordings[0].key)} "
        f"{_WORDS[target]}"
        for reference, probe, target in each_trial(trials)
    )
    return write_lines(path, lines)


def _subjects(recordings: Sequence[Recording]) -> dict[str, str]:
    return {item.key: item.subject for item in recordings}


def _enrolled_once(trials: Trials) -> dict[str, str]:
    """Return utterance -> the one reference that it enrols."""
    enrolled: dict[str, str] = {}
    for reference in trials.references:
        for item in reference.recordings:
            other = enrolled.setdefault(item.key, reference.id)
            if other != reference.id:
                raise DatabaseError(
                    f"{item.key!r} enrols {other!r} and {reference.id!r}; in a Kaldi "
                    "folder a recording enrols one: convert to bob or sre instead"
                )
    for reference in trials.references:
        if enrolled.get(reference.id, reference.id) != reference.id:
            raise DatabaseError(
                f"reference {reference.id!r} is called like a recording that enrols "
                f"{enrolled[reference.id]!r}: rename it, or convert to bob or sre"
            )
    return enrolled


def _refuse_self_trials(trials: Trials) -> None:
    """Refuse what Kaldi cannot say: a probe that also enrols, with others."""
    for reference, probe, _ in each_trial(trials):
        if (
            len(reference.recordings) > 1
            and probe.recordings[0] in reference.recordings
        ):
            raise DatabaseError(
                f"{probe.id!r} is compared with {reference.id!r}, which it enrols with "
                "others; Kaldi has no such trial: take it out, or convert to bob or sre"
            )
