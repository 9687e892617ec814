"""Faults of an ogg file, of which its decoder takes what it finds for the whole.

References
----------
RFC 3533, "The Ogg encapsulation format version 0", section 6.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, NamedTuple

from bob.learn.pytorch.audio.content import AGAIN, CONVERT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bob.learn.pytorch.audio.content import Content

_HEADER_BYTES = 27
_OPUS_CLOCK = 48_000
_FIRST_OF_STREAM = 2
_END_OF_STREAM = 4


#: Every byte with its bits in the other order.
_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


class _Page(NamedTuple):
    start: int
    flags: int
    samples: int
    stream: int
    number: int
    whole: bool
    end: int


def check(content: Content) -> None:
    """Refuse an ogg with a missing end or pages, or several streams in a row.

    Every byte is looked at once: behind the first page that is not whole, only the name
    of another is sought.
    """
    firsts, seconds, ended = 0, 0.0, False
    clock = _clock(content)
    expected: dict[int, int] = {}
    for page in _pages(content):
        follows = page.whole and expected.setdefault(page.stream, page.number)
        if not page.whole or follows != page.number:
            if page.whole or content.find(b"OggS", page.start + 4) >= 0:
                raise content.refusal(
                    f"is corrupt: {seconds:.2f} s from its start a page of its ogg "
                    f"stream is damaged or missing; {AGAIN}"
                )
            ended = False
            break
        expected[page.stream] += 1
        firsts += bool(page.flags & _FIRST_OF_STREAM)
        if firsts > 1 and ended:
            raise content.refusal(
                f"holds several ogg streams one after the other, of which only the "
                f"first, {seconds:.2f} s, can be read; {CONVERT}"
            )
        seconds = max(seconds, page.samples / clock)
        ended = bool(page.flags & _END_OF_STREAM)
    if not ended:
        raise content.refusal(
            f"is cut off, or damaged at its end: {seconds:.2f} s are there, "
            f"and its last page is missing; {AGAIN}"
        )


def _clock(content: Content) -> int:
    """Return the samples a second of page counts: Vorbis' rate, 48000 of Opus."""
    head = content.at(_HEADER_BYTES + 1, 16)
    if head.startswith(b"\x01vorbis"):
        return int.from_bytes(head[12:16], "little") or _OPUS_CLOCK
    return _OPUS_CLOCK


def _pages(content: Content) -> Iterator[_Page]:
    """Yield page after page; one that is cut off or damaged is the last."""
    start = 0
    while start < content.size:
        page = _page(content, start)
        yield page
        follows = content.at(page.end, 4) == b"OggS"
        if not page.whole or (page.flags & _END_OF_STREAM and not follows):
            return  # what lies behind is no part of it
        start = page.end


def _page(content: Content, start: int) -> _Page:
    header = content.at(start, _HEADER_BYTES)
    if len(header) < _HEADER_BYTES or header[:4] != b"OggS":
        return _Page(start, 0, 0, 0, 0, whole=False, end=content.size)
    segments = content.at(start + _HEADER_BYTES, header[26])
    end = start + _HEADER_BYTES + len(segments) + sum(segments)
    page = content.at(start, end - start)
    stream, number = (
        int.from_bytes(header[place : place + 4], "little") for place in (14, 18)
    )
    whole = len(page) == end - start and int.from_bytes(
        header[22:26], "little"
    ) == _checksum(page[:22] + bytes(4) + page[26:])
    samples = int.from_bytes(header[6:14], "little", signed=True)
    return _Page(start, header[5], samples, stream, number, whole, end)


def _checksum(page: bytes) -> int:
    """Return the CRC-32 of ogg: zlib's with mirrored bits, from 0 and not inverted."""
    mirrored = zlib.crc32(page.translate(_MIRRORED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{mirrored:032b}"[::-1], 2)
