"""Scores relative to those of a cohort of stored embeddings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import numpy as np

from bob.learn.pytorch.scoring import (
    CohortStatistics,
    cohort_statistics,
    s_norm,
    t_norm,
    z_norm,
)
from bob.learn.pytorch.verification.named_embeddings import ScoringError
from bob.learn.pytorch.verification.stored_trials import speakers_of

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from bob.learn.pytorch.storage.reading import StoredEmbeddings
    from bob.learn.pytorch.verification.comparing import Comparer, Models

    FloatArray: TypeAlias = NDArray[np.float64]

Normalisation: TypeAlias = Literal["z", "t", "s", "zt", "as"]
NORMALISATIONS = get_args(Normalisation)
TOP = 300


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
) -> Cohort:
    """A cohort of stored embeddings; of each speaker the mean, if a file tells them.

    Raises
    ------
    DatabaseError, ScoringError
        The speakers cannot be read, or are not those of the recordings.
    """
    known = None if speakers is None else speakers_of(embeddings, speakers)
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


def normaliser(
    comparer: Comparer, left: Models, right: Models, cohort: Cohort
) -> Normaliser:
    """Compare references (left) and probes (right) with a cohort.

    Raises
    ------
    ScoringError
        The cohort is too small, or references are not one embedding each.
    """
    if left.groups is not None:
        raise ScoringError(
            f"references that are enrolled by {comparer.enrolment} are not one "
            "embedding each, which normalisation needs; enrol by mean or unit-mean"
        )
    rows = cohort.embeddings.embeddings
    groups = cohort.groups()
    others = comparer.probes(rows, groups)
    top = cohort.adaptive_top
    of_references = of_probes = zt = None
    if cohort.kind != "t":
        of_references = comparer.against(left, others, top=top)
    if cohort.kind in ("t", "s", "as"):
        of_probes = _of_probes(comparer, right, others, top)
    if cohort.kind == "zt":
        within = comparer.dense(others, others)
        np.fill_diagonal(within, np.nan)  # nobody is a stranger to themselves
        if cohort.speakers is None:
            _leave_out_twins(within, cohort.embeddings)
        scores = z_norm(comparer.dense(others, right), cohort_statistics(within))
        zt = cohort_statistics(scores.T)
    return Normaliser(of_references, of_probes, zt)


def _of_probes(
    comparer: Comparer, probes: Models, cohort: Models, top: int | None
) -> CohortStatistics:
    """The cohort takes the place of the references, with its counts."""
    if comparer.plda is None:
        return comparer.against(probes, cohort, top=top)
    # Not symmetric: a mean of several recordings counts as such where it enrols.
    if top is not None and not 2 <= top <= len(cohort):
        return comparer.against(probes, cohort, top=top)  # which refuses it
    scores = comparer.dense(cohort, probes)
    return cohort_statistics(scores.T, top=top)


def _leave_out_twins(within: FloatArray, embeddings: StoredEmbeddings) -> None:
    """Copies of one recording would be no strangers either."""
    _, codes = np.unique(embeddings.embeddings, axis=0, return_inverse=True)
    codes = codes.ravel()
    within[codes[:, np.newaxis] == codes[np.newaxis]] = np.nan
