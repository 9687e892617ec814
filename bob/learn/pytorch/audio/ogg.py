"""What is wrong with an ogg file where its decoder takes what it finds for the whole.

References
----------
RFC 3533, "The Ogg encapsulation format version 0", section 6.
"""

import os
import re
from pathlib import Path
from typing import Literal

HEADER_BYTES = 27
END_OF_STREAM = 4
# Begin of a page with one of the flags: first, or last page of a stream.
FIRST_PAGE = re.compile(rb"OggS\0[\x02\x03\x06\x07]")
LAST_PAGE = re.compile(rb"OggS\0[\x04-\x07]")


def fault(path: str | os.PathLike[str]) -> Literal["end", "several"] | None:
    """Find whether the end is missing, or several streams follow each other.

    None for a file without such a fault, and for one that is not ogg at all.
    """
    with Path(path).open("rb") as file:
        head = file.read(4)
        if head != b"OggS":
            return None
        content = head + file.read()
    if not _ends(content[content.rfind(b"OggS") :]):
        return "end"
    ended = LAST_PAGE.search(content)
    if ended and FIRST_PAGE.search(content, ended.end()):
        return "several"
    return None


def _ends(page: bytes) -> bool:
    """Whether a page is whole and says that it is the last."""
    if len(page) < HEADER_BYTES or not page[5] & END_OF_STREAM:
        return False
    segments = page[26]
    length = sum(page[HEADER_BYTES : HEADER_BYTES + segments])
    page = page[: HEADER_BYTES + segments + length]
    if len(page) < HEADER_BYTES + segments + length:
        return False
    # The checksum is that of the page with zeros in its place.
    noted = int.from_bytes(page[22:26], "little")
    return noted == _checksum(page[:22] + bytes(4) + page[26:])


def _checksum(page: bytes) -> int:
    """CRC-32 of ogg: not reflected, from 0, unlike that of `zlib`."""
    table = [_remainder(byte << 24) for byte in range(256)]
    checksum = 0
    for byte in page:
        checksum = (checksum << 8 & 0xFFFFFFFF) ^ table[checksum >> 24 ^ byte]
    return checksum


def _remainder(value: int) -> int:
    for _ in range(8):
        value = value << 1 ^ (0x104C11DB7 if value & 0x80000000 else 0)
    return value
