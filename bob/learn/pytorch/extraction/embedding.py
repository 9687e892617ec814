"""Recordings to embeddings, by a trained model on an engine."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np

from bob.learn.pytorch.audio import (
    NonFiniteRecording,
    RecordingError,
    RecordingLike,
    Waveform,
    as_waveform,
    check_usable,
    printable,
)
from bob.learn.pytorch.extraction.batching import Loaded

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Literal

    from numpy.typing import NDArray

    from bob.learn.pytorch.embedder import SpeakerEmbedder
    from bob.learn.pytorch.extraction.engine import Engine
    from bob.learn.pytorch.weights.catalogue import TrainedModel

logger = logging.getLogger(__name__)


class RecordingEmbedder:
    """Recordings in, embeddings out, alone or in batches.

    Parameters
    ----------
    embedder
        The trained model, for what it asks of a recording.
    engine
        What runs it.
    model
        Its entry in the catalogue.
    channel
        Which channel to take, counted from 0, or "mix"; None refuses several.
    """

    def __init__(
        self,
        embedder: SpeakerEmbedder,
        engine: Engine,
        *,
        model: TrainedModel,
        channel: int | Literal["mix"] | None,
    ) -> None:
        self._engine = engine
        self._model = model
        self._channel = channel
        self._minimum_seconds = embedder.minimum_seconds

    @property
    def frames_at_once(self) -> int:
        """How many frames a batch may have, all items counted as the longest."""
        return self._engine.frames_at_once

    def load(self, recording: RecordingLike, *, rate: float | None = None) -> Loaded:
        """Read a recording and prepare it for the network, by any thread.

        Parameters
        ----------
        recording
            Whatever `bob.learn.pytorch.audio.as_waveform` takes.
        rate
            Sampling rate in hertz, of an array without one.

        Raises
        ------
        RecordingError
            The recording cannot be read or used; it says why.
        """
        waveform = as_waveform(recording, rate=rate, channel=self._channel)
        check_usable(waveform, minimum_seconds=self._minimum_seconds)
        self._note_if_short(waveform)
        model = self._model
        fitting = waveform.resampled(model.sample_rate, method=model.resampler)
        content = self._engine.prepared(fitting.samples)
        return Loaded(
            content,
            self._engine.frames(content),
            waveform.seconds,
            waveform.sample_rate,
            waveform.name,
        )

    def start_batch(
        self, batch: Sequence[Loaded]
    ) -> Callable[[], list[NDArray[np.float32] | RecordingError]]:
        """Begin with a batch; calling what comes back gives one result an item.

        A result is (dimensions,), or the error of a recording whose embedding is not
        finite.
        """
        embeddings = self._engine.start([item.content for item in batch])
        return lambda: [
            self._checked(embedding, item)
            for embedding, item in zip(embeddings(), batch, strict=True)
        ]

    def embed(
        self, recording: RecordingLike, *, rate: float | None = None
    ) -> NDArray[np.float32]:
        """One recording -> (dimensions,); arguments and errors as for `load`."""
        (result,) = self.start_batch([self.load(recording, rate=rate)])()
        if isinstance(result, RecordingError):
            raise result
        return result

    def _checked(
        self, embedding: NDArray[np.float32], item: Loaded
    ) -> NDArray[np.float32] | RecordingError:
        if np.isfinite(embedding).all():
            return embedding
        reason = f"gives an embedding that is not finite with {self._model.name}"
        return NonFiniteRecording(reason, recording=item.name)

    def _note_if_short(self, waveform: Waveform) -> None:
        if waveform.seconds < self._model.recommended_seconds:
            logger.info(
                "%s lasts %.2f s; below %g s an embedding of %s says little",
                printable(waveform.name or "a recording"),
                waveform.seconds,
                self._model.recommended_seconds,
                self._model.name,
            )
