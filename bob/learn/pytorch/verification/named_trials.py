"""Trials between names whose recordings are known: SRE's tables and ESPnet's folders.

SRE
    A table of trials ``modelid segmentid side targettype`` (NIST's ``…trial_key.tsv``;
    a headline names the columns, others are passed over), and beside it one of
    enrolment, ``modelid segmentid side`` (``…enrollment.tsv``), in which a model may
    have several segments. Segments are files in the folder of the tables, or in
    ``enrollment/`` and ``test/`` there or in ``../data``.
ESPnet
    A folder with ``trial.scp``, ``trial2.scp`` (``a*b path``) and ``trial_label``
    (``a*b 1``).

References
----------
NIST, "2018 Speaker Recognition Evaluation Plan", section 6 (format of the tables).
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bob.learn.pytorch.verification.database import (
    DatabaseError,
    Probe,
    Recording,
    Reference,
    Trials,
    WithoutExtras,
)
from bob.learn.pytorch.verification.kaldi import entries, plain_path, read_speakers
from bob.learn.pytorch.verification.names import recording_keys, safe_name
from bob.learn.pytorch.verification.sre_tables import (
    SreRow,
    enrolment_beside,
    read_sre_table,
)
from bob.learn.pytorch.verification.trial_lists import (
    LABELS,
    TrialList,
    first_folder,
    subjects_of,
)

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping, Sequence

ESPNET_FILES = ("trial.scp", "trial2.scp", "trial_label")


class NamedTrialDatabase(WithoutExtras):
    """A trial list, and what each of its names stands for.

    Parameters
    ----------
    listed : TrialList
        The trials.
    enrolling : mapping of str to sequence of Recording
        What enrols, by enrolled name.
    testing : mapping of str to Recording
        What probes, by tested name.
    protocol : str, optional
        Names the results; default: the name of the list.
    original_directory : path
        Where the recordings are.
    """

    def __init__(
        self,
        listed: TrialList,
        enrolling: Mapping[str, Sequence[Recording]],
        testing: Mapping[str, Recording],
        *,
        protocol: str | None = None,
        original_directory: str | os.PathLike[str],
    ) -> None:
        self._listed = listed
        self._enrolling = enrolling
        self._testing = testing
        self.name = listed.path.parent.resolve().name
        self.protocol: str | None = protocol or listed.path.stem
        self.original_directory: str | None = str(original_directory)

    def groups(self) -> tuple[str, ...]:
        """``dev``."""
        return ("dev",)

    def trials(self, group: str) -> Trials:
        """References, probes and who is compared with whom in a group."""
        if group != "dev":
            raise DatabaseError(
                f"{self._listed.path} has no group {group!r}; a trial list alone is dev"
            )
        return self._trials

    @cached_property
    def _trials(self) -> Trials:
        enrolled_by, tested_by = self._subjects()
        return Trials(
            tuple(
                Reference(safe_name(name), who, _of(who, self._enrolling[name]))
                for name, who in zip(self._listed.enrolled, enrolled_by, strict=True)
            ),
            tuple(
                Probe(self._testing[name].key, who, _of(who, [self._testing[name]]))
                for name, who in zip(self._listed.tested, tested_by, strict=True)
            ),
            self._listed.pairs(),
        )

    def _subjects(self) -> tuple[list[str], list[str]]:
        """The subjects of both sides, such that every label is explained."""
        proposed: dict[str, str] = {}
        sides: tuple[list[str], list[str]] = ([], [])
        for name in self._listed.enrolled:
            recordings = self._enrolling[name]
            alone = len(recordings) == 1
            sides[0].append(recordings[0].key if alone else f"model {name}")
            proposed[sides[0][-1]] = recordings[0].subject
        for name in self._listed.tested:
            item = self._testing[name]
            sides[1].append(item.key)
            proposed[item.key] = item.subject
        found = subjects_of(
            self._listed, (list(proposed), list(proposed.values())), sides
        )
        named = {name: safe_name(subject) for name, subject in found.items()}
        return [named[name] for name in sides[0]], [named[name] for name in sides[1]]


def _of(subject: str, recordings: Iterable[Recording]) -> tuple[Recording, ...]:
    return tuple(replace(item, subject=subject) for item in recordings)


def sre_database(
    path: str | os.PathLike[str],
    *,
    enrolment: str | os.PathLike[str] | None = None,
    protocol: str | None = None,
    original_directory: str | os.PathLike[str] | None = None,
) -> NamedTrialDatabase:
    """The trials of an SRE table; see the top of this module.

    Parameters
    ----------
    path : path
        The trials with their key.
    enrolment : path, optional
        Which segments enrol a model; default: the table beside the trials that has
        ``enrol`` in its name.
    protocol, original_directory
        See `NamedTrialDatabase`.

    Raises
    ------
    DatabaseError
        With file and line for what is wrong.
    """
    path = Path(path)
    rows = read_sre_table(path, label=True)
    enrols = read_sre_table(Path(enrolment or enrolment_beside(path)), label=False)
    listed = _listed(path, rows)
    models: dict[str, list[str]] = {}
    for row in enrols:
        models.setdefault(row.model, []).append(row.segment)
    unknown = next((name for name in listed.enrolled if name not in models), None)
    if unknown is not None:
        raise DatabaseError(
            f"{listed.where(unknown)}: model {unknown!r} is not in {enrols[0].path}"
        )
    folder = Path(original_directory or path.absolute().parent)
    enrolled = dict.fromkeys(row.segment for row in enrols)
    start = _start(folder, next(iter(enrolled)), "enrollment")
    paths = {name: start / name for name in enrolled}
    start = _start(folder, listed.tested[0], "test")
    paths.update({name: start / name for name in listed.tested if name not in paths})
    keys = recording_keys(paths)
    recordings = {
        name: Recording(keys[name], place, safe_name(name))
        for name, place in paths.items()
    }
    return NamedTrialDatabase(
        listed,
        {name: [recordings[item] for item in models[name]] for name in listed.enrolled},
        {name: recordings[name] for name in listed.tested},
        protocol=protocol,
        original_directory=folder,
    )


def _listed(path: Path, rows: Sequence[SreRow]) -> TrialList:
    return trial_list_of(
        path,
        [(row.model, row.segment, row.target, row.line) for row in rows],
    )


def trial_list_of(
    path: Path, trials: Iterable[tuple[str, str, bool, int]]
) -> TrialList:
    """A trial list from (enrolled, tested, is target, line)."""
    enrolled: dict[str, int] = {}
    tested: dict[str, int] = {}
    rows = [
        (
            enrolled.setdefault(one, len(enrolled)),
            tested.setdefault(other, len(tested)),
            target,
            line,
        )
        for one, other, target, line in trials
    ]
    columns = np.array(rows, dtype=np.int64).reshape(-1, 4).T
    return TrialList(
        path,
        tuple(enrolled),
        tuple(tested),
        columns[0],
        columns[1],
        columns[2].astype(np.bool_),
        columns[3],
        label_first=False,
    )


def _start(folder: Path, segment: str, role: str) -> Path:
    """Where segments of a role are: the first place that has this one."""
    places = (
        folder,
        folder / role,
        *(folder.parent / "data" / at for at in ("", role)),
    )
    return next((place for place in places if (place / segment).is_file()), folder)


def espnet_database(
    folder: str | os.PathLike[str],
    *,
    protocol: str | None = None,
    original_directory: str | os.PathLike[str] | None = None,
) -> NamedTrialDatabase:
    """The trials of an ESPnet folder; see the top of this module.

    Relative paths are seen from the original directory; without one from the folder, or
    from the working directory if the first recording is only there.

    Raises
    ------
    DatabaseError
        With file and line for what is wrong.
    """
    folder = Path(folder).resolve()
    sides: tuple[dict[str, str], dict[str, str]] = ({}, {})
    keys = [
        _side(folder / name, at, paths)
        for at, (name, paths) in enumerate(zip(ESPNET_FILES[:2], sides, strict=True))
    ]
    label_file = folder / ESPNET_FILES[2]
    trials = []
    for number, (pair, label, where) in enumerate(entries(label_file), start=1):
        if label not in LABELS:
            raise DatabaseError(
                f"{where}: label {label!r}; expected one of {', '.join(LABELS)}"
            )
        for file, known in zip(ESPNET_FILES, keys, strict=False):
            if pair not in known:
                raise DatabaseError(
                    f"{where}: trial {pair!r} is not in {folder / file}"
                )
        one, other = pair.split("*")
        trials.append((one, other, LABELS[label], number))
    if not trials:
        raise DatabaseError(f"{label_file} holds no trial; expected lines 'a*b 1'")
    start = _relative_start(folder, original_directory, next(iter(sides[0].values())))
    speakers = read_speakers(folder)
    testing, enrolling = (
        {
            name: Recording(
                safe_name(name), start / path, speakers.get(name, first_folder(name))
            )
            for name, path in paths.items()
        }
        for paths in reversed(sides)
    )
    _check_same(folder, enrolling, testing)
    return NamedTrialDatabase(
        trial_list_of(label_file, trials),
        {name: [item] for name, item in enrolling.items()},
        testing,
        protocol=protocol or folder.name,
        original_directory=start,
    )


def _side(file: Path, at: int, paths: dict[str, str]) -> set[str]:
    """Read ``a*b path`` into the paths of one side; returns the pairs."""
    pairs = set()
    for pair, path, where in entries(file):
        names = pair.split("*")
        if len(names) != 2:
            raise DatabaseError(
                f"{where}: {pair!r}; expected two names with one * between"
            )
        if paths.setdefault(names[at], plain_path(path, where)) != path:
            raise DatabaseError(
                f"{where}: {names[at]!r} is {path} here and {paths[names[at]]} "
                "further up"
            )
        pairs.add(pair)
    return pairs


def _relative_start(
    folder: Path, given: str | os.PathLike[str] | None, first: str
) -> Path:
    if given is not None:
        return Path(given)
    is_here = not (folder / first).exists() and Path(first).exists()
    return Path.cwd() if is_here else folder


def _check_same(
    folder: Path, enrolling: Mapping[str, Recording], testing: Mapping[str, Recording]
) -> None:
    for name in enrolling.keys() & testing.keys():
        if enrolling[name].path != testing[name].path:
            raise DatabaseError(
                f"{folder}: {name!r} is another recording in {ESPNET_FILES[0]} than in "
                f"{ESPNET_FILES[1]}"
            )
