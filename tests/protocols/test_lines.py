"""Text files line by line, and CSV row by row, with the line of what is wrong."""

import bz2
import gzip
import lzma

import pytest

from bob.learn.pytorch.protocols.lines import (
    is_utf_8,
    read_header,
    read_rows,
    text_lines,
)
from bob.learn.pytorch.protocols.trials import DatabaseError


def lines_of(path):
    return list(text_lines(path, expected="a list"))


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_of_any_system_have_their_numbers(tmp_path, end):
    (tmp_path / "x").write_text(f"\ufeffa é{end}{end} \t{end}b", newline="")

    found = [(number, line.strip()) for number, line in lines_of(tmp_path / "x")]

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
        lines_of(tmp_path / "x")


def test_folders_and_what_is_missing_are_told_apart(tmp_path):
    with pytest.raises(DatabaseError, match="is a folder; expected a list"):
        lines_of(tmp_path)
    with pytest.raises(DatabaseError, match="x does not exist; expected a list"):
        lines_of(tmp_path / "x")


def test_bytes_of_file_names_are_not_utf_8():
    assert is_utf_8("é")
    assert not is_utf_8("é\udce9")


@pytest.fixture
def rows(tmp_path):
    def rows(content):
        path = tmp_path / "t.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return list(read_rows(path, ["path", "subject_id"]))

    return rows


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_rows_have_the_lines_they_end_on(rows, end):
    text = f'\ufeffsubject_id,path,x{end}a,"p,1",{end}{end}b,"p{end}2",é{end}'

    found = rows(text)

    assert [row.fields for row in found] == [
        {"subject_id": "a", "path": "p,1", "x": ""},
        {"subject_id": "b", "path": f"p{end}2", "x": "é"},
    ]
    assert found[0].where.endswith("t.csv:2")
    assert found[1].line == 5
    with pytest.raises(DatabaseError, match=r"t.csv:2: column 'x' is empty; complete"):
        found[0].get("x")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("path\n", "t.csv:1: no column subject_id; it has path, expected path, sub"),
        ("path;subject_id\n", "parted by ';': save it with commas"),
        ("", "t.csv:1: no column path, subject_id; it has none"),
        ("path,subject_id,path\n", "t.csv:1: two columns 'path'; expected each title"),
        (
            "path,subject_id\na,b\na\n",
            "t.csv:3: 1 fields, expected 2: path, subject_id",
        ),
        ("path,subject_id\na\0,b\n", "t.csv:2: not a text file in UTF-8, byte 0x00"),
        (
            gzip.compress(b"path", mtime=0),
            "compressed by gzip; expected CSV with path, subject",
        ),
        ("path,subject_id\n".encode("utf-16"), "is text in UTF-16; expected CSV with"),
        ("path,subject_id\na," + "x" * 200_000, "field larger than .* after line 1"),
    ],
)
def test_what_is_no_such_file_is_refused(rows, content, message):
    with pytest.raises(DatabaseError, match=message):
        rows(content)


def test_the_header_alone(tmp_path):
    (tmp_path / "t.csv").write_text("b,a\n1\n")

    assert read_header(tmp_path / "t.csv", ["a"]) == ["b", "a"]
    with pytest.raises(DatabaseError, match="no column c"):
        read_header(tmp_path / "t.csv", ["c"])
