"""Scores of an experiment relative to those of a cohort.

Whatever the algorithm is, the cohort is scored by it: as probes against the references
of a protocol, and as references against its probes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from bob.learn.pytorch.experiment.configuration import ConfigurationError
from bob.learn.pytorch.scoring import (
    CohortStatistics,
    cohort_statistics,
    mean_embeddings,
    s_norm,
    t_norm,
    z_norm,
)
from bob.learn.pytorch.scoring.cohort import no_spread, too_small
from bob.learn.pytorch.scoring.dense import spans

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from bob.learn.pytorch.experiment.algorithms import Algorithm, Rows, Scorer
    from bob.learn.pytorch.experiment.experiment import Normalisation
    from bob.learn.pytorch.experiment.options import Method

    FloatArray: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class KnownCohort:
    """A cohort whose embeddings are there, as rows of vectors of each recording."""

    references: Mapping[str, list[Rows]]
    reference_subjects: tuple[str, ...]
    probes: tuple[list[Rows], ...]
    probe_subjects: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class AgainstCohort:
    """What the references and probes of a group score against a cohort.

    Both are computed when they are asked for, some rows at a time.

    Raises
    ------
    ConfigurationError
        Of any property: something scores the same against the whole cohort.
    """

    method: Method
    top: int | None
    cohort: KnownCohort
    algorithm: Algorithm
    models: Mapping[str, Any]
    scorer: Scorer
    good: NDArray[np.bool_]
    probe_names: Sequence[str]
    cohort_name: str

    @cached_property
    def references(self) -> CohortStatistics:
        """Each model against the cohort's probes."""
        score, models = self._cohort_probes, list(self.models.values())
        found = CohortStatistics.joined(
            cohort_statistics(score(models[part], None), top=self.top)
            for part in spans(len(models), len(self.cohort.probes))
        )
        every = np.ones(len(models), dtype=bool)
        return self._with_spread(found, every, list(self.models))

    @cached_property
    def probes(self) -> CohortStatistics:
        """Each probe of the group against the cohort's references, NaN if unusable."""
        return self._of_probes(None)

    @cached_property
    def normalised_probes(self) -> CohortStatistics:
        """The same of scores that are z-normalised before (zt-norm)."""
        cohort = self.cohort
        among = np.array(self._cohort_probes(self._strangers, None), dtype=np.float64)
        own = np.array(cohort.reference_subjects)[:, np.newaxis]
        # As legacy Bob did: a speaker is no stranger to itself.
        among[own == np.array(cohort.probe_subjects)[np.newaxis]] = np.nan
        return self._of_probes(cohort_statistics(among))

    @cached_property
    def _cohort_probes(self) -> Scorer:
        return self.algorithm.against(self.cohort.probes)

    @cached_property
    def _strangers(self) -> list[Any]:
        return [self.algorithm.enrol(rows) for rows in self.cohort.references.values()]

    def _of_probes(self, of_strangers: CohortStatistics | None) -> CohortStatistics:
        good = self.good
        usable = np.arange(np.count_nonzero(good))
        parts = []
        for part in spans(len(usable), len(self._strangers)):
            scores = self.scorer(self._strangers, usable[part])
            if of_strangers is not None:
                scores = z_norm(scores, of_strangers)
            parts.append(cohort_statistics(scores.T, top=self.top))
        known = CohortStatistics.joined(parts)
        moments = np.full((2, len(good)), np.nan)
        moments[0, good], moments[1, good] = known.mean, known.deviation
        return self._with_spread(CohortStatistics(*moments), good, self.probe_names)

    def _with_spread(
        self,
        statistics: CohortStatistics,
        usable: NDArray[np.bool_],
        names: Sequence[str],
    ) -> CohortStatistics:
        """Refuse a cohort that says nothing about a reference or probe."""
        if reason := no_spread(statistics, usable, names):
            raise ConfigurationError(f"{self.cohort_name}: {reason}")
        return statistics


@dataclass(frozen=True, eq=False)
class RowNormaliser:
    """Normalises the scores of one reference against its probes.

    Attributes
    ----------
    place
        Id of a reference -> its position; references without a model are absent.
    """

    method: Method
    against: AgainstCohort
    place: Mapping[str, int] = field(default_factory=dict)

    def means(self, references: Sequence[str]) -> tuple[FloatArray, FloatArray]:
        """Mean score of references, and of all probes, against the cohort.

        Of adaptive normalisation that of the highest; NaN where there is no embedding.
        """
        found = np.append(self.against.references.mean, np.nan)
        places = [self.place.get(name, -1) for name in references]
        return found[places], self.against.probes.mean

    def __call__(
        self, reference: str, chosen: Sequence[int], scores: FloatArray
    ) -> FloatArray:
        """(probes,) -> (probes,): raw scores against the chosen probes, normalised."""
        if reference not in self.place:
            return np.full(len(scores), np.nan)
        row = scores[np.newaxis]
        against, method = self.against, self.method
        place, where = [self.place[reference]], np.asarray(chosen, dtype=np.int64)
        if method in ("s-norm", "as-norm"):
            references = against.references.take(place)
            row = s_norm(row, references=references, probes=against.probes.take(where))
        if method in ("z-norm", "zt-norm"):
            row = z_norm(row, against.references.take(place))
        if method == "t-norm":
            row = t_norm(row, against.probes.take(where))
        if method == "zt-norm":
            row = t_norm(row, against.normalised_probes.take(where))
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
    probe_names: Sequence[str],
    cohort_name: str,
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
    probe_names, cohort_name
        What errors call them.

    Raises
    ------
    ConfigurationError
        The cohort has fewer members with an embedding than asked for, or nothing that
        tells them apart.
    """
    method, top = normalisation.method, normalisation.top
    require_enough(
        method, top, references=len(cohort.references), probes=len(cohort.probes)
    )
    against = AgainstCohort(
        method, top, cohort, algorithm, models, scorer, good, probe_names, cohort_name
    )
    return RowNormaliser(
        method, against, {name: index for index, name in enumerate(models)}
    )


def averaged(rows: list[Rows]) -> list[Rows]:
    """Recordings of a speaker as one with their mean: what a cohort has of a probe."""
    vectors = np.concatenate(rows)
    return [mean_embeddings(vectors, [np.arange(len(vectors))])]


def require_enough(
    method: Method, top: int | None, *, references: int, probes: int
) -> None:
    """Refuse a cohort with fewer members on either side than the method takes.

    Raises
    ------
    ConfigurationError
        With what to set.
    """
    counts = {"t-norm": (references,), "z-norm": (probes,)}
    least = min(counts.get(method, (references, probes)))
    if reason := too_small(least, top):
        how = " (cohort_top, --cohort-top)" if top and least > 1 else ""
        raise ConfigurationError(f"{method}: {reason}{how}")
