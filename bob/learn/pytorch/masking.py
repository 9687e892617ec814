"""Batches whose items have different lengths: masks, means and checks.

A batch is as long as its longest item, and the others are padded. Lengths are an
integer tensor (batch,), or None where every item fills the batch.

A network that does not know the lengths gives a recording another embedding in every
batch: its convolutions smear the padding into the last frames, and its means count it.
Here lengths travel beside the images, everything behind an item's length is zero before
a convolution looks there, as the padding of a convolution is, and sums leave it out. So
an item's numbers are those that it has alone, up to the rounding of sums.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def unchecked() -> bool:
    """Return whether a graph is recorded: it serves any length, without checks."""
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
    """Zero as `keep` does what is finite; the image may be overwritten."""
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
        Number taken off the count of frames in the variance; 1 makes it unbiased.
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


def check_lengths(lengths: Tensor | None, *, batch: int, least: int, most: int) -> None:
    """Refuse lengths that do not belong to a batch.

    Those on another device than the CPU are not looked at: that would make the device
    wait for the host at every batch.

    Raises
    ------
    ValueError
        Not (batch,), no integers, or one below `least` or above `most`.
    """
    if lengths is None or unchecked():
        return
    if lengths.shape != (batch,) or lengths.is_floating_point():
        raise ValueError(
            f"lengths are one whole number for each of the {batch} items, got "
            f"{lengths.dtype} of shape {tuple(lengths.shape)}"
        )
    if lengths.device.type != "cpu" or not batch:
        return
    shortest, longest = int(lengths.min()), int(lengths.max())
    if shortest < least or longest > most:
        raise ValueError(
            f"lengths go from {shortest} to {longest}, but this batch needs {least} or "
            f"more and holds {most}: leave shorter recordings out, and give lengths in "
            f"the unit of the batch's last axis"
        )


def after(
    lengths: Tensor | None,
    *,
    kernel: int,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
) -> Tensor | None:
    """Lengths behind a convolution or pooling along time.

    Examples
    --------
    >>> after(torch.tensor([37, 100]), kernel=5, stride=2, padding=2)
    tensor([19, 50])
    """
    if lengths is None:
        return None
    reach = dilation * (kernel - 1) + 1
    return (lengths + 2 * padding - reach).div(stride, rounding_mode="floor") + 1


def surroundings(frames: Tensor, lengths: Tensor, *, size: int) -> Tensor:
    """Mean of every `size` frames plus that of all; each over the frames an item has.

    Parameters
    ----------
    frames
        (batch, channels, time), zero behind the lengths.

    Returns
    -------
    Tensor
        (batch, channels, segments), of no meaning for segments behind an item's length.
    """
    # In a way that torch.export can follow for every length: with one segment more than
    # there are, since it takes 1 for a constant; and not with time last, where it would
    # ask whether the segments fill the memory.
    rows = F.pad(frames.transpose(1, 2), (0, 0, 0, 2 * size - 1))
    sums = rows.unfold(1, size, size).sum(dim=-1).transpose(1, 2)
    starts = size * torch.arange(sums.shape[-1], device=lengths.device)
    count = (lengths[:, None, None] - starts).clamp(1, size)
    # Summed once, over the segments: the exported graph is smaller by a quarter.
    whole = sums.sum(dim=-1, keepdim=True) / lengths[:, None, None].to(sums.dtype)
    return sums / count.to(sums.dtype) + whole


def weights_of_segments(
    lengths: Tensor | None, *, time: int, size: int, like: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the weights of `surroundings_of_means`, the same at every layer.

    Parameters
    ----------
    time
        Frames of the batch.
    like
        Decides about device and precision.

    Returns
    -------
    tuple of Tensor
        Weight of the mean of a segment for itself, (batch, segments, 1), and in the
        mean of all, (batch, 1, segments). Without lengths, the batch is 1.

    Examples
    --------
    >>> weights_of_segments(None, time=5, size=4, like=torch.zeros(1))
    (tensor([[[1.],
             [1.]]]), tensor([[[0.8000, 0.2000]]]))
    """
    starts = torch.arange(0, time, size, device=like.device)
    pooled = (time - starts).clamp_max(size)
    count = starts.new_full((1,), time) if lengths is None else lengths
    count = count[:, None]
    alone = (pooled / (count - starts).clamp(1, size)).unsqueeze(2)
    in_whole = (pooled / count).unsqueeze(1)
    return alone.to(like.dtype), in_whole.to(like.dtype)


def surroundings_of_means(means: Tensor, weights: tuple[Tensor, Tensor]) -> Tensor:
    """Return the same as `surroundings`, faster, from means by `avg_pool1d`.

    Parameters
    ----------
    means
        (batch, channels, segments) with `ceil_mode`, of frames that are zero behind
        the lengths.
    """
    alone, in_whole = weights
    rows = means.transpose(1, 2)
    return torch.addcmul(in_whole @ rows, rows, alone).transpose(1, 2)
