"""Several systems on the same trials -> one log-likelihood ratio."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from bob.learn.pytorch.calibration.linear import LinearCalibration, fit_linear
from bob.learn.pytorch.calibration.logistic import CalibrationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

    FloatArray: TypeAlias = NDArray[np.float64]


def fit_fusion(
    targets: Mapping[str, ArrayLike],
    non_targets: Mapping[str, ArrayLike],
    *,
    p_target: float = 0.5,
    penalty: float = 0.0,
    provenance: Mapping[str, str] | None = None,
) -> LinearCalibration:
    """Weigh systems by prior-weighted logistic regression; the result is calibrated.

    A weight may be negative: a system can tell how far to trust another. The result
    keeps the range of its scores, and takes those beyond as the nearest within: see
    `LinearCalibration.ranges`.

    Parameters
    ----------
    targets, non_targets
        For each system its scores, ``(trials,)``, all in one order of trials. Trials
        that failed (NaN) for one system are left out for all, and counted.
    p_target, penalty, provenance
        As for :func:`~bob.learn.pytorch.scoring.fit_calibration`.

    Raises
    ------
    CalibrationError
        The systems differ, have not the same trials, or do not allow an optimum.

    References
    ----------
    Pigeon, Druyts and Verlinde, "Applying logistic regression to the fusion of the
    NIST'99 1-speaker submissions", Digital Signal Processing 10, 2000; Brummer et al.,
    "Fusion of heterogeneous speaker recognition systems in the STBU submission for the
    NIST speaker recognition evaluation 2006", IEEE TASLP 15, 2007.

    Examples
    --------
    >>> fusion = fit_fusion(
    ...     {"a": [1, 2, 0, 3], "b": [3, 0, 1, 2]},
    ...     {"a": [0, 1, -1, 2], "b": [0, 2, -2, 1]},
    ... )
    >>> fusion.columns
    ('a', 'b')
    >>> fused(fusion, {"b": [3, -2], "a": [1, -1]}).round(2)
    array([ 1.07, -2.66])
    """
    names = tuple(targets)
    fusion = fit_linear(
        _stacked(targets, names),
        _stacked(non_targets, names),
        columns=names,
        p_target=p_target,
        penalty=penalty,
        provenance=provenance,
    )
    weights = zip(names, fusion.weights, strict=True)
    held = {name: fusion.ranges[name] for name, weight in weights if weight < 0}
    return replace(fusion, ranges=held)


def fused(fusion: LinearCalibration, scores: Mapping[str, ArrayLike]) -> FloatArray:
    """Log-likelihood ratios of the systems together, ``(trials,)``.

    Parameters
    ----------
    fusion
        From :func:`fit_fusion`.
    scores
        For each of its systems, in any order, ``(trials,)``. A trial that failed for
        one system is NaN.

    Raises
    ------
    CalibrationError
        A system is missing, or unknown to the fusion.
    """
    columns = _stacked(scores, fusion.columns)
    return fusion(columns if len(fusion.columns) > 1 else columns[:, 0])


def _stacked(scores: Mapping[str, ArrayLike], names: tuple[str, ...]) -> FloatArray:
    """(trials, systems), in the order of the names."""
    if not names or set(scores) != set(names):
        raise CalibrationError(
            f"there are scores of {', '.join(scores) or 'no system'}, but expected "
            f"those of {', '.join(names) or 'at least one'}"
        )
    columns = {name: np.asarray(scores[name], dtype=np.float64) for name in names}
    shapes = {column.shape for column in columns.values()}
    if len(shapes) > 1 or len(next(iter(shapes))) != 1:
        told = ", ".join(f"{name} {column.shape}" for name, column in columns.items())
        raise CalibrationError(
            f"the systems have not scored the same trials: {told}; give one score per "
            f"trial and system, NaN where it failed"
        )
    return np.stack(list(columns.values()), axis=1)
