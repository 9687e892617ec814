"""What a protocol holds, in numbers, before anything is run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from bob.learn.pytorch.protocols.trials import Database, Probe, Reference, Trials


@dataclass(frozen=True)
class GroupSummary:
    """Counts of one group.

    Attributes
    ----------
    speakers, references, probes, recordings : int
        How many different ones there are; of a blind list the speakers are not known.
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


def summarise(database: Database) -> dict[str, GroupSummary]:
    """Counts of each group of a database; looks whether files exist, opens none."""
    return {
        group: summarise_trials(database.trials(group)) for group in database.groups()
    }


def summarise_trials(trials: Trials) -> GroupSummary:
    """Counts of one group."""
    recordings = trials.recordings()
    count = trials.count()
    labelled = count if trials.is_labelled else 0
    targets = count_targets(trials) if labelled else 0
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


def count_targets(trials: Trials) -> int:
    """How many trials compare a speaker with the same speaker."""
    position: dict[str, int] = {}
    probes = np.array(
        [position.setdefault(item.subject, len(position)) for item in trials.probes],
        dtype=np.int64,
    )
    everything = np.arange(len(probes))
    return sum(
        int((probes[listed] == position.get(reference.subject, -1)).sum())
        for reference, listed in zip(
            trials.references,
            trials.pairs or [everything] * len(trials.references),
            strict=True,
        )
    )
