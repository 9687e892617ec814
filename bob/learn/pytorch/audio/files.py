"""Decodes recordings: wav, flac, ogg, mp3 and what else libsndfile knows.

Nothing else in this package reads audio.
"""

import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from bob.learn.pytorch.audio import mpeg, ogg
from bob.learn.pytorch.audio.arrays import one_channel, whole_rate
from bob.learn.pytorch.audio.recording import UnreadableRecording, printable
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
# What libsndfile gives as the length of a file of which it cannot tell.
NO_LENGTH_SAMPLES = 2**62
# Of what libsndfile says. The second is on what may be an mp3 and has no frames.
NOT_AUDIO = ("not recognised", "not a regular file")
# What libsndfile says of a whole file that it cannot follow, as of one that is damaged.
NOT_FOR_LIBSNDFILE = ("psf_fseek", "Unspecified internal error", "unknown error")
AGAIN = "copy or download it again"
CONVERT = "convert it, for example with `ffmpeg -i INPUT OUTPUT.flac`"
OGG_FAULTS = {
    "damaged": f"is corrupt: a page of its ogg stream is damaged or missing; {AGAIN}",
    "end": f"is cut off, or damaged at its end: its last page is missing; {AGAIN}",
    "several": "holds several ogg streams one after the other, of which only the first "
    f"can be read; {CONVERT}",
}


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
        Missing, no regular file, empty, corrupt, cut off, or not audio.
    SampleRateError
        A rate in the header that no recording has.
    ChannelError
        Several channels without `channel`, or a channel that is not there.

    Notes
    -----
    Damage shows where the format tells of it: fewer samples than the header promises, a
    broken checksum in flac or ogg, an ogg without its last page, bytes between the
    frames of an mp3. It does not show in wav and aiff of the right length, within a
    frame of an mp3, and where an mp3 without a count of its frames was cut off exactly
    between two. On a damaged mp3, libmpg123 may write notes of its own to the standard
    error stream.
    """
    name = os.fspath(path)
    size = _size_bytes(name)
    fault = ogg.fault(name)
    if fault in ("end", "several"):
        raise UnreadableRecording(OGG_FAULTS[fault], recording=name)
    frames = mpeg.scan(name)
    if frames is not None:
        _check_frames(frames, name)
    import soundfile

    try:
        with soundfile.SoundFile(_encoded(name)) as file:
            rate = whole_rate(file.samplerate, recording=name)
            samples = _decode(file, name)
            if file.format == "MP3":
                _check_mpeg(frames, len(samples), name)
            else:
                _check_complete(file, len(samples), name)
    except (soundfile.SoundFileError, TypeError) as error:
        raise UnreadableRecording(_reason(error, size), recording=name) from error
    if fault is not None:  # after the decoder, which may have told where
        raise UnreadableRecording(OGG_FAULTS[fault], recording=name)
    return Waveform(
        one_channel(samples, channel=channel, recording=name), rate, name=name
    )


def info(path: str | os.PathLike[str]) -> tuple[float, int, int]:
    """Duration in seconds, sampling rate in hertz, number of channels.

    Read from the header: a file that was cut off shows only in `read`.

    Raises
    ------
    UnreadableRecording, SampleRateError
        As `read`.
    """
    name = os.fspath(path)
    size = _size_bytes(name)
    import soundfile

    try:
        with soundfile.SoundFile(_encoded(name)) as file:
            rate = whole_rate(file.samplerate, recording=name)
            return file.frames / rate, rate, int(file.channels)
    except (soundfile.SoundFileError, TypeError) as error:
        raise UnreadableRecording(_reason(error, size), recording=name) from error


def _size_bytes(name: str) -> int:
    """Open the file once, since libsndfile says only "System error"."""
    if not name:
        raise UnreadableRecording("has an empty path; expected that of an audio file")
    path = Path(name)
    try:
        status = path.stat()
        _check_regular(status.st_mode, name)
        path.open("rb").close()
    except FileNotFoundError:
        raise UnreadableRecording(_missing(path), recording=name) from None
    except UnreadableRecording:
        raise
    except (OSError, ValueError) as error:
        reason = f"cannot be opened ({getattr(error, 'strerror', None) or error})"
        raise UnreadableRecording(reason, recording=name) from error
    if status.st_size == 0:
        raise UnreadableRecording(f"holds 0 bytes; {AGAIN}", recording=name)
    return status.st_size


def _check_regular(mode: int, name: str) -> None:
    """Refuse what would wait for somebody to write, before it is opened."""
    if stat.S_ISDIR(mode):
        reason = "is a directory; expected an audio file"
        raise UnreadableRecording(reason, recording=name)
    if not stat.S_ISREG(mode):
        reason = (
            "is a pipe or a device; expected an audio file: write the recording to one"
        )
        raise UnreadableRecording(reason, recording=name)


def _encoded(name: str) -> str | bytes:
    """Return the name as soundfile takes it also where it is not UTF-8."""
    return name if os.name == "nt" else os.fsencode(name)


def _missing(path: Path) -> str:
    near = path.absolute().parent
    while not near.exists():
        near = near.parent
    if near == path.absolute().parent:
        return "does not exist; check the name, the extension and the directory"
    near_name = printable(str(near))
    return f"does not exist, nor does its directory (what does exist is {near_name})"


def _decode(file: "soundfile.SoundFile", name: str) -> NDArray[np.float64]:
    """Read all samples, (time, channels).

    Block by block: the length in a broken header may be anything. After a block that is
    not full nothing comes, but where ogg has lost a page, which is then left out.
    """
    blocks = [np.zeros((0, file.channels))]
    while len(block := file.read(BLOCK_SAMPLES, dtype="float64", always_2d=True)):
        if file.format == "OGG" and len(blocks[-1]) < BLOCK_SAMPLES and len(blocks) > 1:
            at = sum(map(len, blocks)) / file.samplerate
            reason = f"is corrupt: {at:.2f} s from its start something is lost; {AGAIN}"
            raise UnreadableRecording(reason, recording=name)
        blocks.append(block)
    return np.concatenate(blocks)


def _check_frames(frames: mpeg.Mpeg, name: str) -> None:
    """Refuse a damaged mp3 before it is decoded, which would pass over the damage."""
    seconds = frames.samples / frames.rate
    if frames.broken:
        reason = f"is corrupt: {seconds:.2f} s from its start something is lost"
        raise UnreadableRecording(f"{reason}; {AGAIN}", recording=name)
    if frames.promised is not None and frames.samples < frames.promised:
        raise _cut_off(frames.samples, frames.promised, frames.rate, name)
    if frames.cut_off:
        reason = f"is cut off: after {seconds:.2f} s it ends within a frame"
        raise UnreadableRecording(f"{reason}; {AGAIN}", recording=name)


def _check_mpeg(frames: mpeg.Mpeg | None, decoded: int, name: str) -> None:
    if frames is None:
        reason = (
            f"does not begin as an mp3, but has parts of one; {AGAIN}, or {CONVERT}"
        )
        raise UnreadableRecording(reason, recording=name)
    if decoded + MP3_TOLERANCE_SAMPLES < frames.due:
        raise UnreadableRecording(
            f"can be read only in part, {decoded} of at least {frames.due} samples, "
            f"since it does not say how long it is; {CONVERT}",
            recording=name,
        )


def _check_complete(file: "soundfile.SoundFile", decoded: int, name: str) -> None:
    promised = int(file.frames)
    noted = CUT_OFF.search(file.extra_info)
    if noted and int(noted[1]) < LENGTH_UNKNOWN_BYTES:
        promised = round(decoded * int(noted[1]) / max(1, int(noted[2])))
    # A stream of unknown length promises the largest number there is.
    if decoded < promised < NO_LENGTH_SAMPLES:
        raise _cut_off(decoded, promised, file.samplerate, name)


def _cut_off(decoded: int, promised: int, rate: int, name: str) -> UnreadableRecording:
    return UnreadableRecording(
        f"is cut off: {decoded / rate:.2f} s of the {promised / rate:.2f} s "
        f"({decoded} of {promised} samples) that its header promises; {AGAIN}",
        recording=name,
    )


def _reason(error: Exception, size: int) -> str:
    detail = str(getattr(error, "error_string", error)).strip().rstrip(".")
    detail = detail.removeprefix("Error : ")
    if isinstance(error, TypeError) or any(words in detail for words in NOT_AUDIO):
        return (
            f"is not audio that can be read, or too little of it ({size} bytes); "
            f"expected wav, flac, ogg or mp3: {CONVERT}"
        )
    if any(words in detail for words in NOT_FOR_LIBSNDFILE):
        return f"cannot be decoded ({detail}); {CONVERT}, or {AGAIN}"
    return f"is corrupt or cut off ({detail}); {AGAIN}"
