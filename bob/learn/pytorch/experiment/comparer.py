"""What makes scores of embeddings: a measure, and how references are enrolled."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from bob.learn.pytorch.errors import ScoringError
from bob.learn.pytorch.experiment.named_embeddings import (
    read_embeddings,
    refuse_other_model,
)
from bob.learn.pytorch.scoring import (
    CohortStatistics,
    PldaBackend,
    cohort_statistics,
    cosine_of_pairs,
    euclidean,
    fuse_scores,
    inner,
    inner_of_pairs,
    mean_embeddings,
    unit_length,
)
from bob.learn.pytorch.scoring.dense import spans
from bob.learn.pytorch.scoring.similarity import centred

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from bob.learn.pytorch.store.reading import StoredEmbeddings

    FloatArray: TypeAlias = NDArray[np.float64]
    Positions: TypeAlias = NDArray[np.int64]

MEASURES = ("cosine", "euclidean")
ENROLMENTS = ("mean", "unit-mean", "scores", "max")

# Numbers of differences that are held at a time.
NUMBERS_AT_ONCE = 1 << 20


@dataclass(frozen=True, eq=False)
class Models:
    """One row for each reference, or probe, ready for a measure.

    Attributes
    ----------
    rows
        ``(rows, dimensions)``
    counts
        ``(rows,)``, recordings that each row stands for.
    groups
        For each reference its rows, where several are compared one by one; None: one
        row each.
    """

    rows: FloatArray
    counts: Positions
    groups: Sequence[Positions] | None = None

    def take(self, start: int, stop: int) -> Models:
        """Return those of a range of references."""
        if self.groups is None:
            return Models(self.rows[start:stop], self.counts[start:stop])
        groups = self.groups[start:stop]
        first = next((int(group[0]) for group in groups if group.size), 0)
        size = sum(group.size for group in groups)
        part = slice(first, first + size)
        moved = [group - first for group in groups]
        return Models(self.rows[part], self.counts[part], moved)

    def __len__(self) -> int:
        return len(self.rows) if self.groups is None else len(self.groups)


@dataclass(frozen=True, eq=False)
class Comparer:
    """A measure of likeness, and an enrolment.

    Attributes
    ----------
    measure
        Of embeddings, ``cosine`` or ``euclidean``; a PLDA model takes its place.
    plda
        Scores are its log-likelihood ratios.
    enrolment
        Of references of several recordings: ``mean`` of the embeddings (by PLDA "by
        the book", with their count), ``unit-mean`` after bringing each to length one;
        mean of the ``scores`` of each recording, or the highest (``max``).
    mean
        ``(dimensions,)``, subtracted from all embeddings first.
    """

    measure: str = "cosine"
    plda: PldaBackend | None = None
    enrolment: str = "mean"
    mean: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        for name, chosen, known in (
            ("measure", self.measure, MEASURES),
            ("enrolment", self.enrolment, ENROLMENTS),
        ):
            if chosen not in known:
                raise ScoringError(
                    f"the {name} is {chosen!r}; choose one of {', '.join(known)}"
                )
        if self.plda is None:
            return
        if self.enrolment == "unit-mean" or self.mean is not None:
            raise ScoringError(
                "a PLDA model brings its own mean and length normalisation; enrol by "
                "mean, scores or max, and subtract nothing"
            )

    @property
    def name(self) -> str:
        """Of the measure, PLDA included."""
        return "plda" if self.plda is not None else self.measure

    def references(
        self, embeddings: NDArray[np.float32], rows: Sequence[Sequence[int]]
    ) -> Models:
        """Enrol references.

        Parameters
        ----------
        embeddings
            ``(recordings, dimensions)``
        rows
            For each reference those of its recordings; those that failed are negative
            and left out, and a reference without any scores NaN.
        """
        good, sizes = _without_failures(rows)
        if self.enrolment not in ("scores", "max"):
            return self._joined(embeddings, good, sizes)
        models = self._joined(embeddings, good, np.ones(good.size, np.int64))
        groups = _grouped(np.arange(good.size), sizes)
        return Models(models.rows, models.counts, groups)

    def probes(
        self, embeddings: NDArray[np.float32], rows: Sequence[Sequence[int]]
    ) -> Models:
        """Probes; of those of several recordings, the mean."""
        return self._joined(embeddings, *_without_failures(rows))

    def _joined(
        self, embeddings: NDArray[np.float32], good: Positions, sizes: Positions
    ) -> Models:
        """One model of each so many of the good rows."""
        unit = self.enrolment == "unit-mean"
        if self.plda is None and not unit and (sizes <= 1).all():
            # No group for each of hundreds of thousands of recordings.
            joined = self._centred(embeddings[good])
            if not sizes.all():
                joined = _spread(joined, sizes == 1)
            return self._directed(joined, sizes)
        used, inside = np.unique(good, return_inverse=True)
        some = embeddings[used]
        if self.plda is not None:
            if not used.size:
                shape = (sizes.size, self.plda.model.mean.size)
                return Models(np.full(shape, np.nan), np.ones(sizes.size, np.int64))
            return Models(*self.plda.enrol(some, _grouped(inside, sizes)))
        groups = _grouped(inside, sizes)
        joined = mean_embeddings(self._centred(some), groups, length_normalised=unit)
        return self._directed(joined, sizes)

    def _centred(self, rows: NDArray[np.generic]) -> NDArray[np.generic]:
        return centred(rows, rows, self.mean)[0]

    def _directed(self, rows: NDArray[np.generic], sizes: Positions) -> Models:
        """Brought to length one for the cosine; those of nothing count as one."""
        ready = unit_length(rows) if self.measure == "cosine" else rows
        return Models(np.asarray(ready, np.float64), np.maximum(sizes, 1))

    def dense(self, references: Models, probes: Models) -> FloatArray:
        """Score each reference with each probe: ``(references, probes)``."""
        scores = self._rows(references, probes.rows)
        if references.groups is None:
            return scores
        fusion: Literal["mean", "max"] = "max" if self.enrolment == "max" else "mean"
        return fuse_scores(scores, references.groups, fusion=fusion)

    def pairs(
        self, references: Models, probes: Models, pairs: tuple[Positions, Positions]
    ) -> FloatArray:
        """Score listed pairs only: ``(pairs,)``."""
        if references.groups is None:
            return self._pairs(references, probes, pairs)
        sizes = np.array([group.size for group in references.groups])
        starts = np.cumsum(sizes) - sizes
        counts = sizes[pairs[0]]
        ends = np.cumsum(counts)
        inside = np.arange(counts.sum()) - np.repeat(ends - counts, counts)
        each = np.repeat(starts[pairs[0]], counts) + inside
        scores = self._pairs(references, probes, (each, np.repeat(pairs[1], counts)))
        return _fused(scores, counts, highest=self.enrolment == "max")

    def listed(
        self,
        embeddings: NDArray[np.float32],
        references: Sequence[Sequence[int]],
        probes: Sequence[Sequence[int]],
        pairs: tuple[Positions, Positions],
    ) -> FloatArray:
        """Score listed pairs of references and probes, given by rows: ``(pairs,)``."""
        if self.plda is None and self.measure == "cosine":
            sides = [_without_failures(rows) for rows in (references, probes)]
            rows = sum(good.size for good, _ in sides)
            alone = all((sizes == 1).all() for _, sizes in sides)
            if alone and rows >= len(embeddings):
                # As one array it becomes directions once, and not row by row again.
                first, second = (
                    good[at] for (good, _), at in zip(sides, pairs, strict=True)
                )
                return cosine_of_pairs(
                    embeddings, embeddings, pairs=(first, second), mean=self.mean
                )
        models = self.references(embeddings, references)
        return self.pairs(models, self.probes(embeddings, probes), pairs)

    def against(
        self, models: Models, cohort: Models, *, top: int | None = None
    ) -> CohortStatistics:
        """Score each of the models against a cohort."""
        return CohortStatistics.joined(
            cohort_statistics(
                self.dense(models.take(part.start, part.stop), cohort), top=top
            )
            for part in spans(len(models), len(cohort))
        )

    def _rows(self, references: Models, probes: FloatArray) -> FloatArray:
        if self.plda is not None:
            return self.plda.score(references.rows, probes, counts=references.counts)
        if self.measure == "euclidean":
            return euclidean(references.rows, probes)
        scores = inner(references.rows, probes)
        return np.clip(scores, -1, 1, out=scores)

    def _pairs(
        self, references: Models, probes: Models, pairs: tuple[Positions, Positions]
    ) -> FloatArray:
        if self.plda is not None:
            return self.plda.score_pairs(
                references.rows, probes.rows, pairs=pairs, counts=references.counts
            )
        if self.measure == "euclidean":
            return _distances(references.rows, probes.rows, pairs)
        scores = inner_of_pairs(references.rows, probes.rows, pairs=pairs)
        return np.clip(scores, -1, 1, out=scores)


def _without_failures(rows: Sequence[Sequence[int]]) -> tuple[Positions, Positions]:
    """All rows that are not negative, one after the other, and how many of each."""
    sizes = np.fromiter(map(len, rows), np.int64, len(rows))
    flat = np.fromiter(chain.from_iterable(rows), np.int64, int(sizes.sum()))
    good = flat >= 0
    whose = np.repeat(np.arange(sizes.size), sizes)
    return flat[good], np.bincount(whose[good], minlength=sizes.size)


def _spread(rows: NDArray[np.generic], where: NDArray[np.bool_]) -> FloatArray:
    """Rows in their places, and NaN in the others."""
    spread = np.full((where.size, rows.shape[1]), np.nan)
    spread[where] = rows
    return spread


def _grouped(positions: Positions, sizes: Positions) -> list[Positions]:
    return np.split(positions, np.cumsum(sizes)[:-1]) if sizes.size else []


def plda_for(embeddings: StoredEmbeddings, path: str | os.PathLike[str]) -> PldaBackend:
    """Read a PLDA model of embeddings like these.

    Raises
    ------
    ScoringError
        It is none, or of embeddings of another length.
    """
    try:
        model = PldaBackend.load(Path(path))
    except ValueError as error:
        raise ScoringError(str(error)) from error
    wanted, given = model.projection.mean.size, embeddings.embeddings.shape[1]
    if wanted != given:
        raise ScoringError(
            f"{path} is of embeddings of {wanted} numbers, and {embeddings.path} has "
            f"{given}; train one on embeddings of the same model"
        )
    return model


def mean_of(path: str | os.PathLike[str], *, alike: StoredEmbeddings) -> FloatArray:
    """The mean of the embeddings in a file, which must be of the same model.

    Raises
    ------
    StoreError, ScoringError
        The file cannot be read, is empty, or of another model.
    """
    others = read_embeddings(path)
    refuse_other_model(alike, others)
    if not others.names:
        raise ScoringError(f"{path} holds no embedding to take a mean of")
    mean: FloatArray = others.embeddings.mean(axis=0, dtype=np.float64)
    return mean


def _distances(
    left: FloatArray, right: FloatArray, pairs: tuple[Positions, Positions]
) -> FloatArray:
    scores = np.empty(pairs[0].size)
    size = max(1, NUMBERS_AT_ONCE // max(1, left.shape[1]))
    for start in range(0, scores.size, size):
        part = slice(start, start + size)
        difference = left[pairs[0][part]] - right[pairs[1][part]]
        scores[part] = -np.sqrt(np.einsum("nd,nd->n", difference, difference))
    scores[np.isinf(scores)] = np.nan
    return scores


def _fused(scores: FloatArray, counts: Positions, *, highest: bool) -> FloatArray:
    """Mean or highest of so many scores each; NaN of none."""
    fused = np.full(counts.size, np.nan)
    there = counts > 0
    starts = (np.cumsum(counts) - counts)[there]
    if starts.size:
        how = np.maximum if highest else np.add
        fused[there] = how.reduceat(scores, starts)
        if not highest:
            fused[there] /= counts[there]
    return fused
