"""Decodes recordings: wav, flac, ogg, mp3 and what else libsndfile knows.

Nothing else in this package reads audio.
"""

from __future__ import annotations

import os
import stat
import zlib
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal

import numpy as np

from bob.learn.pytorch.audio.arrays import one_channel
from bob.learn.pytorch.audio.content import Content, View
from bob.learn.pytorch.audio.decoder import Decoder
from bob.learn.pytorch.audio.recording import UnreadableRecording
from bob.learn.pytorch.audio.sound import AGAIN
from bob.learn.pytorch.audio.waveform import Waveform
from bob.learn.pytorch.printing import printable

if TYPE_CHECKING:
    from collections.abc import Iterator


FILE_ERRORS = (OSError, EOFError, zlib.error)


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
        Which channel to take, counted from 0, or "mix" for their mean.
        None takes the only one, and refuses a file with several.
    name
        What messages call a file that is open; by default the name that it has.

    Returns
    -------
    Waveform
        Samples in [-1, 1] at the file's own rate.

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
    """Duration in seconds, sampling rate in hertz, number of channels.

    Read from the header, but for a flac that does not say its length. Of flac, ogg and
    mp3, a file that was cut off shows only in `read`.

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
) -> Iterator[Decoder]:
    """Open a recording to be decoded block by block.

    Raises
    ------
    UnreadableRecording, SampleRateError
        As `read`, for what the header and its place show.
    """
    source: AbstractContextManager[tuple[Content, str | bytes | View]]
    if isinstance(recording, str | os.PathLike):
        name = os.fspath(recording)
        source = _own(name)
    else:
        named = getattr(recording, "name", None)
        name = named if name is None and isinstance(named, str) else name
        source = _kept_position(recording, name)
    try:
        with source as (content, target), Decoder(content, target) as decoder:
            yield decoder
    except FILE_ERRORS as error:
        reason = f"cannot be read to its end ({type(error).__name__}: {error}); {AGAIN}"
        raise UnreadableRecording(reason, recording=name) from error


@contextmanager
def _own(name: str) -> Iterator[tuple[Content, str | bytes | View]]:
    """Yield the bytes of a file by its path."""
    _check_path(name)
    with Path(name).open("rb") as file:
        content = Content(file, name)
        _check_size(content)
        yield content, _encoded(name)


@contextmanager
def _kept_position(
    file: BinaryIO, name: str | None
) -> Iterator[tuple[Content, str | bytes | View]]:
    """Yield the bytes of a file that belongs to the caller."""
    expected = "expected a file open for reading in binary mode that can be sought"
    try:
        position = file.tell()
        is_binary = isinstance(file.read(0), bytes)
        content = Content(file, name)
    except (*FILE_ERRORS, ValueError, AttributeError, TypeError) as error:
        reason = f"cannot be read ({error}); {expected}, or a path"
        raise UnreadableRecording(reason, recording=name) from error
    try:
        if not is_binary:
            reason = f"is open as text; {expected}: `open(PATH, 'rb')`"
            raise UnreadableRecording(reason, recording=name)
        _check_size(content)
        yield content, View(content)
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
