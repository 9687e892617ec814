"""Lines of the lists that people write, or what is wrong with the file."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from bob.learn.pytorch.protocols.trials import DatabaseError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PACKED = {
    b"\x1f\x8b": ("gzip", "gunzip -k"),
    b"BZh": ("bzip2", "bunzip2 -k"),
    b"\xfd7zXZ": ("xz", "unxz -k"),
    b"PK\x03\x04": ("zip", "unzip"),
}
_WIDE = (b"\xff\xfe", b"\xfe\xff")
_NOT_UTF_8 = re.compile("[\udc80-\udcff]")


def is_utf_8(text: str) -> bool:
    """Whether text that may hold bytes of file names, as surrogates, holds none."""
    return text.isascii() or not _NOT_UTF_8.search(text)


def refuse_other_files(path: Path, *, expected: str) -> None:
    """Refuse what is missing, compressed or in UTF-16, and say what to do.

    Parameters
    ----------
    path : Path
        The file.
    expected : str
        What it should hold, for the message.

    Raises
    ------
    DatabaseError
        It is no text.
    """
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise DatabaseError(f"{path} {what}; expected {expected}")
    with path.open("rb") as file:
        first = file.read(8)
    for mark, (name, command) in _PACKED.items():
        if first.startswith(mark):
            raise DatabaseError(
                f"{path} is compressed by {name}; expected {expected}: unpack it "
                f"(`{command} {shlex.quote(str(path))}`) and give what comes out"
            )
    if first.startswith(_WIDE):
        raise DatabaseError(
            f"{path} is text in UTF-16; expected {expected} in UTF-8: convert it "
            f"(`iconv -f UTF-16 -t UTF-8 {shlex.quote(str(path))}`)"
        )


def text_lines(path: Path, *, expected: str) -> Iterator[tuple[int, str]]:
    """Number, from 1, and text of each line that is not blank.

    A byte order mark is no part of the first line, and an end of any system none of
    its own.

    Raises
    ------
    DatabaseError
        The file is no text in UTF-8, with the line that is none.
    """
    refuse_other_files(path, expected=expected)
    with path.open(encoding="utf-8-sig", errors="surrogateescape") as file:
        for number, line in enumerate(file, start=1):
            if not is_utf_8(line) or "\0" in line:
                raise DatabaseError(_no_text(line, f"{path}:{number}", expected))
            if not line.isspace():
                yield number, line


def _no_text(line: str, where: str, expected: str) -> str:
    found = _NOT_UTF_8.search(line)
    byte = 0 if found is None else found.group().encode(errors="surrogateescape")[0]
    return (
        f"{where}: not a text file in UTF-8, byte 0x{byte:02x} in {line.strip()[:40]!r}"
        f"; expected {expected}: give a list, or convert it "
        "(`iconv -f ISO-8859-1 -t UTF-8`)"
    )
