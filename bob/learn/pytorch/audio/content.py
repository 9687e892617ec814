"""Bytes of a recording, and what its header says of them.

A window of the bytes is in memory at a time.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from bob.learn.pytorch.audio.recording import UnreadableRecording

if TYPE_CHECKING:
    from collections.abc import Iterator

_WINDOW_BYTES = 2**18
# Of a header: chunks, tags, blocks. Real ones have a few; each takes a microsecond.
MOST_PARTS = 10_000
_NOT_ZERO = re.compile(rb"[^\0]")
_ID3_HEADER_BYTES = 10
_ID3_AT_THE_END_BYTES = 128
AGAIN = "copy or download it again"
CONVERT = "convert it, for example with `ffmpeg -i INPUT OUTPUT.flac`"
_REPAIR = (
    "if that is sound too, write it with its length: `sox --ignore-length INPUT "
    "OUTPUT.flac` or, of a wav, `ffmpeg -ignore_length 1 -i INPUT OUTPUT.flac`"
)
# Zeros behind the samples are padding up to the end of a sector or cluster, not sound.
_LARGEST_PADDING_BYTES = 2**20
_TAGS = (b"TAG", b"ID3", b"APETAGEX", b"LYRICSBEGIN")
_NAME = re.compile(rb"[ -~]{4}")
# Behind the samples, a second file or second samples are no chunk of the first.
_SECOND = (
    b"RIFF", b"RIFX", b"RF64", b"FORM", b"caff", b"riff", b"data", b"SSND", b"BODY",
    b"fmt ",
)  # fmt: skip
_CUT_OFF_CHUNKS = (
    b"LIST", b"list", b"bext", b"iXML", b"cue ", b"smpl", b"PEAK", b"id3 ", b"ID3 ",
    b"JUNK", b"FLLR", b"_PMX", b"levl", b"afsp", b"DISP", b"NAME", b"ANNO", b"COMT",
)  # fmt: skip


class Content:
    """Bytes of a file that can be sought, with the name of the recording."""

    def __init__(self, file: BinaryIO, name: str | None) -> None:
        self._file = file
        self.name = name
        self.size = file.seek(0, io.SEEK_END)
        self._window, self._start = b"", 0

    def at(self, start: int, count: int) -> bytes:
        """Return `count` bytes from `start` on, fewer at the end of the file."""
        offset = start - self._start
        if offset < 0 or offset + count > len(self._window):
            if start >= self.size:
                return b""
            self._file.seek(start)
            self._window = self._file.read(max(count, _WINDOW_BYTES))
            self._start, offset = start, 0
        return self._window[offset : offset + count]

    def windows(self, start: int, *, overlap: int = 0) -> Iterator[tuple[int, bytes]]:
        """Yield the rest of the file in pieces, with `overlap` bytes of the next."""
        while start < self.size:
            yield start, self.at(start, _WINDOW_BYTES + overlap)
            start += _WINDOW_BYTES

    def find(self, pattern: bytes, start: int) -> int:
        """Return the first place of `pattern` from `start` on, or -1."""
        for at, window in self.windows(start, overlap=len(pattern) - 1):
            place = window.find(pattern)
            if place >= 0:
                return at + place
        return -1

    def after_zeros(self, start: int) -> int:
        """Return the first byte from `start` on that is not 0, or the size."""
        for at, window in self.windows(start):
            found = _NOT_ZERO.search(window)
            if found:
                return at + found.start()
        return max(start, self.size)

    def after_tags(self, start: int) -> int:
        """Return the first byte that belongs to no tag with a title or a singer."""
        for _ in range(MOST_PARTS):
            head = self.at(start, _ID3_HEADER_BYTES)
            if head[:3] == b"ID3" and len(head) == _ID3_HEADER_BYTES:
                sevens = zip(head[6:], (21, 14, 7, 0), strict=True)
                size = sum(bits << shift for bits, shift in sevens)
                start += _ID3_HEADER_BYTES + size
            elif head[:3] == b"TAG":
                start += _ID3_AT_THE_END_BYTES
            else:
                break
        return start

    def begin(self) -> int:
        """Return the first byte behind the tags that some programs put first."""
        return self.after_tags(0) if self.at(0, 3) == b"ID3" else 0

    def refusal(self, reason: str) -> UnreadableRecording:
        """Return the error that says what is wrong with this recording."""
        return UnreadableRecording(reason, recording=self.name)

    def unsupported(self, coding: str) -> UnreadableRecording:
        """Return the error on a file, perhaps whole, in a coding without a decoder."""
        return self.refusal(
            f"holds {coding}, a coding that is not supported; {CONVERT}"
        )

    def cut_off(self, found: int, promised: int, rate: int) -> UnreadableRecording:
        """Return the error on a file of fewer samples than its header promises."""
        return self.refusal(
            f"is cut off: {found / rate:.2f} s of the {promised / rate:.2f} s ({found} "
            f"of {promised} samples) that its header promises; {AGAIN}"
        )


class Chunks(NamedTuple):
    """Layout of the chunks of a container."""

    name_bytes: int = 4
    size_bytes: int = 4
    order: str = "little"
    alignment: int = 2  # each chunk begins at a multiple of it
    counts_itself: bool = False  # the size takes in name and size

    def walk(self, content: Content, start: int) -> Iterator[Chunk]:
        """Yield chunk after chunk, up to bytes that are none.

        Some programs forget to pad a chunk of odd length: where the next one only makes
        sense without the padding, it begins there.
        """
        for _ in range(MOST_PARTS):
            chunk = self._at(content, start)
            if chunk is None:
                return
            yield chunk
            end = chunk.start + chunk.length
            start = end + -end % self.alignment
            if start > end and self.alignment == 2:
                forgotten = self._at(content, end)
                if forgotten and self._at(content, start) is None:
                    start = end

    def _at(self, content: Content, start: int) -> Chunk | None:
        """Return the chunk that begins at a byte, None where its name cannot be one."""
        size = self.name_bytes + self.size_bytes
        header = content.at(start, size)
        if len(header) < size or not _NAME.match(header):
            return None
        length = int.from_bytes(header[self.name_bytes :], self.order)  # type: ignore[arg-type]
        if self.counts_itself:
            length -= size
        return None if length < 0 else Chunk(header[:4], start + size, length)


class Chunk(NamedTuple):
    """One chunk: its name, and the place and bytes of its content."""

    name: bytes
    start: int
    length: int


@dataclass(frozen=True)
class Sound:
    """Samples of a file by its header; numbers are bytes, the rate is in hertz."""

    container: str  # for messages, such as "wav"
    start: int
    length: int | None  # None where the header does not tell
    frame: int = 0  # one sample of all channels; 0 where they are coded in packets
    rate: int = 0  # 0 where it stands elsewhere
    chunks: Chunks | None = None  # behind the samples, where there are any
    end_bytes: int = 0  # of what ends the file behind the samples
    # Place of a length and the bytes to put there, so that a decoder which does not
    # know of open lengths takes all there is.
    replacement: tuple[int, bytes] | None = None

    @property
    def samples(self) -> int | None:
        """Count of a channel by the header, None where only decoding tells."""
        if self.length is None or not self.frame:
            return None
        return self.length // self.frame

    def extent(self, count: int) -> str:
        """Return "N bytes" with their seconds, where bytes are seconds."""
        if not self.rate or not self.frame:
            return f"{count} bytes"
        return f"{count} bytes ({count / self.frame / self.rate:.2f} s)"


def check(sound: Sound, content: Content) -> Sound:
    """Hold what a header says against the bytes, and return it with its length.

    Fewer bytes are refused, more, a part of a sample, and a length never filled in.
    """
    present = content.size - sound.start
    if present < 0:
        raise content.refusal(
            f"is cut off: its {content.size} bytes end within its header of "
            f"{sound.start}; {AGAIN}"
        )
    length = _open_length(sound, content) if sound.length is None else sound.length
    if length > present:
        raise content.refusal(f"is cut off: {_part(sound, present, length)}; {AGAIN}")
    behind = sound.start + length
    explained = _explained(sound, content, behind)
    if not length and not explained:
        raise content.refusal(
            "has a header that was never finished: it says 0 bytes of sound, and "
            f"{sound.extent(present)} follow it; {_REPAIR}"
        )
    if sound.frame and length % sound.frame:
        raise content.refusal(
            f"contradicts itself: its {length} bytes of sound are no whole number of "
            f"samples of {sound.frame} bytes, so bytes are missing or too much, and "
            f"from there on it is noise; {AGAIN}"
        )
    if not explained:
        raise content.refusal(
            f"holds more than its header says: {sound.extent(length)} by the header, "
            f"and {sound.extent(content.size - behind)} behind them that belong to no "
            "chunk, as where the length is stale or the file is above 4 GiB; "
            f"{_REPAIR}"
        )
    return replace(sound, length=length)


def _part(sound: Sound, present: int, length: int) -> str:
    if not sound.rate or not sound.frame:
        return f"{present} of the {length} bytes that its header promises"
    seconds = sound.frame * sound.rate
    return (
        f"{present / seconds:.2f} s of the {length / seconds:.2f} s ("
        f"{present // sound.frame} of {length // sound.frame} samples) that its header "
        "promises"
    )


def _open_length(sound: Sound, content: Content) -> int:
    """Return all there is, less the byte that pads an odd number of them."""
    present = max(0, content.size - sound.start)
    odd = sound.frame and present % sound.frame == 1 and present % 2 == 0
    if odd and content.at(content.size - 1, 1) == b"\0":
        return present - 1
    return present


def _explained(sound: Sound, content: Content, behind: int) -> bool:
    """Return whether the bytes behind the samples are chunks, tags or padding."""
    if sound.chunks is not None:
        style = sound.chunks
        if content.size - behind == -behind % style.alignment:
            return True
        for place in {behind, behind + -behind % style.alignment}:
            end = _after_chunks(content, place, style)
            if end is not None and _padding(sound, content, end):
                return True
    return _padding(sound, content, behind)


def _after_chunks(content: Content, start: int, style: Chunks) -> int | None:
    """Return the byte behind all chunks, None where there is none."""
    end = None
    for chunk in style.walk(content, start):
        if chunk.name in _SECOND:
            return end
        if chunk.start + chunk.length > content.size:
            return content.size if chunk.name in _CUT_OFF_CHUNKS else end
        end = chunk.start + chunk.length
        end = min(end + -end % style.alignment, content.size)
    return end


def _padding(sound: Sound, content: Content, start: int) -> bool:
    """Return whether nothing follows but a tag or zeros, and no part of a sample."""
    left = content.size - start
    if left <= sound.end_bytes:
        return True
    if content.at(start, 16).startswith(_TAGS):
        return True
    if max(sound.frame, 2) > left or left > _LARGEST_PADDING_BYTES:
        return False
    return content.after_zeros(start) == content.size
