"""Many recordings: what came of each."""

import os
import resource

import numpy as np
import pytest
from bob.learn.pytorch.extraction.collection import Collection, collect, read_list

from bob.learn.pytorch.audio import SilentRecording
from bob.learn.pytorch.extraction.comparison import compare


class Means:
    """Embeds (rate, samples) as their mean and largest value."""

    channel = None

    def embed(self, recording):
        samples = getattr(recording, "samples", None)
        samples = recording[1] if samples is None else samples
        if not samples.any():
            raise SilentRecording("is silent")
        return np.float32([samples.mean(), samples.max()])

    def fingerprint(self):
        return {"extractor": "Means"}


def test_a_bad_recording_does_not_stop_the_others():
    recordings = {
        "one": (8000, np.array([0.0, 1.0])),
        "two": (8000, np.zeros(2)),
        "three": (8000, np.array([0.5, 0.0, 0.25])),
    }

    collection = collect(Means(), recordings)

    assert collection.names == ("one", "three")
    np.testing.assert_array_equal(collection.embeddings, [[0.5, 1], [0.25, 0.5]])
    assert collection.embeddings.dtype == np.float32
    assert collection.failures == {"two": "is silent"}
    assert collection.fingerprint == {"extractor": "Means"}


@pytest.mark.parametrize(
    "collection",
    [
        Collection(
            ("ü b", "a"), np.float32([[1, 2], [3, 4]]), {"c": "is bad"}, {"k": "v"}
        ),
        Collection((), np.zeros((0, 0), np.float32)),
    ],
)
def test_a_collection_comes_back_from_its_file(tmp_path, collection):
    path = tmp_path / "new" / "some.npz"

    collection.save(path)

    back = Collection.load(path)
    assert back.names == collection.names
    assert back.failures == collection.failures
    assert back.fingerprint == collection.fingerprint
    np.testing.assert_array_equal(back.embeddings, collection.embeddings)
    assert [item.name for item in path.parent.iterdir()] == ["some.npz"]


def test_lists_have_paths_or_names_with_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "with a blank.wav").touch()
    (tmp_path / "list.txt").write_text(
        "a/1.wav\n\n  named   b/2.wav\nwith a blank.wav\nother c d.wav\n", "utf-8"
    )

    assert read_list("list.txt") == {
        "a/1.wav": "a/1.wav",
        "named": "b/2.wav",
        "with a blank.wav": "with a blank.wav",
        "other": "c d.wav",
    }


def test_comments_and_names_that_are_not_utf8_in_a_list(tmp_path):
    content = (
        b"\xef\xbb\xbf# from the archive\r\n\r\n  # more\none\ta.wav\r\nb\xff.wav\r\n"
    )
    (tmp_path / "list.txt").write_bytes(content)

    assert read_list(tmp_path / "list.txt") == {
        "one": "a.wav",
        "b\\udcff.wav": os.fsdecode(b"b\xff.wav"),
    }


@pytest.mark.parametrize("content", ["", "\n\n", "# nothing\n"])
def test_a_list_without_recordings_is_refused(tmp_path, content):
    (tmp_path / "list.txt").write_text(content)

    with pytest.raises(ValueError, match=r"list\.txt names no recording; expected"):
        read_list(tmp_path / "list.txt")


class Stops(Means):
    """Is stopped at the third recording."""

    def __init__(self, error):
        self.error = error
        self.calls = 0

    def embed(self, recording):
        self.calls += 1
        if self.calls == 3:
            raise self.error
        return super().embed(recording)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("no memory")])
def test_what_is_done_is_handed_out_when_the_work_is_stopped(error):
    sounds = [np.ones(2), np.zeros(2), np.ones(2), np.ones(2)]
    recordings = {
        name: (8000, sound) for name, sound in zip("abcd", sounds, strict=True)
    }
    kept = []

    with pytest.raises(type(error)):
        collect(Stops(error), recordings, when_stopped=kept.append)

    assert kept[0].names == ("a",)
    assert kept[0].failures == {
        "b": "is silent",
        "c": "was not reached",
        "d": "was not reached",
    }
    assert kept[0].fingerprint == {"extractor": "Means"}


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path):
    """A limit on the size of files stands for the full disk."""
    path = tmp_path / "some.npz"
    Collection(("a",), np.float32([[1, 2]])).save(path)
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            Collection(("a",), np.ones((1, 9999), np.float32)).save(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_name_that_stands_twice_is_refused_with_its_line(tmp_path):
    (tmp_path / "list.txt").write_text("one a.wav\none b.wav\n")

    with pytest.raises(ValueError, match=r"list\.txt, line 2: one stands there twice"):
        read_list(tmp_path / "list.txt")


def test_a_comparison_is_the_cosine_of_two_embeddings():
    first = (8000, np.array([0.0, 0.6]))  # mean 0.3, largest 0.6
    second = (4000, np.array([0.2, 0.0, 0.1]))  # mean 0.1, largest 0.2

    comparison = compare(Means(), first, second)

    expected = (0.3 * 0.1 + 0.6 * 0.2) / np.sqrt((0.09 + 0.36) * (0.01 + 0.04))
    assert comparison.score == pytest.approx(expected, abs=1e-6)
    assert comparison.seconds == (2 / 8000, 3 / 4000)
