"""Which trials of a group are odd: repeated, mirrored, of one recording or session."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bob.learn.pytorch.protocols.self_trials import flat_pairs, self_trials_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from bob.learn.pytorch.protocols.trials import Recording, Trials

#: Speaker and video of VoxCeleb, which is the session.
_VOXCELEB = re.compile(r"(id\d{5}/[\w-]{11})/\d{5}$")


@dataclass(frozen=True)
class TrialCounts:
    """What stands out, as ``reference probe`` or as the id of one of them, each once.

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
    walk = _Walk(trials)
    labelled = trials.is_labelled
    by_speaker: Counter[str] = Counter()
    found: dict[str, list[str]] = defaultdict(list)
    used = np.zeros(len(trials.probes), dtype=bool)
    for at, listed in walk.references():
        reference = trials.references[at]
        targets = listed[: 0 if not labelled else None]
        targets = targets[walk.subject[targets] == walk.code(reference.subject)]
        used[listed] = True
        if labelled:
            by_speaker[reference.subject] += len(targets)
        if not len(listed):
            found["references_without_trial"].append(reference.id)
        elif labelled and not len(targets):
            found["references_without_target"].append(reference.id)
        found["one_session"] += [
            f"{reference.id} {trials.probes[probe].id}"
            for probe in walk.of_one_session(at, targets)
        ]
    unused = [trials.probes[index].id for index in np.flatnonzero(~used)]
    fields = (
        "one_session", "references_without_trial", "references_without_target",
    )  # fmt: skip
    return TrialCounts(
        by_speaker,
        self_trials=tuple(
            f"{trials.references[one].id} {trials.probes[other].id}"
            for one, other in zip(*self_trials_of(trials), strict=True)
        ),
        repeated=_repeated(trials),
        mirrored=_mirrored(trials),
        probes_without_trial=tuple(unused),
        **{name: tuple(found[name]) for name in fields},
    )


class _Walk:
    """What is known of probes, for looking at one reference after the other."""

    def __init__(self, trials: Trials) -> None:
        self._trials = trials
        self._codes: dict[str, int] = {}
        self.subject = np.array(
            [self._coded(item.subject) for item in trials.probes], dtype=np.int64
        )
        sessions = [_session(item.recordings) for item in trials.probes]
        self._session = np.array(
            [-1 if name is None else self._coded(f"/{name}") for name in sessions],
            dtype=np.int64,
        )

    def _coded(self, name: str) -> int:
        return self._codes.setdefault(name, len(self._codes))

    def code(self, subject: str) -> int:
        """The code of a subject; one of no probe for those without."""
        return self._codes.get(subject, -2)

    def references(self) -> Iterator[tuple[int, NDArray[np.int64]]]:
        """Position of each reference, and of its probes."""
        pairs = self._trials.pairs
        everything = np.arange(len(self._trials.probes))
        for at in range(len(self._trials.references)):
            yield at, everything if pairs is None else pairs[at]

    def of_one_session(self, at: int, targets: NDArray[np.int64]) -> list[int]:
        """Target probes from the session that a reference is enrolled with."""
        if not targets.size:
            return []
        session = _session(self._trials.references[at].recordings)
        if session is None:
            return []
        code = self._codes.get(f"/{session}", -2)
        found: list[int] = np.unique(targets[self._session[targets] == code]).tolist()
        return found


def _place(recording: Recording) -> str:
    return recording.key if recording.path is None else str(recording.path)


def _session(recordings: tuple[Recording, ...]) -> str | None:
    """The one session of some recordings; None if not known or several."""
    found = {_session_of(item) for item in recordings}
    return found.pop() if len(found) == 1 else None


def _session_of(recording: Recording) -> str | None:
    named = recording.metadata.get("session")
    if named:
        return f"{recording.subject}/{named}"
    video = _VOXCELEB.search(recording.key)
    return video.group(1) if video else None


def _repeated(trials: Trials) -> tuple[str, ...]:
    """Trials of a sparse list that come more than once, by reference."""
    pairs = flat_pairs(trials)
    if pairs is None:
        return ()
    first, second = pairs
    count = max(1, len(trials.probes))
    codes = np.sort(first * count + second)
    again = np.unique(codes[1:][codes[1:] == codes[:-1]])
    return tuple(
        f"{trials.references[one].id} {trials.probes[other].id}"
        for one, other in zip(
            *(part.tolist() for part in divmod(again, count)), strict=True
        )
    )


def _mirrored(trials: Trials) -> tuple[str, ...]:
    """Trials of a sparse list that come in both directions."""
    pairs = flat_pairs(trials)
    if pairs is None:
        return ()
    code: dict[tuple[str, ...], int] = {}
    one, other = (
        np.array(
            [
                code.setdefault(tuple(map(_place, item.recordings)), len(code))
                for item in items
            ],
            dtype=np.int64,
        )
        for items in (trials.references, trials.probes)
    )
    at, listed = pairs
    if not at.size:
        return ()
    first, second = one[at], other[listed]
    both = np.isin(first * len(code) + second, second * len(code) + first)
    found = np.flatnonzero(both & (first < second))
    return tuple(
        dict.fromkeys(
            f"{trials.references[at[i]].id} {trials.probes[listed[i]].id}"
            for i in found.tolist()
        )
    )
