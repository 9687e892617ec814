"""Headers of one piece: AU, SPHERE, VOC, AVR, WVE, MPC, MAT, SDS, PAF, PVF and others.

Their layouts as libsndfile reads and writes them. PAF, PVF, IRCAM and SD2 do not say
how long they are: of those, only a part of a sample at the end shows.
"""

from __future__ import annotations

import math
import re
import struct
from typing import TYPE_CHECKING

import numpy as np

from bob.learn.pytorch.audio import chunked
from bob.learn.pytorch.audio.content import (
    AGAIN,
    CONVERT,
    MOST_PARTS,
    Sound,
    check,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from bob.learn.pytorch.audio.content import Content

_UNKNOWN = 0xFFFFFFFF
_AU_BYTES = {1: 1, 2: 1, 3: 2, 4: 3, 5: 4, 6: 4, 7: 8, 27: 1}
_AU_PACKETS = (23, 25, 26)
_AU_HEADER_BYTES = 24
_PAF_BYTES = {0: 2, 2: 1}
_MAT5_BYTES = {1: 1, 2: 1, 3: 2, 4: 2, 5: 4, 6: 4, 7: 4, 9: 8}
_MAT4_BYTES = {0: 8, 1: 4, 2: 4, 3: 2, 4: 2, 5: 1}
_SDS_HEADER_BYTES, _SDS_BLOCK_BYTES, _SDS_BLOCK_SOUND_BYTES = 21, 127, 120
_VOC_BITS = {0: 8, 4: 16}
_VOC_END, _VOC_SOUND, _VOC_EXTENDED, _VOC_NEW_SOUND = 0, 1, 8, 9
_NUMBER = re.compile(r"[0-9]{1,18}")
_CONTROL = re.compile(r"[^\n\r\t -~\x80-\xff]")
_NO_NUMBER = re.compile(r"^\w+ -i (?! *-?[0-9]+ *\r?$)", re.MULTILINE)
_SPHERE_CODINGS = ("pcm", "ulaw", "mu-law", "alaw")


def find(content: Content) -> Sound | None:
    """Read a header, whichever it is; None for what tells its length in another way.

    One that contradicts itself, or names a coding without a decoder, is refused.
    """
    start = content.begin()
    head = content.at(start, 64)
    for pattern, reader in _READERS:
        if re.match(pattern, head, re.DOTALL):
            sound = reader(content, start)
            return None if sound is None else check(sound, content)
    for pattern, name in _FOREIGN:
        if re.match(pattern, head, re.DOTALL):
            raise content.unsupported(name)
    return None


def _fields(content: Content, place: int, layout: str) -> tuple[int, ...]:
    size = struct.calcsize(layout)
    return struct.unpack(layout, content.at(place, size).ljust(size, b"\0"))


def _whole(rate: float) -> int:
    return round(rate) if 1 <= rate <= _UNKNOWN else 0


def _au(content: Content, start: int) -> Sound:
    order = ">" if content.at(start, 1) == b"." else "<"
    offset, length, coding, rate, channels = _fields(content, start + 4, f"{order}5I")
    if offset < _AU_HEADER_BYTES:
        raise content.refusal(
            f"has a damaged header: its sound begins within it, at byte {offset}; "
            f"{AGAIN}"
        )
    if coding not in _AU_BYTES and coding not in _AU_PACKETS:
        raise content.unsupported(f"AU encoding {coding}")
    known = None if length == _UNKNOWN else length
    if coding in _AU_PACKETS:
        return Sound("AU", start + offset, known)
    return Sound("AU", start + offset, known, _AU_BYTES[coding] * channels, rate)


def _avr(content: Content, start: int) -> Sound:
    stereo, bits = _fields(content, start + 12, ">HH")
    rate, count = _fields(content, start + 22, ">II")
    frame = math.ceil(bits / 8) * (2 if stereo else 1)
    return Sound("AVR", start + 128, count * frame, frame, rate & 0xFFFFFF)


def _sphere(content: Content, start: int) -> Sound:
    size = content.at(start + 8, 8).strip()
    length = int(size) if size.isdigit() else 1024
    text = content.at(start, min(length, 2**16)).decode("latin-1")
    fields, end, _ = text.partition("end_head")
    if not end or _CONTROL.search(fields) or _NO_NUMBER.search(fields):
        raise content.refusal(
            "has a damaged header: it has no end, or bytes that are no text or "
            f"number; {AGAIN}"
        )
    lines = re.findall(r"^(\w+) -\w+ +(.*?)\s*$", fields, re.M)
    said = dict(lines)
    coding = said.get("sample_coding", "pcm")
    if coding not in _SPHERE_CODINGS:
        raise content.unsupported(f"SPHERE with the coding {coding!r}")
    numbers = {name: int(text) for name, text in lines if _NUMBER.fullmatch(text)}
    channels, width = numbers.get("channel_count", 1), numbers.get("sample_n_bytes", 1)
    bits = numbers.get("sample_sig_bits", 8 * width)
    if bits > 8 * width:
        raise content.refusal(
            f"contradicts itself: its header says {bits} bits in samples of {width} "
            f"bytes; {AGAIN}"
        )
    count, frame = numbers.get("sample_count"), channels * width
    promised = None if count is None else count * frame
    rate = numbers.get("sample_rate", 0)
    return Sound("SPHERE", start + length, promised, frame, rate)


def _voc(content: Content, start: int) -> Sound:
    """Read blocks, of which libsndfile decodes the first that holds sound."""
    place = start + _fields(content, start + 20, "<H")[0]
    sounds: list[Sound] = []
    extended = 1
    for _ in range(MOST_PARTS):
        kind = int.from_bytes(content.at(place, 1), "little")
        length = int.from_bytes(content.at(place + 1, 3), "little")
        if kind == _VOC_EXTENDED:
            extended += _fields(content, place + 7, "B")[0]
        elif kind in (_VOC_SOUND, _VOC_NEW_SOUND):
            sounds.append(_voc_sound(content, place, kind, length, extended))
        elif not kind or sounds:
            break
        place += 4 + length
    end = content.at(place, 2)
    if len(sounds) != 1 or end not in (b"", b"\0"):
        raise content.refusal(
            f"holds {len(sounds)} blocks of sound, and {content.size - place} bytes "
            "behind its last block; expected one block and one byte of 0, for the rest "
            f"would be left out; {CONVERT}"
        )
    if not end and sounds[0].frame > 1 and place == content.size:
        raise content.refusal(
            f"is cut off: the byte of 0 that ends it is missing, so one is lost, "
            f"perhaps amid the sound; {AGAIN}"
        )
    return sounds[0]


def _voc_sound(
    content: Content, place: int, kind: int, length: int, channels: int
) -> Sound:
    if kind == _VOC_SOUND:
        divisor, coding = _fields(content, place + 4, "BB")
        if coding:  # libsndfile takes all of them for samples of 8 bits
            raise content.unsupported(f"Creative's coding {coding}")
        rate = 1_000_000 // (256 - divisor)
        return Sound("VOC", place + 6, length - 2, channels, rate, None, 1)
    rate, bits, channels, coding = _fields(content, place + 4, "<IBBH")
    if bits != _VOC_BITS.get(coding, bits):
        raise content.refusal(
            f"contradicts itself: its header says {bits} bits, and the coding {coding} "
            f"of {_VOC_BITS[coding]} bits; {AGAIN}"
        )
    frame = math.ceil(bits / 8) * channels
    return Sound("VOC", place + 16, length - 12, frame, rate, None, 1)


def _wve(content: Content, start: int) -> Sound:
    return Sound("WVE", start + 32, _fields(content, start + 18, ">I")[0], 1, 8000)


def _mpc(content: Content, start: int) -> Sound:
    stereo, count, rate = _fields(content, start + 21, "<B8xI6xH")
    frame = 4 if stereo else 2
    return Sound("MPC", start + 42, count * frame, frame, rate)


def _mat4(content: Content, start: int) -> Sound:
    """Read two matrices: the rate, and the samples with a row for each channel."""
    order = "<" if content.at(start + 4, 4) == b"\1\0\0\0" else ">"
    _, _, _, _, name = _fields(content, start, f"{order}5I")
    place = start + 20 + name
    rate = struct.unpack(f"{order}d", content.at(place, 8).ljust(8, b"\0"))[0]
    kind, rows, columns, _, name = _fields(content, place + 8, f"{order}5I")
    frame = _MAT4_BYTES.get(kind % 1000 // 10, 0) * rows
    return Sound("MAT4", place + 28 + name, frame * columns, frame, _whole(rate))


def _mat5(content: Content, start: int) -> Sound:
    """Read two matrices, each an element made of elements."""
    order = "<" if content.at(start + 126, 2) == b"IM" else ">"
    _, length = _fields(content, start + 128, f"{order}II")
    place = start + 136 + length
    _, length = _fields(content, place, f"{order}II")
    rows, columns = _fields(content, place + 32, f"{order}II")
    kind, size = _fields(content, place + 40, f"{order}II")
    small = kind >> 16  # a name of up to four letters stands in its own header
    place += 48 if small else 48 + size + -size % 8
    kind, size = _fields(content, place, f"{order}II")
    frame = _MAT5_BYTES.get(kind, 0) * rows
    if size != frame * columns:
        raise content.refusal(
            f"contradicts itself: its header says {rows} channels of {columns} "
            f"samples, which is {frame * columns} bytes, and {size} bytes; {AGAIN}"
        )
    return Sound("MAT5", place + 8, size, frame)


def _sds(content: Content, start: int) -> Sound:
    """Read blocks of 120 bytes of sound, of which 7 bits each are used."""
    header = content.at(start, _SDS_HEADER_BYTES).ljust(_SDS_HEADER_BYTES, b"\0")
    count = header[10] | header[11] << 7 | header[12] << 14
    width = math.ceil(header[6] / 7)
    if max(header[1:20]) > 127 or header[20] != 0xF7 or width not in (2, 3, 4):
        raise content.refusal(f"has a damaged header; {AGAIN}")
    samples = _SDS_BLOCK_SOUND_BYTES // width
    length = math.ceil(count / samples) * _SDS_BLOCK_BYTES
    begin = start + _SDS_HEADER_BYTES
    for at in range(begin, min(begin + length, content.size), _SDS_BLOCK_BYTES):
        block = np.frombuffer(content.at(at, _SDS_BLOCK_BYTES), np.uint8)
        number = (at - begin) // _SDS_BLOCK_BYTES % 128
        whole = len(block) == _SDS_BLOCK_BYTES and block[-1] == 0xF7
        whole = whole and block[0] == 0xF0 and (block[3], block[4]) == (2, number)
        whole = whole and block[1:-1].max() < 128
        if not whole or np.bitwise_xor.reduce(block[1:-1]):
            raise content.refusal(
                f"is corrupt or cut off: its block {(at - begin) // _SDS_BLOCK_BYTES} "
                f"has another number or checksum than it should; {AGAIN}"
            )
    return Sound("SDS", begin, length)


def _paf(content: Content, start: int) -> Sound:
    order = ">" if content.at(start, 1) == b" " else "<"
    version, little, rate, kind, channels = _fields(content, start + 4, f"{order}5I")
    if version or little not in (0, 1):
        raise content.refusal(f"has a damaged header; {AGAIN}")
    frame = _PAF_BYTES.get(kind, 0) * channels
    return Sound("PAF", start + 2048, None, frame, rate)


def _pvf(content: Content, start: int) -> Sound:
    lines = re.match(rb"PVF1\n(\d+) (\d+) (\d+)\n", content.at(start, 64))
    if lines is None:
        raise content.refusal(
            "has a damaged header: expected channels, rate and bits in its second "
            f"line; {AGAIN}"
        )
    channels, rate, bits = (int(number) for number in lines.groups())
    frame = math.ceil(bits / 8) * channels
    return Sound("PVF", start + lines.end(), None, frame, rate)


def _ircam(content: Content, start: int) -> Sound:
    order = "<" if content.at(start, 1) == b"\x64" else ">"
    channels, coding = _fields(content, start + 8, f"{order}II")
    rate = struct.unpack(f"{order}f", content.at(start + 4, 4).ljust(4, b"\0"))[0]
    frame = (coding & 0xFFFF) * channels
    return Sound("IRCAM", start + 1024, None, frame, _whole(rate))


def _xi(content: Content, start: int) -> Sound:
    """Read an instrument of one sample; libsndfile itself leaves its length at 0."""
    length = _fields(content, start + 298, "<I")[0]
    frame = 2 if content.at(start + 312, 1)[:1] >= b"\x10" else 1
    return Sound("XI", start + 338, length or None, frame, 44_100)


def _htk(content: Content, start: int) -> Sound | None:
    count, period = _fields(content, start, ">ii")
    if period < 1 and content.size - start != 12 + 2 * count:
        return None
    if period < 1:
        raise content.refusal(
            f"has a damaged header: one sample every {period} times 100 ns; {AGAIN}"
        )
    return Sound("HTK", start + 12, 2 * count, 2, round(10_000_000 / period))


_READERS: tuple[tuple[bytes, Callable[[Content, int], Sound | None]], ...] = (
    *chunked.READERS,
    (rb"\.snd|dns\.", _au),
    (rb"NIST_1A\n", _sphere),
    (rb"Creative Voice File\x1a", _voc),
    (rb"2BIT", _avr),
    (rb"ALawSoundFile\*\*\0", _wve),
    (rb"\x01\x04", _mpc),
    (rb".{8}.{8}\x0b\0\0\0samplerate\0|.{8}.{8}\0\0\0\x0bsamplerate\0", _mat4),
    (rb"MATLAB 5\.0 MAT-file", _mat5),
    (rb"\xf0\x7e.\x01", _sds),
    (rb" paf|fap ", _paf),
    (rb"PVF1", _pvf),
    (rb"\x64\xa3[\x01-\x04]\0|\0[\x01-\x04]\xa3\x64", _ircam),
    (rb"Extended Instrument: ", _xi),
    (rb".{8}\0\x02\0\0", _htk),
)
# Recordings of other programs, which their first bytes tell.
_FOREIGN = (
    (rb"....ftyp", "MPEG-4 audio (.m4a, .mp4)"),
    (rb"#!AMR", "AMR"),
    (rb"#!SILK|\x02#!SILK", "SILK"),
    (rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "Windows Media Audio"),
    (rb"\x1a\x45\xdf\xa3", "Matroska or WebM"),
    (rb"wvpk", "WavPack"),
    (rb"MAC ", "Monkey's Audio"),
    (rb"ajkg", "Shorten"),
    (rb"TTA1", "True Audio"),
    (rb"DSD |FRM8", "DSD"),
    (rb"BW64....WAVE", "BW64"),
)
