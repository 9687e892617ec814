"""What is wrong with an ogg file where its decoder takes what it finds for the whole.

References
----------
RFC 3533, "The Ogg encapsulation format version 0", section 6.
"""

import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

HEADER_BYTES = 27
FIRST_OF_STREAM = 2
END_OF_STREAM = 4

Fault = Literal["end", "several", "damaged"]

#: Every byte with its bits in the other order.
_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


class _Page(NamedTuple):
    flags: int
    stream: int
    number: int
    whole: bool


def fault(path: str | os.PathLike[str]) -> Fault | None:
    """Find whether the end is missing, pages are, or several streams follow each other.

    None for a file without such a fault, and for one that is not ogg at all.
    """
    with Path(path).open("rb") as file:
        head = file.read(4)
        if head != b"OggS":
            return None
        pages = list(_pages(head + file.read()))
    last = pages[-1]
    firsts = [page for page in pages if page.flags & FIRST_OF_STREAM]
    if len(firsts) > 1 and any(page.flags & END_OF_STREAM for page in pages[:-1]):
        return "several"
    if not all(page.whole for page in pages[:-1]) or _has_gap(pages):
        return "damaged"
    return None if last.whole and last.flags & END_OF_STREAM else "end"


def _has_gap(pages: list[_Page]) -> bool:
    """Whether the pages of a stream are not numbered one after the other."""
    expected: dict[int, int] = {}
    for page in filter(lambda page: page.whole, pages):
        if expected.setdefault(page.stream, page.number) != page.number:
            return True
        expected[page.stream] += 1
    return False


def _pages(content: bytes) -> Iterator[_Page]:
    """Page after page; one that is cut off or damaged is the last or not whole."""
    start = 0
    while start < len(content):
        header = content[start : start + HEADER_BYTES]
        count = header[26] if len(header) == HEADER_BYTES else 0
        first = start + HEADER_BYTES
        segments = content[first : first + count]
        end = start + HEADER_BYTES + len(segments) + sum(segments)
        page = content[start:end]
        stream, number = (
            int.from_bytes(header[place : place + 4], "little") for place in (14, 18)
        )
        whole = (
            header[:4] == b"OggS"
            and len(header) == HEADER_BYTES
            and end <= len(content)
            and int.from_bytes(header[22:26], "little")
            == _checksum(page[:22] + bytes(4) + page[26:])
        )
        yield _Page(header[5] if len(header) > 5 else 0, stream, number, whole)
        follows = content.startswith(b"OggS", end)
        if whole and header[5] & END_OF_STREAM and not follows:
            return  # what lies behind is no part of it
        if not whole:
            # The length may be wrong as well: go on where another page begins.
            end = content.find(b"OggS", start + 4)
            if end < 0:
                return
        start = end


def _checksum(page: bytes) -> int:
    """CRC-32 of ogg: that of `zlib` with the bits mirrored, from 0 and not inverted."""
    mirrored = zlib.crc32(page.translate(_MIRRORED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{mirrored:032b}"[::-1], 2)
