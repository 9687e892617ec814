"""DltResNet: a ResNet34 for speaker verification whose stem is dilated over time."""

from torch import Tensor, nn

from bob.learn.pytorch.architectures.convolution import convolve
from bob.learn.pytorch.architectures.lengths import after
from bob.learn.pytorch.architectures.trunk import (
    POOLED_SIZE,
    STEM_CHANNELS,
    SpeakerResNet,
    Step,
    halve_time,
    unit_length,
)
from bob.learn.pytorch.lengths import cut


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
    >>> import torch
    >>> DltResNet().eval()(torch.zeros(4, 257, 100)).shape
    torch.Size([4, 128])
    """

    unused = (*SpeakerResNet.unused, "fc2.", "em2.", "bn.")

    stem_steps = (
        Step(5, stride=2, padding=2),
        Step(5, padding=4, dilation=2),
        Step(3, stride=2),
        Step(3, padding=3, dilation=3),
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
        image = cut(convolve(self.conv1, self.bn1, image), lengths, axis=2)
        image = convolve(self.conv2, self.bn2, image)
        image = halve_time(image)
        lengths = after(lengths, kernel=3, stride=2)
        image = cut(image, lengths, axis=2)
        image = convolve(self.conv3, self.bn3, image)
        return cut(image, lengths, axis=2), lengths

    def embed2(self, features: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(batch, 257, frames) -> (batch, second size), of length 1: head `emb2`."""
        return unit_length(self.em2(self.em(self.pool(features, lengths))))


def dlt_resnet34(num_classes: int = 1211, embedding_size: int = 128) -> DltResNet:
    """Return the untrained network of `dltresnet34-voxceleb1`."""
    return DltResNet(num_classes, embedding_size)
