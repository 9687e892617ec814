"""How alike two recordings are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from bob.learn.pytorch.audio import UnusableEmbedding, Waveform, as_waveform
from bob.learn.pytorch.audio.doubts import little_speech
from bob.learn.pytorch.scoring import magnitudes, similarity
from bob.learn.pytorch.store.records import fault_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Extractor(Protocol):
    """What makes an embedding of a recording."""

    @property
    def channel(self) -> Any:  # noqa: ANN401
        """Which channel it takes."""

    def embed(self, recording: Any, /) -> NDArray[np.float32]:  # noqa: ANN401
        """One recording -> (dimensions,)."""


@dataclass(frozen=True)
class Comparison:
    """Cosine of two embeddings, and how much speech it stands on.

    Attributes
    ----------
    score
        From -1 to 1; higher means more alike.
    seconds, rates
        Durations and sampling rates of the two recordings, in seconds and hertz.
    doubts
        Why each may hold little speech; empty for no reason.
    magnitudes
        Euclidean lengths of both embeddings.
    """

    score: float
    seconds: tuple[float, float]
    rates: tuple[int, int]
    doubts: tuple[str, str] = ("", "")
    magnitudes: tuple[float, float] = (math.nan, math.nan)


def compare(extractor: Extractor, first: object, second: object) -> Comparison:
    """Compare two recordings.

    Parameters
    ----------
    extractor
        Makes the embeddings.
    first, second
        Paths, or what else `bob.learn.pytorch.audio.as_waveform` takes.

    Raises
    ------
    RecordingError
        One of them cannot be used; it says which and why.
    """
    left, right = (
        as_waveform(recording, channel=extractor.channel)
        for recording in (first, second)
    )
    embeddings = [_usable(extractor.embed(side), side) for side in (left, right)]
    score = similarity.cosine(embeddings[:1], embeddings[1:])
    lengths = magnitudes(embeddings).tolist()
    return Comparison(
        float(score[0, 0]),
        (left.seconds, right.seconds),
        (left.sample_rate, right.sample_rate),
        (
            little_speech(left.samples, rate=left.sample_rate),
            little_speech(right.samples, rate=right.sample_rate),
        ),
        (lengths[0], lengths[1]),
    )


def _usable(embedding: NDArray[np.float32], waveform: Waveform) -> NDArray[np.float32]:
    fault = fault_of(embedding)
    if fault:
        reason = f"gives no embedding: it {fault}"
        raise UnusableEmbedding(reason, recording=waveform.name)
    return embedding
