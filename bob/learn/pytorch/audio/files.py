"""Decodes recordings: wav, flac, ogg, mp3 and what else libsndfile knows.

Nothing else in this package reads audio. A recording is decoded block by block; `read`
joins the blocks.
"""

from __future__ import annotations

import io
import os
import stat
import zlib
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal

import numpy as np

from bob.learn.pytorch.audio.arrays import (
    BLOCK_SAMPLES,
    float_factor,
    one_channel,
    whole_rate,
)
from bob.learn.pytorch.audio.content import AGAIN, CONVERT, Content
from bob.learn.pytorch.audio.recording import UnreadableRecording
from bob.learn.pytorch.audio.waveform import Waveform
from bob.learn.pytorch.printing import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    import soundfile
    from numpy.typing import NDArray

    from bob.learn.pytorch.audio.content import Sound
    from bob.learn.pytorch.audio.flac import Flac
    from bob.learn.pytorch.audio.mpeg import Mpeg

_FILE_ERRORS = (OSError, EOFError, zlib.error)
# Of more channels a block has fewer samples.
_BLOCK_CHANNELS = 8
# Length by libsndfile of a file of which it cannot tell.
NO_LENGTH_SAMPLES = 2**62
# Of what libsndfile says. The second is on what may be an mp3 and has no frames.
_NOT_AUDIO = ("not recognised", "not a regular file")
# What libsndfile says of a whole file that it cannot follow, as of one that is damaged.
_NOT_FOR_LIBSNDFILE = ("psf_fseek", "Unspecified internal error", "unknown error")
# What it says of a coding that it was built without, or does not know.
_NOT_SUPPORTED = ("unimplemented format", "unsupported encoding")


def read(
    recording: str | os.PathLike[str] | BinaryIO,
    *,
    channel: int | Literal["mix"] | None = None,
    name: str | None = None,
) -> Waveform:
    """Decode one recording.

    Parameters
    ----------
    recording
        Path of a file of any format and subtype that libsndfile reads, or a file that
        is open in binary mode. Such a file is read from its first byte on, whatever its
        position, and has the same position afterwards.
    channel
        Channel to take, counted from 0, or "mix" for their mean.
        None takes the only one, and refuses a file with several.
    name
        Name of an open file in messages; by default its own.

    Returns
    -------
    Waveform
        Samples (time,) in [-1, 1] at the file's own rate.

    Raises
    ------
    UnreadableRecording
        Missing, no regular file, empty, corrupt, cut off, contradictory, in a coding
        that is not supported, or not audio.
    SampleRateError
        A rate in the header that no recording has.
    ChannelError
        Several channels without `channel`, or a channel that is not there.

    Notes
    -----
    Floats are scaled by their peak, as `as_waveform` scales an array of them.

    Damage shows where the format tells of it: another count of bytes or samples than
    the header promises, fields of the header that contradict each other, a broken
    checksum in flac or ogg, an ogg without its last page, bytes between the frames of
    an mp3. It does not show where samples are wrong in a wav, AIFF or other plain
    container of the right length, within a frame of an mp3, where an mp3 without a
    count of its frames was cut off exactly between two, and in PAF, PVF, IRCAM and SD2,
    which do not say how long they are. On a damaged mp3, libmpg123 may write notes of
    its own to the standard error stream.
    """
    with opened(recording, name) as decoder:
        blocks = [np.zeros((0, decoder.channels)), *decoder.blocks()]
        return Waveform(
            one_channel(
                np.concatenate(blocks), channel=channel, recording=decoder.name
            ),
            decoder.rate,
            name=decoder.name,
        )


def info(path: str | os.PathLike[str]) -> tuple[float, int, int]:
    """Return duration in seconds, sampling rate in hertz, number of channels.

    They are read from the header, but for a flac that does not say its length. A cut
    off flac, ogg or mp3 shows only in `read`.

    Raises
    ------
    UnreadableRecording, SampleRateError
        As `read`.
    """
    with opened(path) as decoder:
        samples = decoder.samples
        if samples is None:
            samples = sum(map(len, decoder.blocks()))
        return samples / decoder.rate, decoder.rate, decoder.channels


@contextmanager
def opened(
    recording: str | os.PathLike[str] | BinaryIO, name: str | None = None
) -> Iterator[_Decoder]:
    """Open a recording to be decoded block by block."""
    source: AbstractContextManager[tuple[Content, str | bytes | _View]]
    if isinstance(recording, str | os.PathLike):
        name = os.fspath(recording)
        source = _own(name)
    else:
        named = getattr(recording, "name", None)
        name = named if name is None and isinstance(named, str) else name
        source = _kept_position(recording, name)
    try:
        with source as (content, target), _Decoder(content, target) as decoder:
            yield decoder
    except _FILE_ERRORS as error:
        reason = f"cannot be read to its end ({type(error).__name__}: {error}); {AGAIN}"
        raise UnreadableRecording(reason, recording=name) from error


@contextmanager
def _own(name: str) -> Iterator[tuple[Content, str | bytes | _View]]:
    """Yield the bytes of a file by its path."""
    _check_path(name)
    with Path(name).open("rb") as file:
        content = Content(file, name)
        _check_size(content)
        # soundfile takes bytes also where the name is not UTF-8.
        yield content, name if os.name == "nt" else os.fsencode(name)


@contextmanager
def _kept_position(
    file: BinaryIO, name: str | None
) -> Iterator[tuple[Content, str | bytes | _View]]:
    """Yield the bytes of a file that belongs to the caller."""
    expected = "expected a file open for reading in binary mode that can be sought"
    try:
        position = file.tell()
        is_binary = isinstance(file.read(0), bytes)
        content = Content(file, name)
    except (*_FILE_ERRORS, ValueError, AttributeError, TypeError) as error:
        reason = f"cannot be read ({error}); {expected}, or a path"
        raise UnreadableRecording(reason, recording=name) from error
    try:
        if not is_binary:
            reason = f"is open as text; {expected}: `open(PATH, 'rb')`"
            raise UnreadableRecording(reason, recording=name)
        _check_size(content)
        yield content, _View(content)
    finally:
        file.seek(position)


def _check_size(content: Content) -> None:
    if not content.size:
        raise content.refusal(f"holds 0 bytes; {AGAIN}")


def _check_path(name: str) -> None:
    """Open the file once, since libsndfile says only "System error"."""
    if not name:
        raise UnreadableRecording("has an empty path; expected that of an audio file")
    path = Path(name)
    try:
        _check_regular(path.stat().st_mode, name)
        path.open("rb").close()
    except FileNotFoundError:
        raise UnreadableRecording(_missing(path), recording=name) from None
    except UnreadableRecording:
        raise
    except (OSError, ValueError) as error:
        reason = f"cannot be opened ({getattr(error, 'strerror', None) or error})"
        raise UnreadableRecording(reason, recording=name) from error


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


def _missing(path: Path) -> str:
    near = path.absolute().parent
    while not near.exists():
        near = near.parent
    if near == path.absolute().parent:
        return "does not exist; check the name, the extension and the directory"
    near_name = printable(str(near))
    return f"does not exist, nor does its directory (what does exist is {near_name})"


class _View(io.RawIOBase):
    """The bytes of a recording as a file, with ``replacement`` at ``place``."""

    def __init__(
        self, content: Content, place: int = 0, replacement: bytes = b""
    ) -> None:
        self._content = content
        self._place, self._replacement = place, replacement
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        origin = {io.SEEK_CUR: self._position, io.SEEK_END: self._content.size}
        self._position = offset + origin.get(whence, 0)
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        start = self._position
        block = bytearray(self._content.at(start, len(buffer)))
        for place, byte in enumerate(self._replacement, self._place):
            if start <= place < start + len(block):
                block[place - start] = byte
        buffer[: len(block)] = block
        self._position += len(block)
        return len(block)


class _Decoder:
    """A recording that is open: header, samples, and whether they agree.

    Attributes
    ----------
    rate, channels
        Hertz, and count of channels.
    samples
        Count in one channel by the header; None where it does not tell.
    """

    def __init__(self, content: Content, target: str | bytes | _View) -> None:
        self.name = content.name
        self._content = content
        self._sound: Sound | None = None
        self._flac: Flac | None = None
        # Only the module that reads this kind of file is loaded.
        if content.at(content.begin(), 4) == b"fLaC":
            from bob.learn.pytorch.audio.flac import Flac

            self._flac = Flac.of(content)
        else:
            from bob.learn.pytorch.audio import headers

            self._sound = headers.find(content)
        changed = self._sound or self._flac
        if changed is not None and changed.replacement is not None:
            target = _View(content, *changed.replacement)
        self._file = self._open(target)
        try:
            self.rate = whole_rate(self._file.samplerate, recording=self.name)
        except ValueError:
            self._file.close()
            raise
        self.channels = int(self._file.channels)
        self.samples: int | None = int(self._file.frames)
        if self._flac is not None:
            self.samples = self._flac.samples or None
        elif self._sound is not None and self._sound.samples is not None:
            self.samples = self._sound.samples

    def __enter__(self) -> _Decoder:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def blocks(self) -> Iterator[NDArray[np.float64]]:
        """Yield all samples, (time, channels) in [-1, 1], once only.

        Faults are raised before the first block, on the way, or behind the last.
        """
        self._check_ogg()
        frames = self._frames()
        if frames is not None:
            frames.check(self._content, self.rate)
        digest = None if self._flac is None else self._flac.counting()
        factor, decoded = self._factor(), 0
        for block in self._decoded():
            decoded += len(block)
            if digest is not None:
                digest.add(block)
            yield block if factor == 1 else block * factor
        if digest is not None:
            digest.check(self._content)
        elif "MPEG" in self._file.subtype:
            if frames is None:
                raise self._content.refusal(
                    "does not begin as an mp3, but has parts of one; "
                    f"{AGAIN}, or {CONVERT}"
                )
            frames.check_decoded(self._content, decoded)
        else:
            self._check_complete(decoded)

    def _open(self, target: str | bytes | _View) -> soundfile.SoundFile:
        import soundfile

        try:
            file = soundfile.SoundFile(target)
        except (soundfile.SoundFileError, TypeError) as error:
            self._check_ogg()
            raise self._content.refusal(self._reason(error)) from error
        # soundfile would seek behind each block, which not every coding can.
        file.seekable = lambda: False
        return file

    def _check_ogg(self) -> None:
        if self._content.at(0, 4) == b"OggS":
            from bob.learn.pytorch.audio import ogg

            ogg.check(self._content)

    def _frames(self) -> Mpeg | None:
        """Return the frames of an mp3, or of one inside of a wav."""
        if self._flac or (self._sound and "MPEG" not in self._file.subtype):
            return None
        from bob.learn.pytorch.audio.mpeg import Mpeg

        if self._sound is None:
            return Mpeg.of(self._content)
        start = self._sound.start
        return Mpeg.of(self._content, start, start + (self._sound.length or 0))

    def _factor(self) -> float:
        """Return the factor of floats, by the peak of the whole file."""
        if self._file.subtype not in ("FLOAT", "DOUBLE"):
            return 1.0
        factor = float_factor(self._decoded(), recording=self.name)
        self._file.seek(0)
        return factor

    def _decoded(self) -> Iterator[NDArray[np.float64]]:
        import soundfile

        most = BLOCK_SAMPLES * _BLOCK_CHANNELS // max(_BLOCK_CHANNELS, self.channels)
        decoded = 0
        while (count := min(most, self._file.frames - decoded)) > 0:
            try:
                block = self._file.read(count, dtype="float64", always_2d=True)
            except soundfile.SoundFileError as error:
                raise self._content.refusal(self._reason(error)) from error
            if not len(block):
                return
            decoded += len(block)
            yield np.asarray(block)

    def _check_complete(self, decoded: int) -> None:
        promised = self.samples
        if promised is None or promised >= NO_LENGTH_SAMPLES:
            return
        if decoded < promised:
            raise self._content.cut_off(decoded, promised, self.rate)
        if decoded > promised:
            raise self._content.refusal(
                f"contradicts itself: its header promises {promised} samples, and "
                f"{decoded} came out of it; {AGAIN}"
            )

    def _reason(self, error: Exception) -> str:
        detail = str(getattr(error, "error_string", error)).strip().rstrip(".")
        detail = detail.removeprefix("Error : ")
        if isinstance(error, TypeError) or any(words in detail for words in _NOT_AUDIO):
            return (
                f"is not audio that can be read, or too little of it "
                f"({self._content.size} bytes); expected wav, flac, ogg or mp3: "
                f"{CONVERT}"
            )
        is_flac = self._content.at(0, 4) == b"fLaC"
        if any(words in detail for words in _NOT_SUPPORTED) and not is_flac:
            return f"is in a coding that is not supported ({detail}); {CONVERT}"
        if any(words in detail for words in _NOT_FOR_LIBSNDFILE):
            return f"cannot be decoded ({detail}); {CONVERT}, or {AGAIN}"
        return f"is corrupt or cut off ({detail}); {AGAIN}"
