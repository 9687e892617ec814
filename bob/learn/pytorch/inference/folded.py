"""Networks made ready to run, and no longer to be trained."""

import copy
from collections.abc import Iterator, Mapping
from typing import TypeGuard, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bob.learn.pytorch.architectures.convolution import Layer, OneStep, TakenIn
from bob.learn.pytorch.inference import packed

Network = TypeVar("Network", bound=nn.Module)
Norm = nn.BatchNorm1d | nn.BatchNorm2d

# Weights up to which a product of a few frames is faster by MKL than by oneDNN, a call
# of which takes 15 microseconds.
SMALL_PRODUCT = 8_192


def fold(
    network: Network,
    *,
    precision: torch.dtype = torch.float32,
    kernel: packed.Kernel | None = None,
) -> Network:
    """Return a copy that gives the same embeddings faster.

    Every convolution takes the batch normalisation behind it into its own weights, and
    adds and cuts below zero in the same step. Sums over time and what follows them stay
    in float32, whatever the precision of the convolutions; so does, in bfloat16, what
    a network names in `in_full`, or in `in_full_alone` where no kernel serves.

    Parameters
    ----------
    network
        In evaluation mode, on the device and with the weights it is to be used with.
    precision
        Of the convolutions: float32, bfloat16 or float16.
    kernel
        For 3x3 convolutions in float32 on a CPU, as `kernels.winograd.load` gives it;
        None leaves them to oneDNN.

    Raises
    ------
    ValueError
        If the network is in training mode, where normalisation depends on the batch,
        or has a layer that cannot be folded, which is named. A network that calls a
        convolution and its normalisation otherwise than by `convolve` or as neighbours
        in an `nn.Sequential` is refused when the copy is first called.
    """
    if network.training:
        raise ValueError(
            "this network is in training mode, where its normalisation changes with "
            "every batch; call network.eval() before it is folded"
        )
    folded = copy.deepcopy(network).float().requires_grad_(requires_grad=False)
    for unused in getattr(folded, "unused", ()):
        delattr(folded, unused.rstrip("."))
    in_full = _in_full(folded, kernel) if precision == torch.bfloat16 else set()
    names = {module: name for name, module in folded.named_modules()}
    taken_in: dict[nn.Module, nn.Module] = {}
    for parent, name, convolution, norm in list(_convolutions(folded)):
        _check_convolution(convolution, names[convolution])
        layer = _normalised(convolution, norm, names)
        kind = torch.float32 if convolution in in_full else precision
        step = _step(layer, kind, kernel)
        if norm is not None and _in_turn(parent):
            taken_in[norm] = nn.Identity()
        elif norm is not None:
            step.taken_in = names[norm]
            taken_in[norm] = TakenIn(names[norm])
        setattr(parent, name, step)
    _replace_norms(folded, taken_in, names)
    return folded


def _replace_norms(
    network: nn.Module,
    taken_in: Mapping[nn.Module, nn.Module],
    names: Mapping[nn.Module, str],
) -> None:
    """Put in the place of every norm what is left of it."""
    for parent in list(network.modules()):
        for name, child in parent.named_children():
            if _is_norm(child):
                alone = taken_in.get(child) or ScaleAndShift(child, names[child])
                setattr(parent, name, alone)


def _in_full(network: nn.Module, kernel: packed.Kernel | None) -> set[nn.Module]:
    """Every part of what has to stay in float32."""
    served = kernel is not None and kernel.serves
    names = ("in_full",) if served else ("in_full", "in_full_alone")
    wholes = [whole for name in names for whole in getattr(network, name, ())]
    return {part for whole in wholes for part in whole.modules()}


def _step(
    layer: Layer, precision: torch.dtype, kernel: packed.Kernel | None
) -> OneStep:
    """Return the layer as it is fastest."""
    one_frame = layer.weight.shape[2:] == (1,) and layer.stride == (1,)
    on_cpu = layer.weight.device.type == "cpu"
    if one_frame and on_cpu and layer.weight.numel() <= SMALL_PRODUCT:
        return SmallProduct(layer)
    return packed.step(layer, precision, kernel) or FoldedConvolution(layer, precision)


class SmallProduct(OneStep):
    """A convolution over one frame that is less work than a call of oneDNN.

    In float32 in any precision: with so few numbers the other is not faster.
    """

    weight: Tensor
    bias: Tensor | None

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.register_buffer("weight", layer.weight.squeeze(2).float())
        bias = None if layer.bias is None else layer.bias.float()
        self.register_buffer("bias", bias)

    def forward(
        self, image: Tensor, plus: Tensor | None = None, *, relu: bool = False
    ) -> Tensor:
        """Multiply, add and cut below zero."""
        rows = F.linear(image.transpose(1, 2).float(), self.weight, self.bias)
        frames = rows.transpose(1, 2)
        if plus is not None:
            frames += plus
        return frames.relu_() if relu else frames


class FoldedConvolution(OneStep):
    """Convolution with bias, sum and ReLU, by what every device has."""

    weight: Tensor
    bias: Tensor | None

    def __init__(self, layer: Layer, precision: torch.dtype) -> None:
        super().__init__()
        self.register_buffer("weight", layer.weight.to(precision))
        bias = None if layer.bias is None else layer.bias.to(precision)
        self.register_buffer("bias", bias)
        self.layer = layer.without_weights()

    def forward(
        self, image: Tensor, plus: Tensor | None = None, *, relu: bool = False
    ) -> Tensor:
        """Convolve, add and cut below zero."""
        stride, padding, dilation = self.layer.geometry
        convolution = F.conv1d if self.weight.dim() == 3 else F.conv2d
        image = image.to(self.weight.dtype)
        image = convolution(image, self.weight, self.bias, stride, padding, dilation)
        if plus is not None:
            image += plus
        return image.relu_() if relu else image


class ScaleAndShift(nn.Module):
    """A batch normalisation that no convolution has taken in, in float32."""

    scale: Tensor
    shift: Tensor

    def __init__(self, norm: Norm, name: str) -> None:
        super().__init__()
        scale, shift = _affine(norm, name)
        self.register_buffer("scale", scale.float())
        self.register_buffer("shift", shift.float())

    def forward(self, frames: Tensor) -> Tensor:
        """(batch, channels, …) -> the same."""
        shape = (-1, *[1] * (frames.dim() - 2))
        scale, shift = self.scale.reshape(shape), self.shift.reshape(shape)
        return torch.addcmul(shift, frames, scale)


def _convolutions(
    network: nn.Module,
) -> Iterator[tuple[nn.Module, str, nn.Conv1d | nn.Conv2d, Norm | None]]:
    """Every convolution: its parent, its name there, itself, and the norm behind it."""
    for parent in network.modules():
        children = list(parent.named_children())
        for i, (name, child) in enumerate(children):
            if not isinstance(child, nn.Conv1d | nn.Conv2d):
                continue
            behind = children[i + 1 :]
            if _in_turn(parent):
                norm = behind[0][1] if behind else None
            else:
                norm = _norm_of(name, dict(behind))
            if not _is_norm(norm) or norm.num_features != child.out_channels:
                norm = None
            yield parent, name, child, norm


def _in_turn(parent: nn.Module) -> bool:
    """Return whether its layers run one after the other, whatever they are called."""
    return type(parent).forward is nn.Sequential.forward


def _is_norm(layer: nn.Module | None) -> TypeGuard[Norm]:
    """Return whether this is a batch normalisation that computes as PyTorch's own."""
    return isinstance(layer, Norm) and type(layer).forward in {
        nn.BatchNorm1d.forward,
        nn.BatchNorm2d.forward,
    }


def _norm_of(name: str, behind: dict[str, nn.Module]) -> nn.Module | None:
    """Find the norm that a convolution is called with, as the networks here name it.

    A guess that costs nothing where it fails: `convolve` runs a norm that it does not
    find, and refuses one that belongs to another convolution.
    """
    places = {
        name.replace("conv", "bn"): name.startswith("conv"),
        "nonlinear": name == "linear",
        "nonlinear2": name == "linear1",
    }
    for place, fits in places.items():
        norm = behind.get(place) if fits else None
        if norm is not None:
            return getattr(norm, "batchnorm", norm)
    return None


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


def _normalised(
    convolution: nn.Conv1d | nn.Conv2d,
    norm: Norm | None,
    names: Mapping[nn.Module, str],
) -> Layer:
    weight = convolution.weight.double()
    bias = None if convolution.bias is None else convolution.bias.double()
    if norm is not None:
        scale, shift = _affine(norm, names[norm])
        weight = weight * scale.reshape(-1, *[1] * (weight.dim() - 1))
        bias = shift if bias is None else shift + bias * scale
    geometry = (convolution.stride, convolution.padding, convolution.dilation)
    return Layer(weight, bias, *(tuple(int(n) for n in part) for part in geometry))


def _affine(norm: Norm, name: str) -> tuple[Tensor, Tensor]:
    """What a batch normalisation multiplies with and adds, in float64."""
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
