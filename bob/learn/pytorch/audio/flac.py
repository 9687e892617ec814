"""Header of a flac, and the sound that came out of it, held against each other.

References
----------
RFC 9639, "Free Lossless Audio Codec (FLAC)", sections 8.2 and 9.1.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from bob.learn.pytorch.audio.content import AGAIN, CONVERT, MOST_PARTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bob.learn.pytorch.audio.content import Content

_BLOCK_HEADER_BYTES = 4
_HEADER_BYTES = 34
_COUNT_BITS = 36
# Of a sample by its bits, as libsndfile decodes them.
_TYPES = {8: "<i1", 16: "<i2", 24: "<i4"}
_RATES = {
    1: 88_200, 2: 176_400, 3: 192_000, 4: 8000, 5: 16_000, 6: 22_050, 7: 24_000,
    8: 32_000, 9: 44_100, 10: 48_000, 11: 96_000,
}  # fmt: skip


@dataclass(frozen=True)
class Flac:
    """Fields of the header."""

    rate: int  # in hertz
    bits: int  # of one sample
    samples: int  # of one channel; 0 where unknown, as when written to a pipe
    digest: bytes  # MD5 of the samples; empty where it was not computed
    # Place of the count and what to put there so that the decoder takes all there is;
    # None where the count can be relied on, since the digest would tell.
    replacement: tuple[int, bytes] | None

    @classmethod
    def of(cls, content: Content) -> Flac | None:
        """Read the header of a flac; None for anything else.

        A first frame of another rate is refused, and a second flac that follows.
        """
        start = content.begin()
        begin = content.at(start, 4 + _BLOCK_HEADER_BYTES + _HEADER_BYTES)
        if begin[:4] != b"fLaC" or len(begin) < 4 + _BLOCK_HEADER_BYTES + _HEADER_BYTES:
            return None
        _check_alone(content, start)
        fields = int.from_bytes(begin[18:26], "big")
        count = fields & 2**_COUNT_BITS - 1
        digest = begin[26:42].strip(b"\0") and begin[26:42]
        rate = fields >> 44
        _check_rate(content, start + 4, rate)
        replacement = None
        if not count or not digest:
            open_count = fields | 2**_COUNT_BITS - 1
            replacement = start + 18, open_count.to_bytes(8, "big")
        return cls(rate, (fields >> _COUNT_BITS & 31) + 1, count, digest, replacement)

    def counting(self) -> _Digest:
        """Return what counts samples and holds them against this header."""
        return _Digest(self)


def _check_alone(content: Content, start: int) -> None:
    """Refuse several in one file, of which only the first would be decoded."""
    for last in (b"\0", b"\x80"):
        place = content.find(b"fLaC" + last + b"\0\0\x22", start + 4)
        if place >= 0:
            raise content.refusal(
                f"holds several flac streams, of which only the first, up to byte "
                f"{place} of {content.size}, can be read; {CONVERT}"
            )


def _check_rate(content: Content, place: int, rate: int) -> None:
    """Hold the rate of the header against that of the first frame behind it."""
    for _ in range(MOST_PARTS):
        block = content.at(place, _BLOCK_HEADER_BYTES)
        if len(block) < _BLOCK_HEADER_BYTES:
            return
        place += _BLOCK_HEADER_BYTES + int.from_bytes(block[1:], "big")
        if block[0] & 0x80:
            break
    frame = content.at(place, 9).ljust(9, b"\0")
    if frame[0] != 0xFF or frame[1] & 0xFE != 0xF8:
        return
    said = _RATES.get(frame[2] & 15)
    if said is not None and said != rate:
        raise content.refusal(
            f"contradicts itself: its header says {rate} hertz, and its first frame "
            f"{said} hertz; {AGAIN}"
        )


@dataclass
class _Digest:
    """Checksum and count of samples as they are decoded."""

    flac: Flac
    samples: int = 0
    _sum: Any = field(default_factory=lambda: hashlib.md5(usedforsecurity=False))

    def add(self, block: NDArray[np.float64]) -> None:
        """Count in (time, channels) in [-1, 1]."""
        self.samples += len(block)
        bits = self.flac.bits
        if self.flac.digest and bits in _TYPES:
            numbers = (block * 2.0 ** (bits - 1)).astype(_TYPES[bits])
            octets = numbers.reshape(-1, 1).view(np.uint8)[:, : bits // 8]
            self._sum.update(np.ascontiguousarray(octets))

    def check(self, content: Content) -> None:
        """Refuse samples of another count or checksum than the header promises."""
        flac = self.flac
        if flac.samples and flac.samples != self.samples:
            relation = "is cut off" if self.samples < flac.samples else "is corrupt"
            raise content.refusal(
                f"{relation}: its header promises {flac.samples} samples, and "
                f"{self.samples} are there; {AGAIN}"
            )
        wrong = flac.digest and flac.bits in _TYPES
        if wrong and self._sum.digest() != flac.digest:
            raise content.refusal(
                f"is corrupt: the {self.samples} samples in it have another checksum "
                f"(MD5) than its header promises; {AGAIN}"
            )
