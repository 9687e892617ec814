"""Figures that are means over trials, such as Cllr or a cost at a fixed threshold."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from bob.learn.pytorch.metrics.curve import FloatArray, MetricError, acquired
from bob.learn.pytorch.metrics.information import bits

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike

    from bob.learn.pytorch.metrics.costs import CostFunction, DetectionCost

    Costs: TypeAlias = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True)
class TrialMean:
    """Mean over target trials plus mean over non-target trials.

    Attributes
    ----------
    target, non_target
        Scores ``(trials,)`` -> cost of each trial, at least 0. None: trials of this
        kind have no part in the figure and need not be there.
    """

    target: Costs | None
    non_target: Costs | None

    def of(self, targets: ArrayLike, non_targets: ArrayLike) -> float:
        """Return the figure; NaN scores are left out.

        Raises
        ------
        MetricError
            No trial of a kind that is needed has a score.
        """
        total = 0.0
        for kind, costs, scores in (
            ("target", self.target, targets),
            ("non-target", self.non_target, non_targets),
        ):
            if costs is not None:
                kept, failures = acquired(scores)
                if not kept.size:
                    raise MetricError(
                        f"no {kind} trial has a score ({failures} failed); at least "
                        f"one is needed"
                    )
                with np.errstate(over="ignore"):
                    total += float(costs(kept).mean())
        return total


def cllr_mean() -> TrialMean:
    """Cllr, of natural log-likelihood ratios, in bits."""
    return TrialMean(_bits_of_target, _bits_of_non_target)


def act_dcf_mean(cost: DetectionCost, *, threshold: float | None = None) -> TrialMean:
    """Normalised detection cost at a threshold; by default Bayes' threshold."""
    miss, false_match = cost.weights
    at = cost.threshold if threshold is None else threshold
    return TrialMean(
        partial(_rejected, threshold=at, weight=miss),
        partial(_accepted, threshold=at, weight=false_match),
    )


def actual_cost_mean(cost: CostFunction) -> TrialMean:
    """Mean of the actual costs of all applications, each at Bayes' threshold."""
    means = [act_dcf_mean(one) for one in cost.costs]
    return TrialMean(
        partial(_mean_of, [mean.target for mean in means if mean.target]),
        partial(_mean_of, [mean.non_target for mean in means if mean.non_target]),
    )


def hter_mean(threshold: float) -> TrialMean:
    """Half total error rate at a threshold that was found on other trials (dev)."""
    return TrialMean(
        partial(_rejected, threshold=threshold, weight=0.5),
        partial(_accepted, threshold=threshold, weight=0.5),
    )


def fnmr_mean(threshold: float) -> TrialMean:
    """False non-match rate at a fixed threshold; needs target trials only."""
    return TrialMean(partial(_rejected, threshold=threshold, weight=1.0), None)


def fmr_mean(threshold: float) -> TrialMean:
    """False match rate at a fixed threshold; needs non-target trials only."""
    return TrialMean(None, partial(_accepted, threshold=threshold, weight=1.0))


def _mean_of(costs: list[Costs], scores: FloatArray) -> FloatArray:
    mean: FloatArray = np.mean([cost(scores) for cost in costs], axis=0)
    return mean


def _bits_of_target(scores: FloatArray) -> FloatArray:
    return bits(-scores) / 2


def _bits_of_non_target(scores: FloatArray) -> FloatArray:
    return bits(scores) / 2


def _rejected(scores: FloatArray, *, threshold: float, weight: float) -> FloatArray:
    return np.where(scores >= threshold, 0.0, weight)


def _accepted(scores: FloatArray, *, threshold: float, weight: float) -> FloatArray:
    return np.where(scores >= threshold, weight, 0.0)
