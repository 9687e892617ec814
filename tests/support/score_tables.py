"""Tables of scores that tests make: each speaker against every probe."""

from collections.abc import Sequence

import numpy as np

from bob.learn.pytorch.metrics import ScoreTable


def owners(speakers: int, probes_each: int) -> np.ndarray:
    """Return the number of the speaker of each probe, in turn."""
    return np.repeat(np.arange(speakers), probes_each)


def table(
    scores: np.ndarray,
    owner: Sequence[int],
    *,
    names: Sequence[str] = (),
    references: Sequence[str] = (),
) -> ScoreTable:
    """Make a table of scores (speakers, probes), each probe of a speaker by number."""
    names = names or [f"speaker{i}" for i in range(len(scores))]
    return ScoreTable.from_matrix(
        scores,
        references=references or names,
        reference_subjects=names,
        probes=[f"probe{i}" for i in range(len(owner))],
        probe_subjects=[names[i] for i in owner],
    )


def made_up(
    seed: int = 0, *, speakers: int = 24, probes_each: int = 10, gap: float = 2.0
) -> ScoreTable:
    """Make normal scores; those of one speaker are higher by the gap."""
    owner = owners(speakers, probes_each)
    same = np.arange(speakers)[:, None] == owner
    noise = np.random.default_rng(seed).normal(size=same.shape)
    return table(noise + gap * same, owner)


def trials_in(table: ScoreTable) -> list[tuple[str, str, bool, float]]:
    """Return (reference, probe, is target, score) of each trial."""
    columns = (table.model, table.probe, table.is_target, table.score)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def takes_of_three(seed: int, *, references_each: int = 1) -> ScoreTable:
    """Make scores of ann, bob and cid, whose probes are four takes each."""
    speakers = ["ann", "bob", "cid"]
    probes = [f"{name}/{take}" for name in speakers for take in range(4)]
    enrolled = [name for name in speakers for _ in range(references_each)]
    numbered = [f"{name}-{1 + at % 2}" for at, name in enumerate(enrolled)]
    subjects = [probe.split("/")[0] for probe in probes]
    same = np.equal.outer(enrolled, subjects)
    return ScoreTable.from_matrix(
        5.0 * same + np.random.default_rng(seed).standard_normal(same.shape),
        references=enrolled if references_each == 1 else numbered,
        reference_subjects=enrolled,
        probes=probes,
        probe_subjects=subjects,
    )
