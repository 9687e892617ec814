"""Recordings of hours -> the mean embedding of their chunks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from bob.learn.pytorch.audio.blocks import as_blocks
from bob.learn.pytorch.audio.recording import ConstantRecording, SilentRecording
from bob.learn.pytorch.audio.survey import count_usable
from bob.learn.pytorch.audio.waveform import Waveform, check_usable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from bob.learn.pytorch.audio.blocks import Channel, SampleBlocks
    from bob.learn.pytorch.audio.waveform import RecordingLike
    from bob.learn.pytorch.models.embedder import SpeakerEmbedder


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
    ValueError
        A chunk would be too short for the network.
    """
    import torch

    from bob.learn.pytorch.models.embedder import place_of

    if not chunk_seconds >= embedder.minimum_seconds:
        raise ValueError(
            f"chunk_seconds is {chunk_seconds:g}; this network needs "
            f"{embedder.minimum_seconds:.3g} s or more, and 30 s are a good choice"
        )
    blocks = as_blocks(recording, rate=rate, channel=channel)
    samples = count_usable(blocks, minimum_seconds=embedder.minimum_seconds)
    count = max(1, int(samples / blocks.sample_rate / chunk_seconds))
    device, _ = place_of(embedder.network)
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
    """A recording in parts, whose lengths differ by no more than one sample."""
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
