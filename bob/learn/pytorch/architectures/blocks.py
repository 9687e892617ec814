"""Layers and checks that two networks share."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def check_features(features: Tensor, *, bins: int, minimum_frames: int) -> None:
    """Refuse what the network would answer with NaN or with an obscure error.

    Raises
    ------
    ValueError
        If `features` are not (batch, `bins`, `minimum_frames` or more).
    """
    # A traced network is exported for any length: its graph cannot hold the check.
    if torch.jit.is_tracing():  # type: ignore[attr-defined, no-untyped-call]
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
) -> nn.Module:
    """Make the way around a residual block: a projection where shapes differ."""
    if stride == 1 and in_channels == channels:
        return nn.Identity()
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

    def branch(self, image: Tensor) -> Tensor:
        """Both convolutions, without the shortcut and the last ReLU."""
        image = F.relu(self.bn1(self.conv1(image)))
        branch: Tensor = self.bn2(self.conv2(image))
        return branch


class BasicBlock(ResidualBranch):
    """A residual block of ResNet34."""

    def __init__(self, in_channels: int, channels: int, *, stride: int) -> None:
        super().__init__(in_channels, channels, stride=stride)
        self.downsample = shortcut(in_channels, channels, stride=stride)

    def forward(self, image: Tensor) -> Tensor:
        """(batch, in_channels, time, bins) -> (batch, channels, time', bins')."""
        return F.relu(self.branch(image) + self.downsample(image))
