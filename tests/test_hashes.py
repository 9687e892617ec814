"""SHA-256 of files."""

import hashlib

import pytest

from bob.learn.pytorch.hashes import file_sha256, stream_sha256


@pytest.mark.parametrize("size", [0, 3, 1 << 20, (1 << 20) + 1])
def test_the_hash_is_that_of_all_bytes(tmp_path, size):
    content = bytes(range(256)) * (size // 256) + bytes(size % 256)
    path = tmp_path / "file"
    path.write_bytes(content)

    assert file_sha256(path) == hashlib.sha256(content).hexdigest()


def test_of_an_open_file_what_is_left_counts(tmp_path):
    (tmp_path / "file").write_bytes(b"abcdef")

    with (tmp_path / "file").open("rb") as file:
        file.seek(2)
        assert stream_sha256(file) == hashlib.sha256(b"cdef").hexdigest()
