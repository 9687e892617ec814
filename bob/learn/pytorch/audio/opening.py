"""Whatever carries a recording -> samples, whole or in blocks."""

from __future__ import annotations

import inspect
import os
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from bob.learn.pytorch.audio.arrays import (
    as_array,
    check_channel,
    one_channel,
    slices,
    to_unit,
    whole_rate,
)
from bob.learn.pytorch.audio.recording import (
    ChannelError,
    RecordingError,
    SampleRateError,
    UnreadableRecording,
)
from bob.learn.pytorch.audio.waveform import SampleBlocks, Waveform

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

RecordingLike: TypeAlias = Any
"""A path, an open file, (rate, samples), an array, a Bob sample or a `Waveform`."""

Channel: TypeAlias = int | Literal["mix"] | None


def as_waveform(
    recording: RecordingLike,
    *,
    rate: float | None = None,
    channel: Channel = None,
    name: str | None = None,
) -> Waveform:
    """Return samples (time,) in [-1, 1], float64, of whatever carries a recording.

    Parameters
    ----------
    recording
        - a path, or a file that is open in binary mode: decoded by
          `bob.learn.pytorch.audio.files.read`;
        - (rate, samples), as legacy Bob gave it, or (samples, rate);
        - an array, NumPy's or torch's, with `rate`: (time,), (time, channels) or
          (channels, time);
        - an object with `data` (any of the above) and perhaps `rate`, as samples of
          Bob; where `data` is None, with `path`;
        - a `Waveform`.
    rate
        Sampling rate in hertz of an array without one; for the others, a check.
    channel
        Channel to take, counted from 0, or "mix" for their mean.
        None refuses several channels.
    name
        Name of the recording in messages.

    Notes
    -----
    Integers are divided by the full scale of their type (uint8 has its zero at 128).
    Floats with a peak of at most 2 are taken as they are, those with one above 100 as
    16-bit numbers; in between it could be either, and they are refused.
    Of a two-dimensional array the shorter axis is the channels.

    Raises
    ------
    RecordingError
        Unreadable, without a rate, of an unknown type, or of too many channels, such as
        ``a.wav: has 2 channels; say which``.
    TypeError, ValueError
        An impossible `channel`.

    Examples
    --------
    >>> as_waveform(np.zeros((2, 8000), np.int16), rate=16000, channel=0).seconds
    0.5
    """
    check_channel(channel)
    if isinstance(recording, Waveform):
        name = name or recording.name
        own = whole_rate(recording.sample_rate, recording=name)
        _check_rate(own, rate, name)
        return Waveform(recording.samples, own, name)
    if _is_file(recording):
        from bob.learn.pytorch.audio import files

        waveform = files.read(recording, channel=channel, name=name)
        _check_rate(waveform.sample_rate, rate, waveform.name)
        return waveform
    if not _is_array(recording) and _carries_data(recording):
        content, rate, name = _loaded(recording, rate=rate, name=name)
        return as_waveform(content, rate=rate, channel=channel, name=name)
    return _of_array(recording, rate, channel, name).joined()


def as_blocks(
    recording: RecordingLike,
    *,
    rate: float | None = None,
    channel: Channel = None,
    name: str | None = None,
) -> SampleBlocks:
    """Return blocks (time,) in [-1, 1], float64, of whatever carries a recording.

    Parameters
    ----------
    recording, rate, channel, name
        See `as_waveform`. Files by path and arrays come block by block; anything else,
        such as a sample of Bob that loads itself, is in memory as a whole.

    Raises
    ------
    RecordingError, TypeError, ValueError
        As `as_waveform`. Faults that only decoding shows are raised on the way through
        the blocks; too many channels at the first one.
    """
    check_channel(channel)
    if isinstance(recording, str | os.PathLike):
        return _of_path(os.fspath(recording), rate, channel)
    is_tuple = isinstance(recording, tuple) and not _carries_data(recording)
    if _is_array(recording) or is_tuple:
        return _of_array(recording, rate, channel, name)
    waveform = as_waveform(recording, rate=rate, channel=channel, name=name)
    samples = waveform.samples
    return SampleBlocks(waveform.sample_rate, waveform.name, lambda: slices(samples))


def _of_path(name: str, rate: float | None, channel: Channel) -> SampleBlocks:
    from bob.learn.pytorch.audio import files

    _, found, _ = files.info(name)
    _check_rate(found, rate, name)

    def decoded() -> Iterator[NDArray[np.float64]]:
        with files.opened(name) as decoder:
            for block in decoder.blocks():
                yield one_channel(block, channel=channel, recording=name)

    return SampleBlocks(found, name, decoded)


def _of_array(
    samples: RecordingLike, rate: float | None, channel: Channel, name: str | None
) -> SampleBlocks:
    if isinstance(samples, tuple) and len(samples) == 2:
        samples, rate = _apart(samples, rate=rate, name=name)
    array = as_array(samples, recording=name)
    convert = to_unit(array, recording=name)
    if array.ndim not in (1, 2):
        raise ChannelError(
            f"has the shape {array.shape}; expected (time,), (time, channels) or "
            "(channels, time)",
            recording=name,
        )
    sample_rate = whole_rate(rate, recording=name)
    if array.ndim == 1:
        array = array[:, np.newaxis]
    elif array.shape[0] < array.shape[1]:
        array = array.T

    def converted() -> Iterator[NDArray[np.float64]]:
        for block in slices(array):
            yield one_channel(convert(block), channel=channel, recording=name)

    return SampleBlocks(sample_rate, name, converted)


def _is_file(recording: object) -> bool:
    is_open = hasattr(recording, "read") and hasattr(recording, "seek")
    return is_open or isinstance(recording, str | os.PathLike)


def _is_array(recording: object) -> bool:
    # NumPy's arrays and torch's tensors have `data` too.
    return hasattr(recording, "shape") and hasattr(recording, "dtype")


def _carries_data(recording: object) -> bool:
    # A look at `data` itself would decode the file.
    return inspect.getattr_static(recording, "data", None) is not None or (
        inspect.getattr_static(recording, "path", None) is not None
    )


def _loaded(
    sample: RecordingLike, *, rate: float | None, name: str | None
) -> tuple[RecordingLike, float | None, str | None]:
    """Read `data` once: where it is delayed, every look at it decodes the file."""
    name = name or _sample_name(sample)
    try:
        content = sample.data
        if content is None:
            content = sample.path
        if rate is None and (_is_array(content) or isinstance(content, list)):
            rate = getattr(sample, "rate", None)
    except RecordingError:
        raise
    # A database brings its own loader, which may raise anything.
    except Exception as error:
        reason = f"cannot be loaded ({type(error).__name__}: {error})"
        raise UnreadableRecording(reason, recording=name) from error
    return content, rate, name


def _sample_name(sample: object) -> str | None:
    for attribute in ("key", "path"):
        value = vars(sample).get(attribute) if hasattr(sample, "__dict__") else None
        if value is not None:
            return str(value)
    return None


def _apart(
    pair: tuple[Any, Any], *, rate: float | None, name: str | None
) -> tuple[Any, float]:
    """(rate, samples) or (samples, rate) -> samples and rate."""
    first, second = pair
    if np.ndim(first) == 0 and np.ndim(second) > 0:
        found, samples = first, second
    elif np.ndim(first) > 0 and np.ndim(second) == 0:
        samples, found = first, second
    else:
        raise SampleRateError(
            "came as two values of which not exactly one is an array; expected "
            "(rate, samples)",
            recording=name,
        )
    if rate is not None and float(rate) != float(found):
        reason = f"comes with {found} hertz, but rate={rate} was given"
        raise SampleRateError(reason, recording=name)
    return samples, found


def _check_rate(found: int, asked: float | None, name: str | None) -> None:
    if asked is not None and float(asked) != found:
        raise SampleRateError(
            f"has {found} hertz, but rate={asked} was given; leave `rate` out where "
            "the recording knows its own",
            recording=name,
        )
