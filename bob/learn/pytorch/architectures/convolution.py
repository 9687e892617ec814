"""The one step that networks are made of: a convolution and what follows it."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace

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
    """A convolution that does by itself what `convolve` does in several steps.

    Attributes
    ----------
    taken_in
        Name in the network of the normalisation that the weights hold. Then only
        `convolve`, which knows what stands behind, may call the layer.
    """

    taken_in: str | None = None

    def __call__(
        self, image: Tensor, plus: Tensor | None = None, *, relu: bool = False
    ) -> Tensor:
        """Run `forward`, and refuse a layer that has taken a normalisation in."""
        if self.taken_in is not None:
            raise ValueError(_called_alone(self.taken_in))
        return self.forward(image, plus, relu=relu)

    @abstractmethod
    def forward(
        self, image: Tensor, plus: Tensor | None = None, *, relu: bool = False
    ) -> Tensor:
        """Convolve with normalised weights, add `plus` and take the ReLU if asked.

        `plus` may be overwritten.
        """


class TakenIn(nn.Module):
    """The place of a normalisation that a convolution has taken in.

    Parameters
    ----------
    name
        In the network.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def forward(self, _image: Tensor) -> Tensor:
        """Refuse to be called: only `convolve` knows what stands before."""
        raise ValueError(_called_alone(self.name))


def _called_alone(name: str) -> str:
    return (
        f"the normalisation {name!r} was folded into the convolution before it, but "
        f"the network does not run both in one call: use `convolve(convolution, norm, "
        f"image)` there, or precision float64, which runs the network as it is"
    )


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
        What is added before the ReLU, and may be overwritten; None adds nothing.

    Raises
    ------
    ValueError
        If the convolution was folded with another normalisation than `norm`.
    """
    if isinstance(convolution, OneStep):
        taken_in = norm.name if isinstance(norm, TakenIn) else None
        if taken_in != convolution.taken_in:
            raise ValueError(_called_alone(str(taken_in or convolution.taken_in)))
        if taken_in is not None or isinstance(norm, nn.Identity):
            return convolution.forward(image, plus, relu=relu)
    image = norm(convolution(image))
    if plus is not None:
        image = image + plus
    return F.relu(image) if relu else image
