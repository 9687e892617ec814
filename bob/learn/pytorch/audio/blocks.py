"""Recordings block by block: the samples of `as_waveform`, never all in memory."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from bob.learn.pytorch.audio import files
from bob.learn.pytorch.audio.arrays import (
    FULL_SCALE,
    check_channel,
    float_factor,
    numpy_of,
    one_channel,
    peak_of,
    unit_samples,
)
from bob.learn.pytorch.audio.decoder import BLOCK_SAMPLES
from bob.learn.pytorch.audio.waveform import Waveform, as_waveform

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from bob.learn.pytorch.audio.waveform import RecordingLike

    Samples: TypeAlias = NDArray[np.float64]

Channel: TypeAlias = int | Literal["mix"] | None


@dataclass(frozen=True, eq=False)
class SampleBlocks:
    """One channel of a recording as blocks, (time,) in [-1, 1] each.

    It can be gone through several times; a file is decoded anew each time.

    Attributes
    ----------
    sample_rate
        In hertz.
    name
        Where the samples come from, for messages.
    expected_samples
        By the header of a file, which may be wrong or say a number beyond all bounds.
    """

    sample_rate: int
    name: str | None
    expected_samples: int
    open: Callable[[], Iterator[Samples]]

    def __iter__(self) -> Iterator[Samples]:
        """All blocks from the first on.

        Raises
        ------
        RecordingError
            As `as_waveform`, on the way or at the end.
        """
        return self.open()


def as_blocks(
    recording: RecordingLike,
    *,
    rate: float | None = None,
    channel: Channel = None,
    name: str | None = None,
) -> SampleBlocks:
    """Turn whatever carries a recording into blocks of samples.

    Parameters
    ----------
    recording, rate, channel, name
        As of `as_waveform`. Files and arrays come block by block; what else there is,
        such as a sample of Bob that loads itself, is in memory as a whole.

    Raises
    ------
    RecordingError, TypeError, ValueError
        As `as_waveform`. What only decoding shows is raised on the way through the
        blocks; too many channels at the first one.
    """
    check_channel(channel)
    if isinstance(recording, str | os.PathLike):
        return _of_file(os.fspath(recording), rate, channel)
    array, found = _array_and_rate(recording, rate)
    if array is not None:
        sample_rate = _checked_rate(found, rate, name)
        return _of_array(array, sample_rate, channel, name)
    waveform = as_waveform(recording, rate=rate, channel=channel, name=name)
    samples = waveform.samples
    return SampleBlocks(
        waveform.sample_rate, waveform.name, len(samples), lambda: _slices(samples)
    )


def _slices(samples: NDArray[Any]) -> Iterator[NDArray[Any]]:
    for start in range(0, len(samples), BLOCK_SAMPLES):
        yield samples[start : start + BLOCK_SAMPLES]


def _of_file(name: str, rate: float | None, channel: Channel) -> SampleBlocks:
    seconds, found, _ = files.info(name)
    # `as_waveform` has the words for a rate that is not the one that was asked for.
    as_waveform(Waveform(np.zeros(0), found, name), rate=rate)
    return SampleBlocks(
        found, name, round(seconds * found), lambda: _decoded(name, channel)
    )


def _decoded(name: str, channel: Channel) -> Iterator[Samples]:
    with files.opened(name) as decoder:
        for block in decoder.blocks():
            yield one_channel(block, channel=channel, recording=name)


def _array_and_rate(
    recording: RecordingLike, rate: float | None
) -> tuple[NDArray[Any] | None, float | None]:
    """An array that can be taken in slices, and its rate; None for all else."""
    if isinstance(recording, tuple) and len(recording) == 2:
        first, second = recording
        if np.ndim(first) == 0 and np.ndim(second) > 0:
            recording, rate = second, first
        elif np.ndim(second) == 0:
            recording, rate = first, second
    recording = numpy_of(recording)
    if not isinstance(recording, np.ndarray) or recording.ndim not in (1, 2):
        return None, rate
    kind = recording.dtype
    known = kind.kind == "f" or kind.name in (*FULL_SCALE, "uint8")
    return (recording if known else None), rate


def _checked_rate(found: float | None, asked: float | None, name: str | None) -> int:
    """Let `as_waveform` say what is wrong with a rate."""
    nothing = np.zeros(0)
    if found is asked:
        return as_waveform(nothing, rate=asked, name=name).sample_rate
    return as_waveform((found, nothing), rate=asked, name=name).sample_rate


def _of_array(
    array: NDArray[Any], sample_rate: int, channel: Channel, name: str | None
) -> SampleBlocks:
    if array.ndim == 1:
        array = array[:, np.newaxis]
    elif array.shape[0] < array.shape[1]:
        array = array.T
    factor = None
    if array.dtype.kind == "f":
        peak = max((peak_of(block) for block in _slices(array)), default=0.0)
        factor = float_factor(peak, recording=name)

    def converted() -> Iterator[Samples]:
        for block in _slices(array):
            if factor is None:
                flat = unit_samples(block.reshape(-1), recording=name)
                samples = flat.reshape(block.shape)
            else:
                samples = block.astype(np.float64) * factor
            yield one_channel(samples, channel=channel, recording=name)

    return SampleBlocks(sample_rate, name, len(array), converted)
