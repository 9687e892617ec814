"""Environments of templates on disk: which are complete, and who may change them."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bob.learn.pytorch import settings
from bob.learn.pytorch.files import write_text
from bob.learn.pytorch.models.checksum import file_sha256
from bob.learn.pytorch.templates.format.errors import InstallError
from bob.learn.pytorch.templates.format.template import BACKBONES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bob.learn.pytorch.templates.format.template import Template

logger = logging.getLogger(__name__)

RECORD = "environment.json"
_BLOCK_BYTES = 512
# Folders, and suffixes of files, that hold times and paths of a machine.
_CHANGING = frozenset(
    [
        *(".incomplete", ".lock", ".log", ".metadata", ".nbc", ".nbi", ".pyc", ".tmp"),
        *(".locks", "__pycache__", "matplotlib", "numba"),
    ]
)


@dataclass(frozen=True)
class Environment:
    """An interpreter with the packages of a template.

    Attributes
    ----------
    key
        What the environment is made of, 16 hexadecimal digits.
    python
        The interpreter.
    work, home
        The folder where commands of the template ran, and their HOME.
    lock_sha256
        SHA-256 of the exact packages in it.
    downloaded
        SHA-256 of what `download_cmds` left in `home`; None if they did not run.
    """

    key: str
    folder: Path
    python: Path
    work: Path
    home: Path
    lock_sha256: str
    downloaded: str | None = None


def folders(key: str = "*") -> list[Path]:
    """Folders of environments, complete or not."""
    return sorted((settings.templates_folder() / "environments").glob(f"{key}.*"))


def key_of(folder: Path) -> str:
    """What an environment is made of, read off its folder."""
    return folder.name.partition(".")[0]


def complete(key: str) -> Environment | None:
    """The environment of a key; none if its Python is gone from this machine."""
    for folder in folders(key):
        record = record_of(folder)
        if record is not None:
            found = at(folder, record["lock_sha256"], record.get("downloaded"))
            if found.python.exists():
                return found
    return None


def at(folder: Path, lock_sha256: str, downloaded: str | None = None) -> Environment:
    """The environment in a folder, complete or not."""
    return Environment(
        key=key_of(folder),
        folder=folder,
        python=folder / "venv" / "bin" / "python",
        work=folder / "work",
        home=folder / "home",
        lock_sha256=lock_sha256,
        downloaded=downloaded,
    )


def record_of(folder: Path) -> dict[str, Any] | None:
    """What was written down of an environment; None where it is not complete."""
    try:
        content = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError, RecursionError):
        return None
    wanted = {"python", "created", "lock_sha256", "templates"}
    return content if isinstance(content, dict) and wanted <= content.keys() else None


def write_record(folder: Path, record: dict[str, Any]) -> None:
    """Write down what there is to know of an environment: from now on it counts."""
    write_text(folder / RECORD, json.dumps(record, indent=2) + "\n")


@contextmanager
def locked(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold a lock that ends with the process."""
    import filelock

    path.parent.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(path)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout as error:
        if not wait:
            raise InstallError(
                f"another process is installing there ({path}); try again once it is "
                f"done"
            ) from error
        logger.info("another process is installing the same (%s); waiting", path)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def label(template: Template) -> str:
    """How a template is called in lists: its name, or its path if it is a user's."""
    if template.path is None or BACKBONES in template.path.absolute().parents:
        return template.name
    return str(template.path.absolute())


def contents_sha256(folder: Path) -> str:
    """SHA-256 of names and contents of all files that do not change by themselves."""
    entries = []
    for root, below, names in os.walk(folder):
        below[:] = [name for name in below if name not in _CHANGING]
        for path in (Path(root, name) for name in names):
            if path.suffix in _CHANGING or not path.is_file():
                continue
            # Hubs link to large files that lie beside; those are read once.
            real = path.resolve()
            inside = path.is_symlink() and real.is_relative_to(folder.resolve())
            content = (
                str(real.relative_to(folder.resolve())) if inside else file_sha256(path)
            )
            entries.append([str(path.relative_to(folder)), content])
    text = json.dumps(sorted(entries))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def bytes_on_disk(folder: Path) -> int:
    """Space that a folder takes, each file once however many names it has."""
    sizes: dict[tuple[int, int], int] = {}
    for root, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                status = os.lstat(os.path.join(root, name))  # noqa: PTH118 - 30,000 of them
                sizes[status.st_dev, status.st_ino] = status.st_blocks * _BLOCK_BYTES
    return sum(sizes.values())
