"""Recordings in, waveforms out."""

from bob.learn.pytorch.audio.arrays import check_channel
from bob.learn.pytorch.audio.recording import (
    TooLongRecording,
    UnusableEmbedding,
    storable,
)
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
    "check_channel",
    "check_usable",
    "storable",
    "RecordingLike",
    "RecordingError",
    "UnreadableRecording",
    "EmptyRecording",
    "TooShortRecording",
    "TooLongRecording",
    "SilentRecording",
    "ConstantRecording",
    "NonFiniteRecording",
    "UnusableEmbedding",
    "ChannelError",
    "SampleRateError",
]
