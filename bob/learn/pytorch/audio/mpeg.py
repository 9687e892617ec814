"""How many samples an mp3 holds, and whether something between its frames is broken.

Its decoder passes over broken frames, and where the file does not say its length,
libsndfile guesses one and stops there. Frames say their own length, so a walk along
their headers, 0.1 s for an hour, finds both.

References
----------
ISO/IEC 11172-3 section 2.4.1.3 and 13818-3 section 2.4.1.3, the header of a frame.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_COARSE = (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384)
_LOW = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
FEWEST_FRAMES = 2
# By whether it is MPEG 1, and layer: kilobits a second, from index 1.
_KILOBITS = {
    (True, 1): tuple(range(32, 449, 32)),
    (True, 2): _COARSE,
    (True, 3): (32, 40, *_COARSE[1:-1]),
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): _LOW,
    (False, 3): _LOW,
}
_RATES = (44_100, 48_000, 32_000)
_HALVED = {3: 0, 2: 1, 0: 2}  # version bits of MPEG 1, 2 and 2.5
_ID3_HEADER_BYTES = 10
_ID3_AT_THE_END_BYTES = 128
# A frame that is only a note on the file, and what decoders take off for the delay and
# the padding of the encoder, at most.
NOTE_SAMPLES = 1152
TRIMMED_SAMPLES = 2 * 4095


@dataclass(frozen=True)
class Mpeg:
    """What the frames of a file say.

    Attributes
    ----------
    rate
        In hertz.
    samples
        In all whole frames.
    promised
        Samples in as many frames as the file says it has, or None.
    broken
        Whether frames come again after bytes that belong to none.
    cut_off
        Whether the last frame is not whole.
    """

    rate: int
    samples: int
    promised: int | None
    broken: bool
    cut_off: bool

    @property
    def due(self) -> int:
        """Fewest samples that a decoder has to give."""
        if self.promised is None:
            return self.samples
        return self.samples - NOTE_SAMPLES - TRIMMED_SAMPLES


@dataclass(frozen=True)
class _Frame:
    start: int
    length: int
    samples: int
    rate: int


def scan(path: str | os.PathLike[str]) -> Mpeg | None:
    """Walk along the frames of a file; None where it does not begin with two of them.

    Damage within a frame does not show, nor a file without a count of its frames that
    was cut off exactly between two.
    """
    with Path(path).open("rb") as file:
        head = file.read(3)
        if not re.match(rb"ID3|\xff[\xe2-\xff]|\0", head):
            return None
        content = head + file.read()
    frames = list(_frames(content, _after_zeros(content, _after_tags(content, 0))))
    if len(frames) < FEWEST_FRAMES:
        return None
    first, last = frames[0], frames[-1]
    end = last.start + last.length
    samples = (len(frames) - (end > len(content))) * first.samples
    count = _count(content[first.start : first.start + first.length])
    promised = None if count is None else count * first.samples
    return Mpeg(
        rate=first.rate,
        samples=samples,
        promised=promised,
        broken=_go_on(content, end, first),
        cut_off=end > len(content),
    )


def _frames(content: bytes, start: int) -> Iterator[_Frame]:
    """Frames of one kind that follow each other, tags between them passed over."""
    kind = _kind(content, start)
    while (frame := _frame(content, start)) and _kind(content, start) == kind:
        yield frame
        start = _after_tags(content, start + frame.length)


def _kind(content: bytes, start: int) -> tuple[int, int]:
    """Version, layer and rate: they do not change within a file."""
    bits = int.from_bytes(content[start : start + 4], "big")
    return bits >> 17, bits >> 10 & 3


def _frame(content: bytes, start: int) -> _Frame | None:
    """The frame that begins at a byte, if one does."""
    if len(content) < start + 4:
        return None
    bits = int.from_bytes(content[start : start + 4], "big")
    halved, layer = _HALVED.get(bits >> 19 & 3), 4 - (bits >> 17 & 3)
    index, rate_index = bits >> 12 & 15, bits >> 10 & 3
    if bits >> 21 != 0x7FF or halved is None or layer == 4:
        return None
    if index in (0, 15) or rate_index == 3:
        return None
    first_version = halved == 0
    rate = _RATES[rate_index] >> halved
    samples = {1: 384, 2: 1152, 3: 1152 if first_version else 576}[layer]
    slot = 4 if layer == 1 else 1
    bits_a_second = 1000 * _KILOBITS[first_version, layer][index - 1]
    slots = samples // 8 // slot * bits_a_second // rate + (bits >> 9 & 1)
    return _Frame(start, slots * slot, samples, rate)


def _after_tags(content: bytes, start: int) -> int:
    """The first byte that does not belong to a tag with a title or a singer."""
    while True:
        head = content[start : start + _ID3_HEADER_BYTES]
        if head[:3] == b"ID3" and len(head) == _ID3_HEADER_BYTES:
            sevens = zip(head[6:], (21, 14, 7, 0), strict=True)
            start += _ID3_HEADER_BYTES + sum(bits << shift for bits, shift in sevens)
        elif head[:3] == b"TAG":
            start += _ID3_AT_THE_END_BYTES
        else:
            return start


def _after_zeros(content: bytes, start: int) -> int:
    while content[start : start + 1] == b"\0":
        start += 1
    return start


def _count(frame: bytes) -> int | None:
    """Frames that follow, by the first frame where that is a note on the file."""
    for tag, offset in ((b"Xing", 8), (b"Info", 8), (b"VBRI", 14)):
        place = frame.find(tag)
        has_count = tag == b"VBRI" or (place >= 0 and frame[place + 7] & 1)
        if place >= 0 and has_count:
            return int.from_bytes(frame[place + offset : place + offset + 4], "big")
    return None


def _go_on(content: bytes, start: int, first: _Frame) -> bool:
    """Whether frames of the same kind come again after some that are broken."""
    sync = content[first.start : first.start + 2]
    kind = _kind(content, first.start)
    pattern = re.compile(re.escape(sync[:1]) + b"[" + _either(sync[1]) + b"]")
    for found in pattern.finditer(content, start):
        frame = _frame(content, found.start())
        if frame and _kind(content, frame.start) == kind:
            after = frame.start + frame.length
            if _frame(content, after) and _kind(content, after) == kind:
                return True
    return False


def _either(byte: int) -> bytes:
    """A byte with and without its last bit, which tells of a checksum, escaped."""
    return re.escape(bytes((byte & 0xFE, byte | 1)))
