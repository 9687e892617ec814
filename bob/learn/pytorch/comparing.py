"""Compare two recordings by any model: `compare` of the face."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bob.learn.pytorch.audio import (
    RecordingError,
    UnusableEmbedding,
    Waveform,
    as_waveform,
    files,
)
from bob.learn.pytorch.audio.doubts import little_speech
from bob.learn.pytorch.choices import DEFAULT_MODEL
from bob.learn.pytorch.errors import ScoringError
from bob.learn.pytorch.preprocessor.audio.loading import open_model
from bob.learn.pytorch.printing import printable
from bob.learn.pytorch.scoring.similarity import cosine
from bob.learn.pytorch.store.arrays import fault_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from bob.learn.pytorch.audio import RecordingLike
    from bob.learn.pytorch.calibration.decision import Calibration, Decision
    from bob.learn.pytorch.models.catalogue import TrainedModel
    from bob.learn.pytorch.preprocessor.audio.loading import Extractor
    from bob.learn.pytorch.templates.format.template import Template

#: Measures of two recordings that a calibration may weigh beside their score.
QUALITY = ("duration", "magnitude")


@dataclass(frozen=True)
class Comparison:
    """Score of two recordings, and the decision where a calibration is given.

    ``float(comparison)`` is the score, ``format(comparison, ".3f")`` writes it.

    Attributes
    ----------
    score
        Cosine of the two embeddings, from -1 to 1; higher means more alike.
    model
        Name of the model.
    seconds, rates
        Durations and sampling rates of the two recordings, in seconds and hertz.
    magnitudes
        Euclidean lengths of the two embeddings; not a number without a calibration.
    calibration, decision
        The calibration and what it makes of the score; None without.
    notes
        Sentences on what limits the trust in the score or decision.
    """

    score: float
    model: str
    seconds: tuple[float, float]
    rates: tuple[int, int]
    magnitudes: tuple[float, float] = (math.nan, math.nan)
    calibration: Calibration | None = None
    decision: Decision | None = None
    notes: tuple[str, ...] = ()

    def __float__(self) -> float:
        return self.score

    def __format__(self, form: str) -> str:
        return format(self.score, form) if form else str(self)

    def __repr__(self) -> str:
        return f"<Comparison: {'; '.join(self._told('{}'))}>"

    def __lt__(self, other: object) -> bool:
        return bool(self.score < _number(other))

    def __le__(self, other: object) -> bool:
        return bool(self.score <= _number(other))

    def __gt__(self, other: object) -> bool:
        return bool(self.score > _number(other))

    def __ge__(self, other: object) -> bool:
        return bool(self.score >= _number(other))

    @property
    def likelihood_ratio(self) -> float | None:
        """Return how much more likely the score is if one speaker speaks than if two.

        None without a calibration; infinite where it does not fit into a float.
        """
        return None if self.decision is None else self.decision.likelihood_ratio

    @property
    def same_speaker(self) -> bool | None:
        """Return whether the decision is one speaker; None without a calibration."""
        return None if self.decision is None else self.decision.accepted

    def _repr_html_(self) -> str:
        return f"<div>{'; '.join(self._told('<b>{}</b>'))}</div>"

    def _told(self, stressed: str) -> Iterator[str]:
        model = escape(self.model) if "<" in stressed else self.model
        yield f"score {stressed.format(format(self.score, '.4f'))} with {model}"
        if self.decision is not None:
            who = "one speaker" if self.decision.accepted else "two speakers"
            yield f"likelihood ratio {self.decision.likelihood_ratio:.3g}"
            yield f"decision: {stressed.format(who)}"


def _number(other: object) -> Any:  # noqa: ANN401 - what compares with a float
    return other.score if isinstance(other, Comparison) else other


def compare(
    first: RecordingLike,
    second: RecordingLike,
    *,
    model: str | os.PathLike[str] | Template | Extractor = DEFAULT_MODEL,
    calibration: str | os.PathLike[str] | Calibration | None = None,
    p_target: float | None = None,
    c_miss: float | None = None,
    c_fa: float | None = None,
    ask: Callable[[Template], None] | None = None,
    **options: Any,  # noqa: ANN401 - those of `load_model`
) -> Comparison:
    """Compare the speakers of two recordings.

    Parameters
    ----------
    first, second
        Paths, `(rate, samples)`, or what else `bob.learn.pytorch.audio.as_waveform`
        takes.
    model
        Name or file of a trained model or of a template, or a loaded model. A model
        that is not here yet is downloaded.
    calibration
        File of a calibration, or a calibration, of scores of this model.
    p_target
        Prior probability that both recordings are of one speaker, for the decision of
        a calibration. By default 0.5.
    c_miss, c_fa
        Cost of a miss (rejecting the true speaker) and of a false alarm. By default 1.
    ask
        Called with a template before it is run, to let its user trust it.
    **options
        Further parameters of `load_model`, such as ``device``.

    Raises
    ------
    RecordingError
        One of the recordings cannot be used; the error says which and why.
    CalibrationError
        The calibration is of other scores, or weighs what two recordings do not tell.
    UserError
        The model cannot be had; as `load_model`.

    Examples
    --------
    >>> comparison = compare("anna_1.flac", "anna_2.flac")  # doctest: +SKIP
    >>> float(comparison)  # doctest: +SKIP
    0.8124
    """
    asked = {"p_target": p_target, "c_miss": c_miss, "c_fa": c_fa}
    costs = {name: value for name, value in asked.items() if value is not None}
    if costs and calibration is None:
        raise ScoringError(
            f"{', '.join(costs)}: for a decision, which takes a calibration; give one, "
            "or leave this out",
            remedy="calibration",
        )
    for recording, which in ((first, "first"), (second, "second")):
        _refuse_several(recording, which)
        if isinstance(recording, str | os.PathLike):
            files.info(recording)  # a misspelt name should not wait for a download
    fitted = None if calibration is None else _calibration(calibration)
    extractor = open_model(model, ask=ask, **options)
    if fitted is not None and calibration is not None:
        _refuse_other_scores(fitted, extractor, given=calibration)
    extractor.prepare(progress=True)
    sides = [
        as_waveform(one, channel=extractor.channel, name=_name_of(one, which))
        for one, which in ((first, "first"), (second, "second"))
    ]
    embeddings = [_usable(extractor.embed(side), side) for side in sides]
    left, right = sides
    comparison = Comparison(
        float(cosine(embeddings[:1], embeddings[1:])[0, 0]),
        extractor.model.name,
        (left.seconds, right.seconds),
        (left.sample_rate, right.sample_rate),
        notes=tuple(_notes(sides, extractor.model)),
    )
    if fitted is None:
        return comparison
    costs = {"p_target": 0.5, "c_miss": 1.0, "c_fa": 1.0, **costs}
    return _decided(comparison, fitted, embeddings, **costs)


def _refuse_several(recording: object, which: str) -> None:
    """Refuse what is no single recording."""
    if recording is None or isinstance(recording, list | Mapping | Iterator):
        raise RecordingError(
            f"came as {type(recording).__name__}; expected one recording: a path, or "
            "(rate, samples)",
            recording=f"the {which} recording",
        )


def _name_of(recording: object, which: str) -> str | None:
    """Return the name of samples in messages; None for what has its own."""
    is_samples = isinstance(recording, tuple) or hasattr(recording, "shape")
    return f"the {which} recording" if is_samples else None


def _calibration(given: str | os.PathLike[str] | Calibration) -> Calibration:
    """Return a calibration that two recordings may do for."""
    from bob.learn.pytorch.calibration import CalibrationError, load_calibration
    from bob.learn.pytorch.calibration.decision import refuse_unknown_quality

    is_file = isinstance(given, str | os.PathLike)
    try:
        found = load_calibration(Path(given)) if is_file else given  # type: ignore[arg-type]
    except OSError as error:
        raise CalibrationError(
            f"{given} cannot be read ({error.strerror}); expected the file of a "
            "calibration, as save_calibration writes it"
        ) from error
    with _file_named(given):
        refuse_unknown_quality(found, known=QUALITY)  # type: ignore[arg-type]
    return found  # type: ignore[return-value]


def _refuse_other_scores(
    fitted: Calibration,
    extractor: Extractor,
    given: str | os.PathLike[str] | Calibration,
) -> None:
    from bob.learn.pytorch.calibration.decision import refuse_other_scores

    plain = None
    if isinstance(given, str | os.PathLike):
        # As verify.py lays them out: the scores before normalisation stand beside.
        path = Path(given)
        beside = path.parent.parent / "nonorm" / path.name
        plain = str(beside) if beside.is_file() else None
    with _file_named(given):
        refuse_other_scores(fitted, made_by=extractor.fingerprint(), plain=plain)


@contextmanager
def _file_named(given: object) -> Iterator[None]:
    """Name the file in what is wrong with its calibration."""
    from bob.learn.pytorch.calibration import CalibrationError

    try:
        yield
    except CalibrationError as error:
        if not isinstance(given, str | os.PathLike):
            raise
        raise CalibrationError(f"{os.fspath(given)}: {error}") from error


def _decided(
    comparison: Comparison,
    calibration: Calibration,
    embeddings: Sequence[NDArray[np.float32]],
    **costs: float,
) -> Comparison:
    """Return the comparison with the decision of a calibration."""
    from bob.learn.pytorch.calibration.decision import cautions, decide
    from bob.learn.pytorch.scoring import magnitudes

    left, right = magnitudes(embeddings).tolist()
    quality = {"duration": comparison.seconds, "magnitude": (left, right)}
    decision = decide(comparison.score, calibration, quality=quality, **costs)
    return replace(
        comparison,
        magnitudes=(left, right),
        calibration=calibration,
        decision=decision,
        notes=(*comparison.notes, *cautions(decision, calibration)),
    )


def _notes(sides: Sequence[Waveform], model: TrainedModel | Template) -> Iterator[str]:
    """Yield what limits the trust in a score, of short, narrow or odd recordings."""
    names = [printable(one.name or "a recording") for one in sides]
    for name, side in zip(names, sides, strict=True):
        if side.seconds < model.recommended_seconds:
            yield (
                f"{name} lasts {side.seconds:.2f} s; below "
                f"{model.recommended_seconds:g} s an embedding of {model.name} says "
                "little"
            )
    rates = [side.sample_rate for side in sides]
    low, high = sorted(zip(rates, names, strict=True))
    if low[0] != high[0] and low[0] < model.sample_rate:
        yield (
            f"{low[1]} has a sampling rate of {low[0]} Hz and {high[1]} of {high[0]} "
            "Hz: what lies above half of the lower one is in one recording only, and "
            "scores of one speaker are lower than for equal rates"
        )
    for name, side in zip(names, sides, strict=True):
        doubt = little_speech(side.samples, rate=side.sample_rate)
        if doubt:
            yield f"{name} may hold little speech: {doubt} (seen by its level alone)"


def _usable(embedding: NDArray[np.float32], waveform: Waveform) -> NDArray[np.float32]:
    fault = fault_of(embedding)
    if fault:
        reason = f"gives no embedding: it {fault}"
        raise UnusableEmbedding(reason, recording=waveform.name)
    return embedding
