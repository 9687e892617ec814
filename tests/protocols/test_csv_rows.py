"""CSV files, row by row, with the line of what is wrong."""

import gzip

import pytest

from bob.learn.pytorch.protocols.lines import read_header, read_rows
from bob.learn.pytorch.protocols.trials import DatabaseError


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
