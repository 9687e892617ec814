"""Lists of recordings."""

import os

import pytest

from bob.learn.pytorch.recordings import read_list


def test_lists_have_paths_or_names_with_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "with a blank.wav").touch()
    (tmp_path / "list.txt").write_text(
        "a/1.wav\n\n  named   b/2.wav\nwith a blank.wav\nother c d.wav\n", "utf-8"
    )

    assert read_list("list.txt") == {
        "a/1.wav": "a/1.wav",
        "named": "b/2.wav",
        "with a blank.wav": "with a blank.wav",
        "other": "c d.wav",
    }


def test_comments_and_names_that_are_not_utf8_in_a_list(tmp_path):
    content = (
        b"\xef\xbb\xbf# from the archive\r\n\r\n  # more\none\ta.wav\r\nb\xff.wav\r\n"
    )
    (tmp_path / "list.txt").write_bytes(content)

    assert read_list(tmp_path / "list.txt") == {
        "one": "a.wav",
        "b\\udcff.wav": os.fsdecode(b"b\xff.wav"),
    }


@pytest.mark.parametrize("content", ["", "\n\n", "# nothing\n"])
def test_a_list_without_recordings_is_refused(tmp_path, content):
    (tmp_path / "list.txt").write_text(content)

    with pytest.raises(ValueError, match=r"list\.txt names no recording; expected"):
        read_list(tmp_path / "list.txt")


def test_a_name_that_stands_twice_is_refused_with_its_line(tmp_path):
    (tmp_path / "list.txt").write_text("one a.wav\none b.wav\n")

    with pytest.raises(ValueError, match=r"list\.txt, line 2: one stands there twice"):
        read_list(tmp_path / "list.txt")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("anna-1 sph2pipe -f wav anna.sph |", "is a command, and commands are not run"),
        ("anna-1 data/wav.1.ark:13", "'data/wav.1.ark:13' is a part of an archive"),
        ("data/wav.1.ark:13", "is a part of an archive"),
    ],
)
def test_commands_and_archives_of_kaldi_are_refused_with_their_line(
    tmp_path, line, reason
):
    (tmp_path / "wav.scp").write_text(f"boris-1 boris.wav\n{line}\n")

    with pytest.raises(ValueError, match=rf"wav\.scp, line 2: .*{reason}"):
        read_list(tmp_path / "wav.scp")


def test_backslashes_of_windows_are_slashes_unless_a_file_has_them(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "odd\\name.wav").touch()
    (tmp_path / "list.txt").write_text("anna\\s1\\1.wav\nodd\\name.wav\nb c\\d.wav\n")

    assert read_list("list.txt") == {
        "anna/s1/1.wav": "anna/s1/1.wav",
        "odd\\name.wav": "odd\\name.wav",
        "b": "c/d.wav",
    }


def test_a_manifest_of_nemo_names_recordings(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "b.wav").touch()
    (tmp_path / "set" / "m.json").write_text(
        '{"audio_filepath": "/data/a.wav", "offset": 0.0, "label": "x"}\n'
        '{"audio_filepath": "b.wav", "duration": null}\n'
    )

    found = read_list("set/m.json")

    assert found == {"/data/a.wav": "/data/a.wav", "b.wav": "set/b.wav"}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (
            '{"audio_filepath": "a.wav", "offset": 1.5}',
            "a.wav is to be read from 1.5 s",
        ),
        ('{"audio_filepath": ["a.wav", "b.wav"]}', "audio_filepath is one path"),
        ('{"audio_filepath": "a.wav"', "delimiter"),
    ],
)
def test_what_is_no_whole_recording_of_a_manifest_is_refused(tmp_path, line, reason):
    (tmp_path / "m.json").write_text(line)

    with pytest.raises(ValueError, match=rf"m\.json, line 1: .*{reason}"):
        read_list(tmp_path / "m.json")
