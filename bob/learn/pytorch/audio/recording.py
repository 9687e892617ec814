"""Errors of recordings, a class for each fault."""

from functools import partial

from bob.learn.pytorch.errors import UserError
from bob.learn.pytorch.printing import printable


def storable(name: str) -> str:
    r"""Escape the part of a name that is not UTF-8, so that it can be stored.

    Examples
    --------
    >>> storable(b"non-\xff.wav".decode("utf-8", "surrogateescape"))
    'non-\\udcff.wav'
    """
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


class RecordingError(UserError, ValueError):
    """A recording that cannot be used, with the reason.

    Attributes
    ----------
    reason
        The fault, what was expected, and the next step.
    recording
        Path or name of the recording, where it has one.
    """

    def __init__(self, reason: str, *, recording: str | None = None) -> None:
        if recording is None:
            super().__init__(f"the recording {reason}")
        else:
            super().__init__(f"{printable(recording)}: {reason}")
        self.reason = reason
        self.recording = recording

    def __reduce__(self) -> tuple["partial[RecordingError]", tuple[()]]:
        return partial(type(self), self.reason, recording=self.recording), ()


class UnreadableRecording(RecordingError):  # noqa: N818 - named for what came
    """A recording that is missing, corrupt, cut off, or not audio at all."""


class EmptyRecording(RecordingError):  # noqa: N818
    """A recording without a single sample."""


class TooShortRecording(RecordingError):  # noqa: N818
    """A recording of fewer samples than the network needs."""


class TooLongRecording(RecordingError):  # noqa: N818
    """A recording that needs more memory than it may take."""


class SilentRecording(RecordingError):  # noqa: N818
    """A recording with nothing louder than one step of 16-bit audio."""


class ConstantRecording(RecordingError):  # noqa: N818
    """One value over and over, such as the offset of a dead microphone."""


class NonFiniteRecording(RecordingError):  # noqa: N818
    """NaN or infinity among the samples."""


class UnusableEmbedding(RecordingError):  # noqa: N818
    """A recording whose embedding nothing can be compared with, such as zeros."""


class ChannelError(RecordingError):
    """Several channels and no choice of one, or a channel that is not there."""


class SampleRateError(RecordingError):
    """No sampling rate, or one that cannot be."""
