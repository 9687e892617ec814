"""One engine for scores: references and probes are prepared once, then compared.

A backend compares prepared sides of trials: all with all (`Backend.matrix`), or listed
pairs (`Backend.pairs`). Cosine, Euclidean distance and PLDA are backends of embeddings
in rows, which they prepare themselves (`RowBackend.enrol`, `RowBackend.probes`). The
algorithms of an experiment, also those of Bob, are backends that enrol into files.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bob.learn.pytorch.errors import ScoringError
from bob.learn.pytorch.scoring.enrolment import fuse_scores, mean_embeddings
from bob.learn.pytorch.scoring.similarity import (
    centred,
    cosine_of_pairs,
    euclidean,
    euclidean_of_pairs,
    inner,
    inner_of_pairs,
    matched,
    spans,
    unit_length,
)

if TYPE_CHECKING:
    from typing_extensions import Self

    from bob.learn.pytorch.scoring.enrolment import Fusion
    from bob.learn.pytorch.scoring.plda import PldaBackend

FloatArray: TypeAlias = NDArray[np.float64]
Positions: TypeAlias = NDArray[np.int64]
Pairs: TypeAlias = tuple[Positions, Positions]
Groups: TypeAlias = Sequence[Sequence[int]]
# What a backend itself has prepared.
_Side: TypeAlias = Any

#: Enrolments by the scores of each recording -> their fusion.
_BY_SCORES: dict[str, Fusion] = {
    "scores": "mean",
    "max": "max",
    "min": "min",
    "median": "median",
}
#: Enrolments of references of several recordings: by embeddings, then by scores.
ENROLMENTS = ("mean", "unit-mean", *_BY_SCORES)


class Prepared(Protocol):
    """References, or probes, ready for a backend."""

    @property
    def usable(self) -> NDArray[np.bool_]:
        """``(count,)``, true where there is an embedding."""

    def take(self, index: slice | Positions) -> Self:
        """Return those at the positions, in that order."""

    def __len__(self) -> int: ...


class Backend(ABC):
    """Compares references with probes; higher scores mean more alike.

    Attributes
    ----------
    symmetric
        Exchanging references and probes changes no score.
    """

    symmetric: ClassVar[bool] = False

    @abstractmethod
    def matrix(self, references: _Side, probes: _Side) -> FloatArray:
        """Score each reference with each probe: ``(references, probes)``."""

    def blocks(
        self, references: Prepared, probes: Prepared, *, at_once: int | None = None
    ) -> Iterator[tuple[slice, FloatArray]]:
        """Score some references at a time with all probes, see `spans`.

        Each block is (references, probes) for the references of its slice.
        """
        for part in spans(len(references), len(probes), at_once=at_once):
            yield part, self.matrix(references.take(part), probes)

    def pairs(self, references: _Side, probes: _Side, pairs: Pairs) -> FloatArray:
        """Score listed pairs of positions only: ``(pairs,)``."""
        first, second = pairs
        scores = np.empty(first.size)
        order = np.argsort(first, kind="stable")
        starts = np.flatnonzero(np.diff(first[order], prepend=-1))
        for part in np.split(order, starts[1:]) if first.size else ():
            reference = references.take(first[part[:1]])
            scores[part] = self.matrix(reference, probes.take(second[part]))[0]
        return scores


@dataclass(frozen=True, eq=False)
class PreparedRows:
    """One row for each reference, or probe, or several that are compared one by one.

    Attributes
    ----------
    rows
        ``(rows, dimensions)``; NaN where no recording has an embedding.
    counts
        ``(rows,)``, the number of recordings that each row stands for.
    groups
        For each reference its rows, one after the other; None: one row each.
    """

    rows: FloatArray
    counts: Positions
    groups: Sequence[Positions] | None = None

    @property
    def usable(self) -> NDArray[np.bool_]:
        """``(count,)``, true where there is an embedding."""
        finite: NDArray[np.bool_] = np.isfinite(self.rows).all(axis=1)
        if self.groups is None:
            return finite
        return np.array([g.size > 0 and finite[g].all() for g in self.groups], bool)

    def take(self, index: slice | Positions) -> PreparedRows:
        """Return those at the positions, in that order."""
        if self.groups is None:
            return PreparedRows(self.rows[index], self.counts[index])
        if isinstance(index, slice):
            index = np.arange(len(self.groups))[index]
        some = [self.groups[place] for place in index.tolist()]
        where = np.concatenate([np.zeros(0, np.int64), *some])
        sizes = np.array([group.size for group in some], dtype=np.int64)
        groups = _grouped(np.arange(where.size), sizes)
        return PreparedRows(self.rows[where], self.counts[where], groups)

    def __len__(self) -> int:
        return len(self.rows) if self.groups is None else len(self.groups)


@dataclass(frozen=True, eq=False, kw_only=True)
class RowBackend(Backend):
    """Compares embeddings.

    Attributes
    ----------
    enrolment
        References of several recordings are enrolled by the ``mean`` of the embeddings
        (by PLDA "by the book", with their count), the ``unit-mean`` after bringing
        each to length one, or by the mean of the ``scores`` of each recording, or
        their ``max``, ``min`` or ``median``.
    several_probes
        The same for probes of several recordings; None: as the enrolment where that is
        a mean of embeddings, else their ``mean``.
    """

    name: ClassVar[str]

    enrolment: str = "mean"
    several_probes: str | None = None

    def __post_init__(self) -> None:
        for name in (self.enrolment, self.several_probes or "mean"):
            if name not in ENROLMENTS:
                raise ScoringError(
                    f"the enrolment is {name!r}; choose one of {', '.join(ENROLMENTS)}"
                )

    def enrol(self, recordings: NDArray[Any], groups: Groups) -> PreparedRows:
        """Prepare references.

        Parameters
        ----------
        recordings
            Embeddings ``(recordings, dimensions)``.
        groups
            For each reference the positions of its recordings. Negative ones stand for
            recordings that failed and are left out; a reference without any scores NaN.
        """
        return self._prepared(recordings, groups, self.enrolment)

    def probes(self, recordings: NDArray[Any], groups: Groups) -> PreparedRows:
        """Prepare probes from (recordings, dimensions); parameters as for `enrol`."""
        by_scores = self.enrolment in _BY_SCORES
        how = self.several_probes or ("mean" if by_scores else self.enrolment)
        return self._prepared(recordings, groups, how)

    def matrix(self, references: PreparedRows, probes: PreparedRows) -> FloatArray:
        """Score each reference with each probe: ``(references, probes)``."""
        if not references.rows.size or not probes.rows.size:
            return np.full((len(references), len(probes)), np.nan)
        matched(references.rows, probes.rows)
        scores = self._scores(references, probes.rows)
        if probes.groups is not None:
            fusion = _BY_SCORES[self.several_probes or ""]
            scores = fuse_scores(scores.T, probes.groups, fusion=fusion).T
        if references.groups is not None:
            fusion = _BY_SCORES[self.enrolment]
            scores = fuse_scores(scores, references.groups, fusion=fusion)
        return scores

    def pairs(
        self, references: PreparedRows, probes: PreparedRows, pairs: Pairs
    ) -> FloatArray:
        """Score listed pairs of positions only: ``(pairs,)``."""
        if references.groups is None and probes.groups is None:
            return self._scores(references, probes.rows, pairs)
        highest = self.enrolment == "max"
        if probes.groups is not None or not (highest or self.enrolment == "scores"):
            return super().pairs(references, probes, pairs)
        sizes = np.array([group.size for group in references.groups or ()])
        # One reference after the other: its rows stay in the cache.
        order = np.argsort(pairs[0], kind="stable")
        first, second = pairs[0][order], pairs[1][order]
        counts, starts = sizes[first], (np.cumsum(sizes) - sizes)[first]
        begins = np.cumsum(counts) - counts
        each = np.arange(counts.sum()) + np.repeat(starts - begins, counts)
        both = each, np.repeat(second, counts)
        scores, there = self._scores(references, probes.rows, both), counts > 0
        fused = np.full(counts.size, np.nan)
        if scores.size:
            fuse = np.maximum if highest else np.add
            fused[order[there]] = fuse.reduceat(scores, begins[there])
        return fused if highest else fused / np.maximum(sizes[pairs[0]], 1)

    def listed(
        self,
        embeddings: NDArray[Any],
        references: Groups,
        probes: Groups,
        pairs: Pairs,
    ) -> FloatArray:
        """Prepare both sides of listed pairs out of one array, and score: ``(pairs,)``.

        Parameters
        ----------
        embeddings
            ``(recordings, dimensions)``
        references, probes
            For each the positions of its recordings, as for :meth:`enrol`.
        pairs
            Positions in the references and in the probes, ``(pairs,)`` each.
        """
        return self.pairs(
            self.enrol(embeddings, references), self.probes(embeddings, probes), pairs
        )

    def _prepared(
        self, embeddings: NDArray[Any], groups: Groups, how: str
    ) -> PreparedRows:
        good, sizes = _without_failures(groups)
        if how not in _BY_SCORES:
            return self._joined(embeddings, good, sizes, unit=how == "unit-mean")
        each = self._joined(embeddings, good, np.ones(good.size, np.int64), unit=False)
        if (sizes == 1).all():
            return each
        return PreparedRows(
            each.rows, each.counts, _grouped(np.arange(good.size), sizes)
        )

    @abstractmethod
    def _joined(
        self, embeddings: NDArray[Any], good: Positions, sizes: Positions, *, unit: bool
    ) -> PreparedRows:
        """Make one row of each so many of the good recordings."""

    @abstractmethod
    def _scores(
        self, references: PreparedRows, probes: FloatArray, pairs: Pairs | None = None
    ) -> FloatArray:
        """Score each row with each, ``(references, probes)``, or listed pairs only."""


@dataclass(frozen=True, eq=False, kw_only=True)
class _Similarity(RowBackend):
    """A measure of two embeddings, times a scale, plus an offset.

    Attributes
    ----------
    mean
        ``(dimensions,)``, subtracted from all embeddings first.
    """

    symmetric: ClassVar[bool] = True

    mean: FloatArray | None = None
    scale: float = 1.0
    offset: float = 0.0

    def _joined(
        self, embeddings: NDArray[Any], good: Positions, sizes: Positions, *, unit: bool
    ) -> PreparedRows:
        if not unit and (sizes <= 1).all():
            # No group for each of hundreds of thousands of recordings.
            joined = self._centred(embeddings[good])
            if not sizes.all():
                there = joined
                joined = np.full((sizes.size, there.shape[1]), np.nan)
                joined[sizes == 1] = there
        else:
            used, inside = np.unique(good, return_inverse=True)
            joined = mean_embeddings(
                self._centred(embeddings[used]),
                _grouped(inside, sizes),
                length_normalised=unit,
            )
        # One of no recording counts as one.
        return PreparedRows(self._ready(joined), np.maximum(sizes, 1))

    def _centred(self, rows: NDArray[Any]) -> NDArray[Any]:
        return centred(rows, rows, self.mean)[0]

    def _ready(self, rows: NDArray[Any]) -> FloatArray:
        return np.asarray(rows, np.float64)

    def _scaled(self, scores: FloatArray) -> FloatArray:
        if (self.scale, self.offset) == (1, 0):
            return scores
        return self.scale * scores + self.offset


class Cosine(_Similarity):
    """Cosine of the angle between two embeddings, in [-1, 1]."""

    name = "cosine"

    def listed(
        self,
        embeddings: NDArray[Any],
        references: Groups,
        probes: Groups,
        pairs: Pairs,
    ) -> FloatArray:
        """Prepare and score listed pairs out of one array: ``(pairs,)``."""
        sides = [_without_failures(groups) for groups in (references, probes)]
        rows = sum(good.size for good, _ in sides)
        alone = all((sizes == 1).all() for _, sizes in sides)
        if not alone or rows < len(embeddings):
            return super().listed(embeddings, references, probes, pairs)
        # As one array it becomes directions once, and not row by row again.
        first, second = (good[at] for (good, _), at in zip(sides, pairs, strict=True))
        found = cosine_of_pairs(
            embeddings, embeddings, pairs=(first, second), mean=self.mean
        )
        return self._scaled(found)

    def _ready(self, rows: NDArray[Any]) -> FloatArray:
        return unit_length(rows)

    def _scores(
        self, references: PreparedRows, probes: FloatArray, pairs: Pairs | None = None
    ) -> FloatArray:
        if pairs is None:
            scores = inner(references.rows, probes)
        else:
            scores = inner_of_pairs(references.rows, probes, pairs=pairs)
        return self._scaled(np.clip(scores, -1, 1, out=scores))


class Euclidean(_Similarity):
    """Negative Euclidean distance of two embeddings."""

    name = "euclidean"

    def _scores(
        self, references: PreparedRows, probes: FloatArray, pairs: Pairs | None = None
    ) -> FloatArray:
        if pairs is None:
            return self._scaled(euclidean(references.rows, probes))
        found = euclidean_of_pairs(references.rows, probes, pairs=pairs)
        return self._scaled(found)


@dataclass(frozen=True, eq=False, kw_only=True)
class Plda(RowBackend):
    """Log-likelihood ratio of a trained PLDA model.

    Attributes
    ----------
    model
        Brings its own mean and length normalisation.
    """

    name = "plda"

    model: PldaBackend

    def __post_init__(self) -> None:
        super().__post_init__()
        if "unit-mean" in (self.enrolment, self.several_probes):
            raise ScoringError(
                "a PLDA model brings its own mean and length normalisation; enrol by "
                "mean, scores or max, and subtract nothing"
            )

    def _joined(
        self, embeddings: NDArray[Any], good: Positions, sizes: Positions, *, unit: bool
    ) -> PreparedRows:
        del unit  # refused above
        given, width = embeddings.shape[1], self.model.projection.mean.size
        if good.size and given != width:
            raise ScoringError(
                f"the PLDA model is of embeddings of {width} dimensions, and these "
                f"have {given}; train one on embeddings of the same model"
            )
        used, inside = np.unique(good, return_inverse=True)
        if not used.size:
            shape = (sizes.size, self.model.model.mean.size)
            return PreparedRows(np.full(shape, np.nan), np.ones(sizes.size, np.int64))
        return PreparedRows(
            *self.model.enrol(embeddings[used], _grouped(inside, sizes))
        )

    def _scores(
        self, references: PreparedRows, probes: FloatArray, pairs: Pairs | None = None
    ) -> FloatArray:
        rows, counts = references.rows, references.counts
        if pairs is None:
            return self.model.score(rows, probes, counts=counts)
        return self.model.score_pairs(rows, probes, pairs=pairs, counts=counts)


#: Backends that take no training, by name.
MEASURES = {measure.name: measure for measure in (Cosine, Euclidean)}


def _without_failures(groups: Groups) -> tuple[Positions, Positions]:
    """Return all positions that are not negative, in order, and how many of each."""
    sizes = np.fromiter(map(len, groups), np.int64, len(groups))
    flat = np.fromiter(chain.from_iterable(groups), np.int64, int(sizes.sum()))
    good = flat >= 0
    whose = np.repeat(np.arange(sizes.size), sizes)
    return flat[good], np.bincount(whose[good], minlength=sizes.size)


def _grouped(positions: Positions, sizes: Positions) -> list[Positions]:
    return np.split(positions, np.cumsum(sizes)[:-1]) if sizes.size else []
