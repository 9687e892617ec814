"""Convolutions with their normalisation, which fold into one step."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

BatchNorm = nn.BatchNorm1d | nn.BatchNorm2d
# Normalisations that depend on one item alone: they run behind a folded convolution.
_RUN_BEHIND = (nn.Identity, nn.GroupNorm, nn.InstanceNorm1d, nn.InstanceNorm2d)


@dataclass(frozen=True)
class Layer:
    """A convolution with the normalisation behind it in its weights.

    Attributes
    ----------
    weight, bias
        (out, in, …) and (out,) in float64; no bias where nothing is added.
    stride, padding, dilation
        One number for each axis of the kernel.
    """

    weight: Tensor
    bias: Tensor | None
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]

    @classmethod
    def of(
        cls,
        convolution: nn.Module,
        norm: nn.Module | None,
        names: Mapping[nn.Module, str],
    ) -> Layer:
        """Return a convolution and a batch normalisation as one layer.

        Parameters
        ----------
        norm
            A batch normalisation with running statistics, or None.
        names
            Names of the modules in the network, for messages.

        Raises
        ------
        ValueError
            The convolution has groups, hooks or another thing that a layer would lose,
            or the normalisation depends on the batch.
        """
        assert isinstance(convolution, nn.Conv1d | nn.Conv2d)  # noqa: S101
        _check_convolution(convolution, names[convolution])
        weight = convolution.weight.double()
        bias = None if convolution.bias is None else convolution.bias.double()
        if norm is not None:
            scale, shift = scale_and_shift(norm, names[norm])
            weight = weight * scale.reshape(-1, *[1] * (weight.dim() - 1))
            bias = shift if bias is None else shift + bias * scale
        geometry = (convolution.stride, convolution.padding, convolution.dilation)
        return cls(weight, bias, *(tuple(int(n) for n in part) for part in geometry))

    @property
    def geometry(self) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
        """Stride, padding and dilation."""
        return self.stride, self.padding, self.dilation

    def without_weights(self) -> Layer:
        """Return the same geometry, without what takes memory."""
        return replace(self, weight=torch.empty(0), bias=None)


class OneStep(nn.Module, ABC):
    """A convolution, a sum and a ReLU that are computed together."""

    @abstractmethod
    def forward(
        self, image: Tensor, plus: Tensor | None = None, *, relu: bool = False
    ) -> Tensor:
        """Convolve (batch, in, …), add `plus` and take the ReLU if asked.

        `plus` may be overwritten.
        """


class ConvNorm(nn.Module):
    """A convolution, its normalisation, a sum and a ReLU, which fold into one step.

    Every network calls its convolutions through such blocks. The two layers belong to
    the network, under the names of its published checkpoints, whatever these are; the
    block adds nothing to the state dictionary.

    Parameters
    ----------
    convolution
        ``nn.Conv1d`` or ``nn.Conv2d``.
    norm
        Any normalisation of its output.

    Examples
    --------
    >>> stem, stem_bn = nn.Conv1d(80, 4, 3), nn.BatchNorm1d(4)
    >>> block = ConvNorm(stem, stem_bn)
    >>> block(torch.zeros(2, 80, 10)).shape, len(block.state_dict())
    (torch.Size([2, 4, 8]), 0)
    """

    def __init__(self, convolution: nn.Module, norm: nn.Module) -> None:
        super().__init__()
        # In a tuple, they are not registered a second time.
        self.layers = (convolution, norm)
        self.step: OneStep | None = None

    def forward(
        self, image: Tensor, plus: Tensor | None = None, *, relu: bool = True
    ) -> Tensor:
        """Convolve (batch, in, …), normalise, add `plus` and take the ReLU if asked.

        `plus` may be overwritten.
        """
        convolution, norm = self.layers
        if self.step is None:
            image = norm(convolution(image))
        elif isinstance(norm, _TakenIn):
            return self.step.forward(image, plus, relu=relu)
        else:
            image = norm(self.step.forward(image).float())
        if plus is not None:
            image = image + plus
        return F.relu(image) if relu else image

    def fold(
        self,
        make_step: Callable[[nn.Module, Layer], OneStep],
        names: Mapping[nn.Module, str],
    ) -> dict[nn.Module, nn.Module]:
        """Run one step from now on, with a batch normalisation in its weights.

        Parameters
        ----------
        make_step
            From the convolution and the layer to the step.
        names
            Names of the modules in the network, for messages.

        Returns
        -------
        dict
            What to put in the place of the layers that the step has taken in.

        Raises
        ------
        ValueError
            The normalisation is of an unknown kind, or `Layer.of` refuses the layers.
        """
        convolution, norm = self.layers
        taken_in: dict[nn.Module, nn.Module] = {
            convolution: _TakenIn(names[convolution])
        }
        if is_batch_norm(norm):
            taken_in[norm] = _TakenIn(names[norm])
        elif type(norm) not in _RUN_BEHIND:
            raise ValueError(
                f"the normalisation {names[norm]!r} is a {type(norm).__name__}, which "
                "cannot be folded into a convolution; use precision float64, which "
                "runs the network as it is"
            )
        folded = norm if norm in taken_in else None
        self.step = make_step(convolution, Layer.of(convolution, folded, names))
        self.layers = (taken_in[convolution], taken_in.get(norm, norm))
        return taken_in


class _TakenIn(nn.Module):
    """The place of a layer that a `ConvNorm` has taken in.

    Parameters
    ----------
    name
        Name of the layer in the network.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def forward(self, *_images: Tensor) -> Tensor:
        """Refuse to be called without the other layers of the block.

        Raises
        ------
        ValueError
            Always.
        """
        raise ValueError(
            f"the layer {self.name!r} was folded with others of its ConvNorm, and the "
            "network calls it alone: call the ConvNorm, or use precision float64, "
            "which runs the network as it is"
        )


def is_batch_norm(layer: nn.Module) -> bool:
    """Return whether this is a batch normalisation that computes as PyTorch's own."""
    own = (nn.BatchNorm1d.forward, nn.BatchNorm2d.forward)
    return (
        isinstance(layer, BatchNorm)
        and type(layer).forward in own
        and not (layer._forward_hooks or layer._forward_pre_hooks)
    )


def scale_and_shift(norm: nn.Module, name: str) -> tuple[Tensor, Tensor]:
    """Return the factors and summands of a batch normalisation.

    Returns
    -------
    tuple of Tensor
        (channels,) each, in float64.

    Raises
    ------
    ValueError
        It has no running statistics.

    References
    ----------
    Ioffe and Szegedy, "Batch normalization: accelerating deep network training by
    reducing internal covariate shift", ICML 2015, algorithm 2, step 11.
    """
    assert isinstance(norm, BatchNorm)  # noqa: S101
    if norm.running_mean is None or norm.running_var is None:
        raise ValueError(
            f"the normalisation {name!r} has no running statistics, so it depends on "
            f"the batch and cannot be folded: train with track_running_stats=True"
        )
    scale = 1 / (norm.running_var.double() + norm.eps).sqrt()
    shift = -norm.running_mean.double()
    if norm.affine:
        scale = scale * norm.weight.double()
        return scale, shift * scale + norm.bias.double()
    return scale, shift * scale


def _check_convolution(convolution: nn.Conv1d | nn.Conv2d, name: str) -> None:
    """Refuse a convolution of which `Layer` would lose something."""
    kinds = (nn.Conv1d.forward, nn.Conv2d.forward)
    faults = {
        f"{convolution.groups} groups": convolution.groups != 1,
        f"padding {convolution.padding!r}": isinstance(convolution.padding, str),
        f"padding mode {convolution.padding_mode!r}": (
            convolution.padding_mode != "zeros"
        ),
        "a forward of its own": type(convolution).forward not in kinds,
        "hooks": bool(convolution._forward_hooks or convolution._forward_pre_hooks),
    }
    found = [fault for fault, there in faults.items() if there]
    if found:
        raise ValueError(
            f"the convolution {name!r} has {' and '.join(found)}, which cannot be "
            f"folded: use precision float64, which runs the network as it is"
        )
