"""Who speaks, when a trial list says only whether two recordings are of one speaker."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True)
class LabelledPairs:
    """Pairs of names and whether the two are the same speaker.

    Attributes
    ----------
    first, second : (pairs,) arrays of int
        Positions in the list of names.
    same : (pairs,) array of bool
        The labels.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    same: NDArray[np.bool_]


class ContradictionError(ValueError):
    """No speakers fit the labels.

    Attributes
    ----------
    pair : int
        A pair labelled as different speakers …
    chain : tuple of int
        … and the pairs labelled as the same that join its two sides.
    """

    def __init__(self, pair: int, chain: tuple[int, ...]) -> None:
        super().__init__(f"pair {pair} contradicts pairs {chain}")
        self.pair = pair
        self.chain = chain


def first_disagreement(pairs: LabelledPairs, proposed: Sequence[str]) -> int | None:
    """Position of the first pair whose label the proposed speakers do not explain."""
    _, codes = np.unique(np.asarray(proposed), return_inverse=True)
    wrong = (codes[pairs.first] == codes[pairs.second]) != pairs.same
    return int(wrong.argmax()) if wrong.any() else None


def speakers_from_labels(pairs: LabelledPairs, names: Sequence[str]) -> list[str]:
    """The speaker of each name: all names that target trials join are one speaker.

    Parameters
    ----------
    pairs : LabelledPairs
        Trials between names.
    names : sequence of str
        Each speaker is called by the first of its names.

    Raises
    ------
    ContradictionError
        If a non-target trial is between two names of one speaker.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    joined = (pairs.first[pairs.same], pairs.second[pairs.same])
    links = coo_array((np.ones(joined[0].size), joined), shape=(len(names),) * 2)
    component = connected_components(links, directed=False)[1]
    # A component is called by its first name.
    speaker = np.unique(component, return_index=True)[1][component]
    wrong = ~pairs.same & (speaker[pairs.first] == speaker[pairs.second])
    if wrong.any():
        pair = int(wrong.argmax())
        raise ContradictionError(pair, _chain(pairs, pair))
    return [names[index] for index in speaker]


def _chain(pairs: LabelledPairs, pair: int) -> tuple[int, ...]:
    """The fewest same-speaker pairs that lead from one side of a pair to the other."""
    neighbours: dict[int, list[tuple[int, int]]] = {}
    for index in np.flatnonzero(pairs.same):
        one, other = int(pairs.first[index]), int(pairs.second[index])
        neighbours.setdefault(one, []).append((other, int(index)))
        neighbours.setdefault(other, []).append((one, int(index)))
    start, goal = int(pairs.first[pair]), int(pairs.second[pair])
    came_by: dict[int, tuple[int, ...]] = {start: ()}
    queue = deque([start])
    while queue and goal not in came_by:
        here = queue.popleft()
        for other, index in neighbours.get(here, []):
            if other not in came_by:
                came_by[other] = (*came_by[here], index)
                queue.append(other)
    return came_by[goal]
