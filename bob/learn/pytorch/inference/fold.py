"""Networks made ready to run, and no longer to be trained.

Every convolution becomes one step, in the fastest form that the device has: on a CPU
with weights laid out beforehand. PyTorch's own compiler calls the same operations of
oneDNN. They have no public name, so each is looked for first, and where one is missing
the plain convolutions serve.
"""

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import Any, Protocol, TypeVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bob.learn.pytorch.architectures.convolution import (
    ConvNorm,
    Layer,
    OneStep,
    is_batch_norm,
    scale_and_shift,
)

Network = TypeVar("Network", bound=nn.Module)

# Weights up to which a product of a few frames is faster by MKL than by oneDNN, a call
# of which takes 15 microseconds.
SMALL_PRODUCT = 8_192
_PRECISIONS = (torch.float32, torch.bfloat16)


class _Kernel(Protocol):
    """Convolutions in float32, as `bob.learn.pytorch.inference` has them."""

    @property
    def serves(self) -> bool:
        """Return whether any kind is faster than oneDNN with as many threads."""

    def packed(
        self,
        weight: Tensor,
        /,
        *,
        stride: tuple[int, ...],
        padding: tuple[int, ...],
        dilation: tuple[int, ...],
        precision: torch.dtype,
    ) -> Any | None:  # noqa: ANN401
        """Weights -> what `convolve` takes; None where others are faster.

        Others may compute in `precision`, the kernel computes in float32.
        """

    def convolve(
        self,
        image: Tensor,
        packed: Any,  # noqa: ANN401
        bias: Tensor,
        *,
        plus: Tensor | None,
        relu: bool,
    ) -> Tensor:
        """Convolve, add, and take the ReLU if asked."""


def fold(
    network: Network,
    *,
    precision: torch.dtype = torch.float32,
    kernel: _Kernel | None = None,
) -> Network:
    """Return a copy that gives the same embeddings faster.

    Every `ConvNorm`, and every convolution that stands before a batch normalisation in
    an `nn.Sequential`, becomes one step. Sums over time and what follows them stay in
    float32, whatever the precision of the convolutions; so does, in bfloat16, what a
    network names in `in_full`, or in `in_full_alone` where no kernel serves.

    Parameters
    ----------
    network
        In evaluation mode, on the device and with the weights it is to be used with.
    precision
        Precision of the convolutions: float32, bfloat16 or float16.
    kernel
        For 3x3 convolutions in float32 on a CPU, as `winograd.load` gives it; None
        leaves them to oneDNN.

    Raises
    ------
    ValueError
        The network is in training mode, where normalisation depends on the batch, or
        has a layer that cannot be folded, which is named. A network that calls a layer
        of a `ConvNorm` alone is refused when the copy is first called.
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
    step = partial(_step, precision=precision, kernel=kernel, in_full=in_full)
    instead = _replacements(folded, step)
    for parent in list(folded.modules()):
        for name, child in parent.named_children():
            if child in instead:
                setattr(parent, name, instead[child])
    return folded


def _replacements(
    network: nn.Module, step: Callable[[nn.Module, Layer], OneStep]
) -> dict[nn.Module, nn.Module]:
    """Fold every convolution, and return what to put in the place of which layer."""
    names = {module: name for name, module in network.named_modules()}
    instead: dict[nn.Module, nn.Module] = {}
    for module in list(network.modules()):
        if isinstance(module, ConvNorm):
            instead |= module.fold(step, names)
    for convolution, norm in _neighbours(network):
        if convolution not in instead and norm not in instead:
            instead[convolution] = step(convolution, Layer.of(convolution, norm, names))
            instead[norm] = nn.Identity()
    alone = [module for module in names if module not in instead]
    for module in alone:
        if isinstance(module, nn.Conv1d | nn.Conv2d):
            instead[module] = step(module, Layer.of(module, None, names))
        elif is_batch_norm(module):
            instead[module] = _ScaleAndShift(module, names[module])
    return instead


def _neighbours(network: nn.Module) -> Iterator[tuple[nn.Module, nn.Module]]:
    """Convolutions and the batch normalisations behind them in an `nn.Sequential`."""
    for parent in network.modules():
        if type(parent).forward is not nn.Sequential.forward:
            continue
        layers = list(parent.children())
        for layer, behind in pairwise(layers):
            is_convolution = isinstance(layer, nn.Conv1d | nn.Conv2d)
            if is_convolution and is_batch_norm(behind):
                yield layer, behind


def _in_full(network: nn.Module, kernel: _Kernel | None) -> set[nn.Module]:
    """Every part of what has to stay in float32."""
    served = kernel is not None and kernel.serves
    names = ("in_full",) if served else ("in_full", "in_full_alone")
    wholes = [whole for name in names for whole in getattr(network, name, ())]
    return {part for whole in wholes for part in whole.modules()}


def _step(
    convolution: nn.Module,
    layer: Layer,
    *,
    precision: torch.dtype,
    kernel: _Kernel | None,
    in_full: set[nn.Module],
) -> OneStep:
    """Return the layer as it is fastest."""
    if convolution in in_full:
        precision = torch.float32
    one_frame = layer.weight.shape[2:] == (1,) and layer.stride == (1,)
    on_cpu = layer.weight.device.type == "cpu"
    if one_frame and on_cpu and layer.weight.numel() <= SMALL_PRODUCT:
        return _SmallProduct(layer)
    return _packed(layer, precision, kernel) or FoldedConvolution(layer, precision)


class _SmallProduct(OneStep):
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
        """(batch, channels, ...) -> (batch, outputs, ...), with sum and ReLU."""
        stride, padding, dilation = self.layer.geometry
        convolution = F.conv1d if self.weight.dim() == 3 else F.conv2d
        image = image.to(self.weight.dtype)
        image = convolution(image, self.weight, self.bias, stride, padding, dilation)
        if plus is not None:
            image += plus
        return image.relu_() if relu else image


class _ScaleAndShift(nn.Module):
    """A batch normalisation that no convolution has taken in, in float32."""

    scale: Tensor
    shift: Tensor

    def __init__(self, norm: nn.Module, name: str) -> None:
        super().__init__()
        scale, shift = scale_and_shift(norm, name)
        self.register_buffer("scale", scale.float())
        self.register_buffer("shift", shift.float())

    def forward(self, frames: Tensor) -> Tensor:
        """(batch, channels, …) -> the same."""
        shape = (-1, *[1] * (frames.dim() - 2))
        scale, shift = self.scale.reshape(shape), self.shift.reshape(shape)
        return torch.addcmul(shift, frames, scale)


def _packed(
    layer: Layer, precision: torch.dtype, kernel: _Kernel | None
) -> OneStep | None:
    """Return the layer for a CPU, or None where there is nothing better than usual."""
    if layer.weight.device.type != "cpu" or precision not in _PRECISIONS:
        return None
    if kernel is not None:
        stride, padding, dilation = layer.geometry
        weight = kernel.packed(
            layer.weight,
            stride=stride,
            padding=padding,
            dilation=dilation,
            precision=precision,
        )
        if weight is not None:
            return _WinogradConvolution(layer, precision, weight, kernel)
    if not _onednn_offers_all():
        return None
    one_frame = layer.weight.shape[2:] == (1,) and layer.stride == (1,)
    return (_PackedLinear if one_frame else _PackedConvolution)(layer, precision)


def _onednn_offers_all() -> bool:
    offered = (
        "_convolution_pointwise",
        "_convolution_pointwise_",
        "_reorder_convolution_weight",
        "_linear_pointwise",
        "_reorder_linear_weight",
    )
    there = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return bool(there) and all(hasattr(torch.ops.mkldnn, name) for name in offered)


class _PackedConvolution(OneStep):
    """Convolution, sum and ReLU in one pass.

    Images are taken and given with their channels together (`channels_last`). One
    dimension is run as two, for which oneDNN is more than twice as fast. Where
    something is added, the result takes its place.
    """

    def __init__(self, layer: Layer, precision: torch.dtype) -> None:
        super().__init__()
        self.precision = precision
        self.one_dimension = layer.weight.dim() == 3
        stride, padding, dilation = layer.geometry
        weight = layer.weight.to(precision)
        if self.one_dimension:
            weight = weight.unsqueeze(2)
            stride, padding, dilation = (1, *stride), (0, *padding), (1, *dilation)
        self.geometry = (list(padding), list(stride), list(dilation), 1)
        self.weight = torch.ops.mkldnn._reorder_convolution_weight(
            weight.contiguous(), *self.geometry, None
        )
        self.bias = None if layer.bias is None else layer.bias.to(precision)
        self.row = _row_product(layer, precision)

    def forward(
        self, image: Tensor, plus: Tensor | None = None, *, relu: bool = False
    ) -> Tensor:
        """Convolve, add and cut below zero."""
        if self.row is not None and self.row.spans(image):
            return self.row.whole(image, plus, relu=relu)
        layer = (self._as_image(image), self.weight, self.bias, *self.geometry)
        operations = torch.ops.mkldnn
        if plus is None:
            made = operations._convolution_pointwise(*layer, _last(relu=relu), [], "")
        else:
            place, last = self._as_image(plus), "relu" if relu else None
            made = operations._convolution_pointwise_(
                place, *layer, "add", 1.0, last, [], ""
            )
        return cast("Tensor", made.squeeze(2) if self.one_dimension else made)

    def _as_image(self, image: Tensor) -> Tensor:
        image = image.unsqueeze(2) if self.one_dimension else image
        return image.to(self.precision).contiguous(memory_format=torch.channels_last)


class _WinogradConvolution(OneStep):
    """A convolution in float32 by a kernel of this package.

    Parameters
    ----------
    precision
        Precision for images that one kernel spans, which are a product of matrices
        instead.
    weight
        Packed by the kernel.
    """

    def __init__(
        self,
        layer: Layer,
        precision: torch.dtype,
        weight: Any,  # noqa: ANN401
        kernel: _Kernel,
    ) -> None:
        super().__init__()
        self.kernel = kernel
        self.weight = weight
        out_channels = len(layer.weight)
        bias = torch.zeros(out_channels) if layer.bias is None else layer.bias
        self.bias = bias.float()
        self.row = _row_product(layer, precision)

    def forward(
        self, image: Tensor, plus: Tensor | None = None, *, relu: bool = False
    ) -> Tensor:
        """Convolve, add and cut below zero."""
        if self.row is not None and self.row.spans(image):
            return self.row.whole(image, plus, relu=relu)
        layout = torch.channels_last
        image = image.float().contiguous(memory_format=layout)
        if plus is not None:
            plus = plus.float().contiguous(memory_format=layout)
        return self.kernel.convolve(image, self.weight, self.bias, plus=plus, relu=relu)


class _PackedLinear(OneStep):
    """A convolution over one frame, as the product of matrices that it is."""

    def __init__(self, layer: Layer, precision: torch.dtype) -> None:
        super().__init__()
        self.precision = precision
        matrix = layer.weight.to(precision).squeeze(2).contiguous()
        self.in_channels = matrix.shape[1]
        self.weight = torch.ops.mkldnn._reorder_linear_weight(matrix, None)
        self.bias = None if layer.bias is None else layer.bias.to(precision)

    def forward(
        self, image: Tensor, plus: Tensor | None = None, *, relu: bool = False
    ) -> Tensor:
        """Multiply, add and cut below zero."""
        rows = image.transpose(1, 2).to(self.precision).contiguous()
        last = _last(relu=relu and plus is None)
        made = torch.ops.mkldnn._linear_pointwise(
            rows, self.weight, self.bias, last, [], ""
        )
        frames = cast("Tensor", made.transpose(1, 2))
        if plus is not None:
            frames += plus
        return frames.relu_() if relu and plus is not None else frames


class _RowProduct(_PackedLinear):
    """A kernel of one row, for images as wide: a product, four times as fast."""

    def spans(self, image: Tensor) -> bool:
        """Return whether the kernel is as wide as the image."""
        return image[0, :, 0].numel() == self.in_channels

    def whole(
        self, image: Tensor, plus: Tensor | None = None, *, relu: bool = False
    ) -> Tensor:
        """(batch, channels, height, width) -> (batch, channels, height, 1)."""
        rows = image.permute(0, 3, 1, 2).flatten(1, 2)
        return self.forward(rows, plus, relu=relu).unsqueeze(3)


def _row_product(layer: Layer, precision: torch.dtype) -> _RowProduct | None:
    """Return a kernel of one row of bins as a product with all of them."""
    row = layer.weight.dim() == 4 and layer.weight.shape[2] == 1
    if not row or any(layer.padding) or {*layer.stride, *layer.dilation} != {1}:
        return None
    matrix = layer.weight.permute(0, 3, 1, 2).flatten(1, 2)
    return _RowProduct(replace(layer, weight=matrix), precision)


def _last(*, relu: bool) -> str:
    """Return oneDNN's word for its last operation."""
    return "relu" if relu else "none"
