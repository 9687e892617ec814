"""Files of a protocol: missing, empty, or twice the same."""

from pathlib import Path

from bob.learn.pytorch.protocols import recording_files
from bob.learn.pytorch.protocols.recording_files import same_contents, without_file
from bob.learn.pytorch.protocols.trials import Recording


def test_missing_and_empty_files_are_told_apart(tmp_path):
    (tmp_path / "a").write_text("a")
    (tmp_path / "b").touch()
    (tmp_path / "c").mkdir()
    recordings = [Recording(name, tmp_path / name, "ann") for name in "abcd"]

    found = without_file([*recordings, Recording("e", None, "ann")])

    assert found == {
        "missing": (str(tmp_path / "c"), str(tmp_path / "d")),
        "empty": (str(tmp_path / "b"),),
    }


def test_files_of_the_same_bytes_are_found_together(tmp_path, monkeypatch):
    contents = {
        "a": "12",
        "b": "13",
        "c": "12",
        "d": "12345",
        "e": "",
        "f": "",
        "g": "13",
    }
    for name, text in contents.items():
        (tmp_path / name).write_text(text)
    read = []
    digest = recording_files.file_sha256
    monkeypatch.setattr(
        recording_files,
        "file_sha256",
        lambda path: read.append(path.name) or digest(path),
    )

    found = same_contents([*map(tmp_path.joinpath, contents), Path("/gone")])

    assert [[path.name for path in alike] for alike in found] == [
        ["a", "c"],
        ["b", "g"],
    ]
    assert sorted(read) == ["a", "b", "c", "g"]  # d is the only one of its size
