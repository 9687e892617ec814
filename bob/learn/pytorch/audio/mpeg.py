"""Frames of an mp3: how many samples they hold, and damage between them.

Its decoder passes over broken frames, and where the file does not say its length,
libsndfile guesses one and stops there. Frames say their own length, so a walk along
their headers, 0.1 s for an hour, finds both.

References
----------
ISO/IEC 11172-3 section 2.4.1.3 and 13818-3 section 2.4.1.3, the header of a frame.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from bob.learn.pytorch.audio.content import AGAIN, CONVERT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from bob.learn.pytorch.audio.content import Content

_COARSE = (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384)
_LOW = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_FEWEST_FRAMES = 2
# Behind those of a file: fewer may be chance.
_FEWEST_OF_ANOTHER_KIND = 3
_SYNC, _MONO = 0x7FF, 3
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
# A frame that is only a note on the file.
_NOTE_SAMPLES = 1152
# Counts in mp3 headers take in the encoder's padding, two MPEG frames, where they do
# not say how much it is.
_TOLERANCE_SAMPLES = 2 * 1152
# Where a note says the delay and the padding of the encoder, behind its tables.
_NOTED = ((1, 4), (2, 4), (4, 100), (8, 4))
_PADDING_BYTE = 21


@dataclass(frozen=True)
class Mpeg:
    """Summary of the frames of a file."""

    rate: int  # in hertz
    samples: int  # in all whole frames
    promised: int | None  # in as many frames as the file says it has
    trimmed: int  # that decoders take off, as the file says: delay and padding
    broken: bool  # frames come again after bytes that belong to none
    cut_off: bool  # the last frame is not whole
    other: tuple[int, int] | None = None  # hertz and channels of what follows

    @classmethod
    def of(
        cls, content: Content, start: int = 0, end: int | None = None
    ) -> Mpeg | None:
        """Walk along the frames of a file; None where it does not begin with two.

        Damage within a frame does not show, nor a file without a count of its frames
        that was cut off exactly between two.
        """
        end = content.size if end is None else end
        if not re.match(rb"ID3|\xff[\xe2-\xff]|\0", content.at(start, 3)):
            return None
        first = last = None
        count = 0
        begin = content.after_zeros(content.after_tags(start))
        for frame in _frames(content, begin, end):
            first, last, count = first or frame, frame, count + 1
        if first is None or last is None or count < _FEWEST_FRAMES:
            return None
        after = last.start + last.length
        note, trimmed = _count(content.at(first.start, first.length))
        return cls(
            rate=first.rate,
            samples=(count - (after > end)) * first.samples,
            promised=None if note is None else note * first.samples,
            trimmed=trimmed,
            broken=_go_on(content, after, end, first),
            cut_off=after > end,
            other=_changed(content, after, end),
        )

    @property
    def due(self) -> int:
        """Fewest samples that a decoder has to give."""
        noted = 0 if self.promised is None else _NOTE_SAMPLES + self.trimmed
        return self.samples - noted

    def check(self, content: Content, rate: int) -> None:
        """Refuse a damaged mp3 before its decoder passes over the damage."""
        seconds = self.samples / self.rate
        if self.other is not None:
            rate, channels = self.other
            raise content.refusal(
                f"goes on after {seconds:.2f} s of {self.rate} hertz with a part of "
                f"{rate} hertz and {channels} channel{'s' * (channels > 1)}, which "
                f"would be left out; {CONVERT}"
            )
        if self.broken:
            reason = f"is corrupt: {seconds:.2f} s from its start something is lost"
            raise content.refusal(f"{reason}; {AGAIN}")
        if self.promised is not None and self.samples < self.promised:
            raise content.cut_off(self.samples, self.promised, rate)
        counted = self.promised
        if counted is not None and self.samples > counted + 2 * _NOTE_SAMPLES:
            raise content.refusal(
                f"goes on behind the {counted / self.rate:.2f} s that its header "
                f"counts, up to {seconds:.2f} s, which would be left out; {CONVERT}"
            )
        if self.cut_off:
            reason = f"is cut off: after {seconds:.2f} s it ends within a frame"
            raise content.refusal(f"{reason}; {AGAIN}")

    def check_decoded(self, content: Content, decoded: int) -> None:
        """Refuse what its decoder gave only a part of."""
        tolerance = _NOTE_SAMPLES if self.trimmed else _TOLERANCE_SAMPLES
        if decoded + tolerance < self.due:
            raise content.refusal(
                f"can be read only in part, {decoded} of at least {self.due} samples, "
                f"since it does not say how long it is; {CONVERT}"
            )


@dataclass(frozen=True)
class _Frame:
    start: int
    length: int
    samples: int
    rate: int
    kind: int


def _frames(content: Content, start: int, end: int) -> Iterator[_Frame]:
    """Yield frames of one kind that follow each other, and pass over tags."""
    kind = None
    while start < end and (frame := _frame(content, start)):
        if kind is not None and frame.kind != kind:
            return
        kind = frame.kind
        yield frame
        start += frame.length
        if content.at(start, 1) != b"\xff":
            start = content.after_tags(start)


def _changed(content: Content, start: int, end: int) -> tuple[int, int] | None:
    """Return rate and channels of frames of another kind that follow at once."""
    start = content.after_zeros(content.after_tags(start))
    follows = list(islice(_frames(content, start, end), _FEWEST_OF_ANOTHER_KIND))
    if len(follows) < _FEWEST_OF_ANOTHER_KIND:
        return None
    return follows[0].rate, 1 if follows[0].kind & 1 else 2


def _frame(content: Content, start: int) -> _Frame | None:
    """Return the frame that begins at a byte, if one does."""
    head = content.at(start, 4)
    if len(head) < 4:
        return None
    bits = int.from_bytes(head, "big")
    length = _LENGTHS[bits >> 9 & 0xFFF] if bits >> 21 == _SYNC else 0
    if not length:
        return None
    halved, layer = _HALVED[bits >> 19 & 3], 4 - (bits >> 17 & 3)
    rate = _RATES[bits >> 10 & 3] >> halved
    return _Frame(start, int(length), _samples(layer, halved), rate, _kind(bits))


def _samples(layer: int, halved: int) -> int:
    return {1: 384, 2: 1152, 3: 576 if halved else 1152}[layer]


def _kind(bits: Any) -> Any:  # noqa: ANN401 - an int or an array of them
    """Return what a file keeps: version, layer, rate, and whether it is mono."""
    return (bits >> 17 & 0xF) << 3 | (bits >> 10 & 3) << 1 | (bits >> 6 & 3 == _MONO)


def _lengths() -> NDArray[np.int32]:
    """Return the bytes of a frame by 12 bits of its header; 0 where they are none.

    Version, layer, no checksum, rate of bits, rate, padding.
    """
    lengths = np.zeros(2**12, np.int32)
    for index in range(2**12):
        halved, layer = _HALVED.get(index >> 10 & 3), 4 - (index >> 8 & 3)
        kilobits, rate = index >> 3 & 15, index >> 1 & 3
        if halved is None or layer == 4 or kilobits in (0, 15) or rate == 3:
            continue
        slot = 4 if layer == 1 else 1
        bits_a_second = 1000 * _KILOBITS[halved == 0, layer][kilobits - 1]
        octets = _samples(layer, halved) // 8
        slots = octets // slot * bits_a_second // (_RATES[rate] >> halved)
        lengths[index] = (slots + (index & 1)) * slot
    return lengths


_LENGTHS = _lengths()


def _count(frame: bytes) -> tuple[int | None, int]:
    """Read how many frames follow and samples to trim, if the first is a note."""
    for tag in (b"Xing", b"Info"):
        place = frame.find(tag)
        # libmpg123 plays a frame as sound where anything stands before its note.
        if place >= 0 and frame[place + 7] & 1 and not any(frame[6:place]):
            count = int.from_bytes(frame[place + 8 : place + 12], "big")
            flags = frame[place + 7]
            place += 8 + sum(size for flag, size in _NOTED if flags & flag)
            padding = frame[place + _PADDING_BYTE : place + _PADDING_BYTE + 3]
            both = int.from_bytes(padding, "big")
            return count, (both >> 12) + (both & 0xFFF)
    place = frame.find(b"VBRI")
    if place >= 0:
        return int.from_bytes(frame[place + 14 : place + 18], "big"), 0
    return None, 0


def _go_on(content: Content, start: int, end: int, first: _Frame) -> bool:
    """Return whether frames of the same kind come again after some that are broken."""
    longest = int(_LENGTHS.max()) + 4
    for at, window in content.windows(start, overlap=longest):
        octets = np.frombuffer(window, np.uint8)[: max(0, end - at)]
        if _has_two(octets, first.kind, is_last=at + len(octets) >= end):
            return True
    return False


def _has_two(octets: NDArray[np.uint8], kind: int, *, is_last: bool) -> bool:
    """Find a frame of a kind that another, a tag or the end of all follows."""
    after = octets[1:-2]
    places = np.flatnonzero((octets[: len(after)] == 0xFF) & (after >= 0xE0))
    bits = np.zeros(len(places), np.uint32)
    for offset in range(4):
        bits = bits << 8 | octets[places + offset]
    lengths = _LENGTHS[bits >> 9 & 0xFFF]
    of_kind = (lengths > 0) & (_kind(bits) == kind)
    begins, lengths = places[of_kind], lengths[of_kind]
    may_follow = np.zeros(len(octets) + int(_LENGTHS.max()) + 1, bool)
    may_follow[begins] = True
    may_follow[len(octets)] = is_last
    for tag in (b"TAG", b"APETAGEX"):
        may_follow[[found.start() for found in re.finditer(tag, octets.tobytes())]] = (
            True
        )
    return bool(may_follow[begins + lengths].any())
