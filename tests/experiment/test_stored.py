import os
from pathlib import Path

import h5py
import numpy as np
import pytest

from bob.learn.pytorch.experiment import stored
from bob.learn.pytorch.store import arrays


def write(path, fingerprint, writer, **source):
    with stored.writing(path, fingerprint, **source) as place:
        writer(place)


def as_text(place):
    Path(place).write_text("not HDF5")


@pytest.mark.parametrize(
    "writer", [lambda place: arrays.write(np.arange(3), place), as_text]
)
def test_a_fingerprint_comes_back_whatever_the_format(tmp_path, writer):
    path = tmp_path / "a" / "b.hdf5"

    write(path, "f1", writer)

    assert stored.fingerprint(path) == "f1"


def test_the_content_is_bobs(tmp_path):
    path = tmp_path / "b.hdf5"

    write(path, "f1", lambda place: arrays.write(np.arange(3.0), place))

    with h5py.File(path) as file:
        assert file["array"][()].tolist() == [0, 1, 2]
    assert arrays.read(str(path)).tolist() == [0, 1, 2]


def test_a_file_of_another_program_has_an_empty_fingerprint(tmp_path):
    arrays.write(np.arange(3), str(tmp_path / "old.hdf5"))
    as_text(tmp_path / "old.txt")

    assert stored.fingerprint(tmp_path / "old.hdf5") == ""
    assert stored.fingerprint(tmp_path / "old.txt") == ""


def test_a_missing_empty_or_damaged_file_has_none(tmp_path):
    (tmp_path / "empty.hdf5").touch()
    whole = tmp_path / "whole.hdf5"
    write(whole, "f", lambda place: arrays.write(np.arange(3000), place))
    damaged = tmp_path / "damaged.hdf5"
    damaged.write_bytes(whole.read_bytes()[:400])

    assert stored.fingerprint(tmp_path / "absent.hdf5") is None
    assert stored.fingerprint(tmp_path / "empty.hdf5") is None
    assert stored.fingerprint(damaged) is None


def test_a_file_that_changed_after_it_was_marked_is_not_trusted(tmp_path):
    path = tmp_path / "a.txt"
    write(path, "f1", as_text)

    path.write_text("something else")

    assert stored.fingerprint(path) == ""


def mark_of_before(path, fingerprint):
    """As files were marked before there were checksums."""
    with h5py.File(path, "r+") as file:
        file.attrs["bob.learn.pytorch.fingerprint"] = fingerprint


def flipped(content, bit):
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


EVERY_BIT = pytest.param(1, marks=pytest.mark.slow)


@pytest.mark.parametrize("step", [41, EVERY_BIT])
def test_no_flipped_bit_changes_what_is_read_or_hangs(tmp_path, caplog, step):
    path = tmp_path / "a.hdf5"
    embedding = np.random.default_rng(0).normal(size=(1, 24))
    write(path, "f1", lambda place: arrays.write(embedding, place), source="s")
    content = path.read_bytes()

    for bit in range(0, len(content) * 8, step):
        path.write_bytes(flipped(content, bit))
        if stored.fingerprint(path) == "f1" and stored.is_whole(path):
            pytest.fail(f"bit {bit} of {len(content) * 8} is not noticed")
    assert f"{path} is damaged" in caplog.text


@pytest.mark.parametrize("step", [41, EVERY_BIT])
def test_a_flipped_bit_in_a_mark_of_before_does_not_hang(tmp_path, step):
    path = tmp_path / "a.hdf5"
    arrays.write(np.arange(24.0), str(path))
    mark_of_before(path, f"{'0' * 32}-{'1' * 32}")
    content = path.read_bytes()
    assert stored.fingerprint(path) == f"{'0' * 32}-{'1' * 32}"

    for bit in range(0, len(content) * 8, step):
        path.write_bytes(flipped(content, bit))
        stored.fingerprint(path)


def test_a_changed_text_file_of_equal_size_and_time_is_damaged(tmp_path):
    path = tmp_path / "a.txt"
    write(path, "f1", as_text)
    status = path.stat()
    path.write_text("no DHDF5")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    with pytest.raises(stored.DamagedFileError, match=r"a\.txt is damaged"):
        stored.check(path)


@pytest.mark.parametrize(
    "writer", [lambda place: arrays.write(np.arange(3), place), as_text]
)
def test_what_a_file_stands_for_is_kept_beside_what_made_it(tmp_path, writer):
    path = tmp_path / "b.hdf5"
    write(path, "f1", writer, source="here")

    stored.accept(path, "f2", "there")

    made = stored.mark(path)
    assert (made.fingerprint, made.accepted, made.source) == ("f1", "f2", "there")
    assert stored.is_whole(path)
