import pytest

from bob.learn.pytorch.atomic import beside, write_text


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
