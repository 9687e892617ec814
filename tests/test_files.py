"""Files are written whole or not at all, and known again by their content."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bob.learn.pytorch import files
from bob.learn.pytorch.files import (
    beside,
    clear_up,
    content_of,
    is_same,
    source_of,
    write_text,
)
from bob.learn.pytorch.protocols.writing import replacing_folder


def fail_after_half(path):
    with beside(path) as place:
        place.write_text("half")
        raise RuntimeError


def test_a_file_whose_writer_fails_stays_as_it_was(tmp_path):
    path = tmp_path / "folder" / "scores"
    write_text(path, "old")

    with pytest.raises(RuntimeError):
        fail_after_half(path)

    assert path.read_text() == "old"
    assert [item.name for item in path.parent.iterdir()] == ["scores"]


def test_nobody_sees_a_file_that_is_being_written(tmp_path):
    path = tmp_path / "a.npz"

    with beside(path) as place:
        place.write_text("new")
        assert not path.exists()
        assert place.suffix == ".npz"

    assert path.read_text() == "new"


KILLED = """
import os, signal, sys, pathlib
from bob.learn.pytorch.files import beside
with beside(pathlib.Path(sys.argv[1])) as place:
    place.write_text("half")
    print(place, flush=True)
    if sys.argv[2] == "wait":
        sys.stdin.read()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def killed(path):
    """What a process that is killed in the middle leaves of a file."""
    command = [sys.executable, "-c", KILLED, str(path), ""]
    said = subprocess.run(command, check=False, capture_output=True, text=True).stdout
    return Path(said.strip())


def test_what_a_killed_process_left_is_cleared_up_and_what_is_being_written_is_not(
    tmp_path,
):
    path = tmp_path / "folder" / "scores.txt"
    assert killed(path).exists()

    with beside(path) as place:
        place.write_text("whole")
        clear_up(tmp_path)
        assert list(path.parent.iterdir()) == [place]

    assert path.read_text() == "whole"


def test_the_next_run_removes_what_killed_ones_left_of_the_same_file_and_no_other(
    tmp_path,
):
    path = tmp_path / "scores.txt"
    dead, other = killed(path), killed(tmp_path / "other.txt")
    elsewhere = tmp_path / dead.name.replace(files._HOST, "othermachine")
    elsewhere.write_text("of a machine whose processes nobody knows here")
    ours = str(os.getpid())
    started = dead.name.split("-")[3]
    reused = tmp_path / dead.name.replace(f"-{dead.name.split('-')[2]}-", f"-{ours}-")
    reused.write_text("of a process whose number is ours now")

    write_text(path, "whole")

    left = {item.name for item in tmp_path.iterdir()}
    assert started != files._started(os.getpid())
    assert left == {"scores.txt", other.name, elsewhere.name}


def test_what_another_process_is_writing_stays(tmp_path):
    path = tmp_path / "scores.txt"
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(path), "wait"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as writer:
        place = Path(writer.stdout.readline().strip())

        write_text(path, "whole")

        assert place.read_text() == "half"
        writer.stdin.close()


def test_a_folder_that_was_being_replaced_is_there_again(tmp_path):
    """Killed between two renames, the old one lies aside; it is not debris."""
    place = tmp_path / "protocol"
    place.mkdir()
    (place / "list").write_text("old")
    aside = killed(place)
    aside.unlink()
    aside.mkdir()
    place.rename(aside / "old")

    with replacing_folder(place) as made:
        assert (place / "list").read_text() == "old"
        (made / "list").write_text("new")

    assert (place / "list").read_text() == "new"
    assert list(tmp_path.iterdir()) == [place]


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
