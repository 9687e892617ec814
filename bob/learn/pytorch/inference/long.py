"""Recordings of hours -> one embedding, in bounded memory.

DltResNet and ResNet see a few seconds around a frame, and between them and the
embedding there are only means and deviations over time. So blocks that overlap give the
embedding that the whole recording has, up to rounding: `embed_long`. CAM++ looks at the
whole recording in every layer; what it can have is the mean embedding of the chunks of
a recording: `embed_chunks`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, cast

import numpy as np

from bob.learn.pytorch.audio import (
    ConstantRecording,
    SilentRecording,
    UnreadableRecording,
    Waveform,
    as_blocks,
    check_usable,
    count_usable,
)
from bob.learn.pytorch.inference.engine import ChoiceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import torch
    from numpy.typing import NDArray
    from torch import Tensor

    from bob.learn.pytorch.architectures.resnet import Reach, SpeakerResNet
    from bob.learn.pytorch.audio import Channel, RecordingLike, SampleBlocks
    from bob.learn.pytorch.features.spectrogram import Spectrogram
    from bob.learn.pytorch.models.embedder import SpeakerEmbedder

# From 4096 to 16384 all are equally fast.
BLOCK_FRAMES = 8192
# Below, most of a block would be what it shares with its neighbours.
LEAST_BLOCK_FRAMES = 1024


class _Window(NamedTuple):
    """Frames of the features that go through the network together."""

    start: int  # in the whole recording
    stop: int
    first: int  # of the output frames that are right
    last: int | None  # before it they end; None is up to the end


def has_limited_reach(embedder: SpeakerEmbedder) -> bool:
    """Return whether `embed_long` can serve it: its network declares a reach."""
    from bob.learn.pytorch.features.spectrogram import Spectrogram

    declares = hasattr(embedder.network, "reach")
    return declares and isinstance(embedder.features, Spectrogram)


def embed_long(
    embedder: SpeakerEmbedder,
    recording: RecordingLike,
    *,
    channel: Channel = None,
    rate: float | None = None,
    block_frames: int = BLOCK_FRAMES,
) -> NDArray[np.float32]:
    """Embed a recording of any length with DltResNet or ResNet.

    Parameters
    ----------
    embedder
        With such a network, ready to embed (`eval()`).
    recording, rate, channel
        As of `bob.learn.pytorch.audio.as_waveform`. A file is decoded three times, at
        another rate than the network's four times, and never held as a whole.
    block_frames
        Frames of 10 ms in a block beside those that it shares with its neighbours;
        rounded down to a multiple of the network's stride.

    Returns
    -------
    (dimensions,)

    Raises
    ------
    RecordingError
        The recording cannot be read or used, as when it is embedded whole; or it
        changed while it was read.
    TypeError
        The network is another one.
    """
    import torch

    if not has_limited_reach(embedder):
        raise TypeError(
            f"{type(embedder.network).__name__} looks at whole recordings; only "
            "DltResNet and ResNet can be computed in blocks: use embed_chunks"
        )
    network = cast("SpeakerResNet", embedder.network)
    blocks = as_blocks(recording, rate=rate, channel=channel)
    samples = count_usable(blocks, minimum_seconds=embedder.minimum_seconds)
    blocks = blocks.resampled(embedder.sample_rate, samples=samples)
    weight = next(network.parameters())
    with torch.inference_mode():
        features = _LongFeatures(
            cast("Spectrogram", embedder.features), blocks, device=weight.device
        )
        cuts = windows(features.frames, network.reach(), block_frames=block_frames)
        maps = _Moments()
        for part, window in _cut(features.blocks(weight.dtype), cuts, blocks.name):
            image, _ = network.maps(part.unsqueeze(0))
            maps.add(image[0, :, window.first : window.last])
        pooled = torch.cat([maps.mean, maps.deviation(correction=1)])
        embedding = network.embed_pooled(pooled.to(weight.dtype).unsqueeze(0))[0]
    values: NDArray[np.float32] = embedding.to("cpu", torch.float32).numpy()
    return values


def windows(frames: int, reach: Reach, *, block_frames: int) -> Iterator[_Window]:
    """Cut a recording so that each frame that comes out comes out right, and once.

    A block begins where the network's stride does, and overlaps its neighbours by what
    the network sees around a frame. Convolutions pad with zeros, which is right only at
    the two ends of the recording: elsewhere a frame counts if all it sees is inside.
    """
    step = max(1, block_frames // reach.stride)
    halo = -(-reach.before // reach.stride)
    done = 0
    while True:
        first = min(done, halo)
        start = (done - first) * reach.stride
        stop = (done + step - 1) * reach.stride + reach.behind + 1
        if stop >= frames:
            yield _Window(start, frames, first, None)
            return
        yield _Window(start, stop, first, first + step)
        done += step


def _cut(
    blocks: Iterator[Tensor], cuts: Iterable[_Window], name: str | None
) -> Iterator[tuple[Tensor, _Window]]:
    """Frames of every window, (bins, frames), from blocks of any length."""
    import torch

    kept, at = next(blocks), 0
    for window in cuts:
        parts = [kept[:, window.start - at :]]
        at, held = window.start, parts[0].shape[-1]
        while held < window.stop - at:
            block = next(blocks, None)
            if block is None:
                raise UnreadableRecording(
                    "has become shorter while it was read; wait until it is written, "
                    "and embed it again",
                    recording=name,
                )
            parts.append(block)
            held += block.shape[-1]
        kept = torch.cat(parts, dim=-1)
        yield kept[:, : window.stop - at], window


class _LongFeatures:
    """Features of a whole recording by `Spectrogram`, block by block.

    It goes through the recording once to know the mean and the deviation of every bin,
    and once for each time that its blocks are asked for.
    """

    def __init__(
        self,
        front_end: Spectrogram,
        samples: Iterable[NDArray[np.float64]],
        *,
        device: torch.device,
    ) -> None:
        from bob.learn.pytorch.features.spectrogram import (
            FULL_SCALE,
            SMALLEST_DEVIATION,
        )

        self._front_end = front_end
        self._samples = samples
        self._device = device
        self._peak = 0.0
        moments = _Moments()
        for magnitude in self._magnitudes(scale=1.0):
            moments.add(magnitude)
        self.frames = moments.count
        # As of `Spectrogram.magnitude`. A power of two: nothing is rounded by it.
        self._scale = FULL_SCALE if self._peak < 1 else 1.0
        self._mean = moments.mean[:, None] * self._scale
        deviation = moments.deviation(correction=0)[:, None] * self._scale
        self._deviation = deviation + SMALLEST_DEVIATION

    def blocks(self, precision: torch.dtype) -> Iterator[Tensor]:
        """(257, frames) after (257, frames), of any numbers of frames."""
        for magnitude in self._magnitudes(scale=self._scale):
            yield ((magnitude - self._mean) / self._deviation).to(precision)

    def _magnitudes(self, *, scale: float) -> Iterator[Tensor]:
        import torch

        from bob.learn.pytorch.features.framing import HOP_SAMPLES

        waveform, done = np.zeros(0), 0
        for block in self._samples:
            self._peak = max(self._peak, float(np.abs(block).max(initial=0)))
            waveform = np.concatenate([waveform, block])
            frames = self._front_end.frames(len(waveform))
            if frames <= done:
                continue
            batch = torch.from_numpy(waveform).unsqueeze(0).to(self._device)
            yield self._front_end.magnitude_as_is(batch, scale=scale)[0, :, done:]
            # The last frame again, for pre-emphasis reaches back into it.
            waveform, done = waveform[(frames - 1) * HOP_SAMPLES :], 1


class _Moments:
    """Mean and deviation over the last axis of blocks, as if they were one.

    Everything is summed in float64.

    References
    ----------
    Chan, Golub and LeVeque, "Algorithms for computing the sample variance", The
    American Statistician 37(3), 1983, equation 2.1.

    Examples
    --------
    >>> import torch
    >>> moments = _Moments()
    >>> moments.add(torch.tensor([[1.0, 2.0]]))
    >>> moments.add(torch.tensor([[6.0]]))
    >>> moments.mean, moments.deviation(correction=1)
    (tensor([3.], dtype=torch.float64), tensor([2.6458], dtype=torch.float64))
    """

    mean: Tensor
    _squares: Tensor

    def __init__(self) -> None:
        self.count = 0

    def add(self, block: Tensor) -> None:
        """Count in (…, columns), at least one column."""
        import torch

        count = block.shape[-1]
        variance, mean = torch.var_mean(block.double(), dim=-1, correction=0)
        if not self.count:
            self.count, self.mean, self._squares = count, mean, variance * count
            return
        total = self.count + count
        shift = mean - self.mean
        self._squares += variance * count + shift.square() * self.count * count / total
        self.mean += shift * count / total
        self.count = total

    def deviation(self, *, correction: int) -> Tensor:
        """Return the standard deviation, (…); `correction` is taken off the count."""
        return (self._squares / (self.count - correction)).sqrt()


def embed_chunks(
    embedder: SpeakerEmbedder,
    recording: RecordingLike,
    *,
    chunk_seconds: float,
    resampler: Literal["fft", "soxr"],
    channel: Channel = None,
    rate: float | None = None,
) -> NDArray[np.float32]:
    """Embed chunks of a recording, and take the mean of their embeddings.

    This is not the embedding that the recording has as a whole, which for CAM++ cannot
    be had in bounded memory; it is what Kaldi does with long recordings. Chunks are of
    one length, so each second counts the same. They are not brought to length one
    before: a mean is on the scale of other embeddings. Chunks without any sound are
    left out.

    Parameters
    ----------
    embedder
        With any network, ready to embed (`eval()`).
    recording, rate, channel
        As of `bob.learn.pytorch.audio.as_waveform`. A file is decoded twice.
    chunk_seconds
        Length of a chunk. What is left at the end is spread over all, so that they may
        be up to twice as long; a recording shorter than two is embedded whole.
    resampler
        As of `Waveform.resampled`, which every chunk goes through by itself.

    Returns
    -------
    (dimensions,)

    Raises
    ------
    RecordingError
        The recording cannot be read or used.
    ChoiceError
        A chunk would be too short for the network.
    """
    import torch

    if not chunk_seconds >= embedder.minimum_seconds:
        raise ChoiceError(
            f"chunk_seconds is {chunk_seconds:g}; this network needs "
            f"{embedder.minimum_seconds:.3g} s or more, and 30 s are a good choice",
            option="chunk_seconds",
        )
    blocks = as_blocks(recording, rate=rate, channel=channel)
    samples = count_usable(blocks, minimum_seconds=embedder.minimum_seconds)
    count = max(1, int(samples / blocks.sample_rate / chunk_seconds))
    device, _ = embedder.place
    embeddings = []
    for chunk in _chunks(blocks, samples=samples, count=count):
        if not _has_sound(chunk):
            continue
        at_rate = chunk.resampled(embedder.sample_rate, method=resampler)
        waveform = torch.from_numpy(
            np.require(at_rate.samples, requirements=["C", "W"])
        )
        with torch.inference_mode():
            embedding = embedder(waveform.unsqueeze(0).to(device))[0]
        embeddings.append(embedding.to("cpu", torch.float64).numpy())
    if not embeddings:
        raise ConstantRecording(
            f"has no sound in any of its {count} chunks", recording=blocks.name
        )
    mean: NDArray[np.float32] = np.mean(embeddings, axis=0).astype(np.float32)
    return mean


def _chunks(blocks: SampleBlocks, *, samples: int, count: int) -> Iterator[Waveform]:
    """Yield a recording in parts, whose lengths differ by one sample at most."""
    kept, start = [np.zeros(0)], 0
    stops = [samples * number // count for number in range(1, count + 1)]
    for block in blocks:
        kept.append(block)
        while stops and sum(map(len, kept)) >= stops[0] - start:
            joined, length = np.concatenate(kept), stops[0] - start
            yield Waveform(joined[:length], blocks.sample_rate, blocks.name)
            kept, start = [joined[length:]], stops.pop(0)


def _has_sound(chunk: Waveform) -> bool:
    try:
        check_usable(chunk, minimum_seconds=0)
    except (SilentRecording, ConstantRecording):
        return False
    return True
