"""Every decision that a set of scores allows, and the errors each one makes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bob.learn.pytorch.errors import UserError

FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]


class MetricError(UserError, ValueError):
    """The scores do not allow the figure that was asked for."""


@dataclass(frozen=True)
class OperatingPoint:
    """One decision: accept a trial when its score is at or above the threshold.

    A threshold of NaN accepts none: no number rejects a score of +inf.

    Both rates are fractions in [0, 1].
    """

    threshold: float
    false_match_rate: float
    false_non_match_rate: float

    @property
    def half_total_error_rate(self) -> float:
        """Mean of the two rates."""
        return (self.false_match_rate + self.false_non_match_rate) / 2

    def dcf(self, *, p_target: float, c_miss: float = 1.0, c_fa: float = 1.0) -> float:
        """Return the normalised cost: 1 is the better of "never" and "always" accept.

        References
        ----------
        NIST 2019 Speaker Recognition Evaluation Plan, section 3.1.
        """
        miss, false_match = cost_weights(p_target=p_target, c_miss=c_miss, c_fa=c_fa)
        return miss * self.false_non_match_rate + false_match * self.false_match_rate


def cost_weights(*, p_target: float, c_miss: float, c_fa: float) -> tuple[float, float]:
    """Return the weights of the miss and of the false match rate in a cost.

    Raises
    ------
    MetricError
        The prior is not between 0 and 1, a cost is not a positive number, or one error
        weighs so much more than the other that the ratio is no number.
    """
    if not 0 < p_target < 1:
        raise MetricError(
            f"p_target is {p_target}; it is the prior probability of a target trial "
            f"and lies between 0 and 1, both excluded (the usual value is 0.01)"
        )
    if not (0 < c_miss < np.inf and 0 < c_fa < np.inf):
        raise MetricError(
            f"c_miss is {c_miss} and c_fa is {c_fa}; both costs must be positive "
            f"and finite (the usual value is 1)"
        )
    miss, false_match = c_miss * p_target, c_fa * (1 - p_target)
    smaller, larger = sorted([miss, false_match])
    # A product of two tiny numbers is 0, and a quotient of tiny ones infinite.
    if not (smaller > 0 and larger / smaller < np.inf):
        raise MetricError(
            f"p_target {p_target} with c_miss {c_miss} and c_fa {c_fa} weighs a miss "
            f"{miss} and a false match {false_match}, too far apart for a cost; the "
            f"usual value is 0.01 with costs of 1"
        )
    return miss / smaller, false_match / smaller


@dataclass(frozen=True, eq=False)
class ErrorCurve:
    """Errors at every decision, from "accept all" to "reject all".

    Trials with equal scores share one decision, so ties are exact. Infinite scores
    are scores like others; NaN is a failure to acquire, counted and left out.

    Attributes
    ----------
    thresholds
        ``(decisions,)``, ascending, half way between two neighbouring scores.
        The last one rejects all (NaN where a score is +inf: no number rejects that).
    misses
        ``(decisions,)``, rejected target trials (or their summed weights).
    false_matches
        ``(decisions,)``, accepted non-target trials (or their summed weights).
    targets, non_targets, failures
        Counts of trials: with a score, with a score, without.
    """

    thresholds: FloatArray
    misses: IntArray
    false_matches: IntArray
    targets: int
    non_targets: int
    failures: int = 0

    @classmethod
    def from_scores(cls, targets: ArrayLike, non_targets: ArrayLike) -> ErrorCurve:
        """Sort and count the scores of target and of non-target trials, any shape.

        Raises
        ------
        MetricError
            No target or no non-target trial has a score.
        """
        positives, failed_positives = acquired(targets)
        negatives, failed_negatives = acquired(non_targets)
        failures = failed_positives + failed_negatives
        if not (positives.size and negatives.size):
            raise MetricError(
                f"{positives.size} target and {negatives.size} non-target trials have "
                f"a score ({failures} failed); at least one of each is needed: check "
                f"that the protocol has both and that their recordings could be read"
            )
        merged = np.concatenate([positives, negatives])
        merged.sort()
        # As many scores are below a distinct one as come before its first place.
        below = np.flatnonzero(np.append(True, merged[1:] != merged[:-1]))
        distinct = merged[below]
        equal = np.bincount(np.searchsorted(distinct, positives))
        misses = np.full(distinct.size + 1, positives.size, dtype=np.int64)
        misses[0] = 0
        misses[1 : equal.size + 1] = np.cumsum(equal)
        rejected = np.append(below, merged.size) - misses
        return cls(
            thresholds=between(distinct),
            misses=misses,
            false_matches=negatives.size - rejected,
            targets=positives.size,
            non_targets=negatives.size,
            failures=failures,
        )

    @property
    def false_match_rates(self) -> FloatArray:
        """``(decisions,)``, from 1 down to 0."""
        return self.false_matches / self.non_targets

    @property
    def false_non_match_rates(self) -> FloatArray:
        """``(decisions,)``, from 0 up to 1."""
        return self.misses / self.targets

    def point(self, index: int) -> OperatingPoint:
        """Return the threshold and the rates of one decision."""
        return OperatingPoint(
            threshold=float(self.thresholds[index]),
            false_match_rate=float(self.false_matches[index] / self.non_targets),
            false_non_match_rate=float(self.misses[index] / self.targets),
        )

    def corners(self) -> ErrorCurve:
        """Leave out decisions that lie on a level or upright line between others."""
        # First those that resampling left without trials, and with their neighbour's
        # errors: of three on a corner, the two others would hide it.
        moves = np.diff(self.misses).astype(bool) | np.diff(self.false_matches).astype(
            bool
        )
        distinct = self._at(np.append(True, moves))
        keep = np.ones(distinct.misses.size, dtype=bool)
        for counts in (distinct.misses, distinct.false_matches):
            same = counts[1:] == counts[:-1]
            keep[1:-1] &= ~(same[1:] & same[:-1])
        return distinct._at(keep)

    def _at(self, keep: NDArray[np.bool_] | IntArray) -> ErrorCurve:
        return replace(
            self,
            thresholds=self.thresholds[keep],
            misses=self.misses[keep],
            false_matches=self.false_matches[keep],
        )

    def hull(self) -> ErrorCurve:
        """Return only the vertices of the convex hull of the ROC, both ends included.

        They hold the least cost for every prior and all costs. Each edge is a block of
        PAV: scores that no calibration should tell apart.

        References
        ----------
        Fawcett and Niculescu-Mizil, "PAV and the ROC convex hull", Machine Learning
        68(1), 2007.
        """
        from scipy.optimize import isotonic_regression  # here: it takes a moment

        corners = self.corners()
        targets = np.diff(corners.misses)
        trials = targets - np.diff(corners.false_matches)
        if not trials.size:  # a piece of a stream may be a single decision
            return corners
        vertices = isotonic_regression(targets / trials, weights=trials).blocks
        return corners._at(vertices)

    def min_cllr(self) -> float:
        """Return Cllr after the best monotonic calibration, in bits.

        In [0, 1]; see `bob.learn.pytorch.metrics.costs`.
        """
        hull = self.hull()
        target = np.diff(hull.misses) / self.targets
        non_target = -np.diff(hull.false_matches) / self.non_targets
        both = (target > 0) & (non_target > 0)  # edges of one kind cost nothing
        target, non_target = target[both], non_target[both]
        # The ratio of the shares of an edge is the likelihood ratio of its trials.
        nats = target * np.log1p(non_target / target)
        nats += non_target * np.log1p(target / non_target)
        return float(nats.sum() / (2 * np.log(2)))

    def fnmr_at_fmr(self, rate: float) -> OperatingPoint:
        """Return the decision with the least FNMR of those with FMR <= rate.

        Nothing is interpolated: some threshold does it on these trials. Of equal
        FNMR, the one with the least FMR.
        """
        _check_rate(rate)
        first = np.count_nonzero(self.false_match_rates > rate)
        misses = self.misses
        return self.point(int(np.searchsorted(misses, misses[first], side="right")) - 1)

    def fmr_at_fnmr(self, rate: float) -> OperatingPoint:
        """Return the decision with the least FMR of those with FNMR <= rate.

        Nothing is interpolated. Of equal FMR, the one with the least FNMR.
        """
        _check_rate(rate)
        last = np.count_nonzero(self.false_non_match_rates <= rate) - 1
        accepted = self.false_matches
        return self.point(int(np.count_nonzero(accepted > accepted[last])))

    def equal_error_rate(self) -> float:
        """Return the rate at which a line between two neighbours crosses FMR = FNMR.

        The two points are those of the full ROC that lie on either side.
        """
        excess = self._excess()
        after = int(np.searchsorted(excess, 0))
        return self._crossing(after - 1, after)

    def equal_error_point(self) -> OperatingPoint:
        """Return the decision where FMR and FNMR are nearest to each other.

        Of two equally near ones, the one with the smaller sum of both rates.
        """
        distance = np.abs(self._excess())
        nearest = np.flatnonzero(distance == distance.min())
        sums = (
            self.misses[nearest] * self.non_targets
            + self.false_matches[nearest] * self.targets
        )
        return self.point(int(nearest[np.argmin(sums)]))

    def rocch_equal_error_rate(self) -> float:
        """Return the EER on the convex hull of the ROC: never above the other one.

        References
        ----------
        Brummer and de Villiers, "The BOSARIS toolkit: theory, algorithms and code
        for surviving the new DCF", 2013, section 3.2.
        """
        misses, false_matches, excess = self.misses, self.false_matches, self._excess()
        # Narrow down to the one edge of the hull that crosses the diagonal: as long
        # as a point lies below the line from a to b, it replaces the end on its side.
        a, b = 0, misses.size - 1
        while True:
            height = (misses[b] - misses[a]) * false_matches + (
                false_matches[a] - false_matches[b]
            ) * misses
            lowest = int(np.argmin(height))
            if height[lowest] >= height[a]:
                return self._crossing(a, b)
            if excess[lowest] >= 0:
                b = lowest
            else:
                a = lowest

    def min_dcf_point(
        self, *, p_target: float = 0.01, c_miss: float = 1.0, c_fa: float = 1.0
    ) -> OperatingPoint:
        """Return the decision with the smallest detection cost."""
        miss, false_match = cost_weights(p_target=p_target, c_miss=c_miss, c_fa=c_fa)
        cost = self.misses * (miss / self.targets)
        cost += self.false_matches * (false_match / self.non_targets)
        return self.point(int(np.argmin(cost)))

    def min_dcf(
        self, *, p_target: float = 0.01, c_miss: float = 1.0, c_fa: float = 1.0
    ) -> float:
        """Return the smallest normalised detection cost; at most 1."""
        point = self.min_dcf_point(p_target=p_target, c_miss=c_miss, c_fa=c_fa)
        return point.dcf(p_target=p_target, c_miss=c_miss, c_fa=c_fa)

    def crosses(self) -> bool:
        """Tell whether the last decision has FNMR >= FMR: only a piece has not."""
        return bool(self._excess()[-1] >= 0)

    def _excess(self) -> IntArray:
        """FNMR - FMR over a common denominator: whole numbers, never decreasing."""
        return self.misses * self.non_targets - self.false_matches * self.targets

    def _crossing(self, before: int, after: int) -> float:
        """Return the FNMR where the line between two decisions crosses FMR = FNMR.

        The first has FNMR < FMR, the second has not.
        """
        # In whole numbers, so that every pair of points on a line gives the same.
        first, second = int(self.misses[before]), int(self.misses[after])
        low, high = (
            int(self.misses[i]) * self.non_targets
            - int(self.false_matches[i]) * self.targets
            for i in (before, after)
        )
        return (first * high - second * low) / ((high - low) * self.targets)


def _check_rate(rate: float) -> None:
    if not 0 <= rate <= 1:
        raise MetricError(
            f"the rate is {rate}; give a fraction between 0 and 1, such as 0.01"
        )


def acquired(scores: ArrayLike) -> tuple[FloatArray, int]:
    """Return the scores that are not NaN, (scores,), and the count of the rest."""
    flat = np.asarray(scores, dtype=np.float64).ravel()
    kept = flat[~np.isnan(flat)]
    return kept, flat.size - kept.size


def between(distinct: FloatArray) -> FloatArray:
    """(scores,) ascending -> (scores + 1,) thresholds half way between neighbours."""
    low, high = distinct[:-1], distinct[1:]
    with np.errstate(invalid="ignore", over="ignore"):
        middle = low / 2 + high / 2
        above_all = np.nextafter(distinct[-1], np.inf)
    # Two neighbouring floats have no number between them, -inf and inf no middle.
    middle = np.where(middle > low, middle, high)
    last = np.nan if distinct[-1] == np.inf else above_all
    return np.concatenate([distinct[:1], middle, [last]])


def operating_point(
    targets: ArrayLike, non_targets: ArrayLike, *, threshold: float
) -> OperatingPoint:
    """Return FMR and FNMR, of ``(trials,)`` each, at a threshold; NaN accepts none."""
    return OperatingPoint(
        threshold=threshold,
        false_match_rate=false_match_rate(non_targets, threshold=threshold),
        false_non_match_rate=false_non_match_rate(targets, threshold=threshold),
    )


def false_match_rate(non_targets: ArrayLike, *, threshold: float) -> float:
    """Return the fraction of the scores ``(trials,)`` at or above the threshold."""
    scores, failures = acquired(non_targets)
    _need(scores, failures, kind="non-target")
    return float(np.count_nonzero(scores >= threshold) / scores.size)


def false_non_match_rate(targets: ArrayLike, *, threshold: float) -> float:
    """Return the fraction of the scores ``(trials,)`` below the threshold."""
    scores, failures = acquired(targets)
    _need(scores, failures, kind="target")
    return float(np.count_nonzero(~(scores >= threshold)) / scores.size)


def _need(scores: FloatArray, failures: int, *, kind: str) -> None:
    if not scores.size:
        raise MetricError(
            f"no {kind} trial has a score ({failures} failed); at least one is needed: "
            f"check that the protocol has {kind} trials and that their recordings "
            f"could be read"
        )
