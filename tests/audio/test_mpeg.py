"""The frames of an mp3 tell what its decoder passes over."""

import io
import time
import tracemalloc

import numpy as np
import pytest
import soundfile

from bob.learn.pytorch.audio import UnreadableRecording
from bob.learn.pytorch.audio.content import Content
from bob.learn.pytorch.audio.files import read
from bob.learn.pytorch.audio.mpeg import Mpeg

RATE = 16_000


def bytes_of(path):
    return Content(io.BytesIO(path.read_bytes()), str(path))


NOTE_BYTES = {"CONSTANT": 504, "VARIABLE": 288}  # of the frame that is only a note


@pytest.fixture
def written(tmp_path):
    def write(mode="CONSTANT", rate=RATE):
        noise = 0.2 * np.random.default_rng(1).standard_normal(5 * rate).clip(-4, 4)
        noise[rate : 2 * rate] = 0  # so that a varying rate of bits does vary
        path = tmp_path / f"{mode}{rate}.mp3"
        soundfile.write(path, noise, rate, bitrate_mode=mode, compression_level=0.3)
        return path

    return write


@pytest.mark.parametrize(
    ("rate", "frame_samples"), [(8_000, 576), (16_000, 576), (44_100, 1152)]
)
@pytest.mark.parametrize("mode", ["CONSTANT", "AVERAGE", "VARIABLE"])
def test_the_walk_finds_every_frame(written, mode, rate, frame_samples):
    """LAME's note counts the others; both 2 and 1 hold 576 or 1152 samples a frame."""
    frames = Mpeg.of(bytes_of(written(mode, rate)))

    assert (frames.broken, frames.cut_off, frames.rate) == (False, False, rate)
    assert frames.samples == frames.promised + frame_samples
    assert 0 <= frames.promised - 5 * rate <= 4 * frame_samples
    assert frames.due <= 5 * rate


def test_what_is_no_mp3_has_no_frames(tmp_path):
    for content in (b"RIFF" + bytes(2000), b"\xff\xfea\0b\0" * 50, b"<html>", b""):
        (tmp_path / "a").write_bytes(content)

        assert Mpeg.of(bytes_of(tmp_path / "a")) is None


def test_tags_before_and_behind_are_no_damage(written):
    path = written()
    content = path.read_bytes()
    title = b"ID3\x03\0\0\0\0\x01\x02" + bytes(130)  # 1 * 128 + 2 bytes follow
    expected = read(path).samples
    path.write_bytes(title + bytes(3) + content + b"TAG" + b"a" * 125)

    frames = Mpeg.of(bytes_of(path))

    assert (frames.broken, frames.cut_off) == (False, False)
    np.testing.assert_array_equal(read(path).samples, expected)


def test_junk_behind_is_no_damage(written):
    path = written()
    path.write_bytes(path.read_bytes() + np.random.default_rng(0).bytes(5000))

    assert len(read(path).samples) == 5 * RATE


@pytest.mark.parametrize("damage", [bytes(500), np.random.default_rng(0).bytes(500)])
@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
def test_bytes_between_frames_are_damage_with_its_time(written, mode, damage):
    path = written(mode)
    content = path.read_bytes()
    middle = len(content) // 2
    path.write_bytes(content[:middle] + damage + content[middle + 500 :])

    with pytest.raises(
        UnreadableRecording, match=r"corrupt: \d\.\d\d s from its start"
    ):
        read(path)


def test_a_damaged_beginning_is_refused(written):
    path = written()
    path.write_bytes(np.random.default_rng(0).bytes(700) + path.read_bytes()[700:])

    with pytest.raises(UnreadableRecording, match=r"does not begin as|not audio"):
        read(path)


def test_a_last_frame_that_is_not_whole_is_refused(written):
    path = written()
    path.write_bytes(path.read_bytes()[:-1])

    with pytest.raises(UnreadableRecording, match=r"is cut off: after 5\.\d\d s"):
        read(path)


def test_without_its_note_a_constant_rate_of_bits_is_read_whole(written):
    path = written("CONSTANT")
    path.write_bytes(path.read_bytes()[NOTE_BYTES["CONSTANT"] :])

    assert len(read(path).samples) == pytest.approx(5 * RATE, abs=4 * 576)


def test_without_its_note_a_varying_rate_of_bits_is_not_read_in_part(written):
    """Libsndfile guesses the length from the first frame, and stops there."""
    path = written("VARIABLE")
    path.write_bytes(path.read_bytes()[NOTE_BYTES["VARIABLE"] :])

    with soundfile.SoundFile(path) as file:
        assert file.frames < 4 * RATE
    with pytest.raises(UnreadableRecording, match=r"only in part, \d+ of.*ffmpeg"):
        read(path)


def test_a_second_part_of_another_rate_is_not_left_out(written):
    """Libsndfile decodes the first alone, without a word."""
    path = written("CONSTANT", 16_000)
    path.write_bytes(path.read_bytes() + written("CONSTANT", 44_100).read_bytes())

    with pytest.raises(
        UnreadableRecording,
        match=r"after 5\.\d\d s of 16000 hertz with a part of 44100",
    ):
        read(path)


@pytest.mark.parametrize(
    "pattern", [b"\0", b"\xff\xfb\x90\x64", b"\xff\xf3\x18\xc4" + bytes(32)]
)
def test_the_work_on_a_byte_and_the_memory_for_it_are_bounded(pattern):
    """Zeros, headers without an end, and the shortest frames."""
    content = io.BytesIO(pattern * (1_500_000 // len(pattern)))
    size = len(content.getvalue())

    start = time.process_time()
    Mpeg.of(Content(content, "a.mp3"))
    seconds = time.process_time() - start
    tracemalloc.start()
    Mpeg.of(Content(content, "a.mp3"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert seconds < 0.5e-6 * size
    assert peak < size / 2
