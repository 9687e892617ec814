"""A score becomes a likelihood ratio and a decision, by a calibration."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from bob.learn.pytorch.calibration import (
    CalibrationError,
    IsotonicCalibration,
    LinearCalibration,
    Threshold,
    bayes_threshold,
    threshold_for,
)
from bob.learn.pytorch.calibration.quality import (
    beyond_ranges,
    doubtful_weights,
    measured_columns,
    quality_of,
)
from bob.learn.pytorch.scoring import magnitudes

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from typing import TypeAlias

    import numpy as np
    from numpy.typing import NDArray

    from bob.learn.pytorch.inference.compare import Extractor

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
        Accept at or above it. Its score is that of recordings of the same quality.
    quality
        What was weighed beside the score, by name: of the two recordings.
    plain
        The logarithm by the score alone, where measures were weighed and the
        calibration knows it.
    beyond
        Which measures lie outside those that trained the calibration, in sentences.
    """

    log_likelihood_ratio: float
    threshold: Threshold
    quality: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    plain: float | None = None
    beyond: tuple[str, ...] = ()

    @property
    def accepted(self) -> bool:
        """Return whether it is taken for one speaker."""
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


class Measuring:
    """An extractor that also remembers how long its embeddings are.

    Attributes
    ----------
    magnitudes
        Of each embedding so far.
    """

    def __init__(self, extractor: Extractor) -> None:
        self._extractor = extractor
        self.magnitudes: list[float] = []

    @property
    def channel(self) -> Any:  # noqa: ANN401 - as the extractor has it
        """Which channel it takes."""
        return self._extractor.channel

    def embed(self, recording: Any, /) -> NDArray[np.float32]:  # noqa: ANN401
        """One recording -> (dimensions,)."""
        embedding = self._extractor.embed(recording)
        self.magnitudes.append(float(magnitudes([embedding])[0]))
        return embedding


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
        What is known of the two recordings: ``duration`` in seconds, ``magnitude`` of
        their embeddings. More than the calibration weighs does no harm.
    p_target
        Prior probability that both recordings are of one speaker.
    c_miss, c_fa
        What it costs to take one speaker for two, and two for one.

    Raises
    ------
    CalibrationError
        The calibration weighs what is not known, is a fusion, or prior or costs are
        none.

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
    weighed = {name: quality[name] for name in quality_of(calibration)}
    plain, beyond = None, []
    if weighed and isinstance(calibration, LinearCalibration):
        sides = {name: ([left], [right]) for name, (left, right) in weighed.items()}
        values, _ = measured_columns([score], sides)
        ratio = float(calibration(values)[0])
        beyond = beyond_ranges(calibration, values)
        if calibration.plain is not None:
            plain = calibration.plain[0] * score + calibration.plain[1]
    else:
        ratio = float(calibration([score])[0])
    if isinstance(calibration, LinearCalibration):
        threshold = threshold_for(
            calibration, p_target=p_target, c_miss=c_miss, c_fa=c_fa
        )
        if weighed:
            missing = threshold.log_likelihood_ratio - ratio
            here = score + missing / calibration.weights[0]
            threshold = replace(threshold, score=here)
    else:
        at = bayes_threshold(p_target=p_target, c_miss=c_miss, c_fa=c_fa)
        threshold = Threshold(at, None, p_target, c_miss, c_fa, calibration.provenance)
    return Decision(ratio, threshold, weighed, plain, tuple(beyond))


def refuse_unknown_quality(calibration: Calibration, *, known: Collection[str]) -> None:
    """Refuse a calibration that weighs more than is known of two recordings.

    Raises
    ------
    CalibrationError
        It does, or is a fusion.
    """
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

    What its provenance does not say is not checked.

    Parameters
    ----------
    made_by
        The fingerprint of the extractor: ``model`` and ``weights``.
    plain
        A calibration of the scores before they were normalised, to be pointed to.

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
            step = "train one with verify.py --calibrate-scores"
            if name == "normalisation":
                step = f"take {plain}" if plain else f"{step}, without normalisation"
            raise CalibrationError(
                f"the calibration is of other scores: its {name} is {said!r}, and here "
                f"it is {value!r}; {step}"
            )


def cautions(decision: Decision, calibration: Calibration) -> list[str]:
    """What to know of a calibration before acting on it, in sentences."""
    said, trials = calibration.provenance, calibration.trained_on
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
