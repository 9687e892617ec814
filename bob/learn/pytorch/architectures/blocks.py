"""Declarations and blocks that networks share."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from bob.learn.pytorch.architectures.convolution import ConvNorm
from bob.learn.pytorch.masking import (
    after,
    check_lengths,
    cut,
    mean_and_deviation,
    unchecked,
)


class Cost(NamedTuple):
    """Growth of a process, in MB, for a second of recording on a CPU.

    Attributes
    ----------
    float32
        Folded, in float32 or half precision; the front end computes in float64.
    float64
        As published, in float64.
    onnxruntime
        By ONNX Runtime.
    """

    float32: float
    float64: float
    onnxruntime: float


class SpeakerNetwork(nn.Module):
    """A network, with all that the rest of the package has to know of it.

    Attributes
    ----------
    bins
        Numbers in a frame of the features.
    minimum_frames
        Fewest frames of 10 ms that give an embedding.
    embedding_size
        Numbers in an embedding.
    frames_at_once
        Frames in a batch that a CPU is fastest with: what is read and written then
        stays in its cache, and short recordings alone take twice as long a second.
    mb_a_second
        Memory that a second of recording needs. The default is that of the most
        demanding network here.
    in_full
        Modules that compute in float32 where the rest computes in bfloat16.
    in_full_alone
        The same, unless a kernel has most 3x3 convolutions in float32 anyway.
    unused
        Beginnings of names in the state dictionary that no embedding depends on.
    """

    bins: int
    minimum_frames: int
    embedding_size: int
    frames_at_once: int = 1_000
    mb_a_second: Cost = Cost(float32=4.4, float64=14.8, onnxruntime=6.0)
    in_full: tuple[nn.Module, ...] = ()
    in_full_alone: tuple[nn.Module, ...] = ()
    unused: tuple[str, ...] = ()

    def check(self, features: Tensor, lengths: Tensor | None) -> None:
        """Refuse what the network would answer with NaN or with an obscure error.

        Parameters
        ----------
        features
            (batch, bins, frames).
        lengths
            Frames of every item, (batch,); None where all fill the batch.

        Raises
        ------
        ValueError
            The features have other bins or fewer than `minimum_frames`, or the lengths
            are not those of such a batch.
        """
        if unchecked():
            return
        if features.dim() != 3 or features.shape[1] != self.bins:
            raise ValueError(
                f"this network takes features of shape (batch, {self.bins}, frames); "
                f"got {tuple(features.shape)}: use the front end it was trained with"
            )
        if features.shape[-1] < self.minimum_frames:
            raise ValueError(
                f"{features.shape[-1]} frames are too few for this network, which "
                f"needs {self.minimum_frames} or more: use a longer recording"
            )
        check_lengths(
            lengths,
            batch=features.shape[0],
            least=self.minimum_frames,
            most=features.shape[-1],
        )

    def embedding_keys(self) -> frozenset[str]:
        """Return the names in the state dictionary that an embedding depends on.

        The counters of batch normalisation never matter.
        """
        return frozenset(
            name
            for name in self.state_dict()
            if not name.endswith(".num_batches_tracked")
            and not name.startswith(self.unused)
        )


class StatisticsPooling(nn.Module):
    """Mean and unbiased standard deviation of every channel over time.

    The variance is divided by frames - 1, and nothing is added to it; with one frame
    it does not exist, so the networks refuse recordings that would leave only one.

    References
    ----------
    Snyder et al., "X-vectors: robust DNN embeddings for speaker recognition",
    ICASSP 2018, section 2.1.

    Examples
    --------
    >>> StatisticsPooling()(torch.zeros(4, 512, 300)).shape
    torch.Size([4, 1024])
    """

    def forward(self, frames: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(batch, channels, frames) -> (batch, 2 * channels), the means first.

        Frames behind the lengths do not count, whatever stands there. Sums are taken in
        float32 at least.
        """
        frames = frames.to(torch.promote_types(frames.dtype, torch.float32))
        statistics = mean_and_deviation(frames, lengths, correction=1)
        return torch.cat(statistics, dim=1).squeeze(-1)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions and the way around them.

    Parameters
    ----------
    shortcut
        Published checkpoints name the layers of the way around: a projection where
        shapes differ, and nothing else.

    References
    ----------
    He et al., "Deep residual learning for image recognition", CVPR 2016, figure 2.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        *,
        stride: int | tuple[int, int],
        shortcut: str,
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(
            in_channels, channels, 3, stride=stride, padding=1, bias=False
        )
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.first = ConvNorm(self.conv1, self.bn1)
        self.second = ConvNorm(self.conv2, self.bn2)
        self.around: ConvNorm | None = None
        projection = nn.Sequential()
        if stride != 1 or in_channels != channels:
            projection.append(
                nn.Conv2d(in_channels, channels, 1, stride=stride, bias=False)
            )
            projection.append(nn.BatchNorm2d(channels))
            self.around = ConvNorm(*projection)
        self.add_module(shortcut, projection)

    def residual(self, image: Tensor, lengths: Tensor | None, *, axis: int) -> Tensor:
        """Return both convolutions, and what comes around them, summed.

        Parameters
        ----------
        image
            (batch, in_channels, …, …).
        lengths, axis
            Of the images that come out, and which of their axes is time.
        """
        inner = cut(self.first(image), lengths, axis=axis)
        if self.around is not None:
            image = self.around(image, relu=False)
        return cut(self.second(inner, image), lengths, axis=axis)


class BasicBlock(ResidualBlock):
    """A residual block of ResNet34 on images whose first axis is time."""

    downsample: nn.Sequential

    def __init__(self, in_channels: int, channels: int, *, stride: int) -> None:
        super().__init__(in_channels, channels, stride=stride, shortcut="downsample")
        self.stride = stride

    def forward(
        self, image: Tensor, lengths: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """(batch, in_channels, time, bins) -> (batch, channels, time', bins').

        The image has to be zero behind the lengths; those of time' come out beside it.
        """
        lengths = after(lengths, kernel=3, stride=self.stride, padding=1)
        return self.residual(image, lengths, axis=2), lengths
