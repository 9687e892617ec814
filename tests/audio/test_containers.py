"""Every container: whole files are read, and what contradicts its header is refused."""

import io
import struct

import numpy as np
import pytest
import soundfile

from bob.learn.pytorch.audio import UnreadableRecording
from bob.learn.pytorch.audio.files import info, read

RATE = 8000  # that WVE has, too
NOISE = 0.2 * np.random.default_rng(1).standard_normal(RATE).clip(-4, 4)
# They do not say how long they are; SD2 says it in a second file.
WITHOUT_LENGTH = ("PAF", "PVF", "IRCAM", "XI", "SD2")
FORMATS = sorted(set(soundfile.available_formats()) - {"RAW", "SD2"})


def encoded(form, subtype=None, samples=NOISE):
    file = io.BytesIO()
    soundfile.write(file, samples, RATE, format=form, subtype=subtype)
    return file.getvalue()


def wav(
    samples=b"\1\2" * 1000, *, length=None, tag=1, before=b"", behind=b"", **fields
):
    """Samples of 16 bits by default, each field of the header as one likes."""
    rate, width = fields.get("rate", RATE), fields.get("width", 2)
    second, bits = fields.get("second", rate * width), fields.get("bits", 16)
    form = struct.pack("<HHIIHH", tag, 1, rate, second, width, bits)
    form += fields.get("more", b"")
    length = len(samples) if length is None else length
    chunks = b"fmt " + struct.pack("<I", len(form)) + form + before
    chunks += b"data" + struct.pack("<I", length) + samples + behind
    return (
        b"RIFF"
        + struct.pack("<I", fields.get("riff", 4 + len(chunks)))
        + (b"WAVE" + chunks)
    )


def refused(content, says):
    with pytest.raises(UnreadableRecording, match=says) as caught:
        read(io.BytesIO(content), name="a")
    assert str(caught.value).startswith("a: ")


@pytest.mark.parametrize(
    ("form", "subtype"),
    [
        (form, subtype)
        for form in FORMATS
        for subtype in soundfile.available_subtypes(form)
    ],
)
def test_whatever_libsndfile_writes_is_read_as_it_reads_it(form, subtype):
    try:
        content = encoded(form, subtype)
        expected, rate = soundfile.read(io.BytesIO(content))
    except soundfile.LibsndfileError:
        pytest.skip("libsndfile cannot write it, or read it again")

    waveform = read(io.BytesIO(content))

    # libmpg123 rounds differently once it has sought.
    np.testing.assert_allclose(waveform.samples, expected, rtol=0, atol=1e-6)
    assert waveform.sample_rate == rate


@pytest.mark.parametrize(
    ("form", "subtype"), [("AIFF", "PCM_24"), ("CAF", "ULAW"), ("CAF", "PCM_S8")]
)
def test_an_odd_number_of_bytes_is_read_as_libsndfile_pads_it(form, subtype):
    content = encoded(form, subtype, NOISE[:1601])

    assert len(read(io.BytesIO(content)).samples) == 1601


@pytest.mark.parametrize(
    ("form", "subtype", "place", "damage"),
    [
        ("HTK", "PCM_16", 4, b"\xff"),  # a sample every -1 ns: read at 16 kHz
        ("PAF", "PCM_16", 9, b"\1"),  # neither little nor big endian
        ("PVF", "PCM_16", 14, b"\x0b"),  # no end of the header before the sound
        ("AU", "FLOAT", 7, b"\4"),  # sound that begins within the header
        ("NIST", "ULAW", 55, b"\x1a"),  # two fields become one
        ("VOC", "PCM_16", 36, b"\0"),  # 16 bits, and a coding of 8
        ("CAF", "PCM_16", 5, b"\0"),  # a version that is none
        ("CAF", "ALAC_16", 85, b"\1"),  # another rate for the decoder
        ("WAVEX", "PCM_16", 38, b"\xff"),  # 255 bits in 16
        ("AIFF", "ULAW", 20, b"\0"),  # a version that is none
        ("SDS", "PCM_16", 60, b"\xff"),  # another checksum of a block
    ],
)
def test_headers_that_two_decoders_read_differently_are_refused(
    form, subtype, place, damage
):
    content = encoded(form, subtype)

    refused(
        content[:place] + damage + content[place + 1 :],
        "damaged header|contradicts|begins within|corrupt",
    )


@pytest.mark.parametrize("coding", [1, 2, 3, 4])
def test_a_voc_of_packed_samples_is_not_read_as_if_they_were_plain(coding):
    """libsndfile says PCM_U8 of Creative's ADPCM, and reads noise."""
    content = encoded("VOC", "PCM_U8")

    refused(content[:31] + bytes([coding]) + content[32:], "coding .* not supported")


def test_a_second_flac_behind_the_first_is_refused():
    refused(2 * encoded("FLAC"), "several flac streams, of which only the first")


@pytest.mark.parametrize("place", [7, 20])
def test_an_mp3_whose_damaged_note_hides_a_part_of_it_is_refused(place):
    """libsndfile guesses its length, and left a quarter out: 4,295 of 8,001 samples."""
    content = encoded("MP3", samples=np.tile(NOISE, 2)[:8001])
    assert content[20] == 15

    refused(content[:place] + b"\xf0" + content[place + 1 :], "only in part|damaged")


def test_a_second_mp3_behind_one_that_counts_its_frames_is_refused():
    refused(2 * encoded("MP3", samples=NOISE[:1601]), "goes on behind the .* counts")


@pytest.mark.parametrize("form", sorted(set(FORMATS) - set(WITHOUT_LENGTH)))
@pytest.mark.parametrize("part", [0.6, 0.95])
def test_a_recording_that_was_cut_off_is_refused_in_every_container(form, part):
    content = encoded(form)

    refused(content[: int(len(content) * part)], "cut off")


@pytest.mark.parametrize("form", ["PAF", "PVF", "IRCAM"])
def test_without_a_length_a_part_of_a_sample_shows(form):
    refused(encoded(form)[:-1], "no whole number of samples of 2 bytes")


@pytest.mark.parametrize("form", ["WAV", "W64", "RF64", "AIFF", "AU", "NIST", "VOC"])
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24"])
@pytest.mark.parametrize("count", [RATE, RATE - 1])
def test_one_byte_that_is_lost_or_too_much_is_noticed(form, subtype, count):
    """Behind it, all samples would be noise."""
    if subtype not in soundfile.available_subtypes(form):
        pytest.skip("not in this container")
    content = encoded(form, subtype, NOISE[:count])
    middle = len(content) // 2

    refused(content[:middle] + content[middle + 1 :], "cut off|contradicts itself")
    refused(
        content[:middle] + b"\7" + content[middle:], "more than its header|contra|behi"
    )


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (wav(b"\1\2" * 999 + b"\1"), "its 1999 bytes of sound are no whole number"),
        (wav(rate=8000, second=32_000), "8000 hertz and 2 bytes.*16000 bytes.*32000"),
        (wav(bits=8), "8 bits in 1 channels, which is 1 bytes a sample, and 2"),
        (wav(width=4, second=4 * RATE), "16 bits.*2 bytes a sample, and 4 bytes"),
        (wav(behind=wav()[36:]), "holds more than its header says: 2000 bytes"),
        (wav(length=1000), r"says: 1000 bytes \(0.06 s\).* 1000 bytes \(0.06 s\)"),
        (wav(length=0), r"never finished: it says 0 bytes.* 2000 bytes \(0.12 s\)"),
        (
            wav(before=b"LIST\xff\0\0\0abcd"),
            "damaged header.*none of them is the 'data'",
        ),
        (wav(before=wav()[12:36]), "damaged header"),
    ],
)
def test_a_header_that_contradicts_itself_or_its_file_is_refused_by_name(content, says):
    refused(content, says)


@pytest.mark.parametrize("fields", [{"second": 0}, {"width": 0}])
def test_fields_of_a_header_that_a_recorder_left_at_0_contradict_nothing(fields):
    samples = np.frombuffer(b"\1\2" * 1000, "<i2") / 2**15

    np.testing.assert_array_equal(read(io.BytesIO(wav(**fields))).samples, samples)


def test_a_sphere_header_with_its_numbers_in_columns_is_read():
    content = encoded("NIST")
    wider = content[:1024].replace(b" -i ", b" -i    ")[:1024] + content[1024:]

    np.testing.assert_array_equal(
        read(io.BytesIO(wider)).samples, read(io.BytesIO(content)).samples
    )


@pytest.mark.parametrize("form", ["AIFF", "AU", "CAF", "WAV"])
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "PCM_32"])
@pytest.mark.parametrize("order", ["LITTLE", "BIG"])
def test_both_orders_of_bytes_are_read_as_libsndfile_writes_them(form, subtype, order):
    file = io.BytesIO()
    try:
        soundfile.write(file, NOISE, RATE, format=form, subtype=subtype, endian=order)
    except soundfile.LibsndfileError:
        pytest.skip("not in this container")

    np.testing.assert_allclose(read(file).samples, NOISE, atol=2**-15)


@pytest.mark.parametrize(
    "behind",
    [
        b"LIST\x04\0\0\0INFO",
        b"LIST\x05\0\0\0INFOx\0id3 \2\0\0\0ab",
        b"LIST\x05\0\0\0INFOxid3 \2\0\0\0ab",  # no padding
        b"LIST\x40\0\0\0INFO",  # cut off within what is no sound
        b"TAG" + b"a" * 125,
        b"ID3\3\0\0\0\0\0\2ab",
        bytes(512),
    ],
)
@pytest.mark.parametrize(
    "before", [b"", b"LIST\x05\0\0\0INFOx\0", b"JUNK\x04\0\0\0abcd"]
)
def test_chunks_tags_and_padding_around_the_samples_are_harmless(before, behind):
    samples = np.frombuffer(b"\1\2" * 1000, "<i2") / 2**15

    waveform = read(io.BytesIO(wav(before=before, behind=behind)))

    np.testing.assert_array_equal(waveform.samples, samples)


@pytest.mark.parametrize("behind", [b"", b"\0", b"\0LIST\x04\0\0\0INFO"])
def test_an_odd_number_of_bytes_may_be_padded(behind):
    content = wav(b"\x81\x7f\x90", width=1, bits=8, behind=behind)

    assert read(io.BytesIO(content)).samples.tolist() == [1 / 128, -1 / 128, 16 / 128]


def test_a_wav_above_four_gigabytes_is_not_read_as_its_beginning(tmp_path):
    """Its length is kept modulo 2^32; here the rest is a hole on the disk."""
    (tmp_path / "a.wav").write_bytes(wav())
    with (tmp_path / "a.wav").open("r+b") as file:
        file.truncate(2**32 + 2044)

    with pytest.raises(UnreadableRecording, match=r"above 4 GiB.*ignore_length"):
        read(tmp_path / "a.wav")


def with_open_length(form):
    content = bytearray(encoded(form))
    if form == "AU":
        content[8:12] = b"\xff" * 4
    if form == "CAF":
        place = content.index(b"data")
        content[place + 4 : place + 12] = b"\xff" * 8
    if form == "RF64":
        content[20:36] = bytes(16)
    if form == "FLAC":
        content[21] &= 0xF0
        content[22:42] = bytes(20)  # count and checksum
    return bytes(content)


@pytest.mark.parametrize("form", ["AU", "CAF", "RF64", "FLAC"])
def test_a_length_that_is_left_open_is_the_rest_of_the_file(tmp_path, form):
    path = tmp_path / "a"
    path.write_bytes(with_open_length(form))

    np.testing.assert_allclose(read(path).samples, NOISE.clip(-1, 1), atol=2**-15)
    assert info(path) == (1, RATE, 1)


@pytest.mark.parametrize("bit", range(8))
@pytest.mark.parametrize("place", range(18, 42))
def test_a_changed_bit_in_the_header_of_a_flac_is_noticed(place, bit):
    """Rate, channels, bits, count and checksum."""
    content = bytearray(encoded("FLAC"))
    content[place] ^= 1 << bit

    with pytest.raises(ValueError, match=r"contradicts|corrupt|cut off|hertz|channels"):
        read(io.BytesIO(content))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (wav(tag=0xFF), "AAC"),
        (wav(tag=0x2000), "AC-3"),
        (wav(tag=0x22), "TrueSpeech"),
        (wav(tag=0x1234), "format 0x1234"),
        (
            encoded("NIST").replace(b"-s3 pcm", b"-s26 pcm,embedded-shorten-v2.00"),
            "shorten",
        ),
        (
            encoded("AU")[:12] + b"\0\0\0\x18" + encoded("AU")[16:],
            "AU encoding 24",
        ),
        (encoded("CAF").replace(b"lpcm", b"aac "), "aac"),
        (encoded("AIFF", "ULAW").replace(b"ulaw", b"QDM2"), "QDM2"),
        (b"\0\0\0\x20ftypM4A " + bytes(100), "MPEG-4"),
        (b"#!AMR\n" + bytes(100), "AMR"),
        (b"\x1a\x45\xdf\xa3" + bytes(100), "WebM"),
    ],
)
def test_a_coding_without_a_decoder_is_not_called_damaged(content, says):
    refused(content, rf"{says}.* a coding that is not supported; convert it.*ffmpeg")


@pytest.mark.parametrize("samples_in_mp3", [RATE, 3 * RATE])
def test_an_mp3_in_a_wav_is_read(samples_in_mp3):
    sound = np.resize(NOISE, samples_in_mp3)
    file = io.BytesIO()
    soundfile.write(file, sound, RATE, format="MP3", bitrate_mode="CONSTANT")
    more = struct.pack("<HHIHHH", 12, 1, 2, 576, 1, 1393)
    content = wav(file.getvalue(), tag=0x55, width=1, second=4000, bits=0, more=more)

    assert len(read(io.BytesIO(content)).samples) == pytest.approx(len(sound), abs=3000)
    refused(content[:-700], "cut off")


def test_the_header_of_a_sphere_is_not_trusted_with_strange_digits():
    content = encoded("NIST").replace(b"-i 1\n", b"-i \xb2\n")

    with pytest.raises(UnreadableRecording):
        read(io.BytesIO(content))
