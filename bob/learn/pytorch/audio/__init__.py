"""Recordings in, waveforms out."""

from bob.learn.pytorch.audio.arrays import check_channel
from bob.learn.pytorch.audio.opening import (
    Channel,
    RecordingLike,
    as_blocks,
    as_waveform,
)
from bob.learn.pytorch.audio.recording import (
    ChannelError,
    ConstantRecording,
    EmptyRecording,
    NonFiniteRecording,
    RecordingError,
    SampleRateError,
    SilentRecording,
    TooLongRecording,
    TooShortRecording,
    UnreadableRecording,
    UnusableEmbedding,
    storable,
)
from bob.learn.pytorch.audio.waveform import (
    SampleBlocks,
    Waveform,
    check_usable,
    count_usable,
)

__all__ = [
    "Waveform",
    "SampleBlocks",
    "as_waveform",
    "as_blocks",
    "check_channel",
    "check_usable",
    "count_usable",
    "storable",
    "RecordingLike",
    "Channel",
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
