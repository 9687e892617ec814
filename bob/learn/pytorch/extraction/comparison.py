"""How alike two recordings are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from bob.learn.pytorch.audio import as_waveform
from bob.learn.pytorch.scoring import similarity

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
    seconds
        Durations of the two recordings.
    """

    score: float
    seconds: tuple[float, float]


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
    score = similarity.cosine([extractor.embed(left)], [extractor.embed(right)])
    return Comparison(float(score[0, 0]), (left.seconds, right.seconds))
