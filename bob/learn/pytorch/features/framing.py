"""Frames of 25 ms, into which the front ends cut a waveform."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from bob.learn.pytorch.masking import unchecked

WINDOW_SAMPLES = 400
HOP_SAMPLES = 160
FFT_SIZE = 512
PRE_EMPHASIS = 0.97
# Frames that a CPU computes together; 64 to 256 are equally fast.
BLOCK_FRAMES = 128


class FramedFrontEnd(nn.Module):
    """A front end on windows of 25 ms every 10 ms, at 16 kHz.

    Only whole windows count: nothing is padded, and the tail is dropped. Its tables
    stay in float64 when the module is cast, so that every waveform finds them exact.

    Attributes
    ----------
    sample_rate
        In hertz.
    """

    sample_rate = 16_000

    def frames(self, samples: int) -> int:
        """Return the number of frames that `samples` samples give.

        Examples
        --------
        >>> FramedFrontEnd().frames(16_000)
        98
        """
        return max(0, 1 + (samples - WINDOW_SAMPLES) // HOP_SAMPLES)

    def samples(self, frames: int) -> int:
        """Return the fewest samples that give `frames` frames.

        Examples
        --------
        >>> FramedFrontEnd().samples(98)
        15920
        """
        return WINDOW_SAMPLES + HOP_SAMPLES * (frames - 1) if frames > 0 else 0

    def lengths(self, samples: Tensor) -> Tensor:
        """Return the frames, (batch,), of items of so many samples, (batch,).

        Examples
        --------
        >>> import torch
        >>> FramedFrontEnd().lengths(torch.tensor([399, 16_000]))
        tensor([ 0, 98])
        """
        frames = (samples - WINDOW_SAMPLES).div(HOP_SAMPLES, rounding_mode="floor") + 1
        return frames.clamp_min(0)

    def split(self, waveform: Tensor) -> Tensor:
        """(batch, time) -> (batch, frames, 400), a view; errors as for `check`."""
        self.check(waveform)
        return waveform.unfold(-1, WINDOW_SAMPLES, HOP_SAMPLES)

    def check(self, waveform: Tensor) -> None:
        """Refuse a waveform (batch, time) that cannot be cut into frames.

        Raises
        ------
        ValueError
            If the waveform is not a batch of floats, or shorter than one window.
        """
        if waveform.dim() != 2 or not waveform.is_floating_point():
            raise ValueError(
                f"a waveform is a batch of floats, (batch, time); got {waveform.dtype} "
                f"of shape {tuple(waveform.shape)}: divide integers by their full "
                f"scale, and add the batch axis with waveform[None]"
            )
        if not unchecked() and waveform.shape[-1] < WINDOW_SAMPLES:
            raise ValueError(
                f"a waveform of {waveform.shape[-1]} samples is shorter than one "
                f"window of {WINDOW_SAMPLES} samples (25 ms at {self.sample_rate} Hz): "
                f"use a longer recording"
            )

    def by_blocks(
        self,
        frames: Tensor,
        compute: Callable[[Tensor], Tensor],
        *,
        before: int = 0,
    ) -> Tensor:
        """Compute (batch, frames, bins) of frames (batch, frames, 400).

        On a CPU a block at a time: what it needs stays in the cache, and its memory is
        used again.

        Parameters
        ----------
        before
            How many frames in front of a block `compute` has to see.
        """
        whole = frames.device.type != "cpu" or frames.requires_grad or unchecked()
        if whole or frames.shape[1] <= BLOCK_FRAMES:
            return compute(frames)
        made = []
        for start in range(0, frames.shape[1], BLOCK_FRAMES):
            seen = min(start, before)
            block = frames[:, start - seen : start + BLOCK_FRAMES]
            made.append(compute(block)[:, seen:])
        return torch.cat(made, dim=1)

    def _apply(
        self,
        fn: Callable[[Tensor], Tensor],
        recurse: bool = True,  # noqa: FBT001, FBT002 - as PyTorch calls it
    ) -> "FramedFrontEnd":
        """Move the tables to where the module goes, and keep their precision."""
        tables = dict(self.named_buffers())
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        for name, table in tables.items():
            setattr(self, name, table.to(getattr(self, name).device))
        return self
