"""A protocol in CSV takes the place of another as a whole, and of nothing else."""

from pathlib import Path

import pytest

from bob.learn.pytorch.protocols.formats import bob_csv
from bob.learn.pytorch.protocols.formats.bob_csv import write_csv_protocol
from bob.learn.pytorch.protocols.opening import as_database
from bob.learn.pytorch.protocols.trials import DatabaseError


@pytest.fixture
def speakers(tmp_path):
    """Four speakers, so that there are dev and eval."""
    folder = tmp_path / "corpus"
    for speaker in "abcd":
        for session in ("m1", "m2"):
            (folder / speaker / session).mkdir(parents=True)
            (folder / speaker / session / "1.wav").touch()
    return as_database(folder)


@pytest.fixture
def listed(tmp_path):
    """A list of dev alone, of recordings in another folder."""
    folder = tmp_path / "vox"
    (folder / "id1").mkdir(parents=True)
    for name in ("x.wav", "y.wav"):
        (folder / "id1" / name).touch()
    (folder / "list.txt").write_text("1 id1/x.wav id1/y.wav\n")
    return as_database(folder / "list.txt")


def files(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def paths(database):
    return [
        item.path
        for group in database.groups()
        for item in database.trials(group).recordings()
    ]


def test_a_group_of_the_protocol_before_does_not_stay(speakers, listed, tmp_path):
    write_csv_protocol(speakers, tmp_path / "out", protocol="p")

    root = write_csv_protocol(listed, tmp_path / "out", protocol="p")

    again = as_database(root)
    assert again.groups() == ("dev",)
    assert [path.is_file() for path in paths(again)] == [True, True]


def test_each_protocol_of_a_folder_has_recordings_of_its_own(
    speakers, listed, tmp_path
):
    write_csv_protocol(speakers, tmp_path / "out")

    root = write_csv_protocol(listed, tmp_path / "out")

    for name, count in (("session", 8), ("list", 2)):
        found = paths(as_database(root, protocol=name))
        assert (len(found), all(path.is_file() for path in found)) == (count, True)


def test_after_an_error_the_protocol_before_is_there(
    speakers, listed, tmp_path, monkeypatch
):
    root = write_csv_protocol(speakers, tmp_path / "out", protocol="p")
    before = files(root)

    def broken(*_):
        raise OSError("disk full")

    monkeypatch.setattr(bob_csv, "_write_provenance", broken)
    with pytest.raises(OSError, match="disk full"):
        write_csv_protocol(listed, root, protocol="p")

    assert files(root) == before
    assert sorted(path.name for path in root.iterdir()) == ["bob_database.py", "p"]


def test_a_folder_that_cannot_be_moved_in_leaves_the_one_before(
    speakers, listed, tmp_path, monkeypatch
):
    root = write_csv_protocol(speakers, tmp_path / "out", protocol="p")
    before = files(root / "p")
    rename = Path.rename

    def refuses(self, target):
        if self.name == "new":
            raise OSError("no permission")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuses)
    with pytest.raises(OSError, match="no permission"):
        write_csv_protocol(listed, root, protocol="p")

    assert files(root / "p") == before


def test_recordings_are_not_replaced_by_a_protocol(listed, tmp_path):
    (tmp_path / "out/session/ann").mkdir(parents=True)
    (tmp_path / "out/session/ann/1.wav").write_text("sound")

    with pytest.raises(DatabaseError, match=r"ann/1\.wav is no part of a protocol"):
        write_csv_protocol(listed, tmp_path / "out", protocol="session")

    assert files(tmp_path / "out") == {"session/ann/1.wav": b"sound"}


@pytest.mark.parametrize("name", ["..", "a/b", "."])
def test_a_protocol_lies_in_the_folder_that_was_named(listed, tmp_path, name):
    with pytest.raises(DatabaseError, match="give it a name without a slash"):
        write_csv_protocol(listed, tmp_path / "out", protocol=name)


@pytest.mark.parametrize("moment", ["after the first", "before the second"])
def test_an_interruption_leaves_the_one_before(
    speakers, listed, tmp_path, monkeypatch, moment
):
    root = write_csv_protocol(speakers, tmp_path / "out", protocol="p")
    before = files(root / "p")
    rename = Path.rename

    def interrupted(self, target):
        if self.name == "new" and moment == "before the second":
            raise KeyboardInterrupt
        rename(self, target)
        if self.name == "p" and moment == "after the first":
            raise KeyboardInterrupt

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_csv_protocol(listed, root, protocol="p")

    assert files(root / "p") == before


@pytest.mark.parametrize("name", [".DS_Store", "norm/.nfs0001", "dev/Thumbs.db"])
def test_what_systems_leave_behind_is_no_hindrance(speakers, listed, tmp_path, name):
    root = write_csv_protocol(speakers, tmp_path / "out", protocol="p")
    (root / "p" / name).parent.mkdir(exist_ok=True)
    (root / "p" / name).touch()

    write_csv_protocol(listed, root, protocol="p")

    assert as_database(root).groups() == ("dev",)


def test_what_lies_in_a_hidden_folder_is_not_lost(speakers, listed, tmp_path):
    root = write_csv_protocol(speakers, tmp_path / "out", protocol="p")
    (root / "p/.git").mkdir()
    (root / "p/.git/config").touch()

    with pytest.raises(DatabaseError, match="config is no part of a protocol"):
        write_csv_protocol(listed, root, protocol="p")
