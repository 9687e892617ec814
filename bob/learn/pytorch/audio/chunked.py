"""Headers that are chunks: wav, RF64, W64, AIFF, SVX and CAF.

References
----------
Microsoft, "Multimedia Programming Interface and Data Specifications 1.0", 1991; EBU
Tech 3306 (RF64); Apple, "Audio Interchange File Format AIFF-C", 1991 and "Core Audio
Format Specification 1.0", 2006.
"""

from __future__ import annotations

import dataclasses
import math
import struct
from typing import TYPE_CHECKING

from bob.learn.pytorch.audio.content import (
    AGAIN,
    CONVERT,
    Chunk,
    Chunks,
    Sound,
)

if TYPE_CHECKING:
    from bob.learn.pytorch.audio.content import Content
    from bob.learn.pytorch.audio.recording import UnreadableRecording

# Programs that write wav to a pipe cannot know its length, and put in this or more.
LENGTH_UNKNOWN_BYTES = 0x7FFF0000
_FOUR_GIGABYTES_LESS_ONE = 0xFFFFFFFF
_PCM, _FLOAT, _ALAW, _ULAW, _MP3, _EXTENSIBLE = 1, 3, 6, 7, 0x55, 0xFFFE
# Of wav: what libsndfile decodes, and names for messages of what it does not.
_WAV_CODINGS = {_PCM, 2, _FLOAT, _ALAW, _ULAW, 0x11, 0x14, 0x31, 0x38, 0x40, 0x64, _MP3}
# Behind the coding of an extended header: Microsoft's, and ambisonic sound.
_EXTENSIONS = (
    bytes.fromhex("000000001000800000aa00389b71"),
    bytes.fromhex("00002107d3118644c8c1ca000000"),
)
# Of these, blocks of bytes hold a number of samples.
_BLOCKS = (2, 0x11, 0x31)
_NAMES = {
    0x22: "TrueSpeech", 0x42: "G.723.1", 0x50: "MPEG layer 1 or 2", 0x83: "G.729",
    0xFF: "AAC", 0x160: "WMA", 0x161: "WMA", 0x162: "WMA", 0x1610: "AAC",
    0x2000: "AC-3", 0x2001: "DTS", 0x45: "G.726", 0x65: "G.722", 0xA106: "AAC",
}  # fmt: skip
# Of AIFF-C: what libsndfile decodes.
_AIFC_LINEAR = (
    b"NONE", b"twos", b"sowt", b"in24", b"in32", b"42n1", b"42ni", b"23ni", b"raw ",
    b"fl32", b"FL32", b"fl64", b"FL64",
)  # fmt: skip
_AIFC_LOGARITHMIC = (b"ulaw", b"alaw", b"ULAW", b"ALAW")
_AIFC_PACKETS = (b"GSM ", b"ima4", b"DWVW")
_COOKIE_BYTES = 24
_AIFC_VERSION = b"\xa2\x80\x51\x40"
_CAF_CODINGS = (b"lpcm", b"alaw", b"ulaw", b"alac")
_WAV = Chunks()
_W64 = Chunks(16, 8, "little", 8, counts_itself=True)
_IFF = Chunks(order="big")
_CAF = Chunks(4, 8, "big", 1)


def _wav(content: Content, start: int) -> Sound | None:
    """Read the header of a wav, little or big endian, or of an RF64.

    One that contradicts itself, leads to no samples, or names a coding that libsndfile
    does not decode, is refused.
    """
    kind = content.at(start, 4)
    style = _IFF if kind == b"RIFX" else _WAV
    found = _first(content, start + 12, style, b"data")
    data, length, replacement = found[b"data"], found[b"data"].length, None
    riff = int.from_bytes(content.at(start + 4, 4), style.order)  # type: ignore[arg-type]
    if kind == b"RF64" and b"ds64" in found and length == _FOUR_GIGABYTES_LESS_ONE:
        place = found[b"ds64"].start
        riff, length = struct.unpack("<QQ", content.at(place, 16).ljust(16, b"\0"))
        unknown = riff == length == 0
        replacement = place + 8, struct.pack("<Q", content.size - data.start)
    else:
        unknown = length >= LENGTH_UNKNOWN_BYTES and data.start + length > content.size
    sound = _wav_sound(content, found, "wav", style, None if unknown else length)
    if unknown and replacement:
        return dataclasses.replace(sound, replacement=replacement)
    return _padded(content, sound, start + 8 + riff)


def _w64(content: Content, start: int) -> Sound | None:
    """Read the header of a W64, as `_wav` does."""
    found = _first(content, start + 40, _W64, b"data")
    sound = _wav_sound(content, found, "W64", _W64, found[b"data"].length)
    said = int.from_bytes(content.at(start + 16, 8), "little")
    return _padded(content, sound, start + said)


def _aiff(content: Content, start: int) -> Sound | None:
    """Read the header of an AIFF or AIFF-C, as `_wav` does."""
    found = _first(content, start + 12, _IFF, b"SSND", b"COMM")
    common = content.at(found[b"COMM"].start, 22).ljust(22, b"\0")
    channels, samples, bits = struct.unpack(">hIh", common[:8])
    is_plain = content.at(start + 8, 4) == b"AIFF"
    coding = b"NONE" if is_plain else common[18:22]
    version = found.get(b"FVER")
    if version and content.at(version.start, 4) != _AIFC_VERSION:
        raise content.refusal(f"has a damaged header: its version is unknown; {AGAIN}")
    sound = found[b"SSND"]
    skipped = 8 + int.from_bytes(content.at(sound.start, 4), "big")
    begin, length = sound.start + skipped, sound.length - skipped
    if coding in _AIFC_PACKETS:
        return Sound("aiff", begin, max(0, length), chunks=_IFF)
    if coding not in (*_AIFC_LINEAR, *_AIFC_LOGARITHMIC):
        raise content.unsupported(repr(coding.decode("latin-1")))
    width = 1 if coding in _AIFC_LOGARITHMIC else math.ceil(bits / 8)
    frame = width * channels
    # libsndfile counts the byte in that pads an odd number.
    padded = samples * frame % 2 and length == samples * frame + 1
    length = length - 1 if padded else max(0, length)
    if samples * frame != length:
        raise content.refusal(
            f"contradicts itself: its header counts {samples} samples of {frame} "
            f"bytes, which is {samples * frame} bytes, and the chunk that holds "
            f"them has {length}; {AGAIN}"
        )
    rate = _extended(common[8:18])
    whole = Sound("aiff", begin, length, frame, rate, _IFF)
    said = int.from_bytes(content.at(start + 4, 4), "big")
    return _padded(content, whole, start + 8 + said)


def _svx(content: Content, start: int) -> Sound | None:
    """Read the header of an 8SVX or 16SV, as `_wav` does."""
    found = _first(content, start + 12, _IFF, b"BODY", b"VHDR")
    header = content.at(found[b"VHDR"].start, 16).ljust(16, b"\0")
    rate = int.from_bytes(header[12:14], "big")
    frame = 2 if content.at(start + 8, 4) == b"16SV" else 1
    body = found[b"BODY"]
    return Sound("SVX", body.start, body.length, frame, rate, _IFF)


def _caf(content: Content, start: int) -> Sound | None:
    """Read the header of a CAF, as `_wav` does."""
    found = _first(content, start + 8, _CAF, b"data", b"desc")
    if content.at(start + 4, 2) != b"\0\1":
        raise content.refusal(f"has a damaged header: its version is not 1; {AGAIN}")
    description = content.at(found[b"desc"].start, 32).ljust(32, b"\0")
    rate, coding = struct.unpack(">d4s", description[:12])
    packet, packet_samples, channels, bits = struct.unpack(">IIII", description[16:])
    if coding not in _CAF_CODINGS:
        raise content.unsupported(repr(coding.decode("latin-1")))
    if coding == b"alac":
        _check_packets(content, found, packet_samples)
        _check_cookie(content, found, packet_samples, rate)
        packet = 0
    elif packet != math.ceil(bits / 8) * channels:
        raise _alignment(content, packet, channels, bits)
    data = found[b"data"]
    unknown = data.length == 2**64 - 1
    begin = data.start + 4  # behind a count of edits
    hertz = round(rate) if 1 <= rate < _FOUR_GIGABYTES_LESS_ONE else 0
    size = struct.pack(">q", content.size - data.start)
    length = None if unknown else max(0, data.length - 4)
    replacement = (data.start - 8, size) if unknown else None
    # libsndfile fills up an odd number of bytes, which CAF does not ask for.
    filled = data.length % 2
    return Sound("CAF", begin, length, packet, hertz, _CAF, filled, replacement)


def _check_cookie(
    content: Content, found: dict[bytes, Chunk], samples: int, rate: float
) -> None:
    """Compare the settings for the decoder with the header."""
    cookie = found.get(b"kuki")
    if cookie is None or cookie.length != _COOKIE_BYTES:
        return
    given = struct.unpack(">I16xI", content.at(cookie.start, 24).ljust(24, b"\0"))
    if given not in ((samples, round(rate)), (samples, 0)):
        raise content.refusal(
            f"contradicts itself: its header says packets of {samples} samples at "
            f"{rate:.6g} hertz, and for its decoder {given[0]} at {given[1]}; {AGAIN}"
        )


def _check_packets(content: Content, found: dict[bytes, Chunk], samples: int) -> None:
    """Hold the table of packets against itself, and refuse what would be cut off."""
    if b"pakt" not in found:
        return
    table = content.at(found[b"pakt"].start, 24).ljust(24, b"\0")
    packets, valid, before, behind = struct.unpack(">qqii", table)
    if before or valid + behind != packets * samples:
        raise content.refusal(
            f"contradicts itself: its header counts {packets} packets of {samples} "
            f"samples, and {before} + {valid} + {behind} samples before, in and behind "
            f"the recording; {AGAIN}"
        )


def _first(
    content: Content, start: int, style: Chunks, data: bytes, *others: bytes
) -> dict[bytes, Chunk]:
    """Return the chunks up to that with the samples and to others needed, by name."""
    found: dict[bytes, Chunk] = {}
    end = start
    for chunk in style.walk(content, start):
        if chunk.name in found and chunk.name in (data, b"fmt ", *others):
            break
        found.setdefault(chunk.name, chunk)
        end = chunk.start + chunk.length
        if data in found and all(name in found for name in others):
            return found
    listed = ", ".join(name.decode() for name in list(found)[:8]) or "none"
    missing = next(name for name in (data, *others) if name not in found)
    raise content.refusal(
        f"has a damaged header: its chunks ({listed}) end at byte "
        f"{min(end, content.size)} of {content.size}, and none of them is the "
        f"{missing.decode().strip()!r} chunk; {AGAIN}"
    )


def _wav_sound(
    content: Content,
    found: dict[bytes, Chunk],
    container: str,
    style: Chunks,
    length: int | None,
) -> Sound:
    data = found[b"data"]
    if b"fmt " not in found:
        raise content.refusal(
            f"has a damaged header: no 'fmt' chunk stands before its samples; {AGAIN}"
        )
    form = content.at(found[b"fmt "].start, 40).ljust(40, b"\0")
    order = ">" if style.order == "big" else "<"
    tag, channels, rate, second, frame, bits = struct.unpack(
        f"{order}HHIIHH", form[:16]
    )
    if tag == _EXTENSIBLE:
        tag = _extended_coding(content, form, bits)
    if tag not in _WAV_CODINGS:
        raise content.unsupported(f"{_NAMES.get(tag, 'sound')} (format 0x{tag:04X})")
    if tag not in (_PCM, _FLOAT, _ALAW, _ULAW):
        if tag in _BLOCKS and found[b"fmt "].length >= 20:
            samples = int.from_bytes(form[18:20], style.order)  # type: ignore[arg-type]
            _check_second(content, rate, frame / max(1, samples), second)
        return Sound(container, data.start, length, chunks=style)
    if tag in (_ALAW, _ULAW):
        bits = 8
    whole = math.ceil(bits / 8) * channels
    frame = frame or whole  # some recorders leave it at 0, as the bytes a second
    if not whole or frame != whole:
        raise _alignment(content, frame, channels, bits)
    _check_second(content, rate, frame, second)
    return Sound(container, data.start, length, frame, rate, style)


def _extended_coding(content: Content, form: bytes, bits: int) -> int:
    valid = int.from_bytes(form[18:20], "little")
    if form[26:40] not in _EXTENSIONS or valid > bits:
        raise content.refusal(
            f"has a damaged header: {valid} bits in {bits}, or a coding of no known "
            f"kind; {AGAIN}, or {CONVERT}"
        )
    return int.from_bytes(form[24:26], "little")


def _check_second(content: Content, rate: int, frame: float, second: int) -> None:
    """Hold the rate against the bytes a second.

    Some recorders round them where blocks are, or leave them at 0.
    """
    due = rate * frame
    if second and abs(second - due) > (0 if isinstance(frame, int) else 0.05 * due):
        raise content.refusal(
            f"contradicts itself: its header says {rate} hertz and {frame:.4g} bytes a "
            f"sample, which is {due:.0f} bytes a second, and {second} bytes a second; "
            f"{CONVERT} if it was written so, or {AGAIN}"
        )


def _padded(content: Content, sound: Sound, said: int) -> Sound:
    """Refuse a file that lost bytes where its padding took the place of the last."""
    alignment = sound.chunks.alignment if sound.chunks else 1
    end = sound.start + (sound.length or 0)
    padding = -end % alignment
    missing = said - content.size
    if sound.frame != 1 and end <= content.size and 0 < missing <= padding:
        raise content.refusal(
            f"is cut off: its header promises {said} bytes, and {content.size} are "
            f"there; the rest is lost, perhaps amid the sound; {AGAIN}"
        )
    return sound


def _extended(number: bytes) -> int:
    """Return the whole part of a number of 80 bits, as AIFF has its rate."""
    exponent = int.from_bytes(number[:2], "big") - 16383 - 63
    mantissa = int.from_bytes(number[2:], "big")
    return mantissa >> -exponent if -64 < exponent <= 0 else 0


def _alignment(
    content: Content, frame: int, channels: int, bits: int
) -> UnreadableRecording:
    return content.refusal(
        f"contradicts itself: its header says {bits} bits in {channels} channels, "
        f"which is {math.ceil(bits / 8) * channels} bytes a sample, and {frame} bytes "
        f"a sample; {CONVERT} if it was written so, or {AGAIN}"
    )


#: Patterns of the first bytes of a file, and what reads its header.
READERS = (
    (rb"(?:RIFF|RIFX|RF64)....WAVE", _wav),
    (rb"riff\x2e\x91\xcf\x11", _w64),
    (rb"FORM....AIF[FC]", _aiff),
    (rb"FORM....(?:8SVX|16SV)", _svx),
    (rb"caff", _caf),
)
