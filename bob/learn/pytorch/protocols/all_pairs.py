"""Every recording against every other, for recordings with nothing but speakers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bob.learn.pytorch.protocols.trials import DatabaseError, Probe, Reference, Trials

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bob.learn.pytorch.protocols.trials import Recording


def all_pairs(recordings: Sequence[Recording]) -> Trials:
    """Return each pair of recordings once, whoever speaks.

    Recordings a, b and c make a-b, a-c and b-c, which is what error rates of small
    corpora are often published on.

    Raises
    ------
    DatabaseError
        The pairs are not both of one speaker and of two.
    """
    subjects = {recording.subject for recording in recordings}
    if not 1 < len(subjects) < len(recordings):
        raise DatabaseError(
            f"there are {len(recordings)} recordings of {len(subjects)} speakers; "
            "pairs of one speaker and of two take two speakers, and two recordings of "
            "one of them"
        )
    probes = np.arange(len(recordings) - 1)
    return Trials(
        tuple(Reference(item.key, item.subject, (item,)) for item in recordings[:-1]),
        tuple(Probe(item.key, item.subject, (item,)) for item in recordings[1:]),
        tuple(probes[first:] for first in probes),
    )
