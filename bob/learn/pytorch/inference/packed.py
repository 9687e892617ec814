"""Convolutions of a CPU: in one pass, with weights laid out beforehand.

PyTorch's own compiler calls the same operations. They have no public name, so each is
looked for first, and where one is missing the plain convolutions serve.
"""

from dataclasses import replace
from typing import Any, Protocol, cast

import torch
from torch import Tensor

from bob.learn.pytorch.architectures.convolution import Layer, OneStep

_PRECISIONS = (torch.float32, torch.bfloat16)


class Kernel(Protocol):
    """Convolutions in float32, as `bob.learn.pytorch.inference` has them."""

    @property
    def serves(self) -> bool:
        """Whether any is faster than others with as many threads as there are."""

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


def step(layer: Layer, precision: torch.dtype, kernel: Kernel | None) -> OneStep | None:
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
            return WinogradConvolution(layer, precision, weight, kernel)
    if not _onednn_offers_all():
        return None
    one_frame = layer.weight.shape[2:] == (1,) and layer.stride == (1,)
    return (PackedLinear if one_frame else PackedConvolution)(layer, precision)


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


class PackedConvolution(OneStep):
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


class WinogradConvolution(OneStep):
    """A convolution in float32 by a kernel of this package.

    Parameters
    ----------
    precision
        Of images that one kernel spans, which are a product of matrices instead.
    weight
        Packed by the kernel.
    """

    def __init__(
        self,
        layer: Layer,
        precision: torch.dtype,
        weight: Any,  # noqa: ANN401
        kernel: Kernel,
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


class PackedLinear(OneStep):
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


class RowProduct(PackedLinear):
    """A kernel of one row, for images as wide: a product, four times as fast."""

    def spans(self, image: Tensor) -> bool:
        """Whether the kernel is as wide as the image."""
        return image[0, :, 0].numel() == self.in_channels

    def whole(
        self, image: Tensor, plus: Tensor | None = None, *, relu: bool = False
    ) -> Tensor:
        """(batch, channels, height, width) -> (batch, channels, height, 1)."""
        rows = image.permute(0, 3, 1, 2).flatten(1, 2)
        return self.forward(rows, plus, relu=relu).unsqueeze(3)


def _row_product(layer: Layer, precision: torch.dtype) -> RowProduct | None:
    """A kernel of one row of bins, as a product with all of them."""
    row = layer.weight.dim() == 4 and layer.weight.shape[2] == 1
    if not row or any(layer.padding) or {*layer.stride, *layer.dilation} != {1}:
        return None
    matrix = layer.weight.permute(0, 3, 1, 2).flatten(1, 2)
    return RowProduct(replace(layer, weight=matrix), precision)


def _last(*, relu: bool) -> str:
    """What oneDNN does at the end, in its own words."""
    return "relu" if relu else "none"
