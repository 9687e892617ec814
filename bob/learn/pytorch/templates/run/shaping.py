"""Samples into the shape that a template wants, and what it gives into embeddings."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from bob.learn.pytorch.templates.format.errors import StageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from bob.learn.pytorch.templates.format.template import Template


def parts(
    samples: NDArray[np.floating[Any]], template: Template
) -> list[NDArray[np.float32]]:
    """One recording -> one or more pieces that are not too long and not too short.

    Longer than `maximum_duration`, it is split into the fewest parts of equal length,
    but for a sample; a part shorter than `minimum_duration` is padded at its end, with
    zeros or with itself, as `padding` says.

    Parameters
    ----------
    samples
        (time,), at the sampling rate of the template.
    """
    count = 1
    if template.maximum_duration is not None:
        longest = max(1, round(template.maximum_duration * template.sample_rate))
        count = max(1, math.ceil(len(samples) / longest))
    least = math.ceil(template.minimum_duration * template.sample_rate)
    return [
        _padded(part.astype(np.float32), least, template.padding)
        for part in np.array_split(samples, count)
    ]


def _padded(part: NDArray[np.float32], least: int, padding: str) -> NDArray[np.float32]:
    missing = least - len(part)
    if missing <= 0:
        return part
    if padding == "repeat":
        return np.resize(part, least)
    return np.pad(part, (0, missing))


def batch(
    pieces: Sequence[NDArray[np.float32]], template: Template
) -> NDArray[np.float32]:
    """Stack pieces of one length, (time,) each, in the template's layout.

    That is (time,), (batch, time) or (batch, channels, time), as `in_layout` says.
    A template of several channels gets the same one in each.
    """
    if template.in_layout == "samples":
        (piece,) = pieces
        return piece
    samples = np.stack(pieces)
    if template.in_layout == "batch_channels_samples":
        return np.repeat(samples[:, None], template.in_channels, axis=1)
    return samples


@np.errstate(over="ignore")  # what becomes infinite is refused later
def embeddings(
    made: NDArray[Any], template: Template, *, count: int, pooling: str | None = None
) -> NDArray[Any]:
    """Turn the output of a template for a batch into one item each.

    Parameters
    ----------
    made
        Output in the layout `out_layout`, without the axis of the batch if that is
        one piece.
    count
        Pieces in the batch.
    pooling
        In place of the template's.

    Returns
    -------
    numpy.ndarray
        (count, dimensions) in float32; with frames and without pooling
        (count, frames, dimensions), of the type that it came in.

    Raises
    ------
    StageError
        Another shape than the template promises.
    """
    pooling = pooling or template.pooling
    rank = 2 if template.out_layout == "vector" else 3
    array = made
    if count == 1 and array.ndim == rank - 1:
        array = array[None]
    # Networks keep axes of length 1 where others drop them.
    while array.ndim > rank and array.shape[-1] == 1:
        array = array[..., 0]
    if array.ndim != rank or len(array) != count or 0 in array.shape:
        raise _unexpected(made, template, count)
    if template.out_layout == "features_frames":
        array = array.swapaxes(1, 2)
    if rank == 3 and pooling != "none":
        array = _pooled(array, pooling)
    elif rank == 2:
        array = array.astype(np.float32)
    size = template.embedding_size
    if size is not None and pooling == template.pooling and array.shape[-1] != size:
        raise StageError(
            f"the embedding has {array.shape[-1]} numbers; the template promises "
            f"{size} (embedding_size)",
            template=template.name,
            stage="embed_fwd",
        )
    return array


def _pooled(frames: NDArray[Any], pooling: str) -> NDArray[np.float32]:
    """(count, frames, dimensions) -> (count, dimensions), or twice as many."""
    if pooling == "first":
        return frames[:, 0].astype(np.float32)
    exact = frames.astype(np.float64)
    found = exact.mean(axis=1)
    if pooling == "mean+std":
        found = np.concatenate([found, exact.std(axis=1)], axis=1)
    return np.asarray(found, np.float32)


def _unexpected(made: NDArray[Any], template: Template, count: int) -> StageError:
    axes = {
        "vector": "dimensions",
        "frames_features": "frames, dimensions",
        "features_frames": "dimensions, frames",
    }[template.out_layout]
    return StageError(
        f"y is of shape {made.shape}; expected ({count}, {axes}), as out_layout "
        f"{template.out_layout!r} says",
        template=template.name,
        stage="embed_fwd",
    )
