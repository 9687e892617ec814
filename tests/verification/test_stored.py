from pathlib import Path

import h5py
import numpy as np
import pytest

from bob.learn.pytorch.storage import arrays
from bob.learn.pytorch.verification import stored


def as_text(place):
    Path(place).write_text("not HDF5")


@pytest.mark.parametrize(
    "writer", [lambda place: arrays.write(np.arange(3), place), as_text]
)
def test_a_fingerprint_comes_back_whatever_the_format(tmp_path, writer):
    path = tmp_path / "a" / "b.hdf5"

    stored.write(path, "f1", writer)

    assert stored.fingerprint(path) == "f1"


def test_the_content_is_bobs(tmp_path):
    path = tmp_path / "b.hdf5"

    stored.write(path, "f1", lambda place: arrays.write(np.arange(3.0), place))

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
    stored.write(whole, "f", lambda place: arrays.write(np.arange(3000), place))
    damaged = tmp_path / "damaged.hdf5"
    damaged.write_bytes(whole.read_bytes()[:400])

    assert stored.fingerprint(tmp_path / "absent.hdf5") is None
    assert stored.fingerprint(tmp_path / "empty.hdf5") is None
    assert stored.fingerprint(damaged) is None


def test_a_file_that_changed_after_it_was_marked_is_not_trusted(tmp_path):
    path = tmp_path / "a.txt"
    stored.write(path, "f1", as_text)

    path.write_text("something else")

    assert stored.fingerprint(path) == ""
