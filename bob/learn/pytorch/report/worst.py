"""The trials that a system got most wrong: what to listen to first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bob.learn.pytorch.metrics import ScoreTable


@dataclass(frozen=True)
class Trial:
    """One trial by its names; the reference goes by its subject if it has none."""

    score: float
    reference: str
    claimed: str
    probe: str
    real: str


def worst_trials(table: ScoreTable, count: int) -> tuple[list[Trial], list[Trial]]:
    """Non-target trials of the highest and target trials of the lowest scores.

    The worst come first; of equal scores, those that come first in the table. Trials
    without a score are left out.
    """
    scored, is_target = ~np.isnan(table.score), table.is_target
    return (
        _named(table, _lowest(-table.score, scored & ~is_target, count)),
        _named(table, _lowest(table.score, scored & is_target, count)),
    )


def _lowest(
    values: NDArray[np.float64], chosen: NDArray[np.bool_], count: int
) -> NDArray[np.intp]:
    """Positions of the lowest of the chosen values, ascending."""
    index = np.flatnonzero(chosen)
    if index.size > count:
        limit = np.partition(values[index], count - 1)[count - 1] if count else -np.inf
        index = index[values[index] <= limit]
    return index[np.argsort(values[index], kind="stable")][:count]


def _named(table: ScoreTable, index: NDArray[np.intp]) -> list[Trial]:
    part = table.take(index)
    references = part.claimed if part.model is None else part.model
    return [
        Trial(*fields)
        for fields in zip(
            part.score.tolist(),
            references.tolist(),
            part.claimed.tolist(),
            part.probe.tolist(),
            part.real.tolist(),
            strict=True,
        )
    ]
