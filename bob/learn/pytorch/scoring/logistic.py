"""Prior-weighted logistic regression, solved to machine precision.

References
----------
Brummer and du Preez, "Application-independent evaluation of speaker detection",
Computer Speech and Language 20, 2006, section 5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatArray: TypeAlias = NDArray[np.float64]

# Newton's method takes some ten steps; without a minimum it would never end.
STEPS = 100
# A step as short as this is followed by one of about its square.
SHORT = 1e-8
HALVINGS = 30


class CalibrationError(ValueError):
    """The trials do not determine a calibration, or a stored one is not usable."""


def fit_weights(
    targets: FloatArray, non_targets: FloatArray, *, p_target: float, penalty: float
) -> tuple[FloatArray, float]:
    """Weights and offset of a log-likelihood ratio that is linear in the columns.

    The cost is ``p_target * mean(log(1 + exp(-z)))`` over targets plus ``(1 - p_target)
    * mean(log(1 + exp(z)))`` over non-targets, with ``z`` the log-likelihood ratio plus
    ``logit(p_target)``, plus ``penalty / 2`` times the squared weights of the columns
    in units of their deviations.

    Parameters
    ----------
    targets, non_targets
        ``(trials, columns)``, all finite.

    Returns
    -------
    weights
        ``(columns,)``
    offset
        Of the log-likelihood ratio.

    Raises
    ------
    CalibrationError
        A column is constant or follows from others; or, without a penalty, some
        combination of columns tells all trials apart, and weights would be infinite.
    """
    columns, weight, label, middle, scale = _standardised(
        targets, non_targets, p_target
    )
    logit = float(np.log(p_target) - np.log1p(-p_target))
    ridge = np.full(columns.shape[1], penalty)
    ridge[0] = 0
    theta = np.zeros(columns.shape[1])

    def cost(candidate: FloatArray) -> float:
        margin = label * (columns @ candidate + logit)
        loss = weight @ np.logaddexp(0, -margin)
        return float(loss + candidate @ (ridge * candidate) / 2)

    for _ in range(STEPS):
        step = _newton_step(columns, weight, label, theta, logit, ridge)
        if step is None:
            break
        if np.abs(step).max() <= SHORT * (1 + np.abs(theta).max()):
            return _unscaled(theta - step, middle, scale)
        now = cost(theta)
        lower = (step / 2**n for n in range(HALVINGS))
        theta = next((theta - s for s in lower if cost(theta - s) <= now), theta)
    raise CalibrationError(
        f"the {len(targets)} target and {len(non_targets)} non-target trials are told "
        f"apart without error, so log-likelihood ratios would be infinite; calibrate "
        f"on more or harder trials, or give a penalty such as 1e-3"
    )


def _standardised(
    targets: FloatArray, non_targets: FloatArray, p_target: float
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]:
    """Columns after a first of ones, weights and labels of trials, mean, deviation."""
    stack = np.concatenate([targets, non_targets])
    weight = np.full(len(stack), (1 - p_target) / len(non_targets))
    weight[: len(targets)] = p_target / len(targets)
    label = np.full(len(stack), -1.0)
    label[: len(targets)] = 1
    middle, scale = stack.mean(axis=0), stack.std(axis=0)
    constant = np.flatnonzero(scale <= 1e-12 * np.abs(stack).max(axis=0))
    if constant.size:
        raise CalibrationError(
            f"column {int(constant[0])} (of {stack.shape[1]}, from 0) has one value in "
            f"all {len(stack)} trials; leave it out"
        )
    stack -= middle
    stack /= scale
    spread = np.linalg.eigvalsh(stack.T @ stack / len(stack))
    if spread[0] < 1e-10:
        raise CalibrationError(
            f"one of the {stack.shape[1]} columns follows from the others; leave it out"
        )
    columns = np.concatenate([np.ones((len(stack), 1)), stack], axis=1)
    return columns, weight, label, middle, scale


def _newton_step(
    columns: FloatArray,
    weight: FloatArray,
    label: FloatArray,
    theta: FloatArray,
    logit: float,
    ridge: FloatArray,
) -> FloatArray | None:
    """Gradient over curvature; None where the cost has become flat."""
    from scipy.special import expit  # here: it takes a moment to import

    wrong = expit(-label * (columns @ theta + logit))
    gradient = ridge * theta - (weight * label * wrong) @ columns
    curved = weight * wrong * (1 - wrong)
    curvature = (columns * curved[:, np.newaxis]).T @ columns + np.diag(ridge)
    try:
        step: FloatArray = np.linalg.solve(curvature, gradient)
    except np.linalg.LinAlgError:
        return None
    return step if np.isfinite(step).all() else None


def _unscaled(
    theta: FloatArray, middle: FloatArray, scale: FloatArray
) -> tuple[FloatArray, float]:
    weights = theta[1:] / scale
    return weights, float(theta[0] - weights @ middle)
