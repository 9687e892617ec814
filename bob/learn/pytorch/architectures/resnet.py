"""ResNet and DltResNet: ResNet34 for speaker verification, on spectrograms."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

from bob.learn.pytorch.architectures.blocks import (
    BasicBlock,
    Cost,
    SpeakerNetwork,
    StatisticsPooling,
)
from bob.learn.pytorch.architectures.convolution import ConvNorm
from bob.learn.pytorch.masking import after, cut, keep

STEM_CHANNELS = 64
POOLED_SIZE = 1024
DROPOUT = 0.2


class _Step(NamedTuple):
    """A convolution or pooling, along time."""

    kernel: int
    stride: int = 1
    padding: int = 0
    dilation: int = 1


class Reach(NamedTuple):
    """Frames that a frame of `maps` depends on.

    Frame `i` depends on those from `stride * i - before` to `stride * i + behind`.
    """

    stride: int
    before: int
    behind: int

    @classmethod
    def of(cls, steps: Iterable[_Step]) -> "Reach":
        """Return how far one frame sees behind several steps.

        Frame `i` behind a step depends on those from `stride * i - padding` to `stride
        * i - padding + dilation * (kernel - 1)` before it; a distance of one frame
        there is as many frames of the features as the strides of all steps before
        multiply to.

        Examples
        --------
        >>> Reach.of([_Step(5, stride=2, padding=2), _Step(3, padding=1)])
        Reach(stride=2, before=4, behind=4)
        """
        stride, before, behind = 1, 0, 0
        for step in steps:
            before += stride * step.padding
            behind += stride * (step.dilation * (step.kernel - 1) - step.padding)
            stride *= step.stride
        return cls(stride, before, behind)


class SpeakerResNet(SpeakerNetwork):
    """A ResNet34 on spectrograms, pooled over time: stem, trunk and heads.

    A network that extends it makes, in this order, the layers of its stem, `add_trunk`
    and its heads, so that its state dictionary and the parameters that an optimiser
    sees are in the order of the published checkpoints. `layer4` stands in those
    checkpoints too; it is made and never run, as in the original.

    Attributes
    ----------
    stem_steps
        Convolutions and poolings of the stem, along time. The shortcuts of the trunk
        reach less far than its convolutions.
    """

    bins = 257
    # The fewest that leave two frames to pool: the deviation of one is undefined.
    minimum_frames = 37
    stem_steps: tuple[_Step, ...]
    unused: tuple[str, ...] = ("layer4.", "fc.", "fc1.")

    conv1: nn.Conv2d
    fc: nn.Linear
    fc1: nn.Linear
    em: nn.Linear

    def __init__(self, *, embedding_size: int) -> None:
        super().__init__()
        self.embedding_size = embedding_size

    def add_trunk(self) -> None:
        """Make the layers between the stem and the heads."""
        self.layer1 = _layer(STEM_CHANNELS, 64, blocks=3)
        self.layer2 = _layer(64, 128, blocks=4)
        self.layer3 = _layer(128, 256, blocks=6)
        self.layer4 = _layer(256, 512, blocks=3)
        self.conv4 = nn.Conv2d(256, 256, (1, 9), bias=False)
        self.bn4 = nn.BatchNorm2d(256)
        self.conv5 = nn.Conv2d(256, 512, (1, 9), bias=False)
        self.bn5 = nn.BatchNorm2d(512)
        self.pooling = StatisticsPooling()
        self.fourth = ConvNorm(self.conv4, self.bn4)
        self.fifth = ConvNorm(self.conv5, self.bn5)
        self.dropout = nn.Dropout(DROPOUT)

    @property
    def in_full(self) -> tuple[nn.Module, ...]:  # type: ignore[override]
        """Modules that compute in float32 where the rest computes in bfloat16.

        In bfloat16 throughout, cosines of ResNet to exact embeddings go down to 0.9998;
        with these and `in_full_alone` in float32 they stay above 0.9999.
        """
        return tuple(
            block.downsample
            for block in (*self.layer1, *self.layer2)
            if isinstance(block, BasicBlock)
        )

    @property
    def in_full_alone(self) -> tuple[nn.Module, ...]:  # type: ignore[override]
        """The same, unless a kernel has most 3x3 convolutions in float32 anyway."""
        return (self.conv1, self.layer1)

    def stem(
        self, image: Tensor, lengths: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """(batch, 1, frames, 257) -> (batch, 64, about frames / 4, 129).

        The image has to be zero behind the lengths, and so is what comes out.
        """
        raise NotImplementedError

    def forward(self, features: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(batch, 257, frames) -> (batch, embedding_size), of length 1: head `emb`.

        Parameters
        ----------
        features
            Where items are shorter than the batch, anything may stand behind them.
        lengths
            Frames of every item; None where all fill the batch.

        Raises
        ------
        ValueError
            If the features have other bins or fewer than 37 frames.
        """
        return self.embed_pooled(self.pool(features, lengths))

    def embed_pooled(self, pooled: Tensor) -> Tensor:
        """(batch, 1024) of `pool` -> (batch, embedding_size), of length 1."""
        return _unit_length(self.em(pooled))

    def reach(self) -> Reach:
        """Return which frames of the features a frame of `maps` depends on."""
        return Reach.of((*self.stem_steps, *_trunk_steps()))

    def embed2(self, features: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(batch, 257, frames) -> (batch, numbers), of length 1: head `emb2`."""
        raise NotImplementedError

    def logits(self, features: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(batch, 257, frames) -> (batch, num_classes): head `cls`, before softmax.

        The class straight from the pooled vector, with dropout; no embedding inside.
        """
        logits: Tensor = self.fc(self.dropout(self.pool(features, lengths)))
        return logits

    def logits2(self, features: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(batch, 257, frames) -> (batch, num_classes): head `cls2`, before softmax.

        The class from the embedding, with dropout before and after it: to train this
        head is to train the embedding.
        """
        embedding = self.em(self.dropout(self.pool(features, lengths)))
        logits: Tensor = self.fc1(self.dropout(embedding))
        return logits

    def pool(self, features: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(batch, 257, frames) -> (batch, 1024), 512 means and 512 deviations."""
        self.check(features, lengths)
        pooled: Tensor = self.pooling(*self.maps(features, lengths))
        return pooled

    def maps(
        self, features: Tensor, lengths: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """(batch, 257, frames) -> (batch, 512, about frames / 32), and lengths."""
        image = keep(features, lengths).transpose(1, 2).unsqueeze(1)
        # The layout in memory that convolutions and pooling are faster in.
        image = image.contiguous(memory_format=torch.channels_last)
        image, lengths = self.stem(image, lengths)
        for block in (*self.layer1, *self.layer2, *self.layer3):
            image, lengths = block(image, lengths)
        image = self.fifth(self.fourth(image))
        return image.squeeze(-1), lengths


class ResNet(SpeakerResNet):
    """A ResNet34 over spectrograms, with a stem of one convolution.

    Parameters
    ----------
    num_classes
        Speakers that the heads `cls` and `cls2` tell apart.
    embedding_size
        Numbers in an embedding.

    References
    ----------
    bob.learn.pytorch 0.2.0, `resnet34`; He et al., "Deep residual learning for image
    recognition", CVPR 2016.

    Examples
    --------
    >>> ResNet().eval()(torch.zeros(4, 257, 100)).shape
    torch.Size([4, 128])
    """

    # Growth of the process for 60, 150 and 300 s of recording on a CPU.
    mb_a_second = Cost(float32=4.4, float64=11.0, onnxruntime=5.5)
    stem_steps = (_Step(5, stride=2, padding=2), _Step(3, stride=2))

    def __init__(self, num_classes: int = 1211, embedding_size: int = 128) -> None:
        super().__init__(embedding_size=embedding_size)
        self.conv1 = nn.Conv2d(1, STEM_CHANNELS, 5, stride=2, padding=2, bias=False)
        self.bn1 = nn.BatchNorm2d(STEM_CHANNELS)
        self.first = ConvNorm(self.conv1, self.bn1)
        self.add_trunk()
        self.fc = nn.Linear(POOLED_SIZE, num_classes)
        self.fc1 = nn.Linear(embedding_size, num_classes)
        self.em = nn.Linear(POOLED_SIZE, embedding_size)

    def stem(
        self, image: Tensor, lengths: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """(batch, 1, frames, 257) -> (batch, 64, about frames / 4, 129)."""
        image = _halve_time(self.first(image))
        lengths = after(lengths, kernel=5, stride=2, padding=2)
        lengths = after(lengths, kernel=3, stride=2)
        return cut(image, lengths, axis=2), lengths

    def embed2(self, features: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(batch, 257, frames) -> (batch, 1024), of length 1: head `emb2`.

        The pooled vector itself, so its size is not `embedding_size`.
        """
        return _unit_length(self.pool(features, lengths))


def resnet34(num_classes: int = 1211, embedding_size: int = 128) -> ResNet:
    """Return the untrained network of `resnet34-voxceleb1`."""
    return ResNet(num_classes, embedding_size)


class DltResNet(SpeakerResNet):
    """A ResNet34 over spectrograms, with a stem of three convolutions dilated in time.

    The published checkpoints also hold `fc2` and `bn`, of a third classifier `cls3`
    that could never run: it fed vectors to a normalisation for images. The layers are
    made, so that checkpoints fit both ways, but there is no such head.

    Parameters
    ----------
    num_classes
        Speakers that the heads `cls` and `cls2` tell apart.
    embedding_size
        Numbers in an embedding.
    second_embedding_size
        Numbers in the embedding of head `emb2`.

    References
    ----------
    bob.learn.pytorch 0.2.0, `dltresnet34`; He et al., "Deep residual learning for
    image recognition", CVPR 2016.

    Examples
    --------
    >>> DltResNet().eval()(torch.zeros(4, 257, 100)).shape
    torch.Size([4, 128])
    """

    unused = (*SpeakerResNet.unused, "fc2.", "em2.", "bn.")

    mb_a_second = Cost(float32=2.8, float64=8.1, onnxruntime=3.5)
    stem_steps = (
        _Step(5, stride=2, padding=2),
        _Step(5, padding=4, dilation=2),
        _Step(3, stride=2),
        _Step(3, padding=3, dilation=3),
    )

    def __init__(
        self,
        num_classes: int = 1211,
        embedding_size: int = 128,
        *,
        second_embedding_size: int = 128,
    ) -> None:
        super().__init__(embedding_size=embedding_size)
        self.conv1 = nn.Conv2d(1, 16, 5, stride=2, padding=2, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.conv2 = nn.Conv2d(
            16, 32, (5, 1), padding=(4, 0), dilation=(2, 1), bias=False
        )
        self.bn2 = nn.BatchNorm2d(32)
        self.conv3 = nn.Conv2d(
            32, STEM_CHANNELS, (3, 1), padding=(3, 0), dilation=(3, 1), bias=False
        )
        self.bn3 = nn.BatchNorm2d(STEM_CHANNELS)
        self.first = ConvNorm(self.conv1, self.bn1)
        self.second = ConvNorm(self.conv2, self.bn2)
        self.third = ConvNorm(self.conv3, self.bn3)
        self.add_trunk()
        self.fc = nn.Linear(POOLED_SIZE, num_classes)
        self.fc1 = nn.Linear(embedding_size, num_classes)
        self.fc2 = nn.Linear(second_embedding_size, num_classes)
        self.em = nn.Linear(POOLED_SIZE, embedding_size)
        self.em2 = nn.Linear(embedding_size, second_embedding_size)
        self.bn = nn.BatchNorm1d(second_embedding_size)

    def stem(
        self, image: Tensor, lengths: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """(batch, 1, frames, 257) -> (batch, 64, about frames / 4, 129)."""
        lengths = after(lengths, kernel=5, stride=2, padding=2)
        image = cut(self.first(image), lengths, axis=2)
        image = _halve_time(self.second(image))
        lengths = after(lengths, kernel=3, stride=2)
        image = self.third(cut(image, lengths, axis=2))
        return cut(image, lengths, axis=2), lengths

    def embed2(self, features: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(batch, 257, frames) -> (batch, second size), of length 1: head `emb2`."""
        return _unit_length(self.em2(self.em(self.pool(features, lengths))))


def dlt_resnet34(num_classes: int = 1211, embedding_size: int = 128) -> DltResNet:
    """Return the untrained network of `dltresnet34-voxceleb1`."""
    return DltResNet(num_classes, embedding_size)


def _unit_length(embedding: Tensor) -> Tensor:
    """(batch, dimensions) -> the same directions, each of length 1."""
    length: Tensor = torch.linalg.vector_norm(embedding, dim=-1, keepdim=True)
    return embedding / length


def _halve_time(image: Tensor) -> Tensor:
    """(batch, channels, time, bins) -> the highest of every three, 2 apart, in time.

    It is max pooling, three times as fast, and torch.export can follow it for every
    length: that of pooling layers depends on whether the length is even.

    Examples
    --------
    >>> _halve_time(torch.tensor([5, 1, 2, 3, 4, 0]).view(1, 1, 6, 1)).flatten()
    tensor([5, 4])
    """
    rows = image.contiguous(memory_format=torch.channels_last).transpose(1, 2)
    highest = torch.maximum(rows[:, :-2:2], rows[:, 1:-1:2])
    return torch.maximum(highest, rows[:, 2::2]).transpose(1, 2)


def _layer(in_channels: int, channels: int, *, blocks: int) -> nn.Sequential:
    """Residual blocks of which the first halves time and frequency."""
    rest = (BasicBlock(channels, channels, stride=1) for _ in range(blocks - 1))
    return nn.Sequential(BasicBlock(in_channels, channels, stride=2), *rest)


def _trunk_steps() -> Iterator[_Step]:
    """Yield the steps of layer1 to layer3: blocks of two convolutions each."""
    for blocks in (3, 4, 6):
        yield _Step(3, stride=2, padding=1)
        yield from [_Step(3, padding=1)] * (2 * blocks - 1)
