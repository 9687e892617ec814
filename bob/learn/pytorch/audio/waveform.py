"""Samples with their rate, from whatever carries them."""

import inspect
import os
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bob.learn.pytorch.audio.arrays import (
    check_channel,
    one_channel,
    unit_samples,
    whole_rate,
)
from bob.learn.pytorch.audio.recording import (
    ChannelError,
    ConstantRecording,
    EmptyRecording,
    NonFiniteRecording,
    RecordingError,
    SampleRateError,
    SilentRecording,
    TooShortRecording,
    UnreadableRecording,
)

__all__ = [
    "Waveform",
    "as_waveform",
    "check_usable",
    "RecordingLike",
    "RecordingError",
    "UnreadableRecording",
    "EmptyRecording",
    "TooShortRecording",
    "SilentRecording",
    "ConstantRecording",
    "NonFiniteRecording",
    "ChannelError",
    "SampleRateError",
]

RecordingLike: TypeAlias = Any
"""A path, an open file, (rate, samples), an array, a Bob sample or a `Waveform`."""

STEP = 2.0**-15  # of 16-bit audio


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
        Where the samples come from, for messages.
    """

    samples: NDArray[np.float64]
    sample_rate: int
    name: str | None = None

    @property
    def seconds(self) -> float:
        """Duration."""
        return len(self.samples) / self.sample_rate

    def resampled(
        self, sample_rate: int, *, method: Literal["fft", "soxr"]
    ) -> "Waveform":
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


def as_waveform(
    recording: RecordingLike,
    *,
    rate: float | None = None,
    channel: int | Literal["mix"] | None = None,
    name: str | None = None,
) -> Waveform:
    """Turn whatever carries a recording into samples in [-1, 1] with their rate.

    Parameters
    ----------
    recording
        - a path, or a file that is open in binary mode: decoded by
          `bob.learn.pytorch.audio.files.read`;
        - (rate, samples), as legacy Bob gave it, or (samples, rate);
        - an array, NumPy's or torch's, with `rate`;
        - an object with `data` (any of the above) and perhaps `rate`, as samples of
          Bob; where `data` is None, with `path`;
        - a `Waveform`.
    rate
        Sampling rate in hertz of an array without one; for the others, a check.
    channel
        Which channel to take, counted from 0, or "mix" for their mean.
        None refuses several channels.
    name
        What messages call the recording.

    Notes
    -----
    Integers are divided by the full scale of their type (uint8 has its zero at 128).
    Floats with a peak of at most 2 are taken as they are, those with one above 100 as
    16-bit numbers; in between it could be either, and they are refused.
    Of a two-dimensional array the shorter axis is the channels.

    Raises
    ------
    RecordingError
        Unreadable, without a rate, of an unknown type, or of too many channels.
    TypeError, ValueError
        A `channel` that is none.
    """
    check_channel(channel)
    if isinstance(recording, Waveform):
        waveform = Waveform(
            recording.samples,
            whole_rate(recording.sample_rate, recording=name or recording.name),
            name or recording.name,
        )
        return _checked_rate(waveform, rate)
    if _is_file(recording):
        from bob.learn.pytorch.audio import files

        return _checked_rate(files.read(recording, channel=channel, name=name), rate)
    if not _is_array(recording) and _carries_data(recording):
        return _from_sample(recording, rate=rate, channel=channel, name=name)
    if isinstance(recording, tuple) and len(recording) == 2:
        recording, rate = _apart(recording, rate=rate, name=name)
    samples = unit_samples(recording, recording=name)
    sample_rate = whole_rate(rate, recording=name)
    return Waveform(
        one_channel(samples, channel=channel, recording=name), sample_rate, name=name
    )


def check_usable(waveform: Waveform, *, minimum_seconds: float) -> None:
    """Refuse what would give an embedding that says nothing about a speaker.

    Raises
    ------
    RecordingError
        The recording is empty, has values that are not finite, is shorter than
        `minimum_seconds`, silent or constant; one class each.
    """
    samples, name = waveform.samples, waveform.name
    if not samples.size:
        raise EmptyRecording(
            f"has no samples (0 s); at least {minimum_seconds:.4g} s are needed: it "
            "is a header without sound, or was cut off",
            recording=name,
        )
    finite = np.isfinite(samples)
    if not finite.all():
        bad = samples.size - int(finite.sum())
        first = int(np.argmin(finite)) / waveform.sample_rate
        raise NonFiniteRecording(
            f"has NaN or infinity in {bad} of {samples.size} samples, first at "
            f"{first:.3f} s; write it again from its source",
            recording=name,
        )
    if waveform.seconds < minimum_seconds:
        raise TooShortRecording(
            f"lasts {waveform.seconds:.4g} s; at least {minimum_seconds:.4g} s are "
            "needed",
            recording=name,
        )
    peak = float(np.abs(samples).max())
    if peak <= STEP:
        raise SilentRecording(
            f"is silent: in {waveform.seconds:.2f} s nothing is louder than one step "
            f"of 16-bit audio (peak {peak:.1g} of full scale)",
            recording=name,
        )
    if float(np.ptp(samples)) <= STEP:
        raise ConstantRecording(
            f"holds one constant value ({float(samples[0]):.4g} of full scale) for "
            f"{waveform.seconds:.2f} s: there is no sound in it",
            recording=name,
        )


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


def _from_sample(
    sample: RecordingLike,
    *,
    rate: float | None,
    channel: int | Literal["mix"] | None,
    name: str | None,
) -> Waveform:
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
    return as_waveform(content, rate=rate, channel=channel, name=name)


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


def _checked_rate(waveform: Waveform, rate: float | None) -> Waveform:
    if rate is not None and float(rate) != waveform.sample_rate:
        raise SampleRateError(
            f"has {waveform.sample_rate} hertz, but rate={rate} was given; leave "
            "`rate` out where the recording knows its own",
            recording=waveform.name,
        )
    return waveform
