"""The bytes of a recording by position, a window of them in memory at a time."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, BinaryIO

from bob.learn.pytorch.audio.recording import UnreadableRecording

if TYPE_CHECKING:
    from collections.abc import Iterator

WINDOW_BYTES = 2**18
# Of a header: chunks, tags, blocks. Real ones have a few; each takes a microsecond.
MOST_PARTS = 10_000
_NOT_ZERO = re.compile(rb"[^\0]")
_ID3_HEADER_BYTES = 10
_ID3_AT_THE_END_BYTES = 128


class Content:
    """Bytes of a file that can be sought.

    Attributes
    ----------
    name
        Of the recording, for messages.
    size
        In bytes.
    """

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
            self._window = self._file.read(max(count, WINDOW_BYTES))
            self._start, offset = start, 0
        return self._window[offset : offset + count]

    def windows(self, start: int, *, overlap: int = 0) -> Iterator[tuple[int, bytes]]:
        """Yield the rest of the file in pieces, with `overlap` bytes of the next."""
        while start < self.size:
            yield start, self.at(start, WINDOW_BYTES + overlap)
            start += WINDOW_BYTES

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


class View(io.RawIOBase):
    """The same bytes, a few of them perhaps replaced, as a file of its own.

    Parameters
    ----------
    content
        The bytes.
    place, replacement
        Position of the other bytes, and those bytes.
    """

    def __init__(
        self, content: Content, place: int = 0, replacement: bytes = b""
    ) -> None:
        self._content = content
        self._place, self._replacement = place, replacement
        self._position = 0

    def readable(self) -> bool:
        """Return that it can be read."""
        return True

    def seekable(self) -> bool:
        """Return that it can be sought."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a position; see `io.IOBase.seek`."""
        origin = {io.SEEK_CUR: self._position, io.SEEK_END: self._content.size}
        self._position = offset + origin.get(whence, 0)
        return self._position

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill a buffer from the position on; see `io.RawIOBase.readinto`."""
        start = self._position
        block = bytearray(self._content.at(start, len(buffer)))
        for place, byte in enumerate(self._replacement, self._place):
            if start <= place < start + len(block):
                block[place - start] = byte
        buffer[: len(block)] = block
        self._position += len(block)
        return len(block)
