"""What is wrong with a recording that comes in blocks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bob.learn.pytorch.audio.recording import (
    ConstantRecording,
    EmptyRecording,
    NonFiniteRecording,
    SilentRecording,
    TooShortRecording,
)
from bob.learn.pytorch.audio.waveform import STEP

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bob.learn.pytorch.audio.blocks import SampleBlocks


def count_usable(blocks: SampleBlocks, *, minimum_seconds: float) -> int:
    """Go through a recording, refuse it as `check_usable` does, and count its samples.

    Raises
    ------
    RecordingError
        As `Survey.check`, or as reading does.
    """
    survey = Survey(blocks.sample_rate, blocks.name)
    for block in blocks:
        survey.add(block)
    survey.check(minimum_seconds=minimum_seconds)
    return survey.samples


@dataclass
class Survey:
    """Running statistics of samples, and the checks of `check_usable` on them.

    Attributes
    ----------
    sample_rate
        In hertz.
    name
        Of the recording, for messages.
    samples
        How many there were.
    bad_samples
        How many of them were NaN or infinite.
    first_bad
        Which was the first of those, None where there was none.
    first, lowest, highest
        The first value and the extremes.
    """

    sample_rate: int
    name: str | None
    samples: int = 0
    bad_samples: int = 0
    first_bad: int | None = None
    first: float = 0.0
    lowest: float = math.inf
    highest: float = -math.inf

    def add(self, block: NDArray[np.float64]) -> None:
        """Count in the next (time,) samples."""
        if not block.size:
            return
        lowest, highest = float(block.min()), float(block.max())
        # NaN and infinity both show in one of the extremes.
        if not math.isfinite(lowest) or not math.isfinite(highest):
            self._add_bad(np.isfinite(block))
        if not self.samples:
            self.first = float(block[0])
        self.lowest = min(self.lowest, lowest)
        self.highest = max(self.highest, highest)
        self.samples += block.size

    def _add_bad(self, finite: NDArray[np.bool_]) -> None:
        if self.first_bad is None:
            self.first_bad = self.samples + int(np.argmin(finite))
        self.bad_samples += finite.size - int(finite.sum())

    @property
    def seconds(self) -> float:
        """Duration."""
        return self.samples / self.sample_rate

    @property
    def peak(self) -> float:
        """Largest magnitude."""
        return max(abs(self.lowest), abs(self.highest))

    def check(self, *, minimum_seconds: float) -> None:
        """Refuse what `check_usable` refuses, in the same words.

        Raises
        ------
        RecordingError
            The recording is empty, has values that are not finite, is shorter than
            `minimum_seconds`, silent or constant; one class each.
        """
        self._check_samples(minimum_seconds)
        if self.peak <= STEP:
            raise SilentRecording(
                f"is silent: in {self.seconds:.2f} s nothing is louder than one step "
                f"of 16-bit audio (peak {self.peak:.1g} of full scale)",
                recording=self.name,
            )
        if self.highest - self.lowest <= STEP:
            raise ConstantRecording(
                f"holds one constant value ({self.first:.4g} of full scale) for "
                f"{self.seconds:.2f} s: there is no sound in it",
                recording=self.name,
            )

    def _check_samples(self, minimum_seconds: float) -> None:
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
        if self.seconds < minimum_seconds:
            raise TooShortRecording(
                f"lasts {self.seconds:.4g} s; at least {minimum_seconds:.4g} s are "
                "needed",
                recording=self.name,
            )
