"""Front ends: waveform (batch, time) to features (batch, bins, frames)."""

from bob.learn.pytorch.features.mel import KaldiFbank
from bob.learn.pytorch.features.spectrogram import Spectrogram

__all__ = ["KaldiFbank", "Spectrogram"]
