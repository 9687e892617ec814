"""Stored features that know what made them, and whether they are whole.

What is known of a file stands behind its end, where HDF5 does not look: not inside, for
HDF5 keeps texts without a checksum, and one flipped bit there can make it loop for
ever. A file of another format has it beside, in ``<path>.fingerprint``.
"""

from __future__ import annotations

import io
import json
import logging
import os
import re
import struct
import zlib
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any, BinaryIO

from bob.learn.pytorch.errors import UserError
from bob.learn.pytorch.files import beside, content_hash, write_text
from bob.learn.pytorch.store.records import HDF5_SIGNATURE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

logger = logging.getLogger(__name__)

_MAGIC = b"\x93bob mark\r\n"
_FOOTER = struct.Struct("<II11s")  # bytes of the mark, its checksum, what it is
# An attribute of this name held the fingerprint before there were checksums.
_ATTRIBUTE = b"bob.learn.pytorch.fingerprint"
_FINGERPRINT = re.compile(rb"[0-9a-f]{32}(?:-[0-9a-f]{32})?")


class DamagedFileError(UserError, ValueError):
    """A stored file whose content is not what was written."""


@dataclass(frozen=True)
class Mark:
    """Everything that is known of a stored file.

    Attributes
    ----------
    fingerprint
        What made it; empty for a file of another version or program.
    accepted
        Another fingerprint that it has been found to stand for, or nothing.
    source
        The recording that it was made from, as `bob.learn.pytorch.files.source_of`
        describes it; empty where that is unknown.
    checksum
        Of the content; empty where there is none.
    """

    fingerprint: str = ""
    accepted: str = ""
    source: str = ""
    checksum: str = ""

    def stands_for(self, fingerprint: str, *, before: Callable[[], str]) -> bool:
        """Return whether the file is what would be made now.

        Parameters
        ----------
        fingerprint
            That of what would be made.
        before
            Returns the same as it was before recordings had hashes, by size and time
            of change. Files without a checksum, which were made then, are known by it.
        """
        if fingerprint in (self.fingerprint, self.accepted):
            return True
        return not self.checksum and self.fingerprint == before()


@contextmanager
def writing(path: Path, fingerprint: str, *, source: str = "") -> Iterator[str]:
    """Give a component the place where it writes a file, and mark that.

    Parameters
    ----------
    path : Path
        The file's final place.
    fingerprint : str
        What made the content, of any format.
    source : str
        The recording that it was made from.
    """
    with beside(path) as place:
        yield str(place)
        _put(path, place, Mark(fingerprint, source=source))


def accept(path: Path, fingerprint: str, source: str) -> None:
    """Note that a stored file stands for another fingerprint, from now on.

    Its own stays, since what was made from it goes by that.
    """
    made, content = _read(path)
    made = replace(made or Mark(), accepted=fingerprint, source=source)
    with beside(path) as place:
        place.write_bytes(content)
        _put(path, place, made)


def _put(path: Path, place: Path, made: Mark) -> None:
    """Mark a file that is about to move to its path."""
    content = place.read_bytes()
    made = replace(made, checksum=_checksum(content))
    if content.startswith(HDF5_SIGNATURE):
        text = json.dumps(asdict(made)).encode()
        with place.open("ab") as file:
            file.write(text + _FOOTER.pack(len(text), zlib.crc32(text), _MAGIC))
        return
    # This mark goes first and describes the file to come: a crash in between
    # leaves a mark that does not fit, and the file is made anew.
    described = json.dumps({**asdict(made), **_state(place)})
    write_text(_outside_path(path), described)


def fingerprint(path: Path) -> str | None:
    """Return the fingerprint of a stored file; None for a file that is not usable.

    A file without any fingerprint, of another version or program, has the
    empty text.
    """
    made = mark(path)
    return None if made is None else made.fingerprint


def mark(path: Path) -> Mark | None:
    """Return what is known of a stored file; None where it is missing or empty."""
    try:
        with path.open("rb") as file:
            return _marked(path, file)[0]
    except OSError:
        return None


def is_whole(path: Path) -> bool:
    """Return whether a stored file holds what was written, as far as can be known."""
    try:
        check(path)
    except DamagedFileError as error:
        logger.warning("%s", error)
        return False
    return True


def check(path: Path) -> None:
    """Refuse a stored file that has changed since it was written.

    Files of other programs, and of versions before this one, have no checksum.

    Raises
    ------
    DamagedFileError
        It names the file.
    """
    try:
        made, content = _read(path)
    except OSError:
        return
    if made is not None and made.checksum not in ("", _checksum(content)):
        raise DamagedFileError(
            f"{path} is damaged: its content is not what was written; remove it, or "
            "run without --skip-* options to compute it again"
        )


def _checksum(content: bytes) -> str:
    return content_hash(io.BytesIO(content))


def _read(path: Path) -> tuple[Mark | None, bytes]:
    """Return the mark of a stored file, and the file without a mark behind it."""
    content = path.read_bytes()
    made, end = _marked(path, io.BytesIO(content))
    return made, content[:end]


def _marked(path: Path, file: BinaryIO) -> tuple[Mark | None, int]:
    """Return the mark of an open file, and where the file ends without it."""
    start = file.read(len(HDF5_SIGNATURE))
    size = file.seek(0, os.SEEK_END)
    if start != HDF5_SIGNATURE:
        return (_outside(path) if size else None), size
    file.seek(max(0, size - _FOOTER.size))
    length, checksum, magic = _FOOTER.unpack(file.read().rjust(_FOOTER.size))
    end = size - _FOOTER.size - length
    if magic == _MAGIC and end > 0:
        file.seek(end)
        text = file.read(length)
        if zlib.crc32(text) == checksum:
            return _of(json.loads(text)), end
    file.seek(0)
    return _inside(file.read()), size


def _inside(content: bytes) -> Mark | None:
    """Return the mark of a version that kept it inside; HDF5 is not asked."""
    # The superblock says where HDF5 ends, by its version at one of these places.
    place = (
        {0: 40, 1: 44}.get(content[len(HDF5_SIGNATURE)], 28)
        if len(content) > 48
        else None
    )
    if place is None or len(content) < int.from_bytes(content[place:][:8], "little"):
        return None  # cut off
    found = _FINGERPRINT.search(content) if _ATTRIBUTE in content else None
    return Mark(found[0].decode()) if found else Mark()


def _of(content: dict[str, Any]) -> Mark:
    return Mark(**{item.name: str(content.get(item.name, "")) for item in fields(Mark)})


def _outside_path(path: Path) -> Path:
    return path.with_name(path.name + ".fingerprint")


def _state(path: Path) -> dict[str, Any]:
    status = path.stat()
    return {"size": status.st_size, "changed": status.st_mtime_ns}


def _outside(path: Path) -> Mark:
    try:
        content = json.loads(_outside_path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return Mark()
    is_of_it = isinstance(content, dict) and _state(path).items() <= content.items()
    return _of(content) if is_of_it else Mark()
