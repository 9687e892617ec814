"""CAM++: a densely connected time delay network with context-aware masks."""

from collections import OrderedDict
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bob.learn.pytorch.architectures.blocks import (
    Cost,
    ResidualBlock,
    SpeakerNetwork,
    StatisticsPooling,
)
from bob.learn.pytorch.architectures.convolution import ConvNorm
from bob.learn.pytorch.masking import (
    after,
    cut,
    keep,
    surroundings,
    surroundings_of_means,
    weights_of_segments,
)

HEAD_CHANNELS = 32
GROWTH = 32
BOTTLENECK = 128
SEGMENT_FRAMES = 100


class CAMPPlus(SpeakerNetwork):
    """CAM++ on 80 mel bands, as 3D-Speaker trained it.

    References
    ----------
    Wang et al., "CAM++: a fast and efficient network for speaker verification using
    context-aware masking", Interspeech 2023; modelscope/3D-Speaker.

    Examples
    --------
    >>> CAMPPlus().eval()(torch.zeros(4, 80, 100)).shape
    torch.Size([4, 192])
    """

    bins = 80
    # The fewest that leave two frames to pool: the deviation of one is undefined. Below
    # one second an embedding is finite, and its error rate grows fast.
    minimum_frames = 3
    # Below that, a CPU reads the weights of 200 small layers too often.
    frames_at_once = 3_000
    # Growth of the process for 60, 150 and 300 s of recording on a CPU.
    mb_a_second = Cost(float32=2.7, float64=14.8, onnxruntime=6.0)

    def __init__(self, embedding_size: int = 192) -> None:
        super().__init__()
        self.embedding_size = embedding_size
        self.head = _ConvolutionHead()
        self.xvector = _DenseTimeDelay(embedding_size)

    def forward(self, features: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(batch, 80, frames) -> (batch, embedding_size), not of length 1.

        Parameters
        ----------
        features
            Where items are shorter than the batch, anything may stand behind them.
        lengths
            Frames of every item; None where all fill the batch.

        Raises
        ------
        ValueError
            If the features have other bins or fewer than 3 frames.
        """
        self.check(features, lengths)
        embedding: Tensor = self.xvector(self.head(features, lengths), lengths)
        return embedding

    @property
    def in_full(self) -> tuple[nn.Module, ...]:  # type: ignore[override]
        """Modules that compute in float32 where the rest computes in bfloat16.

        All later layers read what these make; in bfloat16 throughout, cosines to exact
        embeddings go down to 0.9995, and with these in float32 stay above 0.9999.
        """
        later = self.xvector
        transits = (later.transit1, later.transit2, later.transit3)
        return (self.head, later.tdnn, *transits, later.dense)


class _InTurn(nn.Sequential):
    """Layers of which each needs the lengths, which none of them changes."""

    def forward(self, frames: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(batch, channels, …, frames) -> (batch, channels', …, frames)."""
        for layer in self:
            frames = layer(frames, lengths)
        return frames


class _HeadBlock(ResidualBlock):
    """A residual block that may halve the frequency axis, never time."""

    def __init__(self, *, stride: int | tuple[int, int]) -> None:
        super().__init__(
            HEAD_CHANNELS, HEAD_CHANNELS, stride=stride, shortcut="shortcut"
        )

    def forward(self, image: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(batch, 32, bins, frames) -> (batch, 32, bins', frames)."""
        return self.residual(image, lengths, axis=3)


class _ConvolutionHead(nn.Module):
    """Looks at the features as at an image, and makes channels of its rows."""

    def __init__(self) -> None:
        super().__init__()
        halve = (2, 1)
        self.conv1 = nn.Conv2d(1, HEAD_CHANNELS, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(HEAD_CHANNELS)
        self.layer1 = _InTurn(_HeadBlock(stride=halve), _HeadBlock(stride=1))
        self.layer2 = _InTurn(_HeadBlock(stride=halve), _HeadBlock(stride=1))
        self.conv2 = nn.Conv2d(
            HEAD_CHANNELS, HEAD_CHANNELS, 3, stride=halve, padding=1, bias=False
        )
        self.bn2 = nn.BatchNorm2d(HEAD_CHANNELS)
        self.first = ConvNorm(self.conv1, self.bn1)
        self.last = ConvNorm(self.conv2, self.bn2)

    def forward(self, features: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(batch, 80, frames) -> (batch, 320, frames), 10 rows of every channel."""
        image = keep(features, lengths).unsqueeze(1)
        image = cut(self.first(image), lengths)
        image = self.layer2(self.layer1(image, lengths), lengths)
        image = self.last(image)
        # Not `flatten`: torch.export could not follow it for every number of frames.
        return torch.cat(cut(image, lengths).unbind(1), dim=1)


class _DenseTimeDelay(nn.Module):
    """Three blocks of densely connected layers over time, then pooling."""

    def __init__(self, embedding_size: int) -> None:
        super().__init__()
        self.tdnn = _ConvolutionFirst(
            nn.Conv1d(320, 128, 5, stride=2, padding=2, bias=False), _Activation(128)
        )
        self.block1 = _DenseBlock(128, layers=12, dilation=1)
        self.transit1 = _transit(512)
        self.block2 = _DenseBlock(256, layers=24, dilation=2)
        self.transit2 = _transit(1024)
        self.block3 = _DenseBlock(512, layers=16, dilation=2)
        self.transit3 = _transit(1024)
        self.pooling = StatisticsPooling()
        self.dense = _ConvolutionFirst(
            nn.Conv1d(1024, embedding_size, 1, bias=False),
            _Activation(embedding_size, affine=False),
        )
        self.out_nonlinear = _Activation(512)

    def forward(self, frames: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(batch, 320, frames) -> (batch, embedding_size)."""
        frames = self.tdnn(frames)
        lengths = after(lengths, kernel=5, stride=2, padding=2)
        frames = self.transit1(self.block1(frames, lengths))
        frames = self.transit2(self.block2(frames, lengths))
        frames = self.transit3(self.block3(frames, lengths))
        pooled = self.pooling(self.out_nonlinear(frames), lengths)
        embedding: Tensor = self.dense(pooled.unsqueeze(-1)).squeeze(-1)
        return embedding


class _ConvolutionFirst(nn.Module):
    """A convolution, batch normalisation and perhaps ReLU, named as published."""

    def __init__(self, linear: nn.Conv1d, nonlinear: "_Activation") -> None:
        super().__init__()
        self.linear = linear
        self.nonlinear = nonlinear
        self.both = ConvNorm(linear, nonlinear.batchnorm)

    def forward(self, frames: Tensor) -> Tensor:
        """(batch, in_channels, frames) -> (batch, channels, frames')."""
        made: Tensor = self.both(frames, relu=self.nonlinear.relu is not None)
        return made


class _Activation(nn.Module):
    """Batch normalisation and ReLU.

    Parameters
    ----------
    affine
        True if it scales and shifts; one that does not is the last layer of the
        network, and has no ReLU either.
    """

    def __init__(self, channels: int, *, affine: bool = True) -> None:
        super().__init__()
        self.batchnorm = nn.BatchNorm1d(channels, affine=affine)
        self.relu = nn.ReLU(inplace=True) if affine else None

    def forward(self, frames: Tensor) -> Tensor:
        """(batch, channels, frames) -> the same."""
        frames = self.batchnorm(frames)
        return frames if self.relu is None else self.relu(frames)


class _DenseBlock(nn.Sequential):
    """Layers `tdnnd1` and on, each on what all before it made."""

    def __init__(self, in_channels: int, *, layers: int, dilation: int) -> None:
        sizes = range(in_channels, in_channels + GROWTH * layers, GROWTH)
        super().__init__(
            OrderedDict(
                (f"tdnnd{i}", _DenseLayer(size, dilation=dilation))
                for i, size in enumerate(sizes, start=1)
            )
        )

    def forward(self, frames: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(batch, channels, frames) -> (batch, channels + 32 * layers, frames)."""
        if cast("_DenseLayer", self[0]).bottleneck.step is not None:
            return self._in_place(frames, lengths)
        for layer in self:
            frames = torch.cat([frames, layer(frames, lengths)], dim=1)
        return frames

    def _in_place(self, frames: Tensor, lengths: Tensor | None) -> Tensor:
        """Return the same without copying at every layer what is there already."""
        batch, channels, time = frames.shape
        # Channels lie together, which is how folded convolutions read them.
        size = (batch, time, channels + GROWTH * len(self))
        # What many layers read is not rounded to half precision.
        kind = torch.promote_types(frames.dtype, torch.float32)
        grown = frames.new_empty(size, dtype=kind).transpose(1, 2)
        grown[:, :channels] = frames
        weights = weights_of_segments(
            lengths, time=time, size=SEGMENT_FRAMES, like=grown
        )
        for i, child in enumerate(self):
            layer = cast("_DenseLayer", child)
            end = channels + GROWTH * i
            narrow = cut(layer.narrow(grown[:, :end]), lengths)
            layer.cam_layer.into(grown[:, end : end + GROWTH], narrow, weights)
        return grown


class _DenseLayer(nn.Module):
    """Makes 32 channels from all channels before."""

    def __init__(self, in_channels: int, *, dilation: int) -> None:
        super().__init__()
        self.nonlinear1 = _Activation(in_channels)
        self.linear1 = nn.Conv1d(in_channels, BOTTLENECK, 1, bias=False)
        self.nonlinear2 = _Activation(BOTTLENECK)
        self.bottleneck = ConvNorm(self.linear1, self.nonlinear2.batchnorm)
        self.cam_layer = _ContextAwareMask(dilation=dilation)

    def forward(self, frames: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(batch, channels, frames) -> (batch, 32, frames)."""
        added: Tensor = self.cam_layer(self.narrow(frames), lengths)
        return added

    def narrow(self, frames: Tensor) -> Tensor:
        """(batch, channels, frames) -> (batch, 128, frames)."""
        narrow: Tensor = self.bottleneck(self.nonlinear1(frames))
        return narrow


class _ContextAwareMask(nn.Module):
    """A convolution whose channels are masked by what surrounds each frame.

    The surroundings of a frame are its segment of 100 frames and the whole recording.
    They are the same for all frames of a segment, so the mask is made once a segment.
    """

    def __init__(self, *, dilation: int) -> None:
        super().__init__()
        self.linear_local = nn.Conv1d(
            BOTTLENECK, GROWTH, 3, padding=dilation, dilation=dilation, bias=False
        )
        self.linear1 = nn.Conv1d(BOTTLENECK, BOTTLENECK // 2, 1)
        self.linear2 = nn.Conv1d(BOTTLENECK // 2, GROWTH, 1)

    def forward(self, frames: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(batch, 128, frames) -> (batch, 32, frames)."""
        frames = cut(frames, lengths)
        mask = self.mask(self.context(frames, lengths))
        segment_of = torch.arange(frames.shape[-1], device=frames.device)
        segment_of = segment_of // SEGMENT_FRAMES
        masked: Tensor = self.linear_local(frames) * mask[..., segment_of]
        return masked

    def into(
        self, place: Tensor, frames: Tensor, weights: tuple[Tensor, Tensor]
    ) -> None:
        """Write the same to `place`, in fewer passes.

        Parameters
        ----------
        frames
            Zero behind the lengths.
        weights
            Of `weights_of_segments`: they know the lengths.
        """
        kind = torch.promote_types(frames.dtype, torch.float32)
        means = F.avg_pool1d(frames.to(kind), SEGMENT_FRAMES, ceil_mode=True)
        mask = self.mask(surroundings_of_means(means, weights)).unsqueeze(-1)
        of_frames = mask.expand(-1, -1, -1, SEGMENT_FRAMES).flatten(2)
        local = self.linear_local(frames)
        torch.mul(local, of_frames[..., : local.shape[-1]], out=place)

    def mask(self, context: Tensor) -> Tensor:
        """(batch, 128, segments) -> (batch, 32, segments)."""
        return torch.sigmoid(self.linear2(F.relu(self.linear1(context))))

    @staticmethod
    def context(frames: Tensor, lengths: Tensor | None) -> Tensor:
        """(batch, 128, frames) -> (batch, 128, segments)."""
        kind = frames.dtype
        frames = frames.to(torch.promote_types(kind, torch.float32))
        if lengths is not None:
            return surroundings(frames, lengths, size=SEGMENT_FRAMES).to(kind)
        # With `ceil_mode` the last segment is divided by the frames that it has.
        segments = F.avg_pool1d(frames, SEGMENT_FRAMES, ceil_mode=True)
        return (segments + frames.mean(dim=-1, keepdim=True)).to(kind)


def campplus(embedding_size: int = 192) -> CAMPPlus:
    """Return the untrained network of `campplus-zh-en`."""
    return CAMPPlus(embedding_size)


def _transit(channels: int) -> nn.Sequential:
    """Halve the channels: activation first, then a convolution of one frame."""
    halve = nn.Conv1d(channels, channels // 2, 1, bias=False)
    return nn.Sequential(OrderedDict(nonlinear=_Activation(channels), linear=halve))
