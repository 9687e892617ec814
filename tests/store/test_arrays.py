"""Arrays as Bob writes them."""

import h5py
import numpy as np
import pytest

from bob.learn.pytorch.store import arrays


def test_what_is_written_comes_back_in_double(tmp_path):
    data = np.float32([[0.1, 0.2]])

    arrays.write(data, tmp_path / "new" / "a.hdf5")

    back = arrays.read(tmp_path / "new" / "a.hdf5")
    assert back.dtype == np.float64
    np.testing.assert_array_equal(back, data)


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "a.hdf5"
    arrays.write([1.0], path)

    with pytest.raises(ValueError, match="could not convert"):
        arrays.write(["not a number"], path)

    assert arrays.read(path).tolist() == [1]
    assert [item.name for item in tmp_path.iterdir()] == ["a.hdf5"]


def test_a_broken_file_is_an_os_error(tmp_path):
    (tmp_path / "a.hdf5").write_bytes(b"broken")

    with pytest.raises(OSError, match="signature"):
        arrays.read(tmp_path / "a.hdf5")


def test_an_open_file_stays_open(tmp_path):
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        arrays.write([1.0, 2.0], file)

        assert arrays.read(file).tolist() == [1, 2]
