"""Trials normalised by a cohort of impostor speakers, whatever the backend."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from bob.learn.pytorch.choices import NORMALISATIONS, SHORT_NORMALISATIONS
from bob.learn.pytorch.errors import ScoringError
from bob.learn.pytorch.scoring.normalisation import (
    CohortStatistics,
    cohort_statistics,
    s_norm,
    t_norm,
    too_small,
    z_norm,
)
from bob.learn.pytorch.scoring.similarity import spans

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from numpy.typing import NDArray

    from bob.learn.pytorch.choices import Method
    from bob.learn.pytorch.scoring.backend import Backend, Prepared
    from bob.learn.pytorch.scoring.similarity import Pairs

    FloatArray: TypeAlias = NDArray[np.float64]


def normalisation_named(word: str) -> Method:
    """Return the normalisation of a name, which may be short: ``as`` is ``as-norm``.

    Raises
    ------
    ScoringError
        There is no such normalisation.
    """
    for name, short in zip(NORMALISATIONS, SHORT_NORMALISATIONS, strict=True):
        if word in (name, short):
            return name
    raise ScoringError(
        f"the normalisation is {word!r}; choose one of {', '.join(NORMALISATIONS)}"
    )


@dataclass(frozen=True, eq=False)
class CohortSides:
    """Impostor speakers as the two sides of trials, ready for a backend.

    Attributes
    ----------
    references, probes
        Probes under test are compared with the references, and references with the
        probes; they may be one object.
    reference_speakers, probe_speakers
        Who each of them is: the speaker, or the recording where the speaker is not
        known. Equal ones are no impostors of each other.
    name
        For messages.
    """

    references: Prepared
    probes: Prepared
    reference_speakers: Sequence[Hashable]
    probe_speakers: Sequence[Hashable]
    name: str = "the cohort"


@dataclass(frozen=True, eq=False)
class CohortNormaliser:
    """Normalises the scores of references and probes by their scores with a cohort.

    Scores with the cohort are computed on first use, some rows at a time. The members
    of the cohort are probes to references, and references to probes. PLDA is not
    symmetric, as a mean of several recordings counts as such where it enrols.

    Attributes
    ----------
    references, probes
        Both sides of the trials.
    names
        Of the references and of the probes, for errors.
    top
        Number of highest cohort scores of each side that as-norm takes; others take
        all.

    Raises
    ------
    ScoringError
        The cohort is too small, or something scores the same against all of it.
    """

    method: Method
    backend: Backend
    references: Prepared
    probes: Prepared
    cohort: CohortSides
    names: tuple[Sequence[str], Sequence[str]]
    top: int | None = None

    def __post_init__(self) -> None:
        sizes = {"references": len(self.cohort.references)}
        sizes["probes"] = len(self.cohort.probes)
        if reason := too_small_for(self.method, self.adaptive_top, **sizes):
            raise ScoringError(f"{self.cohort.name}: {reason}")

    @property
    def adaptive_top(self) -> int | None:
        """Number of highest cohort scores that are taken; None takes all."""
        return self.top if self.method == "as-norm" else None

    @cached_property
    def of_references(self) -> CohortStatistics:
        """Statistics of each reference against the probes of the cohort."""
        found = self._against(self.references, self.cohort.probes)
        return self._with_spread(found, self.references, self.names[0])

    @cached_property
    def of_probes(self) -> CohortStatistics:
        """Statistics of each probe against the references of the cohort."""
        cohort = self.cohort
        if self.backend.symmetric and cohort.references is cohort.probes:
            found = self._against(self.probes, cohort.probes)
            return self._with_spread(found, self.probes, self.names[1])
        return self._of_probes(None)

    @cached_property
    def of_probes_after_z_norm(self) -> CohortStatistics:
        """Statistics of each probe against z-normalised references of the cohort.

        Those are normalised by the other speakers of the cohort: a speaker is no
        impostor of itself, and neither is a copy of a recording.
        """
        code: dict[Hashable, int] = {}
        mine, theirs = (
            np.array([code.setdefault(who, len(code)) for who in speakers], dtype=int)
            for speakers in (self.cohort.reference_speakers, self.cohort.probe_speakers)
        )
        parts = []
        sides = self.cohort.references, self.cohort.probes
        for part, found in self.backend.blocks(*sides):
            scores = np.array(found, dtype=float)
            scores[mine[part, np.newaxis] == theirs] = np.nan
            parts.append(cohort_statistics(scores))
        return self._of_probes(CohortStatistics.joined(parts))

    @property
    def means(self) -> tuple[FloatArray, FloatArray]:
        """Return mean cohort scores (references,) and (probes,), of as-norm's top."""
        return self.of_references.mean, self.of_probes.mean

    def __call__(
        self,
        scores: FloatArray,
        *,
        pairs: Pairs | None = None,
        part: slice = slice(None),
    ) -> FloatArray:
        """Normalise scores.

        Parameters
        ----------
        scores
            ``(references, probes)``; with ``pairs`` ``(pairs,)``.
        pairs
            Positions in the references and in the probes, ``(pairs,)`` each.
        part
            Without pairs, the references that the scores are of.
        """
        method = self.method
        if method == "t-norm":
            return t_norm(scores, self.of_probes, pairs=pairs)
        references = self.of_references
        if part != slice(None):
            references = references.take(np.arange(len(references))[part])
        if method in ("s-norm", "as-norm"):
            return s_norm(
                scores, references=references, probes=self.of_probes, pairs=pairs
            )
        scores = z_norm(scores, references, pairs=pairs)
        if method == "zt-norm":
            return t_norm(scores, self.of_probes_after_z_norm, pairs=pairs)
        return scores

    def _against(self, references: Prepared, probes: Prepared) -> CohortStatistics:
        return CohortStatistics.joined(
            cohort_statistics(scores, top=self.adaptive_top)
            for _, scores in self.backend.blocks(references, probes)
        )

    def _of_probes(self, members: CohortStatistics | None) -> CohortStatistics:
        """Statistics of probes against the cohort, z-normalised by its statistics."""
        parts = []
        for part in spans(len(self.probes), len(self.cohort.references)):
            scores = self.backend.matrix(self.cohort.references, self.probes.take(part))
            if members is not None:
                scores = z_norm(scores, members)
            parts.append(cohort_statistics(scores.T, top=self.adaptive_top))
        found = CohortStatistics.joined(parts)
        return self._with_spread(found, self.probes, self.names[1])

    def _with_spread(
        self, statistics: CohortStatistics, side: Prepared, names: Sequence[str]
    ) -> CohortStatistics:
        """Refuse a cohort whose scores with a reference or probe are all the same."""
        lacking = np.flatnonzero(side.usable & np.isnan(statistics.deviation))
        if not lacking.size:
            return statistics
        more = f" (and those of {lacking.size - 1} others)" if lacking.size > 1 else ""
        raise ScoringError(
            f"{self.cohort.name}: the scores of {names[lacking[0]]} against the "
            f"cohort{more} do not differ, so nothing can be normalised by them: is the "
            "cohort copies of one recording? Give one of different speakers"
        )


def too_small_for(
    method: Method, top: int | None, *, references: int, probes: int
) -> str:
    """Return why a cohort is too small for a method; empty if it is not."""
    counts = {"t-norm": (references,), "z-norm": (probes,)}
    return too_small(min(counts.get(method, (references, probes))), top)
