"""Scores relative to those of a cohort of stored embeddings."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from bob.learn.pytorch.errors import ScoringError
from bob.learn.pytorch.experiment.stored_speakers import cohort_speakers
from bob.learn.pytorch.scoring import (
    CohortStatistics,
    cohort_statistics,
    s_norm,
    t_norm,
    z_norm,
)
from bob.learn.pytorch.scoring.cohort import no_spread, too_small
from bob.learn.pytorch.scoring.dense import spans
from bob.learn.pytorch.scoring.normalisation import TOP

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from bob.learn.pytorch.experiment.comparer import Comparer, Models
    from bob.learn.pytorch.store.reading import StoredEmbeddings

    FloatArray: TypeAlias = NDArray[np.float64]

Normalisation: TypeAlias = Literal["z", "t", "s", "zt", "as"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Cohort:
    """Recordings of others, and how scores are normalised by them.

    Attributes
    ----------
    embeddings
        Of the cohort.
    kind
        ``z``, ``t``, ``s``, ``zt`` or ``as`` (adaptive s-norm).
    top
        Of adaptive normalisation.
    speakers
        Rows of the cohort and who speaks there: the mean embedding of each speaker
        takes the place of the recordings. None: every recording counts.
    """

    embeddings: StoredEmbeddings
    kind: Normalisation = "as"
    top: int = TOP
    speakers: tuple[NDArray[np.int64], Sequence[str]] | None = None

    @property
    def adaptive_top(self) -> int | None:
        """Of adaptive normalisation; None for the others."""
        return self.top if self.kind == "as" else None

    def groups(self) -> list[list[int]]:
        """Rows of each member of the cohort."""
        if self.speakers is None:
            return [[row] for row in range(len(self.embeddings.names))]
        by_speaker: dict[str, list[int]] = {}
        for row, speaker in zip(
            self.speakers[0].tolist(), self.speakers[1], strict=True
        ):
            by_speaker.setdefault(speaker, []).append(row)
        return [by_speaker[name] for name in sorted(by_speaker)]


def cohort_of(
    embeddings: StoredEmbeddings,
    *,
    kind: Normalisation = "as",
    top: int = TOP,
    speakers: str | os.PathLike[str] | None = None,
    layout: str | None = None,
    recordings: bool = False,
) -> Cohort:
    """Return a cohort of stored embeddings, with the mean of each known speaker.

    Parameters
    ----------
    speakers, layout
        See `bob.learn.pytorch.experiment.stored_speakers.cohort_speakers`.
    recordings
        Take every recording by itself, whoever speaks.

    Raises
    ------
    DatabaseError, ScoringError
        The speakers cannot be read, or are not those of the recordings.
    """
    known = None
    if not recordings:
        known = cohort_speakers(embeddings, speakers, layout=layout)
    return Cohort(embeddings, kind, top, known)


@dataclass(frozen=True, eq=False)
class Normaliser:
    """Statistics of both sides against a cohort; None where the kind needs none.

    Attributes
    ----------
    references, probes
        Of z- and t-norm; both for s-norm.
    zt
        Of the probes against z-normalised references of the cohort.
    """

    references: CohortStatistics | None = None
    probes: CohortStatistics | None = None
    zt: CohortStatistics | None = None

    def part(self, start: int, stop: int) -> Normaliser:
        """Return that of a range of references."""
        if self.references is None:
            return self
        some = self.references.take(np.arange(start, stop))
        return Normaliser(some, self.probes, self.zt)

    def __call__(
        self,
        scores: FloatArray,
        pairs: tuple[NDArray[np.int64], NDArray[np.int64]] | None,
    ) -> FloatArray:
        """Normalise scores, of listed pairs or of all references with all probes."""
        if self.references is not None and self.probes is not None:
            return s_norm(
                scores, references=self.references, probes=self.probes, pairs=pairs
            )
        if self.references is not None:
            scores = z_norm(scores, self.references, pairs=pairs)
        last = self.zt if self.probes is None else self.probes
        return scores if last is None else t_norm(scores, last, pairs=pairs)


@dataclass(frozen=True, eq=False)
class AgainstCohort:
    """What references (left) and probes (right) score against a cohort, when asked.

    As in `bob.learn.pytorch.experiment.normalising`: against references the cohort's
    members are probes, and against probes they are references. PLDA is not symmetric,
    as a mean of several recordings counts as such where it enrols.

    Raises
    ------
    ScoringError
        References are not one embedding each, or the cohort is too small; of any
        property: something scores the same against the whole cohort.
    """

    comparer: Comparer
    left: Models
    right: Models
    cohort: Cohort
    names: tuple[Sequence[str], Sequence[str]]

    def __post_init__(self) -> None:
        size = len(self.cohort.groups())
        if reason := too_small(size, self.cohort.adaptive_top):
            raise ScoringError(f"{self.cohort.embeddings.path}: {reason}")
        if self.left.groups is not None:
            raise ScoringError(
                f"references that are enrolled by {self.comparer.enrolment} are not "
                "one embedding each, which normalisation needs; enrol by mean or "
                "unit-mean"
            )
        _warn_of_shared((self.left, self.right), self.members)

    @cached_property
    def members(self) -> Models:
        """The cohort."""
        cohort = self.cohort
        return self.comparer.probes(cohort.embeddings.embeddings, cohort.groups())

    @cached_property
    def references(self) -> CohortStatistics:
        """Each reference against the cohort."""
        top = self.cohort.adaptive_top
        found = self.comparer.against(self.left, self.members, top=top)
        return self._with_spread(found, self.left, self.names[0])

    @cached_property
    def probes(self) -> CohortStatistics:
        """The cohort against each probe."""
        if self.comparer.plda is None:
            top = self.cohort.adaptive_top
            found = self.comparer.against(self.right, self.members, top=top)
            return self._with_spread(found, self.right, self.names[1])
        return self._of_probes(None)

    @cached_property
    def normalised_probes(self) -> CohortStatistics:
        """The same of scores that are z-normalised before (zt-norm)."""
        return self._of_probes(self._among())

    @property
    def means(self) -> tuple[FloatArray, FloatArray]:
        """Mean score of each reference, and of each probe."""
        return self.references.mean, self.probes.mean

    def normaliser(self) -> Normaliser:
        """Normalise scores as the cohort says."""
        kind = self.cohort.kind
        return Normaliser(
            None if kind == "t" else self.references,
            self.probes if kind in ("t", "s", "as") else None,
            self.normalised_probes if kind == "zt" else None,
        )

    def _of_probes(self, of_members: CohortStatistics | None) -> CohortStatistics:
        """What the members of the cohort score with each probe, z-normalised if so."""

        def parts() -> Iterator[CohortStatistics]:
            for part in spans(len(self.right), len(self.members)):
                probes = self.right.take(part.start, part.stop)
                scores = self.comparer.dense(self.members, probes)
                if of_members is not None:
                    scores = z_norm(scores, of_members)
                yield cohort_statistics(scores.T, top=self.cohort.adaptive_top)

        found = CohortStatistics.joined(parts())
        return self._with_spread(found, self.right, self.names[1])

    def _with_spread(
        self, statistics: CohortStatistics, models: Models, names: Sequence[str]
    ) -> CohortStatistics:
        """Refuse a cohort that says nothing about one of the models."""
        usable = np.isfinite(models.rows).all(axis=1)
        if reason := no_spread(statistics, usable, names):
            raise ScoringError(f"{self.cohort.embeddings.path}: {reason}")
        return statistics

    def _among(self) -> CohortStatistics:
        """Each member of the cohort against the others, as nobody is its own stranger.

        Nor are copies of one recording; means of speakers are one each. Who speaks is
        not known here: other recordings of one speaker are strangers to each other.
        """
        members = self.members
        who = np.arange(len(members))
        if self.cohort.speakers is None:
            rows = self.cohort.embeddings.embeddings
            who = np.unique(rows, axis=0, return_inverse=True)[1].ravel()

        def parts() -> Iterator[CohortStatistics]:
            for part in spans(len(members), len(members)):
                some = members.take(part.start, part.stop)
                scores = self.comparer.dense(some, members)
                scores[who[part, np.newaxis] == who] = np.nan
                yield cohort_statistics(scores)

        return CohortStatistics.joined(parts())


def _warn_of_shared(sides: Iterable[Models], cohort: Models) -> None:
    """Say it if recordings under test are in the cohort, where no stranger is."""
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
            "%d recordings of the trials are in the cohort too, and strangers to "
            "themselves: take those speakers out of the cohort",
            len(shared),
        )
