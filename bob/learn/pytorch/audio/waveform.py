"""One channel of sound, whole or in blocks: checked, and at another rate."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import chain, repeat
from typing import TYPE_CHECKING, Literal

import numpy as np

from bob.learn.pytorch.audio.recording import (
    ConstantRecording,
    EmptyRecording,
    NonFiniteRecording,
    SilentRecording,
    TooShortRecording,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

_STEP = 2.0**-15  # of 16-bit audio
# Samples of one transform, which takes 64 bytes for each.
FFT_SAMPLES = 2**22
LONGEST_MARGIN_SECONDS = 120
LONGEST_MIDDLE_SECONDS = 30


@dataclass(frozen=True, eq=False)
class Waveform:
    """One channel of sound.

    Attributes
    ----------
    samples
        (time,), nominally in [-1, 1].
    sample_rate
        In hertz.
    name
        Origin of the samples, for messages.
    """

    samples: NDArray[np.float64]
    sample_rate: int
    name: str | None = None

    @property
    def seconds(self) -> float:
        """Duration in seconds."""
        return len(self.samples) / self.sample_rate

    def resampled(
        self, sample_rate: int, *, method: Literal["fft", "soxr"]
    ) -> Waveform:
        """Return the same sound at another rate.

        Parameters
        ----------
        sample_rate
            In hertz.
        method
            "fft" is `scipy.signal.resample` over the whole recording, in float64:
            DltResNet needs exactly that, since its per-bin normalisation blows up what
            a resampler leaves above the band. "soxr" is faster and has no wrap-around.
        """
        if sample_rate == self.sample_rate:
            return self
        if method == "fft":
            from scipy.signal import resample

            length = round(len(self.samples) * sample_rate / self.sample_rate)
            samples = resample(self.samples, length)
        else:
            import soxr

            samples = soxr.resample(
                self.samples, self.sample_rate, sample_rate, quality="HQ"
            )
        return Waveform(np.asarray(samples, np.float64), sample_rate, self.name)


@dataclass(frozen=True, eq=False)
class SampleBlocks:
    """One channel of sound as blocks, (time,) in [-1, 1] each.

    Iterate over it several times; a file is decoded anew each time.

    Attributes
    ----------
    sample_rate
        In hertz.
    name
        Origin of the samples, for messages.
    open
        Begins with the first block.
    """

    sample_rate: int
    name: str | None
    open: Callable[[], Iterator[NDArray[np.float64]]]

    def __iter__(self) -> Iterator[NDArray[np.float64]]:
        """Yield all blocks from the first on.

        Raises
        ------
        RecordingError
            As `as_waveform`, on the way or at the end.
        """
        return self.open()

    def joined(self) -> Waveform:
        """Return all blocks as one waveform."""
        blocks = list(self)
        samples = (
            blocks[0] if len(blocks) == 1 else np.concatenate([np.zeros(0), *blocks])
        )
        return Waveform(samples, self.sample_rate, self.name)

    def resampled(self, sample_rate: int, *, samples: int) -> SampleBlocks:
        """Return blocks of what `Waveform.resampled` gives by its method "fft".

        One Fourier transform of a whole recording makes every sample a sum over all,
        by a sinc. Here the transform is of a minute or more, of which the middle is
        kept. The missing ends of the sinc matter only for sound within a fraction of a
        hertz of half the lower one of the two rates.

        Parameters
        ----------
        sample_rate
            In hertz.
        samples
            Count of samples in the blocks, 1 or more.

        Notes
        -----
        White noise of 400 s comes out with an error of 2e-4 of its level, all of it at
        the edge of the band; speech with one of 1e-6.
        """
        if sample_rate == self.sample_rate:
            return self
        rates = self.sample_rate, sample_rate
        margin = _margin_seconds(self.sample_rate) * self.sample_rate
        last = np.zeros(0)
        for block in self:
            last = np.concatenate([last, block])[-margin:]

        def pieces() -> Iterator[NDArray[np.float64]]:
            return _pieces(_Circle(self, last, margin), rates, samples)

        return SampleBlocks(sample_rate, self.name, pieces)


def check_usable(waveform: Waveform, *, minimum_seconds: float) -> None:
    """Refuse a recording whose embedding would say nothing about a speaker.

    Raises
    ------
    RecordingError
        The recording is empty, has values that are not finite, is shorter than
        `minimum_seconds`, silent or constant; one class each, such as
        ``a.wav: lasts 0.05 s; at least 0.385 s are needed``.
    """
    survey = _Survey(waveform.sample_rate, waveform.name)
    survey.add(waveform.samples)
    survey.check(minimum_seconds)


def count_usable(blocks: SampleBlocks, *, minimum_seconds: float) -> int:
    """Go through a recording, refuse it as `check_usable` does, and count its samples.

    Raises
    ------
    RecordingError
        As `check_usable`, or as reading does.
    """
    survey = _Survey(blocks.sample_rate, blocks.name)
    for block in blocks:
        survey.add(block)
    survey.check(minimum_seconds)
    return survey.samples


@dataclass
class _Survey:
    """Running statistics of samples; ``first_bad`` is the first that is not finite."""

    sample_rate: int
    name: str | None
    samples: int = 0
    bad_samples: int = 0
    first_bad: int | None = None
    first: float = 0.0
    lowest: float = math.inf
    highest: float = -math.inf

    def add(self, block: NDArray[np.float64]) -> None:
        if not block.size:
            return
        lowest, highest = float(block.min()), float(block.max())
        # NaN and infinity both show in one of the extremes.
        if not math.isfinite(lowest) or not math.isfinite(highest):
            finite = np.isfinite(block)
            if self.first_bad is None:
                self.first_bad = self.samples + int(np.argmin(finite))
            self.bad_samples += finite.size - int(finite.sum())
        if not self.samples:
            self.first = float(block[0])
        self.lowest = min(self.lowest, lowest)
        self.highest = max(self.highest, highest)
        self.samples += block.size

    def check(self, minimum_seconds: float) -> None:
        seconds = self.samples / self.sample_rate
        self._check_samples(seconds, minimum_seconds)
        peak = max(abs(self.lowest), abs(self.highest))
        if peak <= _STEP:
            raise SilentRecording(
                f"is silent: in {seconds:.2f} s nothing is louder than one step "
                f"of 16-bit audio (peak {peak:.1g} of full scale)",
                recording=self.name,
            )
        if self.highest - self.lowest <= _STEP:
            raise ConstantRecording(
                f"holds one constant value ({self.first:.4g} of full scale) for "
                f"{seconds:.2f} s: there is no sound in it",
                recording=self.name,
            )

    def _check_samples(self, seconds: float, minimum_seconds: float) -> None:
        if not self.samples:
            raise EmptyRecording(
                f"has no samples (0 s); at least {minimum_seconds:.4g} s are needed: "
                "it is a header without sound, or was cut off",
                recording=self.name,
            )
        if self.first_bad is not None:
            raise NonFiniteRecording(
                f"has NaN or infinity in {self.bad_samples} of {self.samples} samples, "
                f"first at {self.first_bad / self.sample_rate:.3f} s; write it again "
                "from its source",
                recording=self.name,
            )
        if seconds < minimum_seconds:
            raise TooShortRecording(
                f"lasts {seconds:.4g} s; at least {minimum_seconds:.4g} s are needed",
                recording=self.name,
            )


def _margin_seconds(rate: int) -> int:
    """Return the seconds that are left away at either end of a transform.

    Whole ones, for any two rates have those in common.
    """
    return max(1, min(FFT_SAMPLES // (3 * rate), LONGEST_MARGIN_SECONDS))


def _pieces(
    circle: _Circle, rates: tuple[int, int], samples: int
) -> Iterator[NDArray[np.float64]]:
    before, after = rates
    count = round(samples * after / before)
    margin = _margin_seconds(before)
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


class _Circle:
    """Slices of a recording that begins again at its end, as a transform sees it."""

    def __init__(
        self,
        blocks: SampleBlocks,
        last: NDArray[np.float64],
        before: int,
    ) -> None:
        self._blocks = chain.from_iterable(repeat(blocks))
        # A recording may be shorter than what is wanted before it.
        self._kept = np.resize(last[::-1], before)[::-1]
        self._start = -before

    def take(self, start: int, count: int) -> NDArray[np.float64]:
        """Return the next slice, which begins no earlier than the last did."""
        parts = [self._kept[start - self._start :]]
        held = len(parts[0])
        while held < count:
            parts.append(next(self._blocks))
            held += len(parts[-1])
        self._kept, self._start = np.concatenate(parts), start
        return self._kept[:count]
