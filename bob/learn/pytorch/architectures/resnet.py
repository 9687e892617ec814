"""The ResNet34 for speaker verification of bob.learn.pytorch."""

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
    >>> import torch
    >>> ResNet().eval()(torch.zeros(4, 257, 100)).shape
    torch.Size([4, 128])
    """

    stem_steps = (Step(5, stride=2, padding=2), Step(3, stride=2))

    def __init__(self, num_classes: int = 1211, embedding_size: int = 128) -> None:
        super().__init__(embedding_size=embedding_size)
        self.conv1 = nn.Conv2d(1, STEM_CHANNELS, 5, stride=2, padding=2, bias=False)
        self.bn1 = nn.BatchNorm2d(STEM_CHANNELS)
        self.add_trunk()
        self.fc = nn.Linear(POOLED_SIZE, num_classes)
        self.fc1 = nn.Linear(embedding_size, num_classes)
        self.em = nn.Linear(POOLED_SIZE, embedding_size)

    def stem(
        self, image: Tensor, lengths: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """(batch, 1, frames, 257) -> (batch, 64, about frames / 4, 129)."""
        image = convolve(self.conv1, self.bn1, image)
        image = halve_time(image)
        lengths = after(lengths, kernel=5, stride=2, padding=2)
        lengths = after(lengths, kernel=3, stride=2)
        return cut(image, lengths, axis=2), lengths

    def embed2(self, features: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(batch, 257, frames) -> (batch, 1024), of length 1: head `emb2`.

        The pooled vector itself, so its size is not `embedding_size`.
        """
        return unit_length(self.pool(features, lengths))


def resnet34(num_classes: int = 1211, embedding_size: int = 128) -> ResNet:
    """Return the untrained network of `resnet34-voxceleb1`."""
    return ResNet(num_classes, embedding_size)
