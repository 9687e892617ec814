"""Recordings in, waveforms out."""

from bob.learn.pytorch.audio.waveform import (
    ChannelError,
    ConstantRecording,
    EmptyRecording,
    NonFiniteRecording,
    RecordingError,
    RecordingLike,
    SampleRateError,
    SilentRecording,
    TooShortRecording,
    UnreadableRecording,
    Waveform,
    as_waveform,
    check_usable,
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
