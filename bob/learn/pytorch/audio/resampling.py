"""A recording in blocks at another rate, as if it were resampled as a whole.

`Waveform.resampled` takes one Fourier transform of a whole recording ("fft"): every
sample that comes out is a sum over all that go in, by a sinc. Here the transform is of
a minute or more, of which the middle is kept. What is missing of the sinc matters only
for sound within a fraction of a hertz of half the lower one of the two rates.
"""

from __future__ import annotations

from itertools import chain, repeat
from typing import TYPE_CHECKING

import numpy as np

from bob.learn.pytorch.audio.blocks import SampleBlocks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

# Of one transform, which takes 64 bytes a sample in all.
FFT_SAMPLES = 2**22
LONGEST_MARGIN_SECONDS = 120
LONGEST_MIDDLE_SECONDS = 30


def resampled(blocks: SampleBlocks, sample_rate: int, *, samples: int) -> SampleBlocks:
    """Blocks of what `Waveform.resampled` gives by its method "fft".

    Parameters
    ----------
    blocks
        At least one sample.
    sample_rate
        To which, in hertz.
    samples
        How many there are in the blocks.

    Notes
    -----
    White noise of 400 s comes out with an error of 2e-4 of its level, all of it at the
    edge of the band; speech with one of 1e-6.
    """
    if sample_rate == blocks.sample_rate:
        return blocks
    count = round(samples * sample_rate / blocks.sample_rate)
    margin = margin_seconds(blocks.sample_rate) * blocks.sample_rate
    last = _last(blocks, margin)

    def pieces() -> Iterator[NDArray[np.float64]]:
        return _pieces(
            _Circle(blocks, last, margin), (blocks.sample_rate, sample_rate), samples
        )

    return SampleBlocks(sample_rate, blocks.name, count, pieces)


def margin_seconds(rate: int) -> int:
    """How much of a transform is left away at either end.

    Whole seconds, for any two rates have those in common.
    """
    return max(1, min(FFT_SAMPLES // (3 * rate), LONGEST_MARGIN_SECONDS))


def _pieces(
    circle: _Circle, rates: tuple[int, int], samples: int
) -> Iterator[NDArray[np.float64]]:
    before, after = rates
    count = round(samples * after / before)
    margin = margin_seconds(before)
    middle = min(margin, LONGEST_MIDDLE_SECONDS)
    seconds = margin + middle + margin
    for start in range(0, count, middle * after):
        wanted = np.arange(start, min(start + middle * after, count))
        # A whole number of samples comes out, so they are not quite 1 / rate apart.
        first = round(start * samples / count)
        places = wanted * (samples / count) - first
        window = circle.take(first - margin * before, seconds * before)
        late = places * (after / before) - (wanted - start)
        yield _interpolated(window, seconds * after, late, skip=margin * after)


def _interpolated(
    window: NDArray[np.float64], length: int, late: NDArray[np.float64], *, skip: int
) -> NDArray[np.float64]:
    """Resample a window to a length, and take from there on every sample a bit late.

    Parameters
    ----------
    late
        How much, in samples that come out. It changes by less than a tenth, which a
        Taylor series of second order follows.
    """
    from scipy import fft

    kept = min(len(window), length) // 2 + 1
    spectrum = fft.rfft(window)[:kept] * (length / len(window))
    if length > len(window):
        spectrum[-1] *= 0.5  # one frequency becomes a positive and a negative one
    turn = 2j * np.pi / length * np.arange(kept)
    middle = (late[0] + late[-1]) / 2
    spectrum *= np.exp(turn * middle)
    samples = np.zeros(len(late))
    for order in range(3):
        derivative = fft.irfft(spectrum, length)[skip : skip + len(late)]
        samples += (late - middle) ** order / (1, 1, 2)[order] * derivative
        spectrum *= turn
    return samples


def _last(blocks: SampleBlocks, count: int) -> NDArray[np.float64]:
    kept = np.zeros(0)
    for block in blocks:
        kept = np.concatenate([kept, block])[-count:]
    return kept


class _Circle:
    """Slices of a recording that begins again at its end, as a transform sees it."""

    def __init__(
        self, blocks: SampleBlocks, last: NDArray[np.float64], before: int
    ) -> None:
        self._blocks = chain.from_iterable(repeat(blocks))
        # A recording may be shorter than what is wanted before it.
        self._kept = np.resize(last[::-1], before)[::-1]
        self._start = -before

    def take(self, start: int, count: int) -> NDArray[np.float64]:
        """The next slice, which begins no earlier than the last did."""
        parts = [self._kept[start - self._start :]]
        held = len(parts[0])
        while held < count:
            parts.append(next(self._blocks))
            held += len(parts[-1])
        self._kept, self._start = np.concatenate(parts), start
        return self._kept[:count]
