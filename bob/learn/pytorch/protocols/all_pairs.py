"""Every recording against every other, for recordings with nothing but speakers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bob.learn.pytorch.protocols.database import DatabaseError, Probe, Reference, Trials

if TYPE_CHECKING:
    from bob.learn.pytorch.protocols.folder import SpeakerDatabase


def all_pairs(database: SpeakerDatabase) -> Trials:
    """Each pair of recordings once, whoever speaks and in whichever session.

    Recordings a, b and c make a-b, a-c and b-c.

    It is what error rates of small corpora are often published on; see
    `speaker_protocol` for one that enrols from one session and probes with others.

    Raises
    ------
    DatabaseError
        The pairs are not both of one speaker and of two.
    """
    found, _ = database.long_enough()
    recordings = [item.recording for item in found]
    subjects = {recording.subject for recording in recordings}
    if not 1 < len(subjects) < len(recordings):
        raise DatabaseError(
            f"{database.original_directory} has {len(recordings)} recordings of "
            f"{len(subjects)} speakers; pairs of one speaker and of two take two "
            "speakers, and two recordings of one of them"
        )
    everything = np.arange(len(recordings))
    return Trials(
        tuple(Reference(item.key, item.subject, (item,)) for item in recordings),
        tuple(Probe(item.key, item.subject, (item,)) for item in recordings),
        tuple(everything[first + 1 :] for first in range(len(recordings))),
    )
