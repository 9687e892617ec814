"""Who speaks, when a trial list says only whether two recordings are of one speaker."""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bob.learn.pytorch.errors import UserError
from bob.learn.pytorch.protocols.trials import DatabaseError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from bob.learn.pytorch.protocols.formats.trial_lists import TrialList

logger = logging.getLogger(__name__)


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


class ContradictionError(UserError, ValueError):
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


def subjects_of(
    listed: TrialList,
    proposed: tuple[Sequence[str], Sequence[str]],
    sides: tuple[Sequence[str], Sequence[str]],
) -> dict[str, str]:
    """The subject of each name, such that every label is explained.

    In a blind list it is empty.

    Parameters
    ----------
    listed : TrialList
        The trials.
    proposed : (names, subjects)
        All names, and the subject that each seems to be of.
    sides : (enrolled, tested)
        The names on either side, in the order of the trial list.

    Raises
    ------
    DatabaseError
        If no subjects explain all labels, with the lines that contradict each other.
    """
    names, subjects = proposed
    if not listed.is_labelled:
        return dict.fromkeys(names, "")
    position = {name: index for index, name in enumerate(names)}
    enrolled = np.array([position[name] for name in sides[0]], dtype=np.int64)
    tested = np.array([position[name] for name in sides[1]], dtype=np.int64)
    pairs = LabelledPairs(
        enrolled[listed.enrolled_at], tested[listed.tested_at], listed.target
    )
    disagreement = first_disagreement(pairs, subjects)
    if disagreement is None:
        return dict(zip(names, subjects, strict=True))
    logger.info(
        "%s:%d: the label is not what the names suggest; speakers are taken from the "
        "labels instead", listed.path, listed.lines[disagreement],
    )  # fmt: skip
    try:
        return dict(zip(names, speakers_from_labels(pairs, names), strict=True))
    except ContradictionError as error:
        one, other = (names[side[error.pair]] for side in (pairs.first, pairs.second))
        chain = ", ".join(str(listed.lines[pair]) for pair in error.chain)
        raise DatabaseError(
            f"{listed.path}:{listed.lines[error.pair]}: {one} and {other} are labelled "
            f"as different speakers, but the target trials in line {chain} make them "
            "the same: correct the labels"
            if error.chain
            else f"{listed.path}:{listed.lines[error.pair]}: {one} is labelled as a "
            "different speaker from itself: correct the label"
        ) from error


def first_folder(name: str) -> str:
    """What names the speaker in VoxCeleb; a bare name itself."""
    folders = name.split("/")
    return folders[0] if len(folders) > 1 else name
