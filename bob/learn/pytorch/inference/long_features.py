"""The spectrogram of a recording in blocks, normalised over all of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bob.learn.pytorch.inference.moments import Moments

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import torch
    from numpy.typing import NDArray
    from torch import Tensor

    from bob.learn.pytorch.features.spectrogram import Spectrogram


class LongFeatures:
    """What `Spectrogram` gives for a whole recording, block by block.

    It goes through the recording once to know the mean and the deviation of every bin,
    and once for each time that its blocks are asked for.

    Parameters
    ----------
    front_end
        Computes in the precision of the samples.
    samples
        Blocks of (time,) in [-1, 1], which can be gone through several times.
    device
        Where the features are computed.

    Attributes
    ----------
    frames
        Of the recording.
    """

    def __init__(
        self,
        front_end: Spectrogram,
        samples: Iterable[NDArray[np.float64]],
        *,
        device: torch.device,
    ) -> None:
        from bob.learn.pytorch.features.spectrogram import (
            FULL_SCALE,
            SMALLEST_DEVIATION,
        )

        self._front_end = front_end
        self._samples = samples
        self._device = device
        self._peak = 0.0
        moments = Moments()
        for magnitude in self._magnitudes(scale=1.0):
            moments.add(magnitude)
        self.frames = moments.count
        # As of `Spectrogram.magnitude`. A power of two: nothing is rounded by it.
        self._scale = FULL_SCALE if self._peak < 1 else 1.0
        self._mean = moments.mean[:, None] * self._scale
        deviation = moments.deviation(correction=0)[:, None] * self._scale
        self._deviation = deviation + SMALLEST_DEVIATION

    def blocks(self, precision: torch.dtype) -> Iterator[Tensor]:
        """(257, frames) after (257, frames), of any numbers of frames."""
        for magnitude in self._magnitudes(scale=self._scale):
            yield ((magnitude - self._mean) / self._deviation).to(precision)

    def _magnitudes(self, *, scale: float) -> Iterator[Tensor]:
        import torch

        from bob.learn.pytorch.features.framing import HOP_SAMPLES

        waveform, done = np.zeros(0), 0
        for block in self._samples:
            self._peak = max(self._peak, float(np.abs(block).max(initial=0)))
            waveform = np.concatenate([waveform, block])
            frames = self._front_end.frames(len(waveform))
            if frames <= done:
                continue
            batch = torch.from_numpy(waveform).unsqueeze(0).to(self._device)
            yield self._front_end.magnitude_as_is(batch, scale=scale)[0, :, done:]
            # The last frame again, for pre-emphasis reaches back into it.
            waveform, done = waveform[(frames - 1) * HOP_SAMPLES :], 1
