"""Layers and checks that two networks share."""

from torch import Tensor, nn

from bob.learn.pytorch.architectures.convolution import convolve
from bob.learn.pytorch.architectures.lengths import after, check_lengths
from bob.learn.pytorch.lengths import cut, unchecked


def check_features(
    features: Tensor, lengths: Tensor | None, *, bins: int, minimum_frames: int
) -> None:
    """Refuse what the network would answer with NaN or with an obscure error.

    Raises
    ------
    ValueError
        If `features` are not (batch, `bins`, `minimum_frames` or more), or the lengths
        not those of such a batch.
    """
    if unchecked():
        return
    if features.dim() != 3 or features.shape[1] != bins:
        raise ValueError(
            f"this network takes features of shape (batch, {bins}, frames); got "
            f"{tuple(features.shape)}: use the front end it was trained with"
        )
    if features.shape[-1] < minimum_frames:
        raise ValueError(
            f"{features.shape[-1]} frames are too few for this network, which needs "
            f"{minimum_frames} or more: use a longer recording"
        )
    check_lengths(
        lengths,
        batch=features.shape[0],
        least=minimum_frames,
        most=features.shape[-1],
    )


def entries_read(network: nn.Module, *, unused: tuple[str, ...] = ()) -> frozenset[str]:
    """Names in the state dictionary that shape an embedding.

    The counters of batch normalisation never do, nor do names that start with `unused`.
    """
    return frozenset(
        name
        for name in network.state_dict()
        if not name.endswith(".num_batches_tracked") and not name.startswith(unused)
    )


def shortcut(
    in_channels: int, channels: int, *, stride: int | tuple[int, int]
) -> nn.Sequential:
    """Make the way around a residual block: a projection where shapes differ."""
    if stride == 1 and in_channels == channels:
        return nn.Sequential()
    return nn.Sequential(
        nn.Conv2d(in_channels, channels, 1, stride=stride, bias=False),
        nn.BatchNorm2d(channels),
    )


class ResidualBranch(nn.Module):
    """Two 3x3 convolutions, the part of a residual block beside its shortcut.

    Published checkpoints name the shortcut differently, so each network adds its own.

    References
    ----------
    He et al., "Deep residual learning for image recognition", CVPR 2016, figure 2.
    """

    def __init__(
        self, in_channels: int, channels: int, *, stride: int | tuple[int, int]
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(
            in_channels, channels, 3, stride=stride, padding=1, bias=False
        )
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)

    def residual(
        self, image: Tensor, around: nn.Sequential, lengths: Tensor | None, *, axis: int
    ) -> Tensor:
        """Both convolutions, and what comes around them, summed.

        Parameters
        ----------
        around
            The shortcut.
        lengths, axis
            Of the images that come out, and which of their axes is time.
        """
        inner = cut(convolve(self.conv1, self.bn1, image), lengths, axis=axis)
        if len(around):
            image = convolve(around[0], around[1], image, relu=False)
        return cut(
            convolve(self.conv2, self.bn2, inner, plus=image), lengths, axis=axis
        )


class BasicBlock(ResidualBranch):
    """A residual block of ResNet34 on images whose first axis is time."""

    def __init__(self, in_channels: int, channels: int, *, stride: int) -> None:
        super().__init__(in_channels, channels, stride=stride)
        self.stride = stride
        self.downsample = shortcut(in_channels, channels, stride=stride)

    def forward(
        self, image: Tensor, lengths: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """(batch, in_channels, time, bins) -> (batch, channels, time', bins').

        The image has to be zero behind the lengths; those of time' come out beside it.
        """
        lengths = after(lengths, kernel=3, stride=self.stride, padding=1)
        return self.residual(image, self.downsample, lengths, axis=2), lengths
