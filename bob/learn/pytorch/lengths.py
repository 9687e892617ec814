"""Batches whose items have different lengths.

A batch is as long as its longest item, and the others are padded. Lengths are an
integer tensor (batch,), or None where every item fills the batch.
"""

import torch
from torch import Tensor


def unchecked() -> bool:
    """Whether a graph is recorded: it serves any length, so it cannot hold checks."""
    tracing = torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
    return bool(tracing or torch.compiler.is_compiling())


def inside(lengths: Tensor, size: int) -> Tensor:
    """(batch,) -> (batch, size), true where an item is.

    Examples
    --------
    >>> inside(torch.tensor([1, 3]), 3).int()
    tensor([[1, 0, 0],
            [1, 1, 1]], dtype=torch.int32)
    """
    return torch.arange(size, device=lengths.device) < lengths.unsqueeze(-1)


def keep(image: Tensor, lengths: Tensor | None, *, axis: int = -1) -> Tensor:
    """Zero whatever stands behind the lengths, be it a number or not.

    Parameters
    ----------
    image
        (batch, channels, …).
    axis
        The one that is time.

    Examples
    --------
    >>> keep(torch.ones(2, 1, 3), torch.tensor([1, 3]))
    tensor([[[1., 0., 0.]],
    <BLANKLINE>
            [[1., 1., 1.]]])
    """
    if lengths is None:
        return image
    return torch.where(_mask(image, lengths, axis=axis), image, 0)


def cut(image: Tensor, lengths: Tensor | None, *, axis: int = -1) -> Tensor:
    """As `keep`, of what is finite and nobody else needs: it may be overwritten."""
    if lengths is None:
        return image
    if image.device.type == "cpu" and not (image.requires_grad or unchecked()):
        time = axis % image.dim()
        for item, length in zip(image, lengths.tolist(), strict=True):
            item.narrow(time - 1, length, item.shape[time - 1] - length).zero_()
        return image
    return image * _mask(image, lengths, axis=axis)


def _mask(image: Tensor, lengths: Tensor, *, axis: int) -> Tensor:
    """(batch, 1, …), true where an item is."""
    time = axis % image.dim()
    shape = [1] * image.dim()
    shape[0], shape[time] = image.shape[0], image.shape[time]
    return inside(lengths, image.shape[time]).view(shape)


def mean(frames: Tensor, lengths: Tensor | None) -> Tensor:
    """(batch, channels, time) -> mean over each item's frames, (batch, channels, 1)."""
    if lengths is None:
        return frames.mean(dim=-1, keepdim=True)
    count = lengths.to(frames.dtype)[:, None, None]
    return keep(frames, lengths).sum(dim=-1, keepdim=True) / count


def mean_and_deviation(
    frames: Tensor, lengths: Tensor | None, *, correction: int
) -> tuple[Tensor, Tensor]:
    """(batch, channels, time) -> mean and deviation, (batch, channels, 1) each.

    Parameters
    ----------
    correction
        What is taken off the count of frames in the variance; 1 makes it unbiased.
    """
    middle = mean(frames, lengths)
    # In two passes, as exact as `torch.std_mean` and several times as fast.
    squares = keep(frames - middle, lengths).square().sum(dim=-1, keepdim=True)
    count: Tensor | int = frames.shape[-1]
    if lengths is not None:
        count = lengths.to(frames.dtype)[:, None, None]
    variance = squares / (count - correction)
    # The slope of a root is infinite at 0, from where training could not go on.
    smallest = torch.finfo(variance.dtype).tiny
    return middle, variance.clamp_min(smallest).sqrt() * (variance != 0)
