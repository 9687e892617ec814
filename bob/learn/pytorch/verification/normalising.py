"""Scores of an experiment relative to those of a cohort.

Whatever the algorithm is, the cohort is scored by it: as probes against the references
of a protocol, and as references against its probes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from bob.learn.pytorch.scoring import (
    CohortStatistics,
    cohort_statistics,
    mean_embeddings,
    s_norm,
    t_norm,
    z_norm,
)
from bob.learn.pytorch.verification.configuration import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from bob.learn.pytorch.verification.algorithms import Algorithm, Rows, Scorer
    from bob.learn.pytorch.verification.cohort import CohortMembers

    FloatArray: TypeAlias = NDArray[np.float64]

Method: TypeAlias = Literal["z-norm", "t-norm", "s-norm", "zt-norm", "as-norm"]

#: Cohort scores held in memory at once.
SCORES_AT_ONCE = 4_000_000


@dataclass(frozen=True)
class Normalisation:
    """How scores are normalised, and with whom.

    Attributes
    ----------
    cohorts
        The cohort of each group; often the same.
    top
        How many of the highest cohort scores of each side count (as-norm); else None.
    """

    method: Method
    cohorts: Mapping[str, CohortMembers]
    top: int | None = None

    def __str__(self) -> str:
        names = dict.fromkeys(str(cohort) for cohort in self.cohorts.values())
        top = f", top {self.top}" if self.top else ""
        return f"{self.method}{top}, cohort {'; '.join(names)}"


@dataclass(frozen=True)
class KnownCohort:
    """A cohort whose embeddings are there, as rows of vectors of each recording."""

    references: Mapping[str, list[Rows]]
    reference_subjects: tuple[str, ...]
    probes: tuple[list[Rows], ...]
    probe_subjects: tuple[str, ...]


@dataclass(frozen=True)
class RowNormaliser:
    """Normalises the scores of one reference against its probes.

    Attributes
    ----------
    of_references
        What each reference scores against the cohort; by position in ``place``.
    of_probes
        What each probe of the group scores against the cohort, NaN for those without
        an embedding.
    place
        Id of a reference -> its position; references without a model are absent.
    """

    method: Method
    of_references: CohortStatistics
    of_probes: CohortStatistics
    place: Mapping[str, int] = field(default_factory=dict)

    def __call__(
        self, reference: str, chosen: Sequence[int], scores: FloatArray
    ) -> FloatArray:
        """(probes,) -> (probes,): raw scores against the chosen probes, normalised."""
        if reference not in self.place:
            return np.full(len(scores), np.nan)
        row = scores[np.newaxis]
        # Of no use to t-norm, which has no statistics of references.
        place = [] if self.method == "t-norm" else [self.place[reference]]
        references = self.of_references.take(place)
        where = [] if self.method == "z-norm" else chosen
        probes = self.of_probes.take(np.asarray(where, dtype=np.int64))
        if self.method in ("s-norm", "as-norm"):
            row = s_norm(row, references=references, probes=probes)
        if self.method in ("z-norm", "zt-norm"):
            row = z_norm(row, references)
        if self.method in ("t-norm", "zt-norm"):
            row = t_norm(row, probes)
        normalised: FloatArray = row[0]
        return normalised


def row_normaliser(
    normalisation: Normalisation,
    cohort: KnownCohort,
    *,
    algorithm: Algorithm,
    models: Mapping[str, Any],
    scorer: Scorer,
    good: NDArray[np.bool_],
) -> RowNormaliser:
    """Score the cohort against both sides of the trials of a group.

    Parameters
    ----------
    models
        Id of a reference -> its model.
    scorer
        Of the group's usable probes.
    good
        ``(probes,)``, which of the group's probes are usable.

    Raises
    ------
    ConfigurationError
        The cohort has fewer members with an embedding than asked for.
    """
    method, top = normalisation.method, normalisation.top
    _require_enough(cohort, method, top)
    strangers = [algorithm.enrol(rows) for rows in cohort.references.values()]
    against_cohort = algorithm.against(cohort.probes)
    of_strangers = None
    if method == "zt-norm":
        among = np.array(against_cohort(strangers, None), dtype=np.float64)
        own = np.array(cohort.reference_subjects)[:, np.newaxis]
        # As legacy Bob did: a speaker is no stranger to itself.
        among[own == np.array(cohort.probe_subjects)[np.newaxis]] = np.nan
        of_strangers = cohort_statistics(among)
    nobody = CohortStatistics(np.empty(0), np.empty(0))
    return RowNormaliser(
        method=method,
        of_references=nobody
        if method == "t-norm"
        else _of_references(against_cohort, list(models.values()), cohort, top),
        of_probes=nobody
        if method == "z-norm"
        else _of_probes(scorer, strangers, good, top, of_strangers),
        place={name: index for index, name in enumerate(models)},
    )


def averaged(rows: list[Rows]) -> list[Rows]:
    """Recordings of a speaker as one with their mean: what a cohort has of a probe."""
    vectors = np.concatenate(rows)
    return [mean_embeddings(vectors, [np.arange(len(vectors))])]


def _require_enough(cohort: KnownCohort, method: Method, top: int | None) -> None:
    counts = []
    if method != "t-norm":
        counts.append(len(cohort.probes))
    if method != "z-norm":
        counts.append(len(cohort.references))
    least = min(counts)
    if least < (top or 2):
        raise ConfigurationError(
            f"{method} needs a cohort of {top or 2} or more, and this one has {least} "
            "with an embedding; "
            + ("set cohort_top to fewer, or " if top else "")
            + "give a larger cohort"
        )


def _of_references(
    against_cohort: Scorer, models: list[Any], cohort: KnownCohort, top: int | None
) -> CohortStatistics:
    """Each model against the cohort's probes, some models at a time."""
    at_once = max(1, SCORES_AT_ONCE // len(cohort.probes))
    parts = [
        cohort_statistics(
            against_cohort(models[start : start + at_once], None), top=top
        )
        for start in range(0, len(models), at_once)
    ]
    return _joined(parts)


def _of_probes(
    scorer: Scorer,
    strangers: list[Any],
    good: NDArray[np.bool_],
    top: int | None,
    of_strangers: CohortStatistics | None,
) -> CohortStatistics:
    """Each probe against the cohort's references, some probes at a time."""
    usable = np.arange(np.count_nonzero(good))
    at_once = max(1, SCORES_AT_ONCE // len(strangers))
    parts = []
    for start in range(0, len(usable), at_once):
        scores = scorer(strangers, usable[start : start + at_once])
        if of_strangers is not None:
            scores = z_norm(scores, of_strangers)
        parts.append(cohort_statistics(scores.T, top=top))
    known = _joined(parts)
    moments = np.full((2, len(good)), np.nan)
    moments[0, good], moments[1, good] = known.mean, known.deviation
    return CohortStatistics(*moments)


def _joined(parts: list[CohortStatistics]) -> CohortStatistics:
    if not parts:
        return CohortStatistics(np.empty(0), np.empty(0))
    return CohortStatistics(
        np.concatenate([part.mean for part in parts]),
        np.concatenate([part.deviation for part in parts]),
    )
