"""Scores -> log-likelihood ratios: log p(score | one speaker) / p(score | two).

A calibration is fitted on the trials of a development set and applied to all others.
A natural log-likelihood ratio at or above Bayes' threshold means "accept", for any
prior and any costs (see `decision`); a bare score has no such meaning.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from bob.learn.pytorch.calibration.logistic import (
    CalibrationError,
    SeparatedError,
    fit_weights,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    FloatArray: TypeAlias = NDArray[np.float64]

SCORE = "score"
#: Penalty of trials that separate perfectly, where none was given.
SEPARATED_PENALTY = 1e-3
# Names in the provenance of a calibration.
_PENALTY, _SEPARATED = "penalty", "separated"


@dataclass(frozen=True)
class TrainingTrials:
    """Counts of the trials that trained a calibration; failed ones were left out."""

    targets: int
    non_targets: int
    failures: int = 0

    def __str__(self) -> str:
        return f"on {self.targets} target and {self.non_targets} non-target trials"


@dataclass(frozen=True)
class LinearCalibration:
    """A log-likelihood ratio that is linear in a score, and perhaps in more columns.

    Attributes
    ----------
    columns
        Names of the columns: ``("score",)``, a score and quality measures, or one
        score per system (fusion).
    weights
        One per column.
    offset
        The log-likelihood ratio where all columns are zero.
    p_target
        The prior that the training weighted its trials by.
    trained_on
        Counts of trials.
    provenance
        Facts about the training: trained model, protocol, file, penalty.
    ranges
        Column -> smallest and largest number in training. Numbers beyond are taken as
        the nearest of both: a line says nothing where no trial was.
    plain
        Weight and offset of a calibration by the score alone, on the same trials; None
        where it is not known.
    """

    columns: tuple[str, ...]
    weights: tuple[float, ...]
    offset: float
    p_target: float
    trained_on: TrainingTrials
    provenance: Mapping[str, str] = field(default_factory=dict)
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    plain: tuple[float, float] | None = None

    def __repr__(self) -> str:
        return f"<LinearCalibration of {', '.join(self.columns)} {self.trained_on}>"

    def __post_init__(self) -> None:
        if not self.columns or len(self.columns) != len(self.weights):
            raise CalibrationError(
                f"{len(self.weights)} weights do not belong to the columns "
                f"{', '.join(self.columns) or '(none)'}; one each is needed"
            )
        if not np.isfinite([*self.weights, self.offset]).all():
            raise CalibrationError("weights and offset must be finite")
        for column, (low, high) in self.ranges.items():
            if column not in self.columns or not -np.inf < low <= high < np.inf:
                raise CalibrationError(
                    f"the range of {column} is {low} to {high}; expected one of "
                    f"{', '.join(self.columns)}, and two finite numbers in order"
                )
        refuse_no_prior(self.p_target)

    @property
    def penalty(self) -> float:
        """Regularisation of the fit; 0 for plain maximum likelihood."""
        return float(self.provenance.get(_PENALTY, 0) or 0)

    @property
    def separated(self) -> bool:
        """Return whether the trials separated perfectly, so that a penalty was set."""
        return self.provenance.get(_SEPARATED) == "True"

    def __call__(self, scores: ArrayLike) -> FloatArray:
        """Return natural log-likelihood ratios.

        Parameters
        ----------
        scores
            Of any shape for one column; otherwise ``(..., columns)``.

        Returns
        -------
        Of the shape of the scores, without the axis of the columns. NaN stays NaN.

        Raises
        ------
        CalibrationError
            The last axis does not have the columns of the calibration.
        """
        values = np.asarray(scores, dtype=np.float64)
        if len(self.columns) == 1:
            ratios: FloatArray = values * self.weights[0]
            ratios += self.offset
            return ratios
        if values.shape[-1:] != (len(self.columns),):
            raise CalibrationError(
                f"scores of shape {values.shape} do not fit; the calibration has the "
                f"columns {', '.join(self.columns)}, so expected "
                f"(trials, {len(self.columns)})"
            )
        if self.ranges:
            everything = (-np.inf, np.inf)
            ends = np.array([self.ranges.get(one, everything) for one in self.columns])
            values = np.clip(values, ends[:, 0], ends[:, 1])
        joined: FloatArray = values @ np.array(self.weights) + self.offset
        return joined


def fit_calibration(
    targets: ArrayLike,
    non_targets: ArrayLike,
    *,
    columns: Sequence[str] = (SCORE,),
    p_target: float = 0.5,
    penalty: float | None = None,
    provenance: Mapping[str, str] | None = None,
) -> LinearCalibration:
    """Fit a calibration by prior-weighted linear logistic regression.

    Parameters
    ----------
    targets, non_targets
        Scores of target and of non-target trials, ``(trials,)``; or ``(trials,
        columns)`` with the score first and quality measures after it. Trials with a
        NaN are left out and counted. The range of each measure is kept: see
        `LinearCalibration.ranges`.
    columns
        Names of the columns.
    p_target
        Prior of a target trial at which the calibration is to be best.
    penalty
        L2 regularisation: times half of the squared weights, in units of standard
        deviations of the columns. By default 0, the maximum-likelihood fit, which does
        not exist where the trials separate perfectly: these are fitted with the
        penalty 0.001, and the result says so (`LinearCalibration.separated`). With an
        explicit 0, such trials are refused.
    provenance
        Kept with the result, together with the penalty if there is one.

    Raises
    ------
    CalibrationError
        Infinite scores, scores of one kind of trial only, columns that are constant or
        depend on each other, or scores that are higher for non-target trials.
    SeparatedError
        The penalty is 0, and the trials separate perfectly.

    References
    ----------
    Brummer and du Preez, "Application-independent evaluation of speaker detection",
    Computer Speech and Language 20, 2006. Quality measures: Mandasari et al., "Quality
    measure functions for calibration of speaker recognition systems in various
    duration conditions", IEEE TASLP 21, 2013; Thienpondt et al., "The IDLab VoxSRC-20
    submission", ICASSP 2021.

    Examples
    --------
    >>> calibration = fit_calibration([0.2, 0.7, 0.8], [0.3, 0.1, 0.0])
    >>> calibration([0.1, 0.25, 0.9]).round(2)
    array([-1.7 , -0.39,  5.28])
    >>> fit_calibration([0.7, 0.8], [0.3, 0.1]).separated
    True
    """
    calibration = _fit(
        targets,
        non_targets,
        columns=columns,
        p_target=p_target,
        penalty=penalty,
        provenance=provenance,
    )
    if calibration.weights[0] <= 0:
        raise CalibrationError(
            f"the weight of {calibration.columns[0]} came out as "
            f"{calibration.weights[0]:.3g}: non-target trials score higher than target "
            f"trials; check the labels, and that higher means more alike"
        )
    names = calibration.columns
    if len(names) == 1:
        return replace(calibration, ranges={})
    alone = _fit_alone(
        [_complete(trials, names)[0][:, 0] for trials in (targets, non_targets)],
        p_target=p_target,
        penalty=calibration.penalty,
    )
    measures = {name: calibration.ranges[name] for name in names[1:]}
    return replace(calibration, ranges=measures, plain=alone)


def fit_fusion(
    targets: Mapping[str, ArrayLike],
    non_targets: Mapping[str, ArrayLike],
    *,
    p_target: float = 0.5,
    penalty: float | None = None,
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
        As for :func:`fit_calibration`.

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
    fusion = _fit(
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
    """Return the natural log-likelihood ratios of the systems together, ``(trials,)``.

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


def refuse_no_prior(p_target: float) -> None:
    """Refuse a number that is no prior probability."""
    if not 0 < p_target < 1:
        raise CalibrationError(
            f"p_target is {p_target}; it is the prior probability of a target trial "
            f"and lies between 0 and 1, both excluded"
        )


def _fit(
    targets: ArrayLike,
    non_targets: ArrayLike,
    *,
    columns: Sequence[str],
    p_target: float,
    penalty: float | None,
    provenance: Mapping[str, str] | None,
) -> LinearCalibration:
    """Fit weights of any sign; the result has the range of every column."""
    names = tuple(columns)
    refuse_no_prior(p_target)
    if penalty is not None and not 0 <= penalty < np.inf:
        raise CalibrationError(f"the penalty is {penalty}; it is 0 or positive")
    positives, lost_positives = _complete(targets, names)
    negatives, lost_negatives = _complete(non_targets, names)
    kept = dict(provenance or {})

    def weights_with(penalty: float) -> tuple[FloatArray, float]:
        if penalty:
            kept[_PENALTY] = f"{penalty:g}"
        return fit_weights(
            positives, negatives, names=names, p_target=p_target, penalty=penalty
        )

    try:
        weights, offset = weights_with(penalty or 0.0)
    except SeparatedError:
        if penalty is not None:
            raise
        weights, offset = weights_with(SEPARATED_PENALTY)
        kept[_SEPARATED] = "True"
    every = np.concatenate([positives, negatives])
    ends = zip(every.min(axis=0).tolist(), every.max(axis=0).tolist(), strict=True)
    return LinearCalibration(
        columns=names,
        weights=tuple(weights.tolist()),
        offset=offset,
        p_target=float(p_target),
        trained_on=TrainingTrials(
            len(positives), len(negatives), lost_positives + lost_negatives
        ),
        provenance=kept,
        ranges=dict(zip(names, ends, strict=True)),
    )


def _fit_alone(
    scores: list[FloatArray], *, p_target: float, penalty: float
) -> tuple[float, float] | None:
    """Return weight and offset of the score alone; None if trials do not allow it."""
    try:
        weights, offset = fit_weights(
            *(part[:, np.newaxis] for part in scores),
            names=(SCORE,),
            p_target=p_target,
            penalty=penalty,
        )
    except CalibrationError:
        return None
    return (float(weights[0]), offset) if weights[0] > 0 else None


def _complete(scores: ArrayLike, names: tuple[str, ...]) -> tuple[FloatArray, int]:
    """Return ``(trials, columns)`` without NaN, and how many trials had one."""
    rows = np.asarray(scores, dtype=np.float64)
    if rows.ndim == 1 and len(names) == 1:
        rows = rows[:, np.newaxis]
    if rows.ndim != 2 or rows.shape[1] != len(names):
        raise CalibrationError(
            f"scores of shape {rows.shape} do not have the columns {', '.join(names)}; "
            f"expected (trials, {len(names)})"
        )
    kept = rows[~np.isnan(rows).any(axis=1)]
    if not len(kept):
        raise CalibrationError(
            f"none of {len(rows)} trials of one kind has a score; a calibration needs "
            f"target and non-target trials"
        )
    infinite = int(np.isinf(kept).any(axis=1).sum())
    if infinite:
        raise CalibrationError(
            f"{infinite} of {len(rows)} trials have infinite scores; no line fits "
            "them: leave these trials out, or fit steps, which take them (an isotonic "
            "calibration, `fit_isotonic`)"
        )
    return kept, len(rows) - len(kept)


def _stacked(scores: Mapping[str, ArrayLike], names: tuple[str, ...]) -> FloatArray:
    """Return ``(trials, systems)``, in the order of the names."""
    if not names or set(scores) != set(names):
        raise CalibrationError(
            f"there are scores of {', '.join(scores) or 'no system'}, but expected "
            f"those of {', '.join(names) or 'at least one'}"
        )
    columns = {name: np.asarray(scores[name], dtype=np.float64) for name in names}
    shapes = {column.shape for column in columns.values()}
    if len(shapes) > 1 or len(next(iter(shapes))) != 1:
        each = ", ".join(f"{name} {column.shape}" for name, column in columns.items())
        raise CalibrationError(
            f"the systems have not scored the same trials: {each}; give one score per "
            f"trial and system, NaN where it failed"
        )
    return np.stack(list(columns.values()), axis=1)
