"""Decodes recordings: wav, flac, ogg, mp3 and what else libsndfile knows.

Nothing else in this package reads audio.
"""

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from bob.learn.pytorch.audio.arrays import one_channel
from bob.learn.pytorch.audio.recording import UnreadableRecording
from bob.learn.pytorch.audio.waveform import Waveform

if TYPE_CHECKING:
    import soundfile

BLOCK_SAMPLES = 2**20
# Programs that write wav to a pipe cannot know its length, and put in this or more.
LENGTH_UNKNOWN_BYTES = 0x7FFF0000
# What libsndfile notes about a chunk of wav or aiff that ends before its time.
CUT_OFF = re.compile(r"^\s*(?:data|SSND) : (\d+) \(should be (\d+)\)", re.MULTILINE)
# Counts in mp3 headers take in the encoder's padding: two MPEG frames.
MP3_TOLERANCE_SAMPLES = 2 * 1152


def read(
    path: str | os.PathLike[str], *, channel: int | Literal["mix"] | None = None
) -> Waveform:
    """Decode one recording.

    Parameters
    ----------
    path
        File of any format and subtype that libsndfile reads.
    channel
        Which channel to take, counted from 0, or "mix" for their mean.
        None takes the only one, and refuses a file with several.

    Returns
    -------
    Waveform
        Samples in [-1, 1] at the file's own rate.

    Raises
    ------
    UnreadableRecording
        Missing, a directory, empty, corrupt, not audio, or a wav, aiff, flac or mp3
        with fewer samples than its header promises. (Ogg promises nothing: one that
        was cut off reads as a shorter recording.)
    ChannelError
        Several channels without `channel`, or a channel that is not there.
    """
    name = os.fspath(path)
    size = _size_bytes(name)
    import soundfile

    try:
        with soundfile.SoundFile(name) as file:
            samples = _decode(file)
            _check_complete(file, len(samples), name)
            rate = int(file.samplerate)
    except (soundfile.SoundFileError, TypeError) as error:
        raise UnreadableRecording(_reason(error, size), recording=name) from error
    return Waveform(
        one_channel(samples, channel=channel, recording=name), rate, name=name
    )


def info(path: str | os.PathLike[str]) -> tuple[float, int, int]:
    """Duration in seconds, sampling rate in hertz, number of channels.

    Read from the header: a file that was cut off shows only in `read`.

    Raises
    ------
    UnreadableRecording
        As `read`.
    """
    name = os.fspath(path)
    size = _size_bytes(name)
    import soundfile

    try:
        with soundfile.SoundFile(name) as file:
            seconds = file.frames / file.samplerate
            return seconds, int(file.samplerate), int(file.channels)
    except (soundfile.SoundFileError, TypeError) as error:
        raise UnreadableRecording(_reason(error, size), recording=name) from error


def _size_bytes(name: str) -> int:
    """Open the file once, since libsndfile says only "System error"."""
    path = Path(name)
    try:
        with path.open("rb"):
            size = path.stat().st_size
    except FileNotFoundError:
        raise UnreadableRecording(_missing(path), recording=name) from None
    except IsADirectoryError:
        reason = "is a directory; expected an audio file"
        raise UnreadableRecording(reason, recording=name) from None
    except (OSError, ValueError) as error:
        reason = f"cannot be opened ({getattr(error, 'strerror', None) or error})"
        raise UnreadableRecording(reason, recording=name) from error
    if size == 0:
        reason = "holds 0 bytes; copy or download it again"
        raise UnreadableRecording(reason, recording=name)
    return size


def _missing(path: Path) -> str:
    near = path.absolute().parent
    while not near.exists():
        near = near.parent
    if near == path.absolute().parent:
        return "does not exist; check the name, the extension and the directory"
    return f"does not exist, nor does its directory (what does exist is {near})"


def _decode(file: "soundfile.SoundFile") -> NDArray[np.float64]:
    """Read all samples, (time, channels).

    Block by block: the length in a broken header may be anything.
    """
    blocks = [np.zeros((0, file.channels))]
    while len(block := file.read(BLOCK_SAMPLES, dtype="float64", always_2d=True)):
        blocks.append(block)
    return np.concatenate(blocks)


def _check_complete(file: "soundfile.SoundFile", decoded: int, name: str) -> None:
    promised = int(file.frames)
    tolerance = MP3_TOLERANCE_SAMPLES if file.format == "MP3" else 0
    noted = CUT_OFF.search(file.extra_info)
    if noted and int(noted[1]) < LENGTH_UNKNOWN_BYTES:
        promised = round(decoded * int(noted[1]) / max(1, int(noted[2])))
    # A stream of unknown length promises the largest number there is.
    if decoded + tolerance < promised < 2**62:
        rate = file.samplerate
        raise UnreadableRecording(
            f"is cut off: {decoded / rate:.2f} s of the {promised / rate:.2f} s that "
            "its header promises; copy or download it again",
            recording=name,
        )


def _reason(error: Exception, size: int) -> str:
    detail = str(getattr(error, "error_string", error)).strip().rstrip(".")
    detail = detail.removeprefix("Error : ")
    if "not recognised" in detail or isinstance(error, TypeError):
        return (
            f"is not audio that can be read ({size} bytes); expected wav, flac, ogg "
            "or mp3: convert it, for example with `ffmpeg -i INPUT OUTPUT.flac`"
        )
    return f"is corrupt or cut off ({detail}); copy or download it again"
