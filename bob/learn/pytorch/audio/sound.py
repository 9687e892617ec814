"""The place of the samples by the header, held against the bytes that are there."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from bob.learn.pytorch.audio.content import MOST_PARTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bob.learn.pytorch.audio.content import Content
    from bob.learn.pytorch.audio.recording import UnreadableRecording

AGAIN = "copy or download it again"
CONVERT = "convert it, for example with `ffmpeg -i INPUT OUTPUT.flac`"
REPAIR = (
    "if that is sound too, write it with its length: `sox --ignore-length INPUT "
    "OUTPUT.flac` or, of a wav, `ffmpeg -ignore_length 1 -i INPUT OUTPUT.flac`"
)
# Zeros behind the samples are padding up to the end of a sector or cluster, not sound.
LARGEST_PADDING_BYTES = 2**20
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


class Chunks(NamedTuple):
    """Layout of the chunks of a container.

    Attributes
    ----------
    name_bytes, size_bytes
        Of the name and of the size in front of each.
    order
        "little" or "big".
    alignment
        Each chunk begins at a multiple of it.
    counts_itself
        Whether the size takes in name and size.
    """

    name_bytes: int = 4
    size_bytes: int = 4
    order: str = "little"
    alignment: int = 2
    counts_itself: bool = False

    @property
    def header_bytes(self) -> int:
        """Count the bytes of name and size together."""
        return self.name_bytes + self.size_bytes


class Chunk(NamedTuple):
    """One of them: its name, where its content begins, and how long that is."""

    name: bytes
    start: int
    length: int


@dataclass(frozen=True)
class Sound:
    """Samples of a file by its header.

    Attributes
    ----------
    container
        For messages, such as "wav".
    start
        First byte of the samples.
    length
        In bytes; None where the header does not tell.
    frame
        Bytes of one sample of all channels; 0 where samples are coded in packets.
    rate
        In hertz, 0 where it stands elsewhere.
    chunks
        How the chunks behind the samples are written, where there are any.
    end_bytes
        Of what ends the file behind the samples.
    replacement
        Place of a length and the bytes to put there, so that a decoder which does not
        know of open lengths takes all there is.
    """

    container: str
    start: int
    length: int | None
    frame: int = 0
    rate: int = 0
    chunks: Chunks | None = None
    end_bytes: int = 0
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


def unsupported(content: Content, coding: str) -> UnreadableRecording:
    """Return the error on a file that may be whole, in a coding without a decoder."""
    return content.refusal(f"holds {coding}, a coding that is not supported; {CONVERT}")


def walk(content: Content, start: int, style: Chunks) -> Iterator[Chunk]:
    """Yield chunk after chunk, up to bytes that are none.

    Some programs forget to pad a chunk of odd length: where the next one only makes
    sense without the padding, it begins there.
    """
    for _ in range(MOST_PARTS):
        chunk = chunk_at(content, start, style)
        if chunk is None:
            return
        yield chunk
        end = chunk.start + chunk.length
        start = end + -end % style.alignment
        if start > end and style.alignment == 2:
            forgotten = chunk_at(content, end, style)
            if forgotten and chunk_at(content, start, style) is None:
                start = end


def chunk_at(content: Content, start: int, style: Chunks) -> Chunk | None:
    """Return the chunk that begins at a byte, None where its name cannot be one."""
    header = content.at(start, style.header_bytes)
    if len(header) < style.header_bytes or not _NAME.match(header):
        return None
    length = int.from_bytes(header[style.name_bytes :], style.order)  # type: ignore[arg-type]
    if style.counts_itself:
        length -= style.header_bytes
    if length < 0:
        return None
    return Chunk(header[:4], start + style.header_bytes, length)


def check(sound: Sound, content: Content) -> Sound:
    """Hold what a header says against what is there, and return it with its length.

    Raises
    ------
    UnreadableRecording
        There are fewer bytes than the header says, more, or none of a whole number of
        samples; or the length was never filled in.
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
            f"{sound.extent(present)} follow it; {REPAIR}"
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
            f"{REPAIR}"
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
    for chunk in walk(content, start, style):
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
    if max(sound.frame, 2) > left or left > LARGEST_PADDING_BYTES:
        return False
    return content.after_zeros(start) == content.size
