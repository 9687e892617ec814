"""Decoding, and every way in which a file can be bad."""

import os

import numpy as np
import pytest
import soundfile

from bob.learn.pytorch.audio import (
    ChannelError,
    RecordingError,
    SampleRateError,
    UnreadableRecording,
)
from bob.learn.pytorch.audio.files import info, read

RATE = 16_000


@pytest.fixture(scope="module")
def noise():
    return 0.2 * np.random.default_rng(1).standard_normal(2 * RATE).clip(-4, 4)


def written(path, samples, rate=RATE, **options):
    soundfile.write(path, samples, rate, **options)
    return path


@pytest.mark.parametrize(
    ("suffix", "subtype", "tolerance"),
    [
        ("wav", "PCM_U8", 2**-7),
        ("wav", "PCM_16", 2**-15),
        ("wav", "PCM_24", 2**-23),
        ("wav", "PCM_32", 2**-31),
        ("wav", "FLOAT", 1e-7),
        ("wav", "DOUBLE", 0),
        ("wav", "ULAW", 0.05),
        ("flac", "PCM_16", 2**-15),
        ("flac", "PCM_24", 2**-23),
        ("aiff", "PCM_16", 2**-15),
    ],
)
def test_every_subtype_comes_back_in_plus_minus_one(
    tmp_path, noise, suffix, subtype, tolerance
):
    path = written(tmp_path / f"a.{suffix}", noise, subtype=subtype)

    waveform = read(path)

    assert waveform.sample_rate == RATE
    assert waveform.samples.dtype == np.float64
    np.testing.assert_allclose(
        waveform.samples, noise.clip(-1, 1), rtol=0, atol=tolerance
    )


@pytest.mark.parametrize("suffix", ["ogg", "mp3"])
@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100])
def test_lossy_formats_keep_length_and_sound(tmp_path, suffix, rate):
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(2 * rate) / rate)
    path = written(tmp_path / f"a.{suffix}", tone, rate)

    waveform = read(path)

    assert waveform.sample_rate == rate
    assert len(waveform.samples) == pytest.approx(2 * rate, abs=2400)
    spectrum = np.abs(np.fft.rfft(waveform.samples))
    loudest = spectrum.argmax() * rate / len(waveform.samples)
    assert loudest == pytest.approx(440, abs=1)


def test_info_reads_the_header(tmp_path, noise):
    path = written(tmp_path / "a.flac", np.stack([noise, noise], axis=1), 44_100)

    assert info(path) == (pytest.approx(2 * RATE / 44_100), 44_100, 2)


def test_two_channels_need_a_word_on_which(tmp_path, noise):
    left, right = noise, np.roll(noise, 100)
    path = written(
        tmp_path / "a.wav", np.stack([left, right], axis=1), subtype="DOUBLE"
    )

    with pytest.raises(ChannelError, match=r"2 channels.*channel=0.*mix"):
        read(path)
    with pytest.raises(ChannelError, match="channel 2 is not there"):
        read(path, channel=2)
    np.testing.assert_array_equal(read(path, channel=0).samples, left)
    np.testing.assert_array_equal(read(path, channel=1).samples, right)
    np.testing.assert_allclose(read(path, channel="mix").samples, (left + right) / 2)


@pytest.mark.parametrize(
    ("suffix", "whole_seconds"),
    # Of an mp3, 280 frames of 576 samples; the encoder fills up the last one.
    [("wav", "10.00"), ("aiff", "10.00"), ("mp3", "10.08")],
)
def test_a_cut_off_file_is_refused_with_how_much_came(
    tmp_path, noise, suffix, whole_seconds
):
    path = written(tmp_path / f"a.{suffix}", np.tile(noise, 5))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])

    with pytest.raises(
        UnreadableRecording, match=rf"cut off: 5\S+ s of the {whole_seconds} s"
    ):
        read(path)


def test_a_cut_off_flac_is_refused(tmp_path, noise):
    path = written(tmp_path / "a.flac", noise)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])

    with pytest.raises(UnreadableRecording, match=r"a\.flac: is corrupt or cut off"):
        read(path)


@pytest.mark.parametrize("length", [0xFFFFFFFF, 0x7FFFF000])
def test_a_wav_written_to_a_pipe_has_no_length_and_is_read(tmp_path, noise, length):
    path = written(tmp_path / "a.wav", noise)
    content = bytearray(path.read_bytes())
    content[40:44] = length.to_bytes(4, "little")
    path.write_bytes(content)

    assert len(read(path).samples) == len(noise)


def text(path):
    path.write_text("a text file with the name of a recording\n" * 50)


def nothing(path):
    path.write_bytes(b"")


def directory(path):
    path.mkdir()


def missing(path):
    assert not path.exists()


def broken_flac(path):
    path.write_bytes(b"fLaC" + bytes(range(256)) * 20)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (text, "not audio that can be read.*ffmpeg"),
        (nothing, "holds 0 bytes"),
        (directory, "is a directory"),
        (missing, "does not exist"),
        (broken_flac, "corrupt"),
    ],
)
def test_what_is_no_recording_is_refused_by_name(tmp_path, make, says):
    path = tmp_path / "a.wav"
    make(path)

    for function in (read, info):
        with pytest.raises(UnreadableRecording, match=says) as caught:
            function(path)
        assert caught.value.recording == str(path)
        assert str(caught.value) == f"{path}: {caught.value.reason}"


def test_a_missing_directory_names_the_part_that_exists(tmp_path):
    with pytest.raises(
        UnreadableRecording, match=f"nor does its directory.*{tmp_path}"
    ):
        read(tmp_path / "no" / "such" / "a.wav")


def test_samples_without_a_header_are_refused(tmp_path):
    path = tmp_path / "a.raw"
    path.write_bytes(bytes(1000))

    with pytest.raises(RecordingError, match="not audio"):
        read(path)


def pipe(path):
    os.mkfifo(path)


def device(path):
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize("make", [pipe, device])
def test_what_would_never_end_is_refused_before_it_is_opened(tmp_path, make):
    path = tmp_path / "a.wav"
    make(path)

    for function in (read, info):
        with pytest.raises(UnreadableRecording, match="is a pipe or a device"):
            function(path)


def test_an_empty_path_is_called_that():
    for function in (read, info):
        with pytest.raises(UnreadableRecording, match="recording has an empty path"):
            function("")


@pytest.mark.parametrize("rate", [1, 999, 2_000_000])
def test_a_rate_that_no_recording_has_is_refused(tmp_path, noise, rate):
    path = written(tmp_path / "a.wav", noise, rate)

    for function in (read, info):
        with pytest.raises(SampleRateError, match=rf"a\.wav: has the .* rate {rate};"):
            function(path)


def test_a_name_that_is_not_utf8_is_read(tmp_path, noise):
    path = written(tmp_path / "a.wav", noise, subtype="DOUBLE")
    odd = path.rename(tmp_path / os.fsdecode(b"non\xff\xfeutf8.wav"))

    np.testing.assert_array_equal(read(odd).samples, noise)
    assert info(odd) == (2, RATE, 1)


def test_a_message_on_a_name_that_is_not_utf8_can_be_printed(tmp_path):
    odd = tmp_path / os.fsdecode(b"non\xff") / os.fsdecode(b"\xfe.wav")

    with pytest.raises(UnreadableRecording) as caught:
        read(odd)

    assert str(caught.value).encode().startswith(f"{tmp_path}/non\\udcff/".encode())
    assert caught.value.recording == str(odd)


@pytest.mark.parametrize(
    "content", [b"<html>404</html>", b"\xff\xf3\x58\xc4" + bytes(9)]
)
def test_a_page_or_too_little_under_the_name_of_an_mp3_is_no_audio(tmp_path, content):
    path = tmp_path / "a.mp3"
    path.write_bytes(content)

    with pytest.raises(
        UnreadableRecording, match=r"not audio.* or too little of it"
    ) as caught:
        read(path)
    assert "exist" not in str(caught.value)


def test_a_file_with_hardly_anything_missing_says_how_many_samples(tmp_path, noise):
    path = written(tmp_path / "a.wav", noise)
    path.write_bytes(path.read_bytes()[:-20])

    with pytest.raises(UnreadableRecording, match=r"\(31990 of 32000 samples\)"):
        read(path)
