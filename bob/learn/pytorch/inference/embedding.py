"""Recordings to embeddings, by a trained model on an engine."""

from __future__ import annotations

import logging
import os
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from bob.learn.pytorch.audio import (
    RecordingError,
    RecordingLike,
    TooLongRecording,
    UnusableEmbedding,
    Waveform,
    as_waveform,
    check_usable,
    files,
)
from bob.learn.pytorch.inference.batching import Loaded
from bob.learn.pytorch.inference.long import (
    BLOCK_FRAMES,
    LEAST_BLOCK_FRAMES,
    embed_chunks,
    embed_long,
    has_limited_reach,
)
from bob.learn.pytorch.printing import printable
from bob.learn.pytorch.store.arrays import fault_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Literal

    import numpy as np
    from numpy.typing import NDArray

    from bob.learn.pytorch.architectures.resnet import SpeakerResNet
    from bob.learn.pytorch.inference.engine import Engine
    from bob.learn.pytorch.models.catalogue import TrainedModel
    from bob.learn.pytorch.models.embedder import Network

logger = logging.getLogger(__name__)

FRAMES_A_SECOND = 100
# Beside the model. Up to here a recording is better embedded whole: it is decoded once,
# not three times, and at any sampling rate it is resampled as the network knows it. A
# process with as much stays below 2 GB.
LARGEST_WHOLE_MB = 400.0


def needed_mb(network: Network, *, frames: int, way: str) -> float:
    """Return the memory in MB that a recording needs which is embedded whole.

    Parameters
    ----------
    network
        Declares `mb_a_second`; a network that does not is taken for the most demanding.
        The network itself is not counted.
    frames
        Frames of 10 ms.
    way
        "float32", "float64" or "onnxruntime", as `SpeakerNetwork` explains.

    Examples
    --------
    >>> from bob.learn.pytorch.architectures import CAMPPlus
    >>> needed_mb(CAMPPlus(), frames=60_000, way="float32")
    1620.0
    """
    declared = getattr(network, "mb_a_second", None)
    if declared is None:
        from bob.learn.pytorch.architectures.blocks import SpeakerNetwork

        declared = SpeakerNetwork.mb_a_second
    return float(getattr(declared, way)) * frames / FRAMES_A_SECOND


class RecordingEmbedder:
    """Recordings in, embeddings out, alone or in batches.

    Recordings that need more memory than `LARGEST_WHOLE_MB` go by themselves: in
    blocks, where the network allows it, which gives the same embedding in little
    memory; else as a whole, if that takes no more memory than is allowed, or in chunks,
    if asked.

    Parameters
    ----------
    engine
        Engine that runs the trained model.
    model
        Its entry in the catalogue.
    channel
        Channel to take, counted from 0, or "mix" for their mean; None refuses several.
    memory_mb
        Memory limit in MB for one batch or one long recording, beside the model.
    chunk_seconds
        Length of the chunks whose embeddings are averaged, for recordings that the
        network would have to see as a whole; None refuses those above the memory.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        model: TrainedModel,
        channel: int | Literal["mix"] | None,
        memory_mb: float,
        chunk_seconds: float | None = None,
    ) -> None:
        self._engine = engine
        self._model = model
        self._channel = channel
        self._memory_mb = memory_mb
        self._chunk_seconds = chunk_seconds
        # Of most networks this says enough, before the front end is asked.
        declares = hasattr(self._network, "reach")
        self._in_blocks = declares and has_limited_reach(engine.embedder)
        each = needed_mb(self._network, frames=1, way=engine.way)
        self.frames_at_once = max(1, min(engine.frames_at_once, int(memory_mb / each)))
        self._largest_whole_mb = min(LARGEST_WHOLE_MB, memory_mb)
        if self._in_blocks:  # a block has no less
            least = self._needed_mb(2 * LEAST_BLOCK_FRAMES / FRAMES_A_SECOND)
            self._largest_whole_mb = max(self._largest_whole_mb, least)

    @property
    def readers(self) -> int:
        """Return the number of threads that read recordings for it."""
        return self._engine.readers

    @property
    def _network(self) -> Network:
        return self._engine.embedder.network

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
        settings: tuple[str, ...] = ()
        if isinstance(recording, str | os.PathLike):
            seconds, found, channels = files.info(recording)
            settings = ("channel",) if channels > 1 else ()
            if self._needed_mb(seconds) > self._largest_whole_mb:
                name = os.fspath(recording)
                item = Loaded(recording, 0, seconds, found, name, settings)
                return self._long(item, rate)
        waveform = as_waveform(recording, rate=rate, channel=self._channel)
        about = (waveform.seconds, waveform.sample_rate, waveform.name)
        if self._needed_mb(waveform.seconds) > self._largest_whole_mb:
            return self._long(Loaded(waveform, 0, *about), None)
        return replace(self._whole(waveform), settings=settings)

    def _needed_mb(self, seconds: float) -> float:
        frames = round(seconds * FRAMES_A_SECOND)
        return needed_mb(self._network, frames=frames, way=self._engine.way)

    def _whole(self, waveform: Waveform) -> Loaded:
        minimum = self._engine.embedder.minimum_seconds
        check_usable(waveform, minimum_seconds=minimum)
        model = self._model
        if waveform.seconds < model.recommended_seconds:
            logger.info(
                "%s lasts %.2f s; below %g s an embedding of %s says little",
                printable(waveform.name or "a recording"),
                waveform.seconds,
                model.recommended_seconds,
                model.name,
            )
        fitting = waveform.resampled(model.sample_rate, method=model.resampler)
        content = self._engine.prepared(fitting.samples)
        return Loaded.of(waveform, content, self._engine.frames(content))

    def _long(self, item: Loaded, rate: float | None) -> Loaded:
        """Return how a recording is embedded, later, that does not go into a batch."""
        embedder = self._engine.embedder
        options: dict[str, Any] = {"channel": self._channel, "rate": rate}
        needed = self._needed_mb(item.seconds)
        if self._in_blocks:
            options["block_frames"] = self._block_frames()
            work = partial(embed_long, embedder, item.content, **options)
        elif needed > self._memory_mb and self._chunk_seconds is not None:
            options["chunk_seconds"] = self._chunk_seconds
            options["resampler"] = self._model.resampler
            work = partial(embed_chunks, embedder, item.content, **options)
            item = replace(item, settings=(*item.settings, "chunk_seconds"))
        else:
            self._refuse_too_long(item, needed)
            waveform = as_waveform(item.content, rate=rate, channel=self._channel)
            return replace(self._whole(waveform), settings=item.settings)
        frames = round(item.seconds * FRAMES_A_SECOND)
        return replace(item, content=work, frames=frames)

    def _refuse_too_long(self, item: Loaded, needed: float) -> None:
        cap, seconds = self._memory_mb, item.seconds
        if needed <= cap:
            return
        raise TooLongRecording(
            f"lasts {_duration(seconds)}, for which {type(self._network).__name__} "
            f"needs about {needed / 1000:.3g} GB of memory; up to {cap / 1000:.3g} GB "
            f"are allowed, which is enough for {_duration(seconds * cap / needed)}: "
            "allow more, cut it, or take the mean over chunks "
            "(--memory, --chunks; memory_mb, chunk_seconds in Python)",
            recording=item.name,
        )

    def _block_frames(self) -> int:
        """Return the frames of a block beside its surroundings that memory allows."""
        reach = cast("SpeakerResNet", self._network).reach()
        # ONNX Runtime leaves them to PyTorch, as published: that is less than float64.
        way = "float32" if self._engine.way == "float32" else "float64"
        each = needed_mb(self._network, frames=1, way=way)
        most = self._largest_whole_mb / each
        inner = int(most) - reach.before - reach.behind
        return max(LEAST_BLOCK_FRAMES, min(BLOCK_FRAMES, inner))

    def start_batch(
        self, batch: Sequence[Loaded]
    ) -> Callable[[], list[NDArray[np.float32] | RecordingError]]:
        """Begin with a batch; calling what comes back gives one result an item.

        A result is (dimensions,), or the error of a recording that turns out to be bad
        or has no usable embedding.
        """
        together = [item.content for item in batch if not callable(item.content)]
        embeddings = self._engine.start(together) if together else list

        def results() -> list[NDArray[np.float32] | RecordingError]:
            made: Iterator[NDArray[np.float32]] = iter(embeddings())
            return [
                self._finished(item, None if callable(item.content) else next(made))
                for item in batch
            ]

        return results

    def _finished(
        self, item: Loaded, embedding: NDArray[np.float32] | None
    ) -> NDArray[np.float32] | RecordingError:
        if embedding is None:
            try:
                with self._engine.exactly():
                    embedding = item.content()
            except RecordingError as error:
                return error
        fault = fault_of(embedding)
        if not fault:
            return embedding
        reason = f"gives no embedding with {self._model.name}: it {fault}"
        return UnusableEmbedding(reason, recording=item.name)


def _duration(seconds: float) -> str:
    minutes = int(seconds / 60)
    if not minutes:
        return f"{seconds:.3g} s"
    return (
        f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"
    )
