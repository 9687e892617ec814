"""Labels and metadata of trials that others have scored.

A list says which trials are of one speaker. A protocol in CSV also has metadata of each
recording, and a table of NIST's metadata of each trial, which tell conditions apart.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bob.learn.pytorch.metrics import Names
from bob.learn.pytorch.protocols.formats import sre
from bob.learn.pytorch.protocols.formats.trial_list import read_trial_list
from bob.learn.pytorch.protocols.listed import TrialList
from bob.learn.pytorch.protocols.opening import as_database
from bob.learn.pytorch.protocols.trials import in_common, labelled, trial_columns

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from bob.learn.pytorch.protocols.trials import (
        Database,
        Probe,
        Recording,
        Reference,
        Trials,
    )

    Positions = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Side:
    """References, or probes, of a list.

    Attributes
    ----------
    aliases
        Further names of some, with their positions.
    subjects
        Subject of each; empty where not known.
    metadata
        Title -> value of each.
    """

    aliases: Sequence[tuple[str, int]] = ()
    subjects: Sequence[str] = ()
    metadata: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class TrialSource:
    """Trials by their names.

    Attributes
    ----------
    listed
        The trials with their labels and metadata.
    group
        ``(trials,)``, a number for those that are scored together.
    enrolled, tested
        Both sides of `listed`.
    """

    listed: TrialList
    group: Positions
    enrolled: Side = field(default_factory=Side)
    tested: Side = field(default_factory=Side)


def read_trial_source(source: TrialList | str | os.PathLike[str]) -> TrialSource:
    """Read a list of trials, a table of NIST's, or a protocol.

    Parameters
    ----------
    source
        A list that was read, or a path that `as_database` reads.

    Raises
    ------
    DatabaseError
        It is of no such format; with file and line for what is wrong.
    """
    if isinstance(source, TrialList):
        return _alone(source)
    path = Path(source)
    if path.is_dir() or path.suffix.lower() == ".csv":
        return _of_database(path, as_database(path))
    if sre.is_it(path):
        return _alone(sre.read_sre_trials(path))
    return _alone(labelled(read_trial_list(path), path))


def _alone(listed: TrialList) -> TrialSource:
    return TrialSource(listed, np.zeros(len(listed.target), np.int64))


def _of_database(path: Path, database: Database) -> TrialSource:
    """Join all groups of a protocol."""
    trials = [database.trials(group) for group in database.groups()]
    references = {item.id: item for some in trials for item in some.references}
    probes = {item.id: item for some in trials for item in some.probes}
    at = [{name: place for place, name in enumerate(side)}
          for side in (references, probes)]  # fmt: skip
    parts = [_pairs(some, at[0], at[1]) for some in trials]
    first, second, target = (
        np.concatenate([part[column] for part in parts]) for column in range(3)
    )
    listed = TrialList(
        path,
        tuple(references),
        tuple(probes),
        first,
        second,
        target.astype(np.bool_),
        np.arange(1, first.size + 1),
        metadata=_columns(database, [part[0].size for part in parts]),
    )
    group = np.repeat(np.arange(len(parts)), [part[0].size for part in parts])
    folder = database.original_directory
    return TrialSource(
        listed,
        group,
        _side(list(references.values()), folder),
        _side(list(probes.values()), folder),
    )


def _columns(database: Database, sizes: Sequence[int]) -> dict[str, Names]:
    """Return columns of trials, groups in turn; empty where a group lacks one."""
    groups = database.groups()
    parts = [trial_columns(database, group) for group in groups]
    return {
        title: Names.of(
            name
            for part, size in zip(parts, sizes, strict=True)
            for name in (part[title].tolist() if title in part else [""] * size)
        )
        for title in sorted({title for part in parts for title in part})
    }


def _pairs(
    trials: Trials, references: Mapping[str, int], probes: Mapping[str, int]
) -> tuple[Positions, Positions, Positions]:
    """Return positions of both sides, and whether one subject, ``(trials,)`` each."""
    first, second = trials.positions()
    code: dict[str, int] = {}
    columns = []
    items: Sequence[Reference | Probe]
    for items, positions, chosen in (
        (trials.references, references, first),
        (trials.probes, probes, second),
    ):
        subjects = [code.setdefault(item.subject, len(code)) for item in items]
        places = [positions[item.id] for item in items]
        columns.append((np.array(places, np.int64)[chosen],
                        np.array(subjects, np.int64)[chosen]))  # fmt: skip
    (left, claimed), (right, real) = columns
    return left, right, np.equal(claimed, real).astype(np.int64)


def _side(items: Sequence[Reference | Probe], folder: str | None) -> Side:
    recordings = [item.recordings for item in items]
    titles = {title for some in recordings for one in some for title in one.metadata}
    return Side(
        [
            (name, place)
            for place, some in enumerate(recordings)
            if len(some) == 1
            for name in _spellings(some[0], folder)
        ],
        [item.subject for item in items],
        {
            title: [
                in_common(one.metadata.get(title, "") for one in some)
                for some in recordings
            ]
            for title in sorted(titles)
        },
    )


def _spellings(recording: Recording, folder: str | None) -> Iterator[str]:
    """Yield the names that score files of others may give a recording."""
    yield recording.key
    if recording.path is not None:
        path = str(recording.path)
        yield path
        yield path.removeprefix(f"{folder}/")
