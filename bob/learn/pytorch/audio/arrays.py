"""Arrays of any type and shape -> one channel of float64 in [-1, 1]."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bob.learn.pytorch.audio.recording import (
    ChannelError,
    SampleRateError,
    UnreadableRecording,
)

# Full scale of each type of integer, as soundfile and scipy read wav files.
FULL_SCALE = {"int8": 2.0**7, "int16": 2.0**15, "int32": 2.0**31}
# Floats up to the first are in [-1, 1], perhaps overdriven; those above the second are
# 16-bit numbers, the way legacy Bob read recordings; between them they may be either.
LARGEST_UNIT_PEAK = 2.0
SMALLEST_16_BIT_PEAK = 100.0
LARGEST_PEAK = LARGEST_UNIT_PEAK * 2**15
# Resampling from a lower rate, as a damaged header may give, takes memory without end.
LOWEST_RATE = 1000
HIGHEST_RATE = 1_000_000


def unit_samples(samples: object, *, recording: str | None) -> NDArray[np.float64]:
    """Any array, NumPy's or torch's -> (time, channels) in [-1, 1].

    Raises
    ------
    UnreadableRecording
        Of a type without a known full scale, or floats whose full scale cannot be told
        from their peak.
    ChannelError
        Of more than two dimensions.
    """
    array = _as_array(samples, recording)
    return _time_first(_scaled(array, recording), recording)


def check_channel(channel: object) -> None:
    """Check what says which channel to take: None, "mix" or a number from 0.

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
    """(time, channels) -> (time,); several channels need a word on which.

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
        if whole == float(rate) and LOWEST_RATE <= whole <= HIGHEST_RATE:
            return whole
    except (TypeError, ValueError, OverflowError):
        pass
    raise SampleRateError(
        f"has the sampling rate {rate!r}; expected a whole number of hertz from "
        f"{LOWEST_RATE} to {HIGHEST_RATE}, such as 16000",
        recording=recording,
    )


def numpy_of(samples: Any) -> Any:  # noqa: ANN401 - a tensor or anything else
    """Return a tensor as an array, bfloat16 widened; anything else as it is."""
    if not hasattr(samples, "detach") or not hasattr(samples, "cpu"):
        return samples
    tensor = samples.detach().cpu()
    if str(tensor.dtype) == "torch.bfloat16":  # NumPy has no such type
        tensor = tensor.float()
    return tensor.numpy()


def _as_array(samples: object, recording: str | None) -> NDArray[Any]:
    array = np.asarray(numpy_of(samples))
    if array.dtype.kind == "f" or array.dtype.name in (*FULL_SCALE, "uint8"):
        return array
    raise UnreadableRecording(
        f"came as {type(samples).__name__} of {array.dtype}; expected a path, or "
        "samples of type int16, int32, uint8, int8, float32 or float64",
        recording=recording,
    )


def _scaled(array: NDArray[Any], recording: str | None) -> NDArray[np.float64]:
    samples = array.astype(np.float64)
    if array.dtype.name in FULL_SCALE:
        return samples / FULL_SCALE[array.dtype.name]
    if array.dtype.name == "uint8":
        return (samples - 128) / 128
    return samples * float_factor(peak_of(samples), recording=recording)


def peak_of(samples: NDArray[Any]) -> float:
    """Return the largest finite magnitude, 0 of none."""
    return float(np.abs(samples[np.isfinite(samples)]).max(initial=0.0))


def float_factor(peak: float, *, recording: str | None) -> float:
    """Return what floats of a peak are multiplied by to be in [-1, 1].

    Raises
    ------
    UnreadableRecording
        Their full scale cannot be told from the peak.
    """
    if peak > LARGEST_PEAK:
        raise UnreadableRecording(
            f"has a peak of {peak:.4g}; expected floats in [-1, 1], or 16-bit "
            "numbers up to 32768: divide the samples by their full scale",
            recording=recording,
        )
    if LARGEST_UNIT_PEAK < peak <= SMALLEST_16_BIT_PEAK:
        raise UnreadableRecording(
            f"has a peak of {peak:.4g}, which may be loud floats in [-1, 1] or quiet "
            "16-bit numbers; scale it: of 16-bit numbers pass `samples / 32768`, of "
            "floats `samples / abs(samples).max()`",
            recording=recording,
        )
    return 1.0 if peak <= LARGEST_UNIT_PEAK else 2.0**-15


def _time_first(
    array: NDArray[np.float64], recording: str | None
) -> NDArray[np.float64]:
    """Bring samples to (time, channels)."""
    if array.ndim == 1:
        return array[:, np.newaxis]
    if array.ndim == 2:
        return array.T if array.shape[0] < array.shape[1] else array
    raise ChannelError(
        f"has the shape {array.shape}; expected (time,), (time, channels) or "
        "(channels, time)",
        recording=recording,
    )
