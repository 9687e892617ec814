"""An environment of its own for each template, made by uv and shared by equal packages.

Below `settings.templates_folder`::

    locks/<what was asked for>.txt    exact versions and hashes
    environments/<key>.<attempt>/     venv/  work/  home/  lock.txt  environment.json

An environment counts once it has its ``environment.json``, which is written last; it is
made where it stays, since commands of templates leave absolute paths behind.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import uuid
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bob.learn.pytorch import settings
from bob.learn.pytorch.files import AlreadyLocked, locked, text_sha256, write_text
from bob.learn.pytorch.models.checkpoint import file_sha256
from bob.learn.pytorch.templates.format.errors import InstallError
from bob.learn.pytorch.templates.install import packages
from bob.learn.pytorch.templates.install.commands import (
    disk_errors_explained,
    offline_advice,
)
from bob.learn.pytorch.templates.install.packages import Lock

if TYPE_CHECKING:
    from collections.abc import Callable

    from bob.learn.pytorch.templates.format.template import Template


logger = logging.getLogger(__name__)

__all__ = ["Environment", "Installed", "ensure", "find", "installed", "remove"]

_MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Installed:
    """An installed environment, as lists show it."""

    key: str
    templates: tuple[str, ...]  # names, or paths of files, that asked for it
    megabytes: float  # on the disk; what uv shares with its cache counts in full
    created: str  # date and time, UTC
    python: str  # its version, such as "3.11"


def ensure(
    template: Template,
    *,
    progress: bool = False,
    download: Callable[[Environment], None] | None = None,
) -> Environment:
    """Return the environment of a template, installed unless it is there.

    Of several processes that ask for one at a time, one makes it and the others wait.
    `download` runs `download_cmds` where a template has such; if it raises, what is
    installed stays, and the next time it is called again. With `progress`, standard
    error shows what happens.

    Raises
    ------
    InstallError
        It names the template, the step, the command, what the tool said last and what
        to do. Nothing half installed is left.
    """
    with disk_errors_explained(template.name):
        found = find(template)
        if found is None:
            found = _make(template, progress=progress, download=download)
        _claim(found, template)
    return found


def find(template: Template) -> Environment | None:
    """Return the environment of a template if all is installed; start nothing."""
    lock = Lock.known(template)
    found = None if lock is None else _complete(_key(template, lock))
    return found if found is not None and _is_whole(found, template) else None


def _is_whole(environment: Environment, template: Template) -> bool:
    return environment.downloaded is not None or not template.download_cmds


def installed() -> list[Installed]:
    """All environments, the oldest first."""
    found = [
        Installed(
            key=_key_of(folder),
            templates=tuple(record["templates"]),
            megabytes=bytes_on_disk(folder) / _MEGABYTE,
            created=record["created"],
            python=record["python"],
        )
        for folder in _folders()
        if (record := _record_of(folder)) is not None
    ]
    return sorted(found, key=lambda one: (one.created, one.key))


def remove(what: Template | str) -> list[Installed]:
    """Remove an environment: by its key, the name of a template, or the template.

    Templates that share it get it again when they run. The value is what was removed.

    Raises
    ------
    InstallError
        There is no such environment, or another process is making it right now.
    """
    with disk_errors_explained(what if isinstance(what, str) else what.name):
        found = _wanted(what)
        for one in found:
            _remove(one.key)
    return found


def _remove(key: str) -> None:
    lock = _lock(key)
    try:
        with locked(lock, waiting=None):
            for folder in _folders(key):
                # First, so that a removal that is killed leaves none that counts.
                (folder / _RECORD).unlink(missing_ok=True)
                shutil.rmtree(folder)
    except AlreadyLocked as error:
        raise InstallError(
            f"another process is installing there ({lock}); try again once it is done"
        ) from error


def _lock(key: str) -> Path:
    return settings.templates_folder() / f".{key}.lock"


def _waiting(lock: Path) -> str:
    return f"another process is installing the same ({lock}); waiting"


def _wanted(what: Template | str) -> list[Installed]:
    there = installed()
    if isinstance(what, str):
        names = {what}
    else:
        own = find(what)
        names = {what.label} if own is None else {own.key}
    found = [one for one in there if names & {one.key, *one.templates}]
    if not found:
        keys = ", ".join(f"{one.key} ({', '.join(one.templates)})" for one in there)
        raise InstallError(
            f"no environment is installed for {', '.join(names)}; there "
            f"{'are ' + keys if keys else 'is no environment at all'}. Give a key or "
            f"the name of a template"
        )
    return found


def _make(
    template: Template,
    *,
    progress: bool,
    download: Callable[[Environment], None] | None,
) -> Environment:
    """Resolve, wait for whoever makes the same, and build if nobody did."""
    if settings.offline() and (template.install_cmds or template.download_cmds):
        raise InstallError(
            f"template {template.name} is not installed, and its install_cmds or "
            f"download_cmds need the network; {offline_advice()}"
        )
    resolving = Lock.place(template).with_suffix(".lock")
    with locked(resolving, waiting=_waiting(resolving)):
        lock = Lock.resolve(template, progress=progress)
    key = _key(template, lock)
    with locked(_lock(key), waiting=_waiting(_lock(key))):
        found = _complete(key) or _build(key, template, lock, progress=progress)
        if download is not None and not _is_whole(found, template):
            download(found)
            found = replace(found, downloaded=contents_sha256(found.home))
            record = _record_of(found.folder) or {}
            _write_record(found.folder, {**record, "downloaded": found.downloaded})
        return found


def _build(key: str, template: Template, lock: Lock, *, progress: bool) -> Environment:
    for folder in _folders(key):
        shutil.rmtree(folder, ignore_errors=True)
    _clear_up()
    # A name of its own: what a killed process started may still write to the old.
    place = settings.templates_folder() / "environments"
    folder = place / f"{key}.{uuid.uuid4().hex[:6]}"
    try:
        whole = packages.build(folder, template, lock, progress=progress)
        made = _at(folder, whole.sha256)
        record = {
            "format": 1,
            "python": lock.python,
            "platform": packages.platform_name(),
            "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "lock_sha256": made.lock_sha256,
            "templates": [template.label],
        }
        _write_record(folder, record)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return made


def _key(template: Template, lock: Lock) -> str:
    """Hash what an environment is made of; commands make one that is not shared."""
    parts = [lock.text, lock.python, packages.platform_name()]
    if template.install_cmds or template.download_cmds:
        parts += [*template.install_cmds, *template.download_cmds, template.own_sha256]
    return text_sha256(json.dumps(parts))[:16]


def _claim(environment: Environment, template: Template) -> None:
    """Write down that a template uses an environment."""
    name = template.label
    record = _record_of(environment.folder)
    if record is None or name in record["templates"]:
        return
    # A folder that others share may not be ours to write to; the list is for people.
    with suppress(OSError):
        lock = _lock(environment.key)
        with locked(lock, waiting=_waiting(lock)):
            record = _record_of(environment.folder)
            if record is not None and name not in record["templates"]:
                record["templates"] = sorted([*record["templates"], name])
                _write_record(environment.folder, record)


def _clear_up() -> None:
    """Remove environments that killed processes left half built."""
    for folder in _folders():
        if _record_of(folder) is not None:
            continue
        with suppress(AlreadyLocked), locked(_lock(_key_of(folder)), waiting=None):
            shutil.rmtree(folder, ignore_errors=True)


_RECORD = "environment.json"
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
    """An interpreter with the packages of a template."""

    key: str  # hash of what it is made of, 16 hexadecimal digits
    folder: Path
    python: Path  # the interpreter
    work: Path  # where commands of the template ran
    home: Path  # their HOME
    lock_sha256: str  # of the exact packages in it
    downloaded: str | None = None  # SHA-256 of what `download_cmds` left in `home`


def _folders(key: str = "*") -> list[Path]:
    """Folders of environments, complete or not."""
    return sorted((settings.templates_folder() / "environments").glob(f"{key}.*"))


def _key_of(folder: Path) -> str:
    """Read the key of an environment off its folder."""
    return folder.name.partition(".")[0]


def _complete(key: str) -> Environment | None:
    """Return the environment of a key; None if its Python is gone from this machine."""
    for folder in _folders(key):
        record = _record_of(folder)
        if record is not None:
            found = _at(folder, record["lock_sha256"], record.get("downloaded"))
            if found.python.exists():
                return found
    return None


def _at(folder: Path, lock_sha256: str, downloaded: str | None = None) -> Environment:
    return Environment(
        key=_key_of(folder),
        folder=folder,
        python=folder / "venv" / "bin" / "python",
        work=folder / "work",
        home=folder / "home",
        lock_sha256=lock_sha256,
        downloaded=downloaded,
    )


def _record_of(folder: Path) -> dict[str, Any] | None:
    """Read the record of an environment; None where it is not complete."""
    try:
        content = json.loads((folder / _RECORD).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError, RecursionError):
        return None
    wanted = {"python", "created", "lock_sha256", "templates"}
    return content if isinstance(content, dict) and wanted <= content.keys() else None


def _write_record(folder: Path, record: dict[str, Any]) -> None:
    """Write down what there is to know of an environment: from now on it counts."""
    write_text(folder / _RECORD, json.dumps(record, indent=2) + "\n")


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
    return text_sha256(json.dumps(sorted(entries)))


def bytes_on_disk(folder: Path) -> int:
    """Space that a folder takes, each file once however many names it has."""
    sizes: dict[tuple[int, int], int] = {}
    for root, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                status = os.lstat(os.path.join(root, name))  # noqa: PTH118 - 30,000 of them
                sizes[status.st_dev, status.st_ino] = status.st_blocks * _BLOCK_BYTES
    return sum(sizes.values())
