"""Lists of trials between names, and databases made of them."""

from __future__ import annotations

import abc
import logging
import re
from collections import deque
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

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
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from bob.learn.pytorch.metrics import Names
    from bob.learn.pytorch.protocols.columns import Columns

    Positions = NDArray[np.int64]

logger = logging.getLogger(__name__)

#: Labels of VoxCeleb, of Kaldi and NIST, of SITW, of tables.
WORDS = {
    "1": True,
    "0": False,
    "target": True,
    "nontarget": False,
    "tgt": True,
    "imp": False,
    "non-target": False,
    "true": True,
    "false": False,
}
#: The same in capitals, too.
LABELS = {
    **WORDS,
    **dict(zip(map(str.upper, WORDS), WORDS.values(), strict=True)),
    **dict(zip(map(str.capitalize, WORDS), WORDS.values(), strict=True)),
}

#: VoxCeleb1's lists by their count of trials. Original: Nagrani, Chung, Xie and
#: Zisserman, "VoxCeleb: Large-scale speaker verification in the wild", Computer Speech
#: & Language 60, 2020, table 7. Cleaned:
#: https://www.robots.ox.ac.uk/~vgg/data/voxceleb/vox1.html
_VOXCELEB = {
    37_720: "VoxCeleb1-O, original",
    37_611: "VoxCeleb1-O, cleaned",
    581_480: "VoxCeleb1-E, original",
    579_818: "VoxCeleb1-E, cleaned",
    552_536: "VoxCeleb1-H, original",
    550_894: "VoxCeleb1-H, cleaned",
}
_VOXCELEB_FILES = {
    "veri_test": "VoxCeleb1-O, original",
    "veri_test2": "VoxCeleb1-O, cleaned",
    "list_test_all": "VoxCeleb1-E, original",
    "list_test_all2": "VoxCeleb1-E, cleaned",
    "list_test_hard": "VoxCeleb1-H, original",
    "list_test_hard2": "VoxCeleb1-H, cleaned",
    "vox1_o_cleaned": "VoxCeleb1-O, cleaned",
    "vox1_e_cleaned": "VoxCeleb1-E, cleaned",
    "vox1_h_cleaned": "VoxCeleb1-H, cleaned",
}
#: id10270/x6uYqmx31kE/00001, in whichever way its parts are joined.
_VOXCELEB_NAME = re.compile(r"id1\d{4}.[\w-]{11}.\d{5}(\.\w+)?$")


@dataclass(frozen=True)
class TrialList:
    """Content of a trial list, before its names are looked up.

    Attributes
    ----------
    path : Path
        The list.
    enrolled, tested : tuple of str
        The different names on either side, in the order of the list.
    enrolled_at, tested_at : (trials,) arrays of int
        For each trial the positions in `enrolled` and `tested`.
    target : (trials,) array of bool
        The labels.
    lines : (trials,) array of int
        Line numbers, from 1.
    metadata : mapping of str to Names
        Further columns of the trials by title, ``(trials,)`` each.
    is_labelled : bool
        False for a blind list, in which `target` is false throughout.
    """

    path: Path
    enrolled: tuple[str, ...]
    tested: tuple[str, ...]
    enrolled_at: Positions
    tested_at: Positions
    target: NDArray[np.bool_]
    lines: Positions
    metadata: Mapping[str, Names] = field(default_factory=dict)
    is_labelled: bool = True

    @classmethod
    def of(
        cls, table: Columns, *, metadata: Mapping[str, Names] | None = None
    ) -> TrialList:
        """Make a list of columns ``enrolled``, ``tested`` and perhaps ``label``."""
        enrolled, tested = table.names["enrolled"], table.names["tested"]
        target = np.zeros(len(table), dtype=np.bool_)
        if (label := table.names.get("label")) is not None:
            target = np.array([LABELS[word] for word in label.distinct])[label.codes]
        return cls(
            table.path,
            enrolled.distinct,
            tested.distinct,
            enrolled.codes.astype(np.int64),
            tested.codes.astype(np.int64),
            target,
            table.lines,
            metadata=metadata or {},
            is_labelled=label is not None,
        )

    def where(self, name: str) -> str:
        """Return ``list.txt:line`` of the first trial with this name."""
        uses = np.zeros(len(self.lines), dtype=bool)
        if name in self.enrolled:
            uses |= self.enrolled_at == self.enrolled.index(name)
        if name in self.tested:
            uses |= self.tested_at == self.tested.index(name)
        return f"{self.path}:{self.lines[uses.argmax()]}"

    def pairs(self) -> tuple[Positions, ...]:
        """Return for each enrolled name the positions in `tested`, ``(trials,)``."""
        counts = np.bincount(self.enrolled_at, minlength=len(self.enrolled))
        ends = np.cumsum(counts)[:-1]
        return tuple(np.split(self.tested_at[self._by_reference], ends))

    def metadata_of_pairs(self) -> dict[str, Names]:
        """Return the metadata of each trial, in the order of `pairs`."""
        return {
            title: column.take(self._by_reference)
            for title, column in self.metadata.items()
        }

    @cached_property
    def _by_reference(self) -> Positions:
        return np.argsort(self.enrolled_at, kind="stable")

    def renamed(self, names: Mapping[str, str]) -> TrialList:
        """Return the same trials under other names; equal names become one."""
        enrolled, enrolled_at = _renamed(self.enrolled, self.enrolled_at, names)
        tested, tested_at = _renamed(self.tested, self.tested_at, names)
        return replace(
            self,
            enrolled=enrolled,
            tested=tested,
            enrolled_at=enrolled_at,
            tested_at=tested_at,
        )

    def subjects(
        self, enrolled: Sequence[tuple[str, str]], tested: Sequence[tuple[str, str]]
    ) -> tuple[list[str], list[str]]:
        """Return the subjects of both sides, such that every label is explained.

        These are the proposed subjects if they explain all labels. Otherwise all
        identities that target trials join are one subject, called by the first of
        them. In a blind list the subjects are empty.

        Parameters
        ----------
        enrolled, tested : sequence of (identity, proposed subject)
            For each of the names. One identity on both sides is one recording.

        Raises
        ------
        DatabaseError
            No subjects explain all labels, with the lines that contradict each other.
        """
        if not self.is_labelled:
            return [""] * len(enrolled), [""] * len(tested)
        proposed = dict([*enrolled, *tested])
        position = {identity: at for at, identity in enumerate(proposed)}
        places = [
            np.array([position[identity] for identity, _ in side], dtype=np.int64)
            for side in (enrolled, tested)
        ]
        first, second = places[0][self.enrolled_at], places[1][self.tested_at]
        found = list(proposed.values())
        _, codes = np.unique(np.asarray(found), return_inverse=True)
        wrong = (codes[first] == codes[second]) != self.target
        if wrong.any():
            logger.info(
                "%s:%d: the label is not what the names suggest; speakers are taken "
                "from the labels instead", self.path, self.lines[wrong.argmax()],
            )  # fmt: skip
            names = list(proposed)
            found = [names[at] for at in self._joined(first, second, len(names))]
        return ([found[at] for at in places[0]], [found[at] for at in places[1]])

    def _joined(self, first: Positions, second: Positions, count: int) -> list[int]:
        """Return for each identity the first one that target trials join it to."""
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        joined = (first[self.target], second[self.target])
        links = coo_array((np.ones(joined[0].size), joined), shape=(count, count))
        component = connected_components(links, directed=False)[1]
        speaker = np.unique(component, return_index=True)[1][component]
        wrong = ~self.target & (speaker[first] == speaker[second])
        if wrong.any():
            raise self._contradiction(int(wrong.argmax()), first, second)
        found: list[int] = speaker.tolist()
        return found

    def _contradiction(
        self, trial: int, first: Positions, second: Positions
    ) -> DatabaseError:
        one = self.enrolled[self.enrolled_at[trial]]
        other = self.tested[self.tested_at[trial]]
        where = f"{self.path}:{self.lines[trial]}"
        chain = _chain(first, second, self.target, trial)
        if not chain:
            return DatabaseError(
                f"{where}: {one} is labelled as a different speaker from itself: "
                "correct the label"
            )
        return DatabaseError(
            f"{where}: {one} and {other} are labelled as different speakers, but the "
            f"target trials in line {', '.join(str(self.lines[at]) for at in chain)} "
            "make them the same: correct the labels"
        )


def _renamed(
    old: Sequence[str], at: Positions, names: Mapping[str, str]
) -> tuple[tuple[str, ...], Positions]:
    position: dict[str, int] = {}
    moved = [position.setdefault(names[name], len(position)) for name in old]
    return tuple(position), np.array(moved, dtype=np.int64)[at]


def _chain(
    first: Positions, second: Positions, same: NDArray[np.bool_], trial: int
) -> tuple[int, ...]:
    """Return the fewest target trials that lead from one side of a trial to the other.

    Breadth-first search; `trial` itself is no target trial.
    """
    neighbours: dict[int, list[tuple[int, int]]] = {}
    for index in np.flatnonzero(same):
        one, other = int(first[index]), int(second[index])
        neighbours.setdefault(one, []).append((other, int(index)))
        neighbours.setdefault(other, []).append((one, int(index)))
    start, goal = int(first[trial]), int(second[trial])
    came_by: dict[int, tuple[int, ...]] = {start: ()}
    queue = deque([start])
    while queue and goal not in came_by:
        here = queue.popleft()
        for other, index in neighbours.get(here, []):
            if other not in came_by:
                came_by[other] = (*came_by[here], index)
                queue.append(other)
    return came_by[goal]


def about(listed: TrialList) -> tuple[str, ...]:
    """Return in words which of VoxCeleb1's lists this is; empty for any other.

    Papers report on the original and on the cleaned lists under one name, and the
    files are called ``veri_test2.txt`` or ``vox1_O_cleaned.kaldi``: the count of trials
    tells them apart. A list that is called like one of them and has another count is
    noted as well, since figures on it are not figures on that list.
    """
    ends = (*listed.enrolled[:3], *listed.tested[:3])
    if not all(_VOXCELEB_NAME.search(name) for name in ends):
        return ()
    count = len(listed.target)
    found = _VOXCELEB.get(count)
    called = _VOXCELEB_FILES.get(listed.path.stem.lower())
    notes = [f"{found}: {count} trials"] if found else []
    if called is not None and called != found:
        expected = next(n for n, name in _VOXCELEB.items() if name == called)
        notes.append(
            f"{listed.path.name} is the name of {called}, which has {expected} trials; "
            f"this list has {count}"
        )
    return tuple(notes)


class Named(NamedTuple):
    """A trial list, and the recordings that its names stand for."""

    listed: TrialList
    enrolling: Mapping[str, Sequence[Recording]]
    testing: Mapping[str, Recording]


class ListedTrials(WithoutExtras, abc.ABC):
    """A database of trial lists by group, whose names a subclass turns into recordings.

    `protocol` names the results; default: the name of the first list.
    """

    def __init__(
        self,
        lists: Mapping[str, TrialList],
        *,
        name: str,
        protocol: str | None,
        original_directory: object,
    ) -> None:
        self._lists = dict(lists)
        self._first = next(iter(self._lists.values()))
        self._made: dict[tuple[str, str | None], tuple[Trials, TrialList]] = {}
        self.name = name
        self.protocol: str | None = protocol or self._first.path.stem
        self.original_directory: str | None = str(original_directory)

    @abc.abstractmethod
    def _named(self, listed: TrialList) -> Named:
        """Return the recordings of a list."""

    def _identity(self, name: str, recordings: Sequence[Recording]) -> str:
        """Return the identity of a name: its only recording, or a model of several."""
        return recordings[0].key if len(recordings) == 1 else f"model {name}"

    def groups(self) -> tuple[str, ...]:
        """Return the groups that have a list."""
        return tuple(self._lists)

    @property
    def is_labelled(self) -> bool:
        """True if all lists have labels."""
        return all(item.is_labelled for item in self._lists.values())

    @property
    def notes(self) -> tuple[str, ...]:
        """VoxCeleb's lists among these, in words."""
        return tuple(note for item in self._lists.values() for note in about(item))

    def trials(self, group: str) -> Trials:
        """Return the references, probes and trials of a group."""
        return self._read(group)[0]

    def trial_metadata(self, group: str) -> dict[str, Names]:
        """Return title -> metadata of each trial, ``(trials,)``, as in `trials`."""
        return self._read(group)[1].metadata_of_pairs()

    def _read(self, group: str) -> tuple[Trials, TrialList]:
        if group not in self._lists:
            raise DatabaseError(
                f"{self._first.path} has no group {group!r}; it has "
                f"{', '.join(self._lists)} (a trial list alone is dev)"
            )
        # The folder may be set after the list has been read.
        key = (group, self.original_directory)
        if key not in self._made:
            self._made[key] = self._interpreted(self._named(self._lists[group]))
        return self._made[key]

    def _interpreted(self, named: Named) -> tuple[Trials, TrialList]:
        listed, enrolling, testing = named
        enrolled_by, tested_by = listed.subjects(
            [
                (self._identity(name, enrolling[name]), enrolling[name][0].subject)
                for name in listed.enrolled
            ],
            [
                (self._identity(name, [testing[name]]), testing[name].subject)
                for name in listed.tested
            ],
        )
        safe = {name: safe_name(name) for name in {*enrolled_by, *tested_by}}
        trials = Trials(
            tuple(
                Reference(self._id(name, enrolling[name]), safe[subject],
                          _spoken_by(safe[subject], enrolling[name]))
                for name, subject in zip(listed.enrolled, enrolled_by, strict=True)
            ),
            tuple(
                Probe(testing[name].key, safe[subject],
                      _spoken_by(safe[subject], [testing[name]]))
                for name, subject in zip(listed.tested, tested_by, strict=True)
            ),
            listed.pairs(),
        )  # fmt: skip
        return trials, listed

    def _id(self, name: str, recordings: Sequence[Recording]) -> str:  # noqa: ARG002
        return safe_name(name)


def _spoken_by(subject: str, recordings: Iterable[Recording]) -> tuple[Recording, ...]:
    return tuple(
        item if item.subject == subject else replace(item, subject=subject)
        for item in recordings
    )


class NamedTrialDatabase(ListedTrials):
    """A trial list, with the recordings of each enrolled name, and of each tested one.

    `protocol` names the results; default: the name of the list.
    """

    def __init__(
        self,
        listed: TrialList,
        enrolling: Mapping[str, Sequence[Recording]],
        testing: Mapping[str, Recording],
        *,
        protocol: str | None = None,
        original_directory: object,
    ) -> None:
        super().__init__(
            {"dev": listed},
            name=listed.path.parent.resolve().name,
            protocol=protocol,
            original_directory=original_directory,
        )
        self._enrolling, self._testing = enrolling, testing

    def _named(self, listed: TrialList) -> Named:
        return Named(listed, self._enrolling, self._testing)


def first_folder(name: str) -> str:
    """Return the first folder of a path, VoxCeleb's speaker; a bare name itself."""
    folders = name.split("/")
    return folders[0] if len(folders) > 1 else name
