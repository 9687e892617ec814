"""The mel filter bank of Kaldi, as CAM++ was trained on."""

import math

import torch
from torch import Tensor

from bob.learn.pytorch.features.framing import (
    FFT_SIZE,
    PRE_EMPHASIS,
    WINDOW_SAMPLES,
    FramedFrontEnd,
)
from bob.learn.pytorch.masking import keep, mean

MEL_BINS = 80
LOWEST_HERTZ = 20.0
# Kaldi takes the logarithm of no less than the float32 epsilon.
SMALLEST_ENERGY = 2.0**-23


class KaldiFbank(FramedFrontEnd):
    """Logarithm of the energy in 80 mel bands, less its mean over the recording.

    Kaldi's `compute-fbank-feats` with 80 bins, without dither or energy, on samples in
    [-1, 1]. The scale matters: it decides what lies below the floor of the logarithm.

    It computes in the precision of the waveform. The filters are made in float64;
    torchaudio makes them in float32, and its logarithms differ by up to 3e-4 for that.

    References
    ----------
    Povey et al., "The Kaldi speech recognition toolkit", ASRU 2011;
    `torchaudio.compliance.kaldi.fbank`.

    Examples
    --------
    >>> KaldiFbank()(torch.zeros(4, 16_000)).shape
    torch.Size([4, 80, 98])
    """

    bins = MEL_BINS
    window: Tensor
    filters: Tensor

    def __init__(self) -> None:
        super().__init__()
        turns = torch.arange(WINDOW_SAMPLES, dtype=torch.float64) / (WINDOW_SAMPLES - 1)
        povey = (0.5 - 0.5 * torch.cos(2 * math.pi * turns)) ** 0.85
        self.register_buffer("window", povey, persistent=False)
        filters = _mel_filters(self.sample_rate)
        self.register_buffer("filters", filters, persistent=False)

    def forward(self, waveform: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(batch, time) in [-1, 1] -> (batch, 80, frames) with mean 0 over frames.

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
        frames = None if lengths is None else self.lengths(lengths)
        log_mel = self.log_mel(waveform)
        return keep(log_mel - mean(log_mel, frames), frames)

    def log_mel(self, waveform: Tensor) -> Tensor:
        """(batch, time) in [-1, 1] -> (batch, 80, frames), natural logarithm."""
        return self.by_blocks(self.split(waveform), self._of_frames).transpose(1, 2)

    def _of_frames(self, frames: Tensor) -> Tensor:
        """(batch, frames, 400) -> (batch, frames, 80)."""
        centred = frames - frames.mean(dim=-1, keepdim=True)
        # The first sample of a frame is its own predecessor.
        shifted = torch.cat([centred[..., :1], centred[..., :-1]], dim=-1)
        windowed = (centred - PRE_EMPHASIS * shifted) * self.window.to(frames.dtype)
        # Kaldi leaves out the last bin, that of half the sampling rate.
        spectrum: Tensor = torch.fft.rfft(windowed, n=FFT_SIZE)[..., :-1]
        power = spectrum.real.square() + spectrum.imag.square()
        energy = power @ self.filters.to(frames.dtype).T
        return energy.clamp_min(SMALLEST_ENERGY).log()


def _mel_filters(sample_rate: int) -> Tensor:
    """Triangles of height 1, linear in mel, between 20 Hz and half the sampling rate.

    Returns
    -------
    Tensor
        (80, 256) in float64: one filter a row, one bin of the transform a column.
    """
    bins = torch.arange(FFT_SIZE // 2, dtype=torch.float64)
    mels = _hertz_to_mel(bins * sample_rate / FFT_SIZE)
    ends = _hertz_to_mel(torch.tensor([LOWEST_HERTZ, sample_rate / 2]).double())
    width = (ends[1] - ends[0]) / (MEL_BINS + 1)
    centres = ends[0] + width * torch.arange(1, MEL_BINS + 1, dtype=torch.float64)
    return (1 - (mels - centres[:, None]).abs() / width).clamp_min(0)


def _hertz_to_mel(frequency: Tensor) -> Tensor:
    """Kaldi's (and HTK's) mel scale: 1000 Hz is about 1000 mel."""
    return 1127 * torch.log1p(frequency / 700)
