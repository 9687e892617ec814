"""Arrays of any type -> float64 in [-1, 1]; channels and sampling rates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from bob.learn.pytorch.audio.recording import (
    ChannelError,
    SampleRateError,
    UnreadableRecording,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

# One channel of a block takes 8 MB. It is also what ends of ogg files are judged by.
BLOCK_SAMPLES = 2**20
# Full scale of each type of integer, as soundfile and scipy read wav files.
_FULL_SCALE = {"int8": 2.0**7, "int16": 2.0**15, "int32": 2.0**31}
# Floats up to the first are in [-1, 1], perhaps overdriven; those above the second are
# 16-bit numbers, the way legacy Bob read recordings; between them they may be either.
_LARGEST_UNIT_PEAK = 2.0
_SMALLEST_16_BIT_PEAK = 100.0
_LARGEST_PEAK = _LARGEST_UNIT_PEAK * 2**15
# Resampling from a lower rate, as a damaged header may give, takes memory without end.
_LOWEST_RATE = 1000
_HIGHEST_RATE = 1_000_000


def as_array(samples: Any, *, recording: str | None) -> NDArray[Any]:  # noqa: ANN401
    """Return samples of NumPy, torch or a list as an array of a known full scale.

    Its shape stays: (samples,), (samples, channels) or (channels, samples).

    Raises
    ------
    UnreadableRecording
        The type of the samples has no known full scale.
    """
    if hasattr(samples, "detach") and hasattr(samples, "cpu"):
        tensor = samples.detach().cpu()
        # NumPy has no bfloat16.
        is_brain = str(tensor.dtype) == "torch.bfloat16"
        array = np.asarray((tensor.float() if is_brain else tensor).numpy())
    else:
        array = np.asarray(samples)
    if array.dtype.kind == "f" or array.dtype.name in (*_FULL_SCALE, "uint8"):
        return array
    raise UnreadableRecording(
        f"came as {type(samples).__name__} of {array.dtype}; expected a path, or "
        "samples of type int16, int32, uint8, int8, float32 or float64",
        recording=recording,
    )


def to_unit(
    array: NDArray[Any], *, recording: str | None
) -> Callable[[NDArray[Any]], NDArray[np.float64]]:
    """Return a function from slices of an array to float64 in [-1, 1].

    The shape stays: (samples,), (samples, channels) or (channels, samples).

    Raises
    ------
    UnreadableRecording
        Floats whose full scale does not show from the peak of the whole array.
    """
    kind = array.dtype.name
    if kind in _FULL_SCALE:
        return lambda block: block.astype(np.float64) / _FULL_SCALE[kind]
    if kind == "uint8":
        return lambda block: (block.astype(np.float64) - 128) / 128
    factor = float_factor(slices(np.atleast_1d(array)), recording=recording)
    return lambda block: block.astype(np.float64) * factor


def slices(samples: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Cut (time, ...) into blocks of up to `BLOCK_SAMPLES`; one at least."""
    for start in range(0, max(1, len(samples)), BLOCK_SAMPLES):
        yield samples[start : start + BLOCK_SAMPLES]


def check_channel(channel: object) -> None:
    """Check the choice of a channel: None, "mix" or a number from 0.

    Raises
    ------
    TypeError
        Neither a whole number nor a text.
    ValueError
        Another text, or a number below 0.
    """
    if channel is None or (isinstance(channel, str) and channel == "mix"):
        return
    expected = (
        f'channel is {channel!r}; expected 0 for the first, 1 for the second, …, "mix" '
        "for their mean, or None for the only one"
    )
    if not isinstance(channel, int | np.integer | str):
        raise TypeError(expected)
    if isinstance(channel, str) or channel < 0:
        raise ValueError(expected)


def one_channel(
    samples: NDArray[np.float64],
    *,
    channel: int | Literal["mix"] | None,
    recording: str | None,
) -> NDArray[np.float64]:
    """Take one channel of (time, channels) as (time,), or "mix" for their mean.

    Raises
    ------
    ChannelError
        Several channels without `channel`, or a channel that is not there.
    """
    check_channel(channel)
    channels = samples.shape[1]
    if channel == "mix":
        return np.asarray(samples.mean(axis=1))
    if channel is None and channels == 1:
        return samples[:, 0]
    if channel is None:
        raise ChannelError(
            f"has {channels} channels; say which: `channel=0` for the first, "
            '`channel="mix"` for their mean (on a command line `--channel`)',
            recording=recording,
        )
    if channel >= channels:
        raise ChannelError(
            f"has {channels} channel{'s' * (channels > 1)}, counted from 0; channel "
            f"{channel} is not there",
            recording=recording,
        )
    return np.ascontiguousarray(samples[:, channel])


def whole_rate(rate: float | None, *, recording: str | None) -> int:
    """Check a sampling rate.

    Raises
    ------
    SampleRateError
        None, not a whole number of hertz, or one that no recording has.
    """
    if rate is None:
        raise SampleRateError(
            "came without a sampling rate; pass a path, (rate, samples), or the array "
            "with `rate=` in hertz",
            recording=recording,
        )
    try:
        whole = int(rate)
        if whole == float(rate) and _LOWEST_RATE <= whole <= _HIGHEST_RATE:
            return whole
    except (TypeError, ValueError, OverflowError):
        pass
    raise SampleRateError(
        f"has the sampling rate {rate!r}; expected a whole number of hertz from "
        f"{_LOWEST_RATE} to {_HIGHEST_RATE}, such as 16000",
        recording=recording,
    )


def float_factor(
    blocks: Iterable[NDArray[np.floating[Any]]], *, recording: str | None
) -> float:
    """Return the factor that brings floats, blocks of any shape, to [-1, 1].

    Raises
    ------
    UnreadableRecording
        Their largest finite magnitude does not show their full scale.
    """
    peaks = (np.abs(block[np.isfinite(block)]).max(initial=0.0) for block in blocks)
    peak = float(max(peaks, default=0.0))
    if peak > _LARGEST_PEAK:
        raise UnreadableRecording(
            f"has a peak of {peak:.4g}; expected floats in [-1, 1], or 16-bit "
            "numbers up to 32768: divide the samples by their full scale",
            recording=recording,
        )
    if _LARGEST_UNIT_PEAK < peak <= _SMALLEST_16_BIT_PEAK:
        raise UnreadableRecording(
            f"has a peak of {peak:.4g}, which may be loud floats in [-1, 1] or quiet "
            "16-bit numbers; scale it: of 16-bit numbers pass `samples / 32768`, of "
            "floats `samples / abs(samples).max()`",
            recording=recording,
        )
    return 1.0 if peak <= _LARGEST_UNIT_PEAK else 2.0**-15
