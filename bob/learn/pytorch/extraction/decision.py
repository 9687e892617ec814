"""A score becomes a likelihood ratio and a decision, by a calibration."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bob.learn.pytorch.scoring import (
    CalibrationError,
    IsotonicCalibration,
    LinearCalibration,
    Threshold,
    bayes_threshold,
    threshold_for,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeAlias

    Calibration: TypeAlias = LinearCalibration | IsotonicCalibration

MEASURE = "cosine"


@dataclass(frozen=True)
class Decision:
    """What a score says, and what to do about it.

    Attributes
    ----------
    log_likelihood_ratio
        Natural logarithm of how much more likely the score is if one speaker speaks
        than if two do.
    threshold
        Accept at or above it.
    """

    log_likelihood_ratio: float
    threshold: Threshold

    @property
    def accepted(self) -> bool:
        """Whether it is taken for one speaker."""
        return self.log_likelihood_ratio >= self.threshold.log_likelihood_ratio

    @property
    def likelihood_ratio(self) -> float:
        """Infinite where it does not fit into a float."""
        try:
            return math.exp(self.log_likelihood_ratio)
        except OverflowError:
            return math.inf


def decide(
    score: float,
    calibration: Calibration,
    *,
    p_target: float = 0.5,
    c_miss: float = 1.0,
    c_fa: float = 1.0,
) -> Decision:
    """Turn a score into a log-likelihood ratio and compare it with Bayes' threshold.

    Parameters
    ----------
    p_target
        Prior probability that both recordings are of one speaker.
    c_miss, c_fa
        What it costs to take one speaker for two, and two for one.

    Raises
    ------
    CalibrationError
        The calibration needs more than a score, or prior or costs are none.

    Examples
    --------
    >>> from bob.learn.pytorch.scoring import TrainingTrials
    >>> line = LinearCalibration(("score",), (10.0,), -4.0, 0.5, TrainingTrials(9, 9))
    >>> decision = decide(0.3, line)
    >>> round(decision.log_likelihood_ratio, 6), decision.accepted
    (-1.0, False)
    >>> decide(0.3, line, p_target=0.9).accepted
    True
    """
    if isinstance(calibration, LinearCalibration):
        if len(calibration.columns) != 1:
            raise CalibrationError(
                f"the calibration needs {', '.join(calibration.columns)}, and there is "
                "a score alone; train one without quality measures"
            )
        threshold = threshold_for(
            calibration, p_target=p_target, c_miss=c_miss, c_fa=c_fa
        )
    else:
        ratio = bayes_threshold(p_target=p_target, c_miss=c_miss, c_fa=c_fa)
        threshold = Threshold(
            ratio, None, p_target, c_miss, c_fa, calibration.provenance
        )
    return Decision(float(calibration([score])[0]), threshold)


def refuse_other_scores(
    calibration: Calibration, *, made_by: Mapping[str, str]
) -> None:
    """Refuse a calibration of other scores than plain cosines of this model.

    What its provenance does not say is not checked.

    Parameters
    ----------
    made_by
        The fingerprint of the extractor: ``model`` and ``weights``.

    Raises
    ------
    CalibrationError
        It is of another model, other weights, another measure or normalised scores.
    """
    expected = {
        "model": made_by.get("model"),
        "weights": made_by.get("weights"),
        "measure": MEASURE,
        "mean_subtracted": "False",
        "normalisation": "none",
    }
    for name, value in expected.items():
        said = calibration.provenance.get(name)
        if value is not None and said is not None and said != value:
            raise CalibrationError(
                f"the calibration is of other scores: its {name} is {said!r}, and here "
                f"it is {value!r}; train one with verify.py --calibrate-scores"
            )


def cautions(decision: Decision, calibration: Calibration) -> list[str]:
    """What to know of a calibration before acting on it, in sentences."""
    said, trials = calibration.provenance, calibration.trained_on
    ratio = decision.log_likelihood_ratio
    notes = []
    unsaid = [
        name for name in ("model", "measure", "normalisation") if name not in said
    ]
    if unsaid:
        notes.append(
            f"the calibration does not say of which {', '.join(unsaid)} its scores "
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
    enrolled = said.get("enrolment recordings", "1")
    if enrolled != "1":
        notes.append(
            f"it was trained on speakers enrolled with {enrolled} recordings; one "
            "recording says less, and its scores lie lower"
        )
    return notes
