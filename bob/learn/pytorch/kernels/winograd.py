"""3x3 convolutions in float32 with a quarter of the multiplications, on x86-64.

`winograd.c` says how. Where no C compiler was there when the package was installed, or
on another processor, there is none of it, and oneDNN's convolutions serve.
"""

from __future__ import annotations

import ctypes
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import torch
from torch import Tensor

# Two lanes of the portable variant are slower than oneDNN.
LEAST_LANES = 8


class Winograd:
    """The compiled functions.

    Parameters
    ----------
    path
        Of the shared library.
    """

    def __init__(self, path: Path) -> None:
        library = ctypes.CDLL(str(path))
        size, whole, address = ctypes.c_size_t, ctypes.c_int, ctypes.c_void_p
        for name in ("packed_size", "scratch_size"):
            function = getattr(library, f"winograd_{name}")
            function.restype, function.argtypes = size, [whole, whole]
        library.winograd_prepare.argtypes = [address, whole, whole, address]
        library.winograd_convolve.argtypes = [
            *(address, whole, whole, whole, whole),
            *(address, address, address, whole, address),
            *(address, whole, address),
        ]
        self._library = library

    @property
    def lanes(self) -> int:
        """Numbers that the processor computes with at once: 16, 8 or 4."""
        return int(self._library.winograd_lanes())

    def limit(self, lanes: int) -> None:
        """Use no more lanes, for tests; weights have to be packed after this."""
        self._library.winograd_limit(lanes)

    def packed(self, weight: Tensor) -> Tensor:
        """(out, in, 3, 3) in float32 -> what `convolve` takes on this processor.

        Raises
        ------
        ValueError
            Channels that are no multiples of 16.
        """
        out_channels, in_channels = weight.shape[:2]
        made = _numbers(self._library.winograd_packed_size(out_channels, in_channels))
        weight = weight.float().contiguous()
        sizes = (out_channels, in_channels)
        if not self._library.winograd_prepare(
            weight.data_ptr(), *sizes, made.data_ptr()
        ):
            raise ValueError(
                f"{in_channels} to {out_channels} channels; expected multiples of 16"
            )
        return made

    def convolve(
        self,
        image: Tensor,
        packed: Tensor,
        bias: Tensor,
        *,
        plus: Tensor | None,
        relu: bool,
    ) -> Tensor:
        """Convolve with stride and padding 1, add, and take the ReLU if asked.

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
        batch, in_channels, height, width = image.shape
        made = plus
        if made is None:
            made = _numbers(batch, height, width, len(bias)).permute(0, 3, 1, 2)
        scratch = _numbers(self._library.winograd_scratch_size(len(bias), in_channels))
        done = self._library.winograd_convolve(
            *(image.data_ptr(), batch, height, width, in_channels),
            *(packed.data_ptr(), bias.data_ptr()),
            *(None if plus is None else plus.data_ptr(), relu, None),
            *(made.data_ptr(), len(bias), scratch.data_ptr()),
        )
        assert done, "channels are those of the packed weights"  # noqa: S101
        return made


def load() -> Winograd | None:
    """The compiled functions; None where there are none, or oneDNN is faster."""
    for suffix in EXTENSION_SUFFIXES:
        path = Path(__file__).with_name(f"_winograd{suffix}")
        if not path.is_file():
            continue
        try:
            found = Winograd(path)
        except OSError:  # compiled for another machine, or where nothing may run
            continue
        return found if found.lanes >= LEAST_LANES else None
    return None


def _numbers(*shape: int) -> Tensor:
    """Memory for the kernel, whatever the defaults of torch are."""
    return torch.empty(shape, dtype=torch.float32, device="cpu")
