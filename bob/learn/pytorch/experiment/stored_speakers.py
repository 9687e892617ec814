"""Speakers of stored embeddings, from the store or a file beside it; and cohorts."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bob.learn.pytorch.errors import ScoringError
from bob.learn.pytorch.experiment.named_embeddings import RowsByName
from bob.learn.pytorch.protocols.cohorts import read_cohort
from bob.learn.pytorch.protocols.formats.kaldi import entries
from bob.learn.pytorch.protocols.speakers import SpeakerRule
from bob.learn.pytorch.protocols.trials import DatabaseError
from bob.learn.pytorch.scoring import CohortNormaliser, CohortSides, normalisation_named
from bob.learn.pytorch.scoring.normalisation import TOP

if TYPE_CHECKING:
    import os
    from collections.abc import Hashable, Iterable, Sequence

    from numpy.typing import NDArray

    from bob.learn.pytorch.choices import Method
    from bob.learn.pytorch.scoring.backend import PreparedRows, RowBackend
    from bob.learn.pytorch.store.reading import StoredEmbeddings

    Positions = NDArray[np.int64]

logger = logging.getLogger(__name__)

#: Before the name of a recording that counts as a speaker; no name of one has a tab.
_NO_SPEAKER = "\t"


def speakers_of(
    embeddings: StoredEmbeddings,
    source: str | os.PathLike[str] | None = None,
    *,
    layout: str | None = None,
) -> tuple[Positions, list[str]]:
    """Return the rows of a store whose speaker is known, ``(known,)``, with speakers.

    Names of recordings never tell it: the first folder of a path may be anything.

    Parameters
    ----------
    source
        See `speakers_by_row`. None: what the store itself says, which may be nothing.
    layout
        Of a folder of speakers; see `SpeakerRule`.

    Raises
    ------
    DatabaseError, ScoringError
        The source cannot be read, or knows the speaker of no recording.
    """
    if source is None:
        found = {row: who for row, who in enumerate(embeddings.speakers) if who}
    else:
        found = speakers_by_row(embeddings.names, source, layout=layout)
    if source is not None and not found:
        raise ScoringError(
            f"{source} names the speaker of no recording in {embeddings.path}, whose "
            f"names are like {next(iter(embeddings.names), '(there are none)')!r}; "
            "give a line 'name speaker' for each"
        )
    rows = sorted(found)
    return np.array(rows, dtype=np.int64), [found[row] for row in rows]


def cohort_speakers(
    embeddings: StoredEmbeddings,
    source: str | os.PathLike[str] | None = None,
    *,
    layout: str | None = None,
) -> tuple[Positions, list[str]] | None:
    """Return `speakers_of` a cohort, None where each recording counts by itself.

    Recordings that a given source does not know are left out. Those that the store does
    not know count as a speaker each. Either is said in the log.
    """
    rows, speakers = speakers_of(embeddings, source, layout=layout)
    count, names = len(rows), embeddings.names
    if count == len(names):
        return rows, speakers
    if source is not None:
        logger.warning(
            "%s does not tell who speaks in %d of the cohort's %d recordings, which "
            "are left out",
            source,
            len(names) - count,
            len(names),
        )
        return rows, speakers
    if not count:
        logger.warning(
            "%s does not say who speaks, so each of its %d recordings counts as a "
            "speaker of its own. If some are of one speaker, say so: `bob pytorch "
            "embed` with --speakers adds it to the store",
            embeddings.path,
            len(names),
        )
        return None
    logger.warning(
        "%s says who speaks in %d of its %d recordings; each of the others counts as a "
        "speaker of its own",
        embeddings.path,
        count,
        len(names),
    )
    everyone = [f"{_NO_SPEAKER}{name}" for name in names]
    for row, speaker in zip(rows.tolist(), speakers, strict=True):
        everyone[row] = speaker
    return np.arange(len(names)), everyone


@dataclass(frozen=True, eq=False)
class StoredCohort:
    """Impostor speakers in a store, and the normalisation by them.

    Attributes
    ----------
    members
        Rows of the embeddings of each member: those of a speaker, or one recording.
    speakers
        Who each member is, see `identities`.
    top
        Number of highest cohort scores of each side that as-norm takes.
    """

    embeddings: StoredEmbeddings
    members: Sequence[Sequence[int]]
    speakers: Sequence[Hashable]
    normalisation: Method = "as-norm"
    top: int = TOP

    def normaliser(
        self,
        backend: RowBackend,
        references: PreparedRows,
        probes: PreparedRows,
        names: tuple[Sequence[str], Sequence[str]],
    ) -> CohortNormaliser:
        """Prepare the cohort for both sides of trials; their names are for errors."""
        if backend.enrolment not in ("mean", "unit-mean"):
            raise ScoringError(
                f"references that are enrolled by {backend.enrolment} are not one "
                "embedding each, which normalisation needs; enrol by mean or unit-mean"
            )
        members = backend.probes(self.embeddings.embeddings, self.members)
        sides = CohortSides(
            members, members, self.speakers, self.speakers, str(self.embeddings.path)
        )
        found = CohortNormaliser(
            self.normalisation, backend, references, probes, sides, names, self.top
        )
        _warn_of_shared((references, probes), members)
        return found


def cohort_of(
    embeddings: StoredEmbeddings,
    *,
    normalisation: str = "as-norm",
    top: int = TOP,
    speakers: str | os.PathLike[str] | None = None,
    layout: str | None = None,
    recordings: bool = False,
) -> StoredCohort:
    """Return a cohort of stored embeddings, with the mean of each known speaker.

    Parameters
    ----------
    normalisation
        One of `bob.learn.pytorch.scoring.NORMALISATIONS`, or its short name.
    top
        Number of highest cohort scores of each side that as-norm takes.
    speakers, layout
        See `cohort_speakers`.
    recordings
        Take every recording by itself, whoever speaks.

    Raises
    ------
    DatabaseError, ScoringError
        The speakers cannot be read, or are not those of the recordings.
    """
    method = normalisation_named(normalisation)
    who = identities(embeddings)
    known = None
    if not recordings:
        known = cohort_speakers(embeddings, speakers, layout=layout)
    if known is None:
        members = [[row] for row in range(len(embeddings.names))]
        return StoredCohort(embeddings, members, who, method, top)
    by_speaker: dict[str, list[int]] = {}
    for row, speaker in zip(known[0].tolist(), known[1], strict=True):
        by_speaker.setdefault(speaker, []).append(row)
    named = sorted(by_speaker)
    return StoredCohort(
        embeddings,
        [by_speaker[name] for name in named],
        [
            who[by_speaker[name][0]] if name.startswith(_NO_SPEAKER) else name
            for name in named
        ],
        method,
        top,
    )


def identities(embeddings: StoredEmbeddings) -> list[Hashable]:
    """Return who is in each recording: the speaker, else the content of the embedding.

    So copies of a recording whose speaker is not known are one.
    """
    speakers = embeddings.speakers or ("",) * len(embeddings.names)
    return [
        speaker or row.tobytes()
        for speaker, row in zip(speakers, embeddings.embeddings, strict=True)
    ]


def speakers_by_row(
    names: Sequence[str],
    source: str | os.PathLike[str],
    *,
    layout: str | None = None,
) -> dict[int, str]:
    """Return the speaker of each of these recordings that a source knows.

    Parameters
    ----------
    source
        Kaldi's ``utt2spk`` (a name and its speaker a line), or whatever `read_cohort`
        reads: a folder of speakers, a CSV file with ``path`` and ``subject_id`` …
    layout
        Of a folder of speakers; see `SpeakerRule`.

    Raises
    ------
    DatabaseError, ScoringError
        The source cannot be read, or a name in it may be either of two recordings.
    """
    finder = RowsByName(names)
    return {
        row: speaker
        for name, path, speaker in _speakers(Path(source), layout)
        if speaker and (row := finder.find(name, path)) is not None
    }


def _speakers(source: Path, layout: str | None) -> list[tuple[str, str | None, str]]:
    """Return name, path if it is known, and speaker of each recording."""
    if source.is_file() and source.suffix.lower() != ".csv":
        try:
            return [(name, None, speaker) for _, (name, speaker) in entries(source)]
        except UnicodeDecodeError as error:
            raise DatabaseError(
                f"{source} is no text; expected a line 'name speaker' for each "
                "recording"
            ) from error
    rule = SpeakerRule.given(layout)
    return [
        (item.key, None if item.path is None else str(item.path), item.subject)
        for item in read_cohort(source, rule=rule)
    ]


def _warn_of_shared(sides: Iterable[PreparedRows], cohort: PreparedRows) -> None:
    """Say it if recordings under test are in the cohort."""
    # In float32: rows of products may differ in their last bits.
    members = {row.tobytes() for row in cohort.rows.astype(np.float32)}
    shared = {
        row.tobytes()
        for models in sides
        for row in models.rows.astype(np.float32)
        if np.isfinite(row).all()
    } & members
    if shared:
        logger.warning(
            "%d recordings of the trials are in the cohort too, as impostors of "
            "themselves: take those speakers out of the cohort",
            len(shared),
        )
