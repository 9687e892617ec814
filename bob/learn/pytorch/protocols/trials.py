"""Recordings, references, probes, trials, and the interface of a database."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeVar

from bob.learn.pytorch.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from bob.learn.pytorch.metrics import Names

    Positions = NDArray[np.int64]
    # For each reference, or probe, the marks of its recordings.
    Marks: TypeAlias = Sequence[Iterable[Hashable]]

_Known = TypeVar("_Known")

#: The file that tells a Bob CSV protocol apart from other folders.
ENROLLING_FILE = "for_enrolling.csv"


class DatabaseError(UserError, ValueError):
    """A database, protocol or list cannot be read or written."""


@dataclass(frozen=True)
class Recording:
    """One recording of one speaker.

    Attributes
    ----------
    key : str
        Unique relative name without white space: names output files and score lines.
    path : Path or None
        File of the audio, if known without decoding it. It may be missing.
    subject : str
        The speaker.
    source : object or None
        The Bob file or sample behind this recording.
    metadata : mapping of str to str
        Everything else that the database says about it.
    own_loader : bool
        The source loads its audio in its own way: ask it rather than the path.
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
    """References, probes and the trials between them in one group.

    Attributes
    ----------
    references, probes : tuple
        In the order of the score file.
    pairs : tuple of arrays of int, or None
        For each reference the indices into `probes`, ``(its trials,)``, in the order
        of the list. None: every reference against every probe.
    """

    references: tuple[Reference, ...]
    probes: tuple[Probe, ...]
    pairs: tuple[Positions, ...] | None = None

    def __post_init__(self) -> None:
        """Refuse an id of two references or two probes: their scores would mix."""
        if len({item.id for item in self.references}) < len(self.references):
            _refuse_repeated("reference", self.references)
        # A probe that is listed twice scores the same twice, which does no harm.
        if len({item.id for item in self.probes}) < len(self.probes):
            _refuse_repeated("probe", dict.fromkeys(self.probes))

    def recordings(self) -> tuple[Recording, ...]:
        """Return every recording of the group once, enrolment first.

        Raises
        ------
        DatabaseError
            Two recordings share a key: one would be scored in place of the other.
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
                        f"{recording.path}; each recording needs its own key"
                    )
        return tuple(by_key.values())

    @property
    def is_labelled(self) -> bool:
        """True unless all subjects are empty, as in a blind list."""
        return not self.references or any(item.subject for item in self.references)

    def count(self) -> int:
        """Return the number of trials."""
        if self.pairs is None:
            return len(self.references) * len(self.probes)
        return sum(len(probes) for probes in self.pairs)

    def probes_of(self, reference: int) -> Positions:
        """Return the positions of the probes that a reference meets, ``(trials,)``."""
        return self._everything if self.pairs is None else self.pairs[reference]

    @cached_property
    def _everything(self) -> Positions:
        import numpy as np

        return np.arange(len(self.probes))

    def positions(self) -> tuple[Positions, Positions]:
        """Return the positions of both sides of every trial, ``(trials,)`` each."""
        import numpy as np

        listed = [self.probes_of(at) for at in range(len(self.references))]
        first = np.repeat(np.arange(len(listed)), [len(probes) for probes in listed])
        return first, np.concatenate([np.zeros(0, np.int64), *listed])

    def self_trials(self) -> tuple[Positions, Positions]:
        """Return trials of a recording with itself, by its file or else its key."""
        known = cache(file_of)
        marks = [
            [
                [one.key if one.path is None else known(one.path) for one in some]
                for some in (item.recordings for item in items)
            ]
            for items in (self.references, self.probes)
        ]
        pairs = None if self.pairs is None else self.positions()
        return self_trials(marks[0], marks[1], pairs)


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
    """Return the same trials, or refuse a group without any.

    `protocol` names the protocol and its database, and `files` those to look into.
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
    """The interface that an experiment needs of a database."""

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
        """Return the groups with trials: some of ``dev`` and ``eval``."""

    def trials(self, group: str) -> Trials:
        """Return the references, probes and trials of a group."""

    def training(self) -> tuple[Recording, ...]:
        """Return recordings of other speakers, to train on."""

    def annotations(self, recording: Recording) -> object | None:
        """Return the annotations of a recording, None without any."""


class WithoutExtras:
    """A database of recordings and trials: no training set, no annotations."""

    original_extension: str | None = None

    def __repr__(self) -> str:
        told = [
            str(value)
            for name in ("name", "protocol")
            if (value := getattr(self, name, None))
        ]
        return f"<{' '.join([type(self).__name__, *dict.fromkeys(told)])}>"

    def training(self) -> tuple[Recording, ...]:
        """Return no recordings."""
        return ()

    def annotations(self, recording: Recording) -> object | None:  # noqa: ARG002
        """Return None for every recording."""
        return None


def chosen(
    found: Collection[str], protocol: str | None, *, where: object, kind: str
) -> str:
    """Return the protocol of this name, or the only one; `kind` is for the message."""
    if protocol is None and len(found) == 1:
        return next(iter(found))
    if protocol in found:
        return str(protocol)
    asked = "no protocol was named" if protocol is None else f"no {protocol!r}"
    raise DatabaseError(
        f"{where}: {asked}; it has the {kind} {', '.join(found) or 'none'}"
    )


def trial_columns(database: Database, group: str) -> Mapping[str, Names]:
    """Return title -> metadata of each trial, ``(trials,)``, such as a phone match.

    Trials are in the order of ``database.trials(group)``: by reference, and for each in
    the order of its probes. A database that knows such columns has a method
    ``trial_metadata(group)``.
    """
    method = getattr(database, "trial_metadata", None)
    found: Mapping[str, Names] = {} if method is None else method(group)
    return found


def labelled(item: _Known, name: object) -> _Known:
    """Return the same database or list, unless it is blind.

    It is blind if it has an attribute ``is_labelled`` that is false. `name` is its path
    or name, for the message.
    """
    if not getattr(item, "is_labelled", True):
        raise DatabaseError(
            f"{name} has no labels, so nothing says which trials are of one speaker; "
            "give their key (`bob pytorch score` does without, `protocol check` counts "
            "them)"
        )
    return item


def in_common(values: Iterable[str]) -> str:
    """Return the one value that all have; empty if they differ or there are none."""
    different = set(values)
    return different.pop() if len(different) == 1 else ""


def file_of(path: str | Path) -> Hashable:
    """Return a mark that two paths of one file share, links included.

    A path without a file is its own mark.
    """
    try:
        found = Path(path).stat()
    except (OSError, ValueError):
        return str(path)
    return found.st_dev, found.st_ino


def self_trials(
    references: Marks, probes: Marks, pairs: tuple[Positions, Positions] | None
) -> tuple[Positions, Positions]:
    """Return trials whose sides share a recording, each once, in sorted order.

    No impostor could match a recording that is compared with itself.

    Parameters
    ----------
    references, probes
        For each of them the marks of its recordings, such as `file_of`.
    pairs
        Positions of both sides, ``(trials,)`` each; None: every reference is
        scored against every probe.

    Returns
    -------
    first, second
        Positions in the references and in the probes, ``(found,)`` each.
    """
    import numpy as np

    holders: dict[Hashable, list[int]] = defaultdict(list)
    for at, marks in enumerate(probes):
        for mark in set(marks):
            holders[mark].append(at)
    width = max(1, len(probes))
    shared = {
        at * width + probe
        for at, marks in enumerate(references)
        for mark in marks
        for probe in holders.get(mark, ())
    }
    codes = np.array(sorted(shared), np.int64)
    if pairs is not None:
        codes = codes[np.isin(codes, pairs[0] * width + pairs[1])]
    return codes // width, codes % width


def self_trials_notes(trials: Trials) -> tuple[str, ...]:
    """Return a note on such trials; empty if there are none."""
    first, second = trials.self_trials()
    if not first.size:
        return ()
    reference, probe = trials.references[first[0]], trials.probes[second[0]]
    path = probe.recordings[0].path
    return (self_trials_note(first.size, reference.id, probe.id, path),)


def self_trials_note(
    count: int, reference: str, probe: str, path: str | Path | None = None
) -> str:
    """Return the note on so many such trials, one of which is named."""
    place = "" if path is None else f" ({path})"
    trials = "trial compares" if count == 1 else "trials compare"
    return (
        f"{count} {trials} a recording with itself, such as {reference} with "
        f"{probe}{place}: it wins whatever the system is, so error rates are too "
        "good; leave these trials out, or enrol with other recordings"
    )
