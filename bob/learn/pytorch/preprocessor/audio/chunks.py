"""A spectrogram cut into chunks over time, and each chunk embedded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike, NDArray

    from bob.learn.pytorch.architectures.trunk import SpeakerResNet

SMALLEST_DEVIATION = 1e-7


def bounds(
    frames: int, length: int, *, minimum: int, remainder: int = 0
) -> list[tuple[int, int]]:
    """First and last frame of every chunk; together they cover all frames.

    What is left after the last whole chunk is a chunk of its own from `remainder` and
    `minimum` frames on, and otherwise belongs to the chunk before.

    Parameters
    ----------
    frames
        Of the spectrogram.
    length
        Of a chunk in frames; 0, or more than there are, takes the spectrogram whole.
    minimum
        Fewest frames of a chunk.
    remainder
        Fewest frames of a last chunk that is shorter than the others.

    Raises
    ------
    ValueError
        Chunks or spectrogram with fewer frames than `minimum`.

    Examples
    --------
    >>> bounds(250, 100, minimum=37)
    [(0, 100), (100, 200), (200, 250)]
    >>> bounds(230, 100, minimum=37)
    [(0, 100), (100, 230)]
    """
    if length <= 0 or length > frames:
        length = frames
    if length < minimum:
        raise ValueError(
            f"a chunk of {length} frames is too short to embed; the network needs "
            f"{minimum}, so ask for longer chunks or take a longer recording"
        )
    starts = list(range(0, frames, length))
    left = frames - starts[-1]
    if left < max(minimum, min(remainder, length)):
        del starts[-1]
    return list(zip(starts, [*starts[1:], frames], strict=True))


def embed_chunks(
    network: SpeakerResNet,
    magnitudes: ArrayLike,
    *,
    length: int,
    batch_size: int,
    remainder: int = 0,
) -> NDArray[np.float32]:
    """Embed a spectrogram chunk by chunk.

    Parameters
    ----------
    network
        In the mode and on the device that it is to be used in.
    magnitudes
        (frames, 257), before normalisation: each chunk is normalised by itself.
    length, remainder
        Of a chunk in frames, as `bounds`.
    batch_size
        Chunks that go through the network together.

    Returns
    -------
    ndarray
        (chunks, dimensions).
    """
    import torch

    spectrogram = np.asarray(magnitudes, np.float64)
    cuts = bounds(
        len(spectrogram),
        length,
        minimum=network.minimum_frames,
        remainder=remainder,
    )
    chunks = [_normalised(spectrogram[start:end]) for start, end in cuts]
    weights = next(network.parameters())
    embeddings = []
    with torch.inference_mode():
        for batch in _batches(chunks, max(1, batch_size)):
            features = torch.from_numpy(np.stack(batch)).transpose(1, 2)
            embedding = network(features.to(weights.device, weights.dtype))
            embeddings.append(embedding.to("cpu", torch.float32).numpy())
    return np.concatenate(embeddings)


def _normalised(chunk: NDArray[np.float64]) -> NDArray[np.float64]:
    deviation = chunk.std(axis=0) + SMALLEST_DEVIATION
    return np.asarray((chunk - chunk.mean(axis=0)) / deviation)


def _batches(
    chunks: list[NDArray[np.float64]], size: int
) -> Iterator[list[NDArray[np.float64]]]:
    """Chunks in their order; the last may have another length, and then goes alone."""
    whole = [chunk for chunk in chunks if len(chunk) == len(chunks[0])]
    for start in range(0, len(whole), size):
        yield whole[start : start + size]
    if len(whole) < len(chunks):
        yield chunks[-1:]
