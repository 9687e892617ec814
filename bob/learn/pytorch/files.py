"""Files: written whole or not at all, locked, and recognised by their content."""

from __future__ import annotations

import hashlib
import logging
import os
import platform
import re
import shlex
import stat
import time
import uuid
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from bob.learn.pytorch.errors import UserError
from bob.learn.pytorch.printing import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

logger = logging.getLogger(__name__)

_PREFIX = ".unfinished-"
_HOST = re.sub(r"[^A-Za-z0-9]", "", platform.node())[:40] or "host"
_NAMES = Path("/proc/self/ns/pid")
if _NAMES.exists():  # two containers of one name count their processes each
    _HOST += f".{_NAMES.stat().st_ino}"
_BLOCK_BYTES = 1 << 20
_PACKED = {
    b"\x1f\x8b": ("gzip", "gunzip -k"),
    b"BZh": ("bzip2", "bunzip2 -k"),
    b"\xfd7zXZ": ("xz", "unxz -k"),
    b"PK\x03\x04": ("zip", "unzip"),
}
_WIDE = (b"\xff\xfe", b"\xfe\xff")
_CONTENT = "blake2b:"
# File systems count time in ticks: a second change within one leaves the same times.
_TICK_NS = 20_000_000
_remembered: dict[str, str] = {}


class AlreadyLocked(UserError, RuntimeError):  # noqa: N818 - named for what came
    """Another process holds a lock, and is not to be waited for."""


@contextmanager
def locked(
    path: Path, *, waiting: str | None, level: int = logging.INFO
) -> Iterator[None]:
    """Hold a lock file, which is released when the process ends in whatever way.

    Missing folders are made. On a file system without locks, a warning is logged and
    nothing is locked.

    Parameters
    ----------
    waiting
        Log message while another process holds the lock, which is then waited for;
        None does not wait.
    level
        Level of that message.

    Raises
    ------
    AlreadyLocked
        Another process holds the lock, and `waiting` is None.
    """
    from filelock import FileLock, Timeout

    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        if waiting is None:
            raise AlreadyLocked(
                f"{path} is locked by another process; try again once that has ended"
            ) from error
        logger.log(level, "%s", waiting)
        lock.acquire()
    except NotImplementedError:
        logger.warning("%s: this file system has no locks; run nothing else here", path)
    try:
        yield
    finally:
        lock.release()


@contextmanager
def beside(path: Path, *, durable: bool = False) -> Iterator[Path]:
    """Yield a place to write to, which moves to ``path`` at once in the end.

    A reader, or a run that starts after a crash, sees the old file or the new one and
    never a part. Missing folders are made; after an error nothing is left, and what
    killed processes of this machine left of the same file is removed.

    Parameters
    ----------
    durable
        See the file and its name on disk before going on.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    for dead in left_by_dead(path):
        with suppress(OSError):
            dead.unlink()
    place = unfinished(path)
    try:
        yield place
        if durable:
            sync(place)
        place.replace(path)
        if durable:
            sync(path.parent)
    finally:
        place.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """See on disk what was written to a file or folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def unfinished(path: Path) -> Path:
    """Return a new name beside a file or folder, for what will take its place."""
    process = f"{os.getpid()}-{_started(os.getpid())}"
    # The suffix stays, since some writers choose the format by it.
    end = f"{_mark(path)}-{uuid.uuid4().hex[:8]}{path.suffix}"
    return path.with_name(f"{_PREFIX}{_HOST}-{process}-{end}")


def left_by_dead(path: Path) -> list[Path]:
    """Return what killed processes of this machine left `unfinished` of a path."""
    folder = os.path.abspath(path.parent)  # noqa: PTH100 - links stay
    return _dead_in(folder).pop(_mark(path), [])


def _mark(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path.name)).hexdigest()[:12]


def clear_up(folder: Path) -> None:
    """Remove what killed processes of this machine left below a folder unfinished."""
    for path in folder.rglob(f"{_PREFIX}{_HOST}-*"):
        if _mark_of_dead(path.name):
            path.unlink(missing_ok=True)


@cache
def _dead_in(folder: str) -> dict[str, list[Path]]:
    """Find files of dead processes, by the mark of what they were to become.

    Looked for once a folder: there may be a million files beside it.
    """
    found: dict[str, list[Path]] = {}
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if mark := _mark_of_dead(entry.name):
                found.setdefault(mark, []).append(Path(entry.path))
    return found


def _mark_of_dead(name: str) -> str:
    """Return the mark in the name of a file that a dead process of this host left."""
    parts = name.removeprefix(f"{_PREFIX}{_HOST}-").split("-")
    if not name.startswith(f"{_PREFIX}{_HOST}-") or len(parts) < 4:
        return ""
    process, started, mark = parts[:3]
    dead = process.isdecimal() and not _is_running(int(process), started)
    return mark if dead else ""


def _is_running(process: int, started: str) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    # The number may be that of another one by now.
    return _started(process) in (started, "")


def _started(process: int) -> str:
    """Return the start of a process in ticks since boot; empty if unknown.

    A process that has ended, and for which nobody has waited, is "ended".
    """
    try:
        fields = Path(f"/proc/{process}/stat").read_bytes().rpartition(b")")[2].split()
        return "ended" if fields[0] in (b"Z", b"X") else str(int(fields[19]))
    except (OSError, IndexError, ValueError):
        return ""


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8; file names that are not UTF-8 stay as they are."""
    with beside(path) as place:
        place.write_text(text, encoding="utf-8", errors="surrogateescape")


def file_sha256(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of a file, 64 hexadecimal digits, as `sha256sum` prints it."""
    with Path(path).open("rb") as file:
        return stream_sha256(file)


def text_sha256(text: str) -> str:
    """Return the SHA-256 of a text in UTF-8, 64 hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def stream_sha256(file: BinaryIO) -> str:
    """Return the SHA-256 of the rest of an open file, which may exceed memory."""
    digest = hashlib.sha256()
    for block in _blocks(file):
        digest.update(block)
    return digest.hexdigest()


def content_hash(file: BinaryIO) -> str:
    """Return 128 bits of the BLAKE2b hash of an open file's rest, in hexadecimal."""
    digest = hashlib.blake2b(digest_size=16)
    for block in _blocks(file):
        digest.update(block)
    return digest.hexdigest()


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    while block := file.read(_BLOCK_BYTES):
        yield block


def source_of(path: str | os.PathLike[str], *, known: str = "") -> str:
    """Return a line that tells the content of a file, and where it was seen.

    That is a hash of the whole content, size in bytes, times of change of the content
    and of the file's entry in nanoseconds, inode and path. Two recordings are the same
    if their hashes are, see `is_same`.

    Parameters
    ----------
    known
        Line of an earlier call. The file is not read again if size, both times and
        inode are as they were.

    Returns
    -------
    str
        Empty where there is no file. Without a hash, only size and time, for what is
        no regular file or cannot be read.
    """
    place = os.path.abspath(path)  # noqa: PTH100 - leaves links as they are
    try:
        status = os.stat(place)  # noqa: PTH116 - the path may not be UTF-8
        content, _, rest = known.partition(" ")
        if content.startswith(_CONTENT) and rest.startswith(f"{_state(status)} "):
            return f"{content} {_state(status)} {printable(place)}"
        if 0 <= time.time_ns() - status.st_ctime_ns < _TICK_NS:
            time.sleep(_TICK_NS / 1e9)  # what changes from now on has another time
            status = os.stat(place)  # noqa: PTH116
    except (OSError, ValueError):
        return ""
    if stat.S_ISREG(status.st_mode):  # reading a pipe would empty it
        with suppress(OSError), open(place, "rb", buffering=0) as file:  # noqa: PTH123
            content = _CONTENT + content_hash(file)
            return f"{content} {_state(status)} {printable(place)}"
    return f"{status.st_size} {status.st_mtime_ns}"


def remembered_source(path: str | os.PathLike[str], *, known: str = "") -> str:
    """Return `source_of` a file, which a process reads again only where it changed."""
    place = os.fspath(path)
    _remembered[place] = source_of(place, known=_remembered.get(place) or known)
    return _remembered[place]


def _state(status: os.stat_result) -> str:
    changed = f"{status.st_mtime_ns} {status.st_ctime_ns}"
    return f"{status.st_size} {changed} {status.st_ino}"


def content_of(source: str) -> str:
    """Return the part of a line that is the same for copies of a file, its hash."""
    return source.partition(" ")[0] if source.startswith(_CONTENT) else source


def before_hashes(source: str) -> str:
    """Return size and time of change, which was all that was kept before hashes were.

    A record of that kind counts as long as both agree; then the full line takes its
    place, so that nothing is computed again because of the new form.
    """
    return (
        " ".join(source.split(" ", 3)[1:3]) if source.startswith(_CONTENT) else source
    )


def path_in(source: str) -> str:
    """Return the path in a line, empty where it holds none."""
    parts = source.split(" ", 5)
    return parts[5] if source.startswith(_CONTENT) and len(parts) > 5 else ""


def is_same(known: str, source: str) -> bool:
    """Return whether a record is of what a file holds now; not where one is empty."""
    if not known or not source:
        return False
    if known.startswith(_CONTENT):
        return content_of(known) == content_of(source)
    return known == before_hashes(source)


def is_another(known: str, source: str) -> bool:
    """Return whether two lines are of files at two places, with two contents."""
    places = path_in(known), path_in(source)
    return all(places) and places[0] != places[1] and not is_same(known, source)


def refuse_other_files(path: Path, *, expected: str, error: type[UserError]) -> None:
    """Raise an error if a file of text is missing, compressed or UTF-16."""
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise error(f"{path} {what}; expected {expected}")
    with path.open("rb") as file:
        first = file.read(8)
    for mark, (name, command) in _PACKED.items():
        if first.startswith(mark):
            raise error(
                f"{path} is compressed by {name}; expected {expected}: unpack it "
                f"(`{command} {shlex.quote(str(path))}`) and give what comes out"
            )
    if first.startswith(_WIDE):
        raise error(
            f"{path} is text in UTF-16; expected {expected} in UTF-8: convert it "
            f"(`iconv -f UTF-16 -t UTF-8 {shlex.quote(str(path))}`)"
        )
