"""Trials that compare a recording with itself, which no impostor could match."""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

    from numpy.typing import NDArray

    from bob.learn.pytorch.protocols.trials import Trials

    Positions: TypeAlias = NDArray[np.int64]
    # For each reference, or probe, what its recordings are known by.
    Marks: TypeAlias = Sequence[Iterable[Hashable]]


def file_of(path: str | Path) -> Hashable:
    """Return what is equal for two paths of one file, links included.

    A path of nothing is known by itself.
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

    Parameters
    ----------
    pairs
        Positions of both sides, ``(trials,)`` each; None: all meet all.

    Returns
    -------
    first, second
        Positions in the references and in the probes, ``(found,)`` each.
    """
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


def flat_pairs(trials: Trials) -> tuple[Positions, Positions] | None:
    """Return positions of both sides, ``(trials,)`` each; None: all meet all."""
    if trials.pairs is None:
        return None
    counts = [len(listed) for listed in trials.pairs]
    first = np.repeat(np.arange(len(counts)), counts)
    return first, np.concatenate([np.zeros(0, np.int64), *trials.pairs])


def self_trials_of(trials: Trials) -> tuple[Positions, Positions]:
    """Return what `self_trials` does, with recordings known by their files, or keys."""
    known = cache(file_of)
    marks = [
        [
            [one.key if one.path is None else known(one.path) for one in some]
            for some in (item.recordings for item in items)
        ]
        for items in (trials.references, trials.probes)
    ]
    return self_trials(marks[0], marks[1], flat_pairs(trials))


def self_trials_notes(trials: Trials) -> tuple[str, ...]:
    """Return what a user has to know of such trials; nothing without one."""
    first, second = self_trials_of(trials)
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
