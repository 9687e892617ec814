"""Files that are no lists are refused with what they are and what to do."""

import bz2
import gzip
import lzma

import pytest

from bob.learn.pytorch.protocols.lines import is_utf_8, text_lines
from bob.learn.pytorch.protocols.trials import DatabaseError


def lines(path):
    return list(text_lines(path, expected="a list"))


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_of_any_system_have_their_numbers(tmp_path, end):
    (tmp_path / "x").write_text(f"\ufeffa é{end}{end} \t{end}b", newline="")

    found = [(number, line.strip()) for number, line in lines(tmp_path / "x")]

    assert found == [(1, "a é"), (4, "b")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            gzip.compress(b"x", mtime=0),
            "compressed by gzip; expected a list: unpack it .`gunzip",
        ),
        (bz2.compress(b"x"), "compressed by bzip2.*bunzip2 -k"),
        (lzma.compress(b"x"), "compressed by xz.*unxz -k"),
        (b"PK\x03\x04...", "compressed by zip"),
        ("a b".encode("utf-16"), "UTF-16; expected a list in UTF-8.*iconv -f UTF-16"),
        (b"a\nb\xe9 c\n", r"x:2: not a text file in UTF-8, byte 0xe9 in 'b.udce9 c'"),
        (b"a\n\nb\0c\n", "x:3: not a text file in UTF-8, byte 0x00"),
    ],
)
def test_other_files_are_refused(tmp_path, content, message):
    (tmp_path / "x").write_bytes(content)

    with pytest.raises(DatabaseError, match=message):
        lines(tmp_path / "x")


def test_folders_and_what_is_missing_are_told_apart(tmp_path):
    with pytest.raises(DatabaseError, match="is a folder; expected a list"):
        lines(tmp_path)
    with pytest.raises(DatabaseError, match="x does not exist; expected a list"):
        lines(tmp_path / "x")


def test_bytes_of_file_names_are_not_utf_8():
    assert is_utf_8("é")
    assert not is_utf_8("é\udce9")
