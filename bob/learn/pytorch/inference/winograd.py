"""Convolutions in float32 with a half to a quarter of the multiplications, on x86-64.

`winograd.c` says how. Where no C compiler was there when the package was installed, or
on another processor, there is none of it, and oneDNN's convolutions serve.
"""

from __future__ import annotations

import ctypes
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

# Two lanes of the portable variant are slower than oneDNN.
LEAST_LANES = 8


class Geometry(NamedTuple):
    """A kind of convolution: (over height, over width) each."""

    size: tuple[int, ...]
    stride: tuple[int, ...] = (1, 1)
    padding: tuple[int, ...] = (0, 0)
    dilation: tuple[int, ...] = (1, 1)

    def output(self, size: tuple[int, int]) -> tuple[int, int]:
        """Height and width of an image -> those of the result."""
        height, width = (
            (n + 2 * padding - dilation * (taps - 1) - 1) // stride + 1
            for n, taps, stride, padding, dilation in zip(size, *self, strict=True)
        )
        return height, width


class _Worth(NamedTuple):
    """Speed of the kernel, which uses one thread."""

    threads: int  # of oneDNN, in float32, that are as fast
    in_bfloat16: bool  # faster than a thread of oneDNN in bfloat16, too


# In the order of `kinds` in winograd.c, which has no others.
KINDS = {
    Geometry((3, 3), padding=(1, 1)): _Worth(3, in_bfloat16=True),
    Geometry((3, 3), padding=(1, 1), stride=(2, 2)): _Worth(1, in_bfloat16=False),
    Geometry((1, 9)): _Worth(3, in_bfloat16=True),
    Geometry((3, 1), padding=(3, 0), dilation=(3, 1)): _Worth(1, in_bfloat16=False),
    Geometry((5, 1), padding=(4, 0), dilation=(2, 1)): _Worth(1, in_bfloat16=False),
}


class _Packed(NamedTuple):
    """Weights as the processor at hand reads them, and what they are of."""

    geometry: Geometry
    values: Tensor

    @property
    def kind(self) -> int:
        """Number of the geometry in `winograd.c`."""
        return list(KINDS).index(self.geometry)


class _Winograd:
    """The compiled functions."""

    def __init__(self, path: Path) -> None:
        library = ctypes.CDLL(str(path))
        size, whole, address = ctypes.c_size_t, ctypes.c_int, ctypes.c_void_p
        for name in ("packed_size", "scratch_size"):
            function = getattr(library, f"winograd_{name}")
            function.restype, function.argtypes = size, [whole, whole, whole]
        library.winograd_prepare.argtypes = [whole, address, whole, whole, address]
        library.winograd_convolve.argtypes = [
            *(whole, address, whole, whole, whole, whole),
            *(address, address, address, whole),
            *(address, whole, whole, whole, address),
        ]
        self._library = library

    @property
    def lanes(self) -> int:
        """Numbers that the processor computes with at once: 16, 8 or 4."""
        return int(self._library.winograd_lanes())

    @property
    def serves(self) -> bool:
        """Return whether any kind is faster than oneDNN with as many threads."""
        most = max(worth.threads for worth in KINDS.values())
        return torch.get_num_threads() <= most

    def limit(self, lanes: int) -> None:
        """Use no more lanes, for tests; weights have to be packed after this."""
        self._library.winograd_limit(lanes)

    def packed(
        self,
        weight: Tensor,
        *,
        stride: tuple[int, ...],
        padding: tuple[int, ...],
        dilation: tuple[int, ...],
        precision: torch.dtype = torch.float32,
    ) -> _Packed | None:
        """(out, in, height, width) -> what `convolve` takes on this processor.

        None for kinds that it does not have, for channels that are not multiples of 16,
        and where oneDNN is faster: with more threads, or in that precision.
        """
        out_channels, in_channels, *taps = weight.shape
        geometry = Geometry(tuple(taps), stride, padding, dilation)
        if out_channels % 16 or in_channels % 16:
            return None
        worth = KINDS.get(geometry)
        if worth is None or torch.get_num_threads() > worth.threads:
            return None
        if precision != torch.float32 and not worth.in_bfloat16:
            return None
        kind, sizes = list(KINDS).index(geometry), (out_channels, in_channels)
        # NumPy asks for huge pages, without which it takes longer to read.
        made = torch.from_numpy(
            np.empty(self._library.winograd_packed_size(kind, *sizes), np.float32)
        )
        weight = weight.float().contiguous()
        done = self._library.winograd_prepare(
            kind, weight.data_ptr(), *sizes, made.data_ptr()
        )
        assert done, "it has this kind"  # noqa: S101
        return _Packed(geometry, made)

    def convolve(
        self,
        image: Tensor,
        packed: _Packed,
        bias: Tensor,
        *,
        plus: Tensor | None,
        relu: bool,
    ) -> Tensor:
        """Convolve, add, and take the ReLU if asked.

        Parameters
        ----------
        image
            (batch, in, height, width) in float32, channels together in memory
            (`channels_last`).
        packed, bias
            Of `packed`, and (out,) in float32.
        plus
            What is added, laid out like the result, which takes its place.

        Returns
        -------
        Tensor
            (batch, out, height, width), laid out like the image.
        """
        kind = packed.kind
        batch, in_channels, *size = image.shape
        height, width = packed.geometry.output((size[0], size[1]))
        made = plus
        if made is None:
            made = _numbers(batch, height, width, len(bias)).permute(0, 3, 1, 2)
        scratch = _numbers(
            self._library.winograd_scratch_size(kind, len(bias), in_channels)
        )
        done = self._library.winograd_convolve(
            *(kind, image.data_ptr(), batch, *size, in_channels),
            *(packed.values.data_ptr(), bias.data_ptr()),
            *(None if plus is None else plus.data_ptr(), relu),
            *(made.data_ptr(), height, width, len(bias), scratch.data_ptr()),
        )
        assert done, "channels are those of the packed weights"  # noqa: S101
        return made


def load() -> _Winograd | None:
    """Return the compiled functions; None where oneDNN is faster, or without them."""
    for suffix in EXTENSION_SUFFIXES:
        path = Path(__file__).with_name(f"_winograd{suffix}")
        if not path.is_file():
            continue
        try:
            found = _Winograd(path)
        except OSError:  # compiled for another machine, or where nothing may run
            continue
        return found if found.lanes >= LEAST_LANES else None
    return None


def _numbers(*shape: int) -> Tensor:
    """Memory for the kernel, whatever the defaults of torch are."""
    return torch.empty(shape, dtype=torch.float32, device="cpu")
