"""Recordings of hours -> one embedding, in bounded memory.

DltResNet and ResNet see a few seconds around a frame, and between them and the
embedding there are only means and deviations over time. So blocks that overlap give the
embedding that the whole recording has, up to rounding: `embed_long`. CAM++ looks at the
whole recording in every layer; for it there are `memory` and `chunks`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

from bob.learn.pytorch.audio.blocks import as_blocks
from bob.learn.pytorch.audio.recording import UnreadableRecording
from bob.learn.pytorch.audio.resampling import resampled
from bob.learn.pytorch.audio.survey import count_usable
from bob.learn.pytorch.inference.long_features import LongFeatures
from bob.learn.pytorch.inference.moments import Moments

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from bob.learn.pytorch.architectures.trunk import Reach, SpeakerResNet
    from bob.learn.pytorch.audio.blocks import Channel
    from bob.learn.pytorch.audio.waveform import RecordingLike
    from bob.learn.pytorch.features.spectrogram import Spectrogram
    from bob.learn.pytorch.models.embedder import SpeakerEmbedder

# Beside the model. Up to here a recording is better embedded whole: it is decoded once,
# not three times, and at any sampling rate it is resampled as the network knows it. A
# process with as much stays below 2 GB.
LARGEST_WHOLE_MB = 400.0
# From 4096 to 16384 all are equally fast.
BLOCK_FRAMES = 8192
# Below, most of a block would be what it shares with its neighbours.
LEAST_BLOCK_FRAMES = 1024


class Window(NamedTuple):
    """Frames of the features that go through the network together.

    Attributes
    ----------
    start, stop
        In the whole recording.
    first, last
        Which of the frames that come out are right, from `first` to before `last`; None
        is up to the end.
    """

    start: int
    stop: int
    first: int
    last: int | None


def has_limited_reach(embedder: SpeakerEmbedder) -> bool:
    """Whether `embed_long` can serve it: DltResNet or ResNet on spectrograms."""
    from bob.learn.pytorch.architectures.trunk import SpeakerResNet
    from bob.learn.pytorch.features.spectrogram import Spectrogram

    return isinstance(embedder.network, SpeakerResNet) and isinstance(
        embedder.features, Spectrogram
    )


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
        How many frames of 10 ms a block has beside what it shares with its neighbours;
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
    blocks = resampled(blocks, embedder.sample_rate, samples=samples)
    weight = next(network.parameters())
    with torch.inference_mode():
        features = LongFeatures(
            cast("Spectrogram", embedder.features), blocks, device=weight.device
        )
        cuts = windows(features.frames, network.reach(), block_frames=block_frames)
        maps = Moments()
        for part, window in _cut(features.blocks(weight.dtype), cuts, blocks.name):
            image, _ = network.maps(part.unsqueeze(0))
            maps.add(image[0, :, window.first : window.last])
        pooled = torch.cat([maps.mean, maps.deviation(correction=1)])
        embedding = network.embed_pooled(pooled.to(weight.dtype).unsqueeze(0))[0]
    values: NDArray[np.float32] = embedding.to("cpu", torch.float32).numpy()
    return values


def windows(frames: int, reach: Reach, *, block_frames: int) -> Iterator[Window]:
    """Cut a recording so that each frame that comes out comes out right, and once.

    A block begins where the network's stride does, and overlaps its neighbours by what
    the network sees around a frame. Convolutions pad with zeros, which is right only at
    the two ends of the recording: elsewhere a frame counts if all it sees is inside.

    Parameters
    ----------
    frames
        Of the recording.
    reach
        Of the network.
    block_frames
        Rounded down to a multiple of the stride, and up to one stride.
    """
    step = max(1, block_frames // reach.stride)
    halo = -(-reach.before // reach.stride)
    done = 0
    while True:
        first = min(done, halo)
        start = (done - first) * reach.stride
        stop = (done + step - 1) * reach.stride + reach.behind + 1
        if stop >= frames:
            yield Window(start, frames, first, None)
            return
        yield Window(start, stop, first, first + step)
        done += step


def _cut(
    blocks: Iterator[Tensor], cuts: Iterable[Window], name: str | None
) -> Iterator[tuple[Tensor, Window]]:
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
