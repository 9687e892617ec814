"""The same recording is the one of the same content, and is read once."""

import hashlib
import os
import shutil

import pytest

from bob.learn.pytorch import files
from bob.learn.pytorch.files import content_of, is_same, source_of

LONG_AGO = 10**18


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(b"anna" * 1000)
    os.utime(path, ns=(LONG_AGO, LONG_AGO))
    return path


def replace(path, content):
    """Another content of the same name, size and time of change."""
    path.write_bytes(content)
    os.utime(path, ns=(LONG_AGO, LONG_AGO))


def test_the_content_counts_as_b2sum_prints_it(file):
    expected = hashlib.blake2b(file.read_bytes(), digest_size=16).hexdigest()

    assert content_of(source_of(file)) == f"blake2b:{expected}"


def test_a_file_that_did_not_change_is_not_read_again(file, monkeypatch):
    known = source_of(file)
    monkeypatch.setattr(files, "content_hash", None)

    assert source_of(file, known=known) == known


def test_another_content_of_equal_size_and_time_is_noticed(file):
    known = source_of(file)
    replace(file, b"bert" * 1000)

    assert not is_same(known, source_of(file, known=known))


def test_a_copy_and_a_touched_file_are_the_same(file, tmp_path):
    known = source_of(file)
    copy = tmp_path / "elsewhere" / "b.wav"
    copy.parent.mkdir()
    shutil.copyfile(file, copy)
    os.utime(file)

    assert is_same(known, source_of(copy, known=known))
    assert is_same(known, source_of(file, known=known))


def test_a_record_of_size_and_time_alone_is_accepted(file):
    before = f"4000 {LONG_AGO}"

    assert is_same(before, source_of(file, known=before))
    os.utime(file)
    assert not is_same(before, source_of(file, known=before))


def test_what_changes_at_once_after_it_was_looked_at_is_noticed(tmp_path):
    path = tmp_path / "a.wav"
    for number in range(10):
        replace(path, b"anna")
        known = source_of(path)
        replace(path, b"bert")

        assert not is_same(known, source_of(path, known=known)), number


def test_a_pipe_is_not_read_and_a_missing_file_has_no_source(tmp_path):
    os.mkfifo(tmp_path / "pipe")

    assert not source_of(tmp_path / "pipe").startswith("blake2b:")
    assert source_of(tmp_path / "absent") == ""
    assert not is_same("", "")


def test_any_name_stands_on_one_line(tmp_path):
    path = tmp_path / os.fsdecode(b"a\n\xff\x1b[31m.wav")
    path.write_bytes(b"x")

    assert source_of(path).isprintable()
