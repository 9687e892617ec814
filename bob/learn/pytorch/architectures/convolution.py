"""The one step that networks are made of: a convolution and what follows it."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class Layer:
    """A convolution with the normalisation behind it taken in.

    Attributes
    ----------
    weight, bias
        In float64; None where nothing is added.
    stride, padding, dilation
        One number for each axis of the kernel.
    """

    weight: Tensor
    bias: Tensor | None
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]

    @property
    def geometry(self) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
        """Stride, padding and dilation."""
        return self.stride, self.padding, self.dilation

    def without_weights(self) -> "Layer":
        """Return the same geometry, without what takes memory."""
        return replace(self, weight=torch.empty(0), bias=None)


class OneStep(nn.Module, ABC):
    """A convolution that does by itself what `convolve` does in several steps."""

    @abstractmethod
    def forward(
        self, image: Tensor, plus: Tensor | None = None, *, relu: bool = False
    ) -> Tensor:
        """Convolve with normalised weights, add `plus` and take the ReLU if asked.

        `plus` may be overwritten.
        """


def convolve(
    convolution: nn.Module,
    norm: nn.Module,
    image: Tensor,
    *,
    plus: Tensor | None = None,
    relu: bool = True,
) -> Tensor:
    """Convolution and batch normalisation, a sum, and ReLU.

    Every network calls this for its convolutions, so that `folded.fold` can put
    something faster in the place of their layers.

    Parameters
    ----------
    image
        (batch, channels, …).
    plus
        What is added before the ReLU; None adds nothing.
    """
    if isinstance(convolution, OneStep):
        return cast("Tensor", convolution(image, plus, relu=relu))
    image = norm(convolution(image))
    if plus is not None:
        image = image + plus
    return F.relu(image) if relu else image
