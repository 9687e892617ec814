"""The one step that networks are made of: a convolution and what follows it."""

from abc import ABC, abstractmethod
from typing import cast

import torch.nn.functional as F
from torch import Tensor, nn


class OneStep(nn.Module, ABC):
    """A convolution that does by itself what `convolve` does in several steps."""

    @abstractmethod
    def forward(self, image: Tensor, plus: Tensor | None, *, relu: bool) -> Tensor:
        """Convolve with normalised weights, add `plus` and take the ReLU if asked."""


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
