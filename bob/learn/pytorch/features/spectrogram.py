"""The magnitude spectrogram of DltResNet and ResNet."""

import math
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from bob.learn.pytorch.features.framing import (
    FFT_SIZE,
    HOP_SAMPLES,
    PRE_EMPHASIS,
    WINDOW_SAMPLES,
    FramedFrontEnd,
)
from bob.learn.pytorch.masking import keep, mean_and_deviation

FULL_SCALE = 32_768.0
SMALLEST_DEVIATION = 1e-7


class Spectrogram(FramedFrontEnd):
    """Magnitudes of 257 frequencies, every one with mean 0 and deviation 1 over time.

    The recipe of `bob.ap.Spectrogram(16000, 25, 10, 24, 0, 4000, 0.97)` as the original
    extractor called it, with its two oddities: the mean that is taken off a frame is
    its sum over 512, the padded size; and pre-emphasis reaches back over the start of a
    frame, to the sample before it less the mean of the frame before.

    It computes in the precision of the waveform. The original's is float64.

    References
    ----------
    bob.ap (C++) `Spectrogram`, `Energy` and `FrameExtractor`, as of 2016-09-23.

    Examples
    --------
    >>> Spectrogram()(torch.zeros(4, 16_000)).shape
    torch.Size([4, 257, 98])
    """

    bins = FFT_SIZE // 2 + 1
    window: Tensor

    def __init__(self) -> None:
        super().__init__()
        turns = torch.arange(WINDOW_SAMPLES, dtype=torch.float64) / (WINDOW_SAMPLES - 1)
        hamming = 0.54 - 0.46 * torch.cos(2 * math.pi * turns)
        self.register_buffer("window", hamming, persistent=False)

    def forward(self, waveform: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(batch, time) -> (batch, 257, frames), every bin normalised over its frames.

        Parameters
        ----------
        lengths
            Samples of every item, (batch,); None where all fill the batch. Frames
            behind an item's are zero.

        Raises
        ------
        ValueError
            If the waveform is not a batch of floats, or shorter than one window.
        """
        if lengths is not None:
            # The amplitude of an item is judged by its own samples.
            waveform = keep(waveform, lengths)
            lengths = self.lengths(lengths)
        magnitude = self.magnitude(waveform)
        mean, deviation = mean_and_deviation(magnitude, lengths, correction=0)
        return keep((magnitude - mean) / (deviation + SMALLEST_DEVIATION), lengths)

    def magnitude(self, waveform: Tensor) -> Tensor:
        """(batch, time) -> (batch, 257, frames) before normalisation."""
        self.check(waveform)
        peak = waveform.abs().amax(dim=-1)[:, None, None]
        # The original's test for floats in [-1, 1]: 1.0 itself counts as an integer.
        scale = torch.where(peak < 1, FULL_SCALE, 1.0).to(waveform.dtype)
        return self.magnitude_as_is(waveform, scale=scale)

    def magnitude_as_is(
        self, waveform: Tensor, *, scale: Tensor | float = 1.0
    ) -> Tensor:
        """(batch, time) -> (batch, 257, frames), of parts of a recording too.

        Linear in amplitude, while `magnitude` multiplies by 32768, or not, by the peak
        of the whole recording. In front of the waveform it takes silence.

        Parameters
        ----------
        scale
            What every frame is multiplied by.
        """
        compute = partial(self._of_frames, scale=scale)
        return self.by_blocks(self.split(waveform), compute, before=1).transpose(1, 2)

    def _of_frames(self, frames: Tensor, *, scale: Tensor | float) -> Tensor:
        """(batch, frames, 400) -> (batch, frames, 257), the first after silence."""
        frames = frames * scale
        centred = frames - frames.sum(dim=-1, keepdim=True) / FFT_SIZE
        before_next = centred[:, :-1, HOP_SAMPLES - 1 : HOP_SAMPLES]
        before = F.pad(before_next, (0, 0, 1, 0))
        shifted = torch.cat([before, centred[:, :, :-1]], dim=-1)
        emphasised = torch.sub(centred, shifted, alpha=PRE_EMPHASIS)
        windowed = emphasised * self.window.to(frames.dtype)
        spectrum: Tensor = torch.fft.rfft(windowed, n=FFT_SIZE)
        if spectrum.requires_grad:  # the slope of a root is infinite at 0
            return spectrum.abs()
        # Three times as fast.
        return (spectrum.real.square() + spectrum.imag.square()).sqrt()
