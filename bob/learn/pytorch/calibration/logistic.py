"""Prior-weighted logistic regression, solved to machine precision.

References
----------
Brummer and du Preez, "Application-independent evaluation of speaker detection",
Computer Speech and Language 20, 2006, section 5.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from bob.learn.pytorch.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    FloatArray: TypeAlias = NDArray[np.float64]

# Newton's method takes some ten steps; without a minimum it would never end.
STEPS = 100
# A step as short as this is followed by one of about its square.
SHORT = 1e-8
# Nearly dependent columns leave longer ones to rounding, which lower the cost no more.
ROUNDED, FLAT = 1e-4, 1e-14
HALVINGS = 60
# Of a matrix of ones on the diagonal, an eigenvalue that is nothing but rounding.
SINGULAR = 1e-14
# Trials at a time: the half dozen arrays of a pass stay in the cache.
BLOCK_TRIALS = 16_384


class CalibrationError(UserError, ValueError):
    """The trials do not determine a calibration, or a stored one is not usable."""


class SeparatedError(CalibrationError):
    """Trials separate perfectly, and no penalty keeps the weights finite."""

    remedy = "penalty"


def fit_weights(
    targets: FloatArray,
    non_targets: FloatArray,
    *,
    names: Sequence[str],
    p_target: float,
    penalty: float,
) -> tuple[FloatArray, float]:
    """Fit a natural log-likelihood ratio that is linear in the columns.

    The cost is ``p_target * mean(log(1 + exp(-z)))`` over targets plus ``(1 - p_target)
    * mean(log(1 + exp(z)))`` over non-targets, with ``z`` the log-likelihood ratio plus
    ``logit(p_target)``, plus ``penalty / 2`` times the squared weights of the columns
    in units of their standard deviations (Brummer and du Preez, 2006, section 5).

    Trials are ``(trials, columns)``, all finite; names of the columns serve errors. The
    weights ``(columns,)`` come with the offset, where all columns are zero.

    Raises
    ------
    CalibrationError
        A column is constant or follows from others.
    SeparatedError
        Without a penalty: some combination of columns separates all target from all
        non-target trials, so that the weights would be infinite.
    """
    cost, middle, scale = _standardised(
        targets, non_targets, names=names, p_target=p_target, penalty=penalty
    )
    # At even odds the cost is curved; far from there it may be all but flat.
    theta = np.zeros(1 + len(names))
    theta[0] = -cost.logit
    here = cost(theta)
    for _ in range(STEPS):
        step, is_curved = _newton_step(here)
        if penalty == 0 and here.cost < cost.least_weight * np.log(2):
            break  # every trial by itself costs so little that it is on its side
        length = np.abs(step).max() / (1 + np.abs(theta).max())
        slope = float(here.gradient @ step)
        flat = slope <= FLAT * here.cost
        if is_curved and (length <= SHORT or (length <= ROUNDED and flat)):
            theta = theta - step
            weights = theta[1:] / scale
            return weights, float(theta[0] - weights @ middle)
        theta, here = _lower(cost, theta, here, step)
    raise SeparatedError(
        f"the {len(targets)} target and {len(non_targets)} non-target trials separate "
        f"perfectly, so log-likelihood ratios with the penalty {penalty:g} would be "
        "infinite; calibrate on more or harder trials, or give a penalty such as 1e-3"
    )


@dataclass(frozen=True, eq=False)
class _Point:
    """Cost of some weights, gradient ``(weights,)``, Hessian ``(weights, weights)``."""

    cost: float
    gradient: FloatArray
    curvature: FloatArray


@dataclass(frozen=True, eq=False)
class _Trials:
    """Trials of one kind: ``(1 + columns, trials)``, the first row ones.

    Each trial has the same weight; the label is 1 or -1.
    """

    rows: FloatArray
    weight: float
    label: float

    def at(self, theta: FloatArray, logit: float) -> _Point:
        """Return their cost, computed in blocks that stay in the cache."""
        cost = 0.0
        slopes, curvature = np.zeros_like(theta), np.zeros((theta.size, theta.size))
        for start in range(0, self.rows.shape[1], BLOCK_TRIALS):
            rows = self.rows[:, start : start + BLOCK_TRIALS]
            margin = theta @ rows
            margin += logit
            margin *= self.label
            # exp(-|margin|) does not overflow, and serves all three.
            odds = np.exp(-np.abs(margin))
            cost += float(np.log1p(odds).sum() - np.minimum(margin, 0).sum())
            whole = 1 + odds
            # The posterior probability of what each trial is not.
            wrong = np.where(margin < 0, 1, odds) / whole
            slopes += rows @ wrong
            curved = odds / whole
            curved /= whole
            curvature += (rows * curved) @ rows.T
        return _Point(
            self.weight * cost,
            -self.weight * self.label * slopes,
            self.weight * curvature,
        )


@dataclass(frozen=True, eq=False)
class _Cost:
    """Cost to minimise, of weights ``(1 + columns,)`` with the offset first."""

    kinds: tuple[_Trials, _Trials]
    logit: float
    ridge: FloatArray

    @property
    def least_weight(self) -> float:
        """Return the smaller weight of a trial."""
        return min(trials.weight for trials in self.kinds)

    def __call__(self, theta: FloatArray) -> _Point:
        one, other = (trials.at(theta, self.logit) for trials in self.kinds)
        pull = self.ridge * theta
        return _Point(
            one.cost + other.cost + float(theta @ pull) / 2,
            one.gradient + other.gradient + pull,
            one.curvature + other.curvature + np.diag(self.ridge),
        )


def _newton_step(point: _Point) -> tuple[FloatArray, bool]:
    """Return gradient over curvature, and whether the curvature exceeds rounding."""
    scale = np.sqrt(np.maximum(np.diag(point.curvature), np.finfo(float).tiny))
    values, axes = np.linalg.eigh(point.curvature / np.outer(scale, scale))
    along = axes.T @ (point.gradient / scale) / np.maximum(values, SINGULAR)
    step: FloatArray = axes @ along / scale
    return step, bool(values[0] >= SINGULAR)


def _lower(
    cost: _Cost, theta: FloatArray, here: _Point, step: FloatArray
) -> tuple[FloatArray, _Point]:
    """Go along a step to where the cost is lower and flatter.

    Near the minimum the cost differs by rounding only, and the slope still tells.
    """
    slope = float(here.gradient @ step)
    for _ in range(HALVINGS):
        there = theta - step
        found = cost(there)
        left = found.gradient @ step
        if left >= 0 or (found.cost < here.cost and left > -slope / 2):
            return there, found
        step, slope = step / 2, slope / 2
    return theta, here


def _refuse_twins(names: Sequence[str], rows: FloatArray) -> None:
    for (first, one), (second, other) in combinations(
        zip(names, rows.T, strict=True), 2
    ):
        if np.array_equal(one, other):
            raise CalibrationError(
                f"{first} and {second} have the same scores; leave one out"
            )


def _standardised(
    targets: FloatArray,
    non_targets: FloatArray,
    *,
    names: Sequence[str],
    p_target: float,
    penalty: float,
) -> tuple[_Cost, FloatArray, FloatArray]:
    """Return the cost of standardised columns, with their means and deviations."""
    positive, every = len(targets), len(targets) + len(non_targets)
    rows = np.ones((1 + len(names), every))
    stack = rows[1:]
    stack[:, :positive], stack[:, positive:] = targets.T, non_targets.T
    middle, scale = stack.mean(axis=1), stack.std(axis=1)
    constant = np.flatnonzero(scale <= 1e-12 * np.abs(stack).max(axis=1))
    if constant.size:
        raise CalibrationError(
            f"{names[constant[0]]} has one value in all {every} trials, "
            f"so it carries no information; leave it out"
        )
    stack -= middle[:, np.newaxis]
    stack /= scale[:, np.newaxis]
    spread = np.linalg.eigvalsh(stack @ stack.T / every)
    if spread[0] < 1e-10:
        _refuse_twins(names, np.concatenate([targets, non_targets]))
        raise CalibrationError(
            f"one of {', '.join(names)} follows from the others; leave it out"
        )
    ridge = np.full(len(rows), penalty)
    ridge[0] = 0
    kinds = (
        _Trials(rows[:, :positive], p_target / positive, 1),
        _Trials(rows[:, positive:], (1 - p_target) / len(non_targets), -1),
    )
    logit = float(np.log(p_target) - np.log1p(-p_target))
    return _Cost(kinds, logit, ridge), middle, scale
