"""Every figure of scores that do not fit into memory.

Scores come in blocks, in any order. The curve has a decision for each distinct score,
so it is never held as a whole: it passes by in pieces, from low to high scores, and of
each piece only what the figures need is kept. That is exact; ties count as ties, even
across blocks. Most room is taken by the convex hull, which n trials leave with no more
than about n^(2/3) vertices.

>>> with ScoreStream() as stream:
...     stream.add([3.0, 1.5], [-2.0])
...     stream.add([0.5], [1.0, -1.0])
...     stream.figures().eer
0.3333333333333333
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from bob.learn.pytorch.metrics.costs import CostFunction, bits, find_costs
from bob.learn.pytorch.metrics.curve import (
    ErrorCurve,
    FloatArray,
    IntArray,
    MetricError,
    OperatingPoint,
    between,
)
from bob.learn.pytorch.metrics.evaluation import Evaluation
from bob.learn.pytorch.metrics.overview import (
    DEFAULT_COST,
    Figures,
    cost_figures,
    figures_only,
    no_figures,
)
from bob.learn.pytorch.metrics.reliability import doubts_of_figures, look_like_cosines
from bob.learn.pytorch.metrics.runs import Floats, SortedRuns, merged

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType

    from numpy.typing import ArrayLike, NDArray

# What sorting or merging takes for each score, with its temporary arrays.
BYTES_EACH = 96
MEMORY = 256 * 2**20
# Scores looked at together when they come as one long (memory-mapped) array.
BLOCK = 1 << 20


class ScoreStream:
    """Collects scores and works out their figures in bounded memory.

    Use it in a ``with`` block, which removes its temporary files: 12 bytes a score, or
    8 where scores come as float32 (twice that while very many are merged).

    Parameters
    ----------
    memory
        Bytes to work with, about.
    folder
        Where temporary files lie; None asks the system.
    """

    def __init__(self, *, memory: int = MEMORY, folder: str | None = None) -> None:
        self._rows = max(1024, memory // BYTES_EACH)
        # Both kinds may have a run waiting while a third one is sorted.
        self._kinds = tuple(
            SortedRuns(rows=self._rows // 2, folder=folder) for _ in range(2)
        )
        self.failures = 0
        self._are_cosines = True

    def __enter__(self) -> ScoreStream:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for some in self._kinds:
            some.close()

    @property
    def target_count(self) -> int:
        """Target trials with a score, so far."""
        return self._kinds[0].total

    @property
    def non_target_count(self) -> int:
        """Non-target trials with a score, so far."""
        return self._kinds[1].total

    def add(self, targets: ArrayLike, non_targets: ArrayLike) -> None:
        """Take scores of any shape and number; NaN is a failure to acquire.

        Memory-mapped arrays are read a block at a time.
        """
        for some, scores in zip(self._kinds, (targets, non_targets), strict=True):
            for block in _blocks(scores):
                kept = block[~np.isnan(block)]
                self.failures += block.size - kept.size
                self._are_cosines = self._are_cosines and look_like_cosines(kept)
                some.add(kept)

    def add_trials(self, scores: ArrayLike, is_target: ArrayLike) -> None:
        """Take scores with what each trial is, both ``(trials,)``.

        Parameters
        ----------
        is_target
            Truth values, or 1 for target and 0 for non-target trials.

        Raises
        ------
        MetricError
            There are not as many labels as scores, or a label is something else.
        """
        flat, kinds = np.asarray(scores).reshape(-1), np.asarray(is_target).reshape(-1)
        if flat.size != kinds.size:
            raise MetricError(
                f"{flat.size} scores came with {kinds.size} labels; give one each"
            )
        if kinds.dtype != np.bool_:
            _check_labels(kinds)
        for start in range(0, flat.size, BLOCK):
            part = slice(start, start + BLOCK)
            some, chosen = flat[part], kinds[part].astype(bool)
            self.add(some[chosen], some[~chosen])

    def figures(self, *, cost: CostFunction | None = None) -> Figures:
        """Work out every figure of what has come so far; more may come afterwards.

        As `bob.learn.pytorch.metrics.figures`: NaN without a target or a non-target
        trial.
        """
        cost = cost or find_costs(DEFAULT_COST)
        if not (self.target_count and self.non_target_count):
            counts = (self.target_count, self.non_target_count, self.failures)
            return no_figures(counts, cost)
        seen = self._seen([one.threshold for one in cost.costs])
        assert seen.hull is not None  # noqa: S101
        assert seen.equal_error is not None  # noqa: S101
        rate, threshold = seen.equal_error
        return Figures(
            targets=self.target_count,
            non_targets=self.non_target_count,
            failures=self.failures,
            eer=rate,
            eer_threshold=threshold,
            rocch_eer=seen.hull.rocch_equal_error_rate(),
            cllr=sum(
                bits / count
                for bits, count in zip(
                    seen.bits, (self.target_count, self.non_target_count), strict=True
                )
            )
            / 2,
            min_cllr=seen.hull.min_cllr(),
            costs=cost_figures(cost, seen.hull, seen.points()),
            cost_function=cost,
        )

    def evaluation(self, *, cost: CostFunction | None = None) -> Evaluation:
        """Return the figures so far, with what makes one doubt them.

        There are no intervals, decisions and conditions, which take names and all
        scores at once.
        """
        found = self.figures(cost=cost)
        doubts = doubts_of_figures(found, are_cosines=self._are_cosines)
        return Evaluation(
            **figures_only(found),
            doubts=tuple(doubts),
            uncalibrated=self._are_cosines,
        )

    def hull(self) -> ErrorCurve:
        """Return the convex hull of the ROC: the least cost for every prior.

        Raises
        ------
        MetricError
            No target or no non-target trial has a score.
        """
        if not (self.target_count and self.non_target_count):
            raise MetricError(
                f"{self.target_count} target and {self.non_target_count} non-target "
                f"trials have a score ({self.failures} failed); at least one of each "
                "is needed"
            )
        hull = self._seen(()).hull
        assert hull is not None  # noqa: S101
        return hull

    def _seen(self, thresholds: Sequence[float]) -> _Seen:
        seen = _Seen(np.array(thresholds, dtype=np.float64))
        for piece in self.pieces():
            seen.add(piece)
        return seen

    def pieces(self) -> Iterator[_Piece]:
        """Yield the curve in pieces, from "accept all" to "reject all".

        Each begins with the last decision of the one before.
        """
        passed, highest = np.zeros((2, 1), dtype=np.int64), np.empty(0)
        threshold, rejected = np.empty(0), np.zeros((2, 0), dtype=np.int64)
        for distinct, counts in merged(self._kinds, rows=self._rows // 2):
            through = passed + np.cumsum(counts, axis=1)
            rejected = np.hstack([rejected, passed, through[:, :-1]])
            edges = between(np.append(highest, distinct))[highest.size : -1]
            threshold = np.append(threshold, edges)
            yield _Piece(distinct, counts, self._curve(threshold, rejected))
            passed, highest = through[:, -1:], distinct[-1:]
            threshold, rejected = threshold[-1:], rejected[:, -1:]
        if highest.size:
            threshold = np.append(threshold, between(highest)[-1:])
            rejected = np.hstack([rejected, passed])
            nothing = np.empty((2, 0), dtype=np.int64)
            yield _Piece(np.empty(0), nothing, self._curve(threshold, rejected))

    def _curve(self, thresholds: FloatArray, rejected: IntArray) -> ErrorCurve:
        return ErrorCurve(
            thresholds=thresholds,
            misses=rejected[0],
            false_matches=self.non_target_count - rejected[1],
            targets=self.target_count,
            non_targets=self.non_target_count,
            failures=self.failures,
        )


@dataclass(frozen=True, eq=False)
class _Piece:
    """Decisions of a range of scores, after the last one of the range below.

    The scores ``(scores,)`` ascend without repetition; the counts ``(2, scores)`` are
    of target and of non-target trials.
    """

    scores: FloatArray
    counts: IntArray
    curve: ErrorCurve


class _Seen:
    """Sums and the hull of the pieces that went by."""

    def __init__(self, thresholds: FloatArray) -> None:
        self.bits = np.zeros(2)
        self.hull: ErrorCurve | None = None
        #: The rate, and the threshold of the decision nearest to it.
        self.equal_error: tuple[float, float] | None = None
        self._thresholds = thresholds
        self._rejected = np.zeros((2, thresholds.size), dtype=np.int64)

    def add(self, piece: _Piece) -> None:
        curve = piece.curve
        self.hull = curve.hull() if self.hull is None else _extended(self.hull, curve)
        if self.equal_error is None and curve.crosses():
            point = curve.equal_error_point()
            self.equal_error = curve.equal_error_rate(), point.threshold
        for kind, log_odds in enumerate((-piece.scores, piece.scores)):
            there = piece.counts[kind] > 0
            with np.errstate(over="ignore"):
                costs = bits(log_odds[there]) * piece.counts[kind][there]
                self.bits[kind] += costs.sum()
        places = np.searchsorted(piece.scores, self._thresholds)
        for number, place in enumerate(places):
            self._rejected[:, number] += piece.counts[:, :place].sum(axis=1)

    def points(self) -> list[OperatingPoint]:
        """Return the decisions at the thresholds."""
        assert self.hull is not None  # noqa: S101
        targets, non_targets = self.hull.targets, self.hull.non_targets
        return [
            OperatingPoint(
                threshold=threshold,
                false_match_rate=(non_targets - rejected) / non_targets,
                false_non_match_rate=misses / targets,
            )
            for threshold, misses, rejected in zip(
                self._thresholds.tolist(), *self._rejected.tolist(), strict=True
            )
        ]


def _extended(hull: ErrorCurve, curve: ErrorCurve) -> ErrorCurve:
    """Return the hull of both; the curve begins where the other one ends."""
    more = curve.hull()
    return replace(
        hull,
        thresholds=np.append(hull.thresholds, more.thresholds[1:]),
        misses=np.append(hull.misses, more.misses[1:]),
        false_matches=np.append(hull.false_matches, more.false_matches[1:]),
    ).hull()


def _check_labels(kinds: NDArray[Any]) -> None:
    """Refuse labels such as -1, which would count as true."""
    for start in range(0, kinds.size, BLOCK):
        part = kinds[start : start + BLOCK]
        known = np.isin(part, (0, 1))
        if not known.all():
            raise MetricError(
                f"trial {start + int(np.argmin(known))} has the label "
                f"{part[np.argmin(known)]!r}; give 1 or True for a target trial and 0 "
                f"or False for a non-target trial"
            )


def _blocks(scores: ArrayLike) -> Iterator[Floats]:
    flat = np.asarray(scores).reshape(-1)
    kind = np.float32 if flat.dtype == np.float32 else np.float64
    for start in range(0, flat.size, BLOCK):
        yield flat[start : start + BLOCK].astype(kind, copy=False)
