import subprocess
import sys

import pytest

from bob.learn.pytorch.atomic import beside, clear_up, write_text


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


def test_what_a_killed_process_left_is_cleared_up_and_what_is_being_written_is_not(
    tmp_path,
):
    program = (
        "import os, signal, sys, pathlib\n"
        "from bob.learn.pytorch.atomic import beside\n"
        "with beside(pathlib.Path(sys.argv[1])) as place:\n"
        "    place.write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    path = tmp_path / "folder" / "scores.txt"
    subprocess.run([sys.executable, "-c", program, str(path)], check=False)
    assert len(list(path.parent.iterdir())) == 1

    with beside(path) as place:
        place.write_text("whole")
        clear_up(tmp_path)
        assert list(path.parent.iterdir()) == [place]

    assert path.read_text() == "whole"
