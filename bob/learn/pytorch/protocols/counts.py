"""Counts of the trials of a group: in all, odd ones, and self-trials."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from bob.learn.pytorch.printing import counted

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from bob.learn.pytorch.protocols.trials import (
        Database,
        Probe,
        Recording,
        Reference,
        Trials,
    )

    Positions: TypeAlias = NDArray[np.int64]
    # For each reference, or probe, the marks of its recordings.
    Marks: TypeAlias = Sequence[Iterable[Hashable]]

#: Speaker and video of VoxCeleb, which is the session.
_VOXCELEB = re.compile(r"(id\d{5}/[\w-]{11})/\d{5}$")

_SHOWN = 5


@dataclass(frozen=True)
class GroupSummary:
    """Counts of one group.

    Attributes
    ----------
    speakers, references, probes, recordings : int
        Numbers of different ones; the speakers of a blind list are not known.
    target_trials, non_target_trials : int
        Comparisons of one speaker, and of two.
    missing : tuple of str
        Recordings whose file is not there, by path.
    unlabelled_trials : int
        Comparisons of a blind list, of which neither is known.
    """

    speakers: int
    references: int
    probes: int
    recordings: int
    target_trials: int
    non_target_trials: int
    missing: tuple[str, ...]
    unlabelled_trials: int = 0

    def in_words(self) -> str:
        """Return the counts on one line."""
        sides = f"{self.references} references, {self.probes} probes"
        if self.unlabelled_trials:
            return f"{sides}, {self.unlabelled_trials} trials without labels"
        return (
            f"{self.speakers} speakers, {sides}, {self.target_trials} target and "
            f"{self.non_target_trials} non-target trials"
        )

    def as_lines(self, group: str) -> list[str]:
        """Return the counts of a group, and the first recordings that are missing."""
        lines = [f"{group}: {self.in_words()}"]
        if self.missing:
            found = counted(len(self.missing), "recording is", "recordings are")
            lines.append(f"  {found} missing:")
        return lines + first_of(self.missing)


def first_of(examples: Sequence[str]) -> list[str]:
    """Return the first examples, a line each."""
    more = ["    … (all of them with --json)"] if examples[_SHOWN:] else []
    return [*(f"    {item}" for item in examples[:_SHOWN]), *more]


def summarise(database: Database) -> dict[str, GroupSummary]:
    """Count in each group of a database, and look for missing files; none is opened."""
    return {
        group: summarise_trials(database.trials(group)) for group in database.groups()
    }


def summarise_trials(trials: Trials) -> GroupSummary:
    """Count in one group, and look for missing files."""
    recordings = trials.recordings()
    count = trials.count()
    labelled = count if trials.is_labelled else 0
    targets = sum(len(found) for _, _, found in _by_reference(trials))
    items: tuple[Reference | Probe, ...] = (*trials.references, *trials.probes)
    return GroupSummary(
        speakers=len({item.subject for item in items} - {""}),
        references=len(trials.references),
        probes=len(trials.probes),
        recordings=len(recordings),
        target_trials=targets,
        non_target_trials=labelled - targets,
        missing=tuple(
            str(item.path)
            for item in recordings
            if item.path is not None and not item.path.is_file()
        ),
        unlabelled_trials=count - labelled,
    )


def _codes(*columns: Iterable[Hashable]) -> list[Positions]:
    """Return an array of numbers for each column; what is equal has one number."""
    code: dict[Hashable, int] = {}
    return [
        np.array([code.setdefault(item, len(code)) for item in column], dtype=np.int64)
        for column in columns
    ]


def _by_reference(trials: Trials) -> Iterator[tuple[int, Positions, Positions]]:
    """Yield position of each reference, of its probes, and of those that are targets.

    There are no targets in a blind list.
    """
    claimed, real = _codes(
        (item.subject for item in trials.references),
        (item.subject for item in trials.probes),
    )
    labelled = trials.is_labelled
    for at in range(len(trials.references)):
        listed = trials.probes_of(at)
        targets = listed[real[listed] == claimed[at]] if labelled else listed[:0]
        yield at, listed, targets


@dataclass(frozen=True)
class TrialCounts:
    """Odd trials as ``reference probe``, odd references and probes by id, each once.

    Attributes
    ----------
    targets_by_speaker : mapping of str to int
        Target trials of each enrolled speaker.
    self_trials : tuple of str
        Trials in which a recording enrols and probes.
    repeated : tuple of str
        Trials that come more than once.
    mirrored : tuple of str
        Trials a-b for which there is b-a, each pair once.
    one_session : tuple of str
        Target trials of which all recordings are from one session, where sessions are
        known: by metadata ``session``, or by VoxCeleb's names.
    probes_without_trial, references_without_trial, references_without_target : tuple
        Ids.
    """

    targets_by_speaker: Mapping[str, int]
    self_trials: tuple[str, ...]
    repeated: tuple[str, ...]
    mirrored: tuple[str, ...]
    one_session: tuple[str, ...]
    probes_without_trial: tuple[str, ...]
    references_without_trial: tuple[str, ...]
    references_without_target: tuple[str, ...]


def count_trials(trials: Trials) -> TrialCounts:
    """Look at every trial, in bounded memory."""
    by_speaker: Counter[str] = Counter()
    same_session: list[tuple[int, int]] = []
    without: dict[str, list[str]] = defaultdict(list)
    used = np.zeros(len(trials.probes), dtype=bool)
    # Unknown sessions, False on one side and None on the other, are never equal.
    enrolled, probed = _codes(
        (_session(item.recordings) or False for item in trials.references),
        (_session(item.recordings) for item in trials.probes),
    )
    for at, listed, targets in _by_reference(trials):
        reference = trials.references[at]
        used[listed] = True
        if trials.is_labelled:
            by_speaker[reference.subject] += len(targets)
        if not len(listed):
            without["trial"].append(reference.id)
        elif trials.is_labelled and not len(targets):
            without["target"].append(reference.id)
        found = np.unique(targets[probed[targets] == enrolled[at]])
        same_session += [(at, probe) for probe in found.tolist()]
    return TrialCounts(
        by_speaker,
        self_trials=_named(trials, zip(*trials.self_trials(), strict=True)),
        repeated=_named(trials, _repeated(trials)),
        mirrored=tuple(dict.fromkeys(_named(trials, _mirrored(trials)))),
        one_session=_named(trials, same_session),
        probes_without_trial=tuple(
            trials.probes[index].id for index in np.flatnonzero(~used)
        ),
        references_without_trial=tuple(without["trial"]),
        references_without_target=tuple(without["target"]),
    )


def _named(trials: Trials, found: Iterable[tuple[int, int]]) -> tuple[str, ...]:
    return tuple(
        f"{trials.references[one].id} {trials.probes[other].id}" for one, other in found
    )


def _session(recordings: tuple[Recording, ...]) -> str | None:
    """Return the one session of some recordings; None if not known or several."""
    found = {_session_of(item) for item in recordings}
    return found.pop() if len(found) == 1 else None


def _session_of(recording: Recording) -> str | None:
    named = recording.metadata.get("session")
    if named:
        return f"{recording.subject}/{named}"
    video = _VOXCELEB.search(recording.key)
    return video.group(1) if video else None


def _repeated(trials: Trials) -> Iterator[tuple[int, int]]:
    """Yield trials of a sparse list that come more than once, by reference."""
    if trials.pairs is None:
        return
    first, second = trials.positions()
    count = max(1, len(trials.probes))
    codes = np.sort(first * count + second)
    again = np.unique(codes[1:][codes[1:] == codes[:-1]])
    yield from (divmod(code, count) for code in again.tolist())


def _mirrored(trials: Trials) -> Iterator[tuple[int, int]]:
    """Yield trials of a sparse list that come in both directions."""
    if not trials.pairs:
        return
    one, other = _codes(
        *(
            (tuple(item.path or item.key for item in some.recordings) for some in side)
            for side in (trials.references, trials.probes)
        )
    )
    at, listed = trials.positions()
    first, second = one[at], other[listed]
    count = 1 + max(int(codes.max()) for codes in (one, other) if codes.size)
    both = np.isin(first * count + second, second * count + first)
    for trial in np.flatnonzero(both & (first < second)).tolist():
        yield int(at[trial]), int(listed[trial])
