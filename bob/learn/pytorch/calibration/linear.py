"""Scores -> log-likelihood ratios: log p(score | one speaker) / p(score | two).

Trained on trials of a development set, applied to all others. A log-likelihood ratio
(natural logarithm) above :func:`bayes_threshold` means "accept", for any prior and any
costs; a bare score has no such meaning.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from bob.learn.pytorch.calibration.logistic import CalibrationError, fit_weights

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    FloatArray: TypeAlias = NDArray[np.float64]

SCORE = "score"


@dataclass(frozen=True)
class TrainingTrials:
    """How many trials a calibration rests on; those that failed were left out."""

    targets: int
    non_targets: int
    failures: int = 0


@dataclass(frozen=True)
class LinearCalibration:
    """A log-likelihood ratio that is linear in a score, and perhaps in more.

    Attributes
    ----------
    columns
        What the columns are: ``("score",)``, a score and quality measures, or one
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
        Whatever says where it comes from: trained model, protocol, file, date.
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
        checked_prior(self.p_target)

    def __call__(self, scores: ArrayLike) -> FloatArray:
        """Log-likelihood ratios.

        Parameters
        ----------
        scores
            Of any shape for one column; otherwise ``(..., columns)``.

        Returns
        -------
        Of the shape of the scores, without the axis of the columns. NaN stays NaN.
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
        joined: FloatArray = self._held(values) @ np.array(self.weights) + self.offset
        return joined

    def _held(self, values: FloatArray) -> FloatArray:
        """``(..., columns)`` with each column within its range."""
        if not self.ranges:
            return values
        everything = (-np.inf, np.inf)
        ends = np.array([self.ranges.get(name, everything) for name in self.columns])
        return np.clip(values, ends[:, 0], ends[:, 1])


@dataclass(frozen=True)
class Threshold:
    """Where to accept, with the cost that it serves and where it comes from.

    Attributes
    ----------
    log_likelihood_ratio
        Accept a trial at or above it.
    score
        The same on the scale of the raw score; None where that depends on more.
    """

    log_likelihood_ratio: float
    score: float | None
    p_target: float
    c_miss: float
    c_fa: float
    provenance: Mapping[str, str] = field(default_factory=dict)


def fit_calibration(
    targets: ArrayLike,
    non_targets: ArrayLike,
    *,
    columns: Sequence[str] = (SCORE,),
    p_target: float = 0.5,
    penalty: float = 0.0,
    provenance: Mapping[str, str] | None = None,
) -> LinearCalibration:
    """Prior-weighted linear logistic regression.

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
        Times half of the squared weights, in units of deviations of the columns. With
        0 the optimum is that of the field, which does not exist where the trials are
        told apart without error.
    provenance
        Kept with the result.

    Raises
    ------
    CalibrationError
        Scores without an optimum, infinite scores, or scores that are higher for
        non-target trials.

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
    """
    calibration = fit_linear(
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
    if len(calibration.columns) == 1:
        return replace(calibration, ranges={})
    measures = {name: calibration.ranges[name] for name in calibration.columns[1:]}
    names = calibration.columns
    alone = _fit_alone(
        [_complete(trials, names)[0][:, 0] for trials in (targets, non_targets)],
        p_target=p_target,
        penalty=penalty,
    )
    return replace(calibration, ranges=measures, plain=alone)


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


def fit_linear(
    targets: ArrayLike,
    non_targets: ArrayLike,
    *,
    columns: Sequence[str],
    p_target: float,
    penalty: float,
    provenance: Mapping[str, str] | None,
) -> LinearCalibration:
    """Fit as :func:`fit_calibration` does, with weights of any sign.

    The result has the range of every column, and holds every column to it.
    """
    names = tuple(columns)
    checked_prior(p_target)
    if not 0 <= penalty < np.inf:
        raise CalibrationError(f"the penalty is {penalty}; it is 0 or positive")
    positives, lost_positives = _complete(targets, names)
    negatives, lost_negatives = _complete(non_targets, names)
    weights, offset = fit_weights(
        positives, negatives, names=names, p_target=p_target, penalty=penalty
    )
    return LinearCalibration(
        columns=names,
        weights=tuple(weights.tolist()),
        offset=offset,
        p_target=float(p_target),
        trained_on=TrainingTrials(
            len(positives), len(negatives), lost_positives + lost_negatives
        ),
        provenance=dict(provenance or {}),
        ranges=_ranges(names, np.concatenate([positives, negatives])),
    )


def bayes_threshold(
    *, p_target: float, c_miss: float = 1.0, c_fa: float = 1.0
) -> float:
    """Log-likelihood ratio at which accepting and rejecting cost the same.

    References
    ----------
    Duda, Hart and Stork, "Pattern classification", 2001, section 2.2.

    Examples
    --------
    >>> bayes_threshold(p_target=0.5)
    0.0
    >>> round(bayes_threshold(p_target=0.01), 2)
    4.6
    """
    checked_prior(p_target)
    if not (0 < c_miss < np.inf and 0 < c_fa < np.inf):
        raise CalibrationError(
            f"c_miss is {c_miss} and c_fa is {c_fa}; both costs must be positive and "
            f"finite (the usual value is 1)"
        )
    return float(np.log(c_fa) - np.log(c_miss) + np.log1p(-p_target) - np.log(p_target))


def threshold_for(
    calibration: LinearCalibration,
    *,
    p_target: float,
    c_miss: float = 1.0,
    c_fa: float = 1.0,
) -> Threshold:
    """Threshold of a calibrated system for a prior and costs."""
    ratio = bayes_threshold(p_target=p_target, c_miss=c_miss, c_fa=c_fa)
    score = None
    if len(calibration.columns) == 1:
        score = (ratio - calibration.offset) / calibration.weights[0]
    return Threshold(ratio, score, p_target, c_miss, c_fa, calibration.provenance)


def checked_prior(p_target: float) -> None:
    """Refuse what is no prior.

    Raises
    ------
    CalibrationError
        It does not lie between 0 and 1.
    """
    if not 0 < p_target < 1:
        raise CalibrationError(
            f"p_target is {p_target}; it is the prior probability of a target trial "
            f"and lies between 0 and 1, both excluded"
        )


def _ranges(names: tuple[str, ...], rows: FloatArray) -> dict[str, tuple[float, float]]:
    ends = zip(rows.min(axis=0).tolist(), rows.max(axis=0).tolist(), strict=True)
    return dict(zip(names, ends, strict=True))


def _complete(scores: ArrayLike, names: tuple[str, ...]) -> tuple[FloatArray, int]:
    """(trials, columns) without NaN, and how many trials had one."""
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
            "them: leave these trials out, or fit steps, which take them (--kind "
            "isotonic, `fit_isotonic`)"
        )
    return kept, len(rows) - len(kept)
