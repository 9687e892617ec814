"""Likelihood ratios and decisions from scores, by a calibration."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from bob.learn.pytorch.calibration.isotonic import IsotonicCalibration
from bob.learn.pytorch.calibration.linear import LinearCalibration, refuse_no_prior
from bob.learn.pytorch.calibration.logistic import CalibrationError
from bob.learn.pytorch.calibration.origin import Origin
from bob.learn.pytorch.calibration.quality import (
    beyond_ranges,
    doubtful_weights,
    measured_columns,
    quality_of,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

Calibration: TypeAlias = LinearCalibration | IsotonicCalibration


@dataclass(frozen=True)
class Threshold:
    """Threshold of a decision, with the cost that it serves.

    Attributes
    ----------
    log_likelihood_ratio
        Accept a trial at or above it.
    score
        The same on the scale of the raw score; None where that depends on more.
    provenance
        That of the calibration.
    """

    log_likelihood_ratio: float
    score: float | None
    p_target: float
    c_miss: float
    c_fa: float
    provenance: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Decision:
    """Likelihood ratio of a score, and the decision that follows from it.

    Attributes
    ----------
    log_likelihood_ratio
        Natural logarithm of how much more likely the score is if one speaker speaks
        than if two do.
    threshold
        Accept at or above it. Its score is that of recordings of the same quality.
    quality
        Measures of the two recordings that were weighed beside the score, by name.
    plain
        The logarithm by the score alone, where measures were weighed and the
        calibration knows it.
    beyond
        Sentences on measures that lie outside those that trained the calibration.
    """

    log_likelihood_ratio: float
    threshold: Threshold
    quality: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    plain: float | None = None
    beyond: tuple[str, ...] = ()

    @property
    def accepted(self) -> bool:
        """Return whether the decision is "one speaker"."""
        return self.log_likelihood_ratio >= self.threshold.log_likelihood_ratio

    @property
    def beyond_cosines(self) -> bool:
        """Return whether no cosine, or every one, is at or above the threshold."""
        score = self.threshold.score
        return score is not None and abs(score) > 1

    @property
    def likelihood_ratio(self) -> float:
        """Infinite where it does not fit into a float."""
        return ratio_of(self.log_likelihood_ratio)


def ratio_of(logarithm: float) -> float:
    """Return ``e ** logarithm``; infinite where it does not fit into a float."""
    try:
        return math.exp(logarithm)
    except OverflowError:
        return math.inf


def bayes_threshold(
    *, p_target: float, c_miss: float = 1.0, c_fa: float = 1.0
) -> float:
    """Return the log-likelihood ratio where accepting and rejecting cost the same.

    Raises
    ------
    CalibrationError
        The prior does not lie between 0 and 1, or a cost is not positive and finite.

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
    refuse_no_prior(p_target)
    if not (0 < c_miss < np.inf and 0 < c_fa < np.inf):
        raise CalibrationError(
            f"c_miss is {c_miss} and c_fa is {c_fa}; both costs must be positive and "
            f"finite (the usual value is 1)"
        )
    return float(np.log(c_fa) - np.log(c_miss) + np.log1p(-p_target) - np.log(p_target))


def threshold_for(
    calibration: Calibration, *, p_target: float, c_miss: float = 1.0, c_fa: float = 1.0
) -> Threshold:
    """Return the threshold of a calibration; errors are those of `bayes_threshold`."""
    ratio = bayes_threshold(p_target=p_target, c_miss=c_miss, c_fa=c_fa)
    score = None
    if isinstance(calibration, LinearCalibration) and len(calibration.columns) == 1:
        score = (ratio - calibration.offset) / calibration.weights[0]
    return Threshold(ratio, score, p_target, c_miss, c_fa, calibration.provenance)


def decide(
    score: float,
    calibration: Calibration,
    *,
    quality: Mapping[str, tuple[float, float]] | None = None,
    p_target: float = 0.5,
    c_miss: float = 1.0,
    c_fa: float = 1.0,
) -> Decision:
    """Turn a score into a log-likelihood ratio and compare it with Bayes' threshold.

    Parameters
    ----------
    quality
        Measures of the two recordings: ``duration`` in seconds, ``magnitude`` of
        their embeddings. More than the calibration weighs does no harm.
    p_target
        Prior probability that both recordings are of one speaker.
    c_miss, c_fa
        Cost of a miss (rejecting the true speaker) and of a false alarm.

    Raises
    ------
    CalibrationError
        The calibration weighs an unknown measure or is a fusion, the prior does not
        lie between 0 and 1, or a cost is not positive.

    Examples
    --------
    >>> from bob.learn.pytorch.calibration import TrainingTrials
    >>> line = LinearCalibration(("score",), (10.0,), -4.0, 0.5, TrainingTrials(9, 9))
    >>> decision = decide(0.3, line)
    >>> round(decision.log_likelihood_ratio, 6), decision.accepted
    (-1.0, False)
    >>> decide(0.3, line, p_target=0.9).accepted
    True
    """
    quality = quality or {}
    refuse_unknown_quality(calibration, known=quality)
    threshold = threshold_for(calibration, p_target=p_target, c_miss=c_miss, c_fa=c_fa)
    weighed = {name: quality[name] for name in quality_of(calibration)}
    if not (weighed and isinstance(calibration, LinearCalibration)):
        return Decision(float(calibration([score])[0]), threshold)
    sides = {name: ([left], [right]) for name, (left, right) in weighed.items()}
    values, _ = measured_columns([score], sides)
    ratio = float(calibration(values)[0])
    missing = threshold.log_likelihood_ratio - ratio
    here = replace(threshold, score=score + missing / calibration.weights[0])
    plain = None
    if calibration.plain is not None:
        plain = calibration.plain[0] * score + calibration.plain[1]
    beyond = beyond_ranges(calibration, values)
    return Decision(ratio, here, weighed, plain, tuple(beyond))


def refuse_unknown_quality(calibration: Calibration, *, known: Collection[str]) -> None:
    """Refuse a fusion, and a calibration that weighs more than is known."""
    unknown = [name for name in quality_of(calibration) if name not in known]
    if unknown:
        raise CalibrationError(
            f"the calibration also weighs {', '.join(unknown)}, and of two recordings "
            f"there is {' and '.join(['a score', *known])}; train one without it"
        )


def refuse_other_scores(
    calibration: Calibration, *, made_by: Mapping[str, str], plain: str | None = None
) -> None:
    """Refuse a calibration of other scores than plain cosines of this model.

    Parameters
    ----------
    made_by
        The fingerprint of the extractor: ``model`` and ``weights``. A fact that the
        provenance of the calibration does not have is not checked.
    plain
        A calibration of the scores before they were normalised, to be pointed to.

    Raises
    ------
    CalibrationError
        It is of another model, other weights, another measure or normalised scores.
    """
    trained, here = Origin(calibration.provenance), Origin.of_cosines(made_by)
    difference = trained.first_difference(here)
    if difference is None:
        return
    step = "train one with verify.py --calibrate-scores"
    if difference == "normalisation":
        step = f"take {plain}" if plain else f"{step}, without normalisation"
    raise CalibrationError(
        f"the calibration is of other scores: {trained.differs_from(here)} as here; "
        f"{step}"
    )


def cautions(decision: Decision, calibration: Calibration) -> list[str]:
    """Return what limits the trust in a decision, in sentences."""
    known, trials = calibration.provenance, calibration.trained_on
    ratio = decision.log_likelihood_ratio
    notes = [*decision.beyond, *doubtful_weights(calibration)]
    if decision.beyond_cosines:
        at = decision.threshold.score or 0.0
        always = "two speakers" if at > 0 else "one speaker"
        notes.append(
            f"the threshold is a cosine of {at:.4f}, out of reach between -1 and 1: "
            f"any two recordings would be decided as {always} at this prior and these "
            "costs"
        )
    unknown = [
        name for name in ("model", "measure", "normalisation") if name not in known
    ]
    if unknown:
        notes.append(
            f"the calibration does not say of which {', '.join(unknown)} its scores "
            "are: make sure that they are cosines of this model"
        )
    if ratio > math.log(max(trials.non_targets, 1)):
        notes.append(
            f"a ratio above {trials.non_targets} is extrapolated: as many non-target "
            "trials trained the calibration"
        )
    if ratio < -math.log(max(trials.targets, 1)):
        notes.append(
            f"a ratio below 1/{trials.targets} is extrapolated: as many target trials "
            "trained the calibration"
        )
    enrolled = known.get("enrolment recordings", "1")
    if enrolled != "1":
        notes.append(
            f"it was trained on speakers enrolled with {enrolled} recordings; one "
            "recording carries less evidence, and its scores lie lower"
        )
    return notes
