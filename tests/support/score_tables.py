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
