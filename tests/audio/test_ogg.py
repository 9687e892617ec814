"""An ogg file without its last page is not whole."""

import io
import time

import numpy as np
import pytest
import soundfile

from bob.learn.pytorch.audio import UnreadableRecording
from bob.learn.pytorch.audio.content import Content
from bob.learn.pytorch.audio.files import read
from bob.learn.pytorch.audio.ogg import check

RATE = 16_000


def bytes_of(path):
    return Content(io.BytesIO(path.read_bytes()), str(path))


@pytest.fixture(scope="module", params=["VORBIS", "OPUS"])
def encoded(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("encoded") / "a.ogg"
    noise = 0.2 * np.random.default_rng(1).standard_normal(8 * RATE).clip(-4, 4)
    soundfile.write(path, noise, RATE, format="OGG", subtype=request.param)
    return path.read_bytes()


@pytest.fixture
def path(encoded, tmp_path):
    (tmp_path / "a.ogg").write_bytes(encoded)
    return tmp_path / "a.ogg"


def pages(content):
    """Where each page begins."""
    return [at for at in range(len(content)) if content.startswith(b"OggS", at)]


def changed(path, change):
    path.write_bytes(change(path.read_bytes()))
    return path


def test_a_whole_file_is_complete_and_so_is_one_with_junk_behind_it(path):
    check(bytes_of(path))

    changed(path, lambda content: content + b"\x55" * 5000)

    check(bytes_of(path))
    assert len(read(path).samples) == 8 * RATE


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.999])
def test_a_file_that_was_cut_off_is_refused(path, part):
    changed(path, lambda content: content[: int(len(content) * part)])

    with pytest.raises(UnreadableRecording, match=r"a\.ogg: is cut off.*last page"):
        read(path)


def test_a_file_that_was_cut_off_between_two_pages_is_refused(path):
    changed(path, lambda content: content[: pages(content)[-1]])

    with pytest.raises(UnreadableRecording, match="last page is missing"):
        read(path)


def test_one_wrong_byte_in_the_last_page_is_damage(path):
    changed(
        path, lambda content: content[:-5] + bytes([content[-5] ^ 1]) + content[-4:]
    )

    with pytest.raises(UnreadableRecording, match="damaged at its end"):
        read(path)


def without_a_page(content):
    begins = pages(content)
    middle = len(begins) // 2
    return content[: begins[middle]] + content[begins[middle + 1] :]


def with_zeros(content):
    middle = len(content) // 2
    return content[:middle] + bytes(500) + content[middle + 500 :]


@pytest.mark.parametrize("damage", [without_a_page, with_zeros])
def test_a_lost_or_broken_page_in_the_middle_is_refused_with_its_time(path, damage):
    changed(path, damage)

    with pytest.raises(
        UnreadableRecording, match=r"corrupt: \d\.\d\d s from its start"
    ):
        read(path)


@pytest.mark.parametrize("seconds", [1, 2])
def test_two_streams_in_a_row_are_refused(tmp_path, seconds):
    """Libsndfile decodes the first alone, without a word."""
    noise = 0.2 * np.random.default_rng(1).standard_normal(2 * RATE).clip(-4, 4)
    content = b""
    for name, length in (("a.ogg", RATE), ("b.ogg", seconds * RATE)):
        soundfile.write(tmp_path / name, noise[:length], RATE)
        content += (tmp_path / name).read_bytes()
    (tmp_path / "both.ogg").write_bytes(content)

    with pytest.raises(UnreadableRecording, match=r"several ogg streams.*ffmpeg"):
        read(tmp_path / "both.ogg")


@pytest.mark.parametrize("place", [0.2, 0.35, 0.5, 0.65, 0.8])
def test_damage_anywhere_shows_even_where_the_decoder_goes_on(path, place):
    """Its own checksum tells of every page."""

    def with_wrong_byte(content):
        at = int(len(content) * place)
        return content[:at] + bytes([content[at] ^ 0x10]) + content[at + 1 :]

    changed(path, with_wrong_byte)

    with pytest.raises(UnreadableRecording, match="is corrupt"):
        check(bytes_of(path))
    with pytest.raises(UnreadableRecording, match=r"corrupt|cut off"):
        read(path)


@pytest.mark.parametrize("pattern", [b"OggS", b"OggS\0\0" + bytes(20) + b"\xff" * 9])
def test_names_of_pages_in_a_row_are_not_read_over_and_over(pattern):
    """Each of them may claim 64 kB behind it."""
    content = io.BytesIO(pattern * (1_000_000 // len(pattern)))

    start = time.process_time()
    with pytest.raises(UnreadableRecording, match="is corrupt"):
        check(Content(content, "a.ogg"))

    assert time.process_time() - start < 0.5
