"""An environment of its own for each template, made by uv and shared by equal locks.

Below `settings.templates_folder`::

    locks/<what was asked for>.txt    exact versions and hashes
    environments/<key>.<attempt>/     venv/  work/  home/  lock.txt  environment.json

An environment counts once it has its ``environment.json``, which is written last; it is
made where it stays, since commands of templates leave absolute paths behind.
"""

from __future__ import annotations

import json
import shutil
import uuid
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bob.learn.pytorch import settings
from bob.learn.pytorch.templates.format.errors import InstallError
from bob.learn.pytorch.templates.install import locks
from bob.learn.pytorch.templates.install.commands import (
    disk_errors_explained,
    offline_advice,
)
from bob.learn.pytorch.templates.install.installation import build
from bob.learn.pytorch.templates.install.shelf import (
    RECORD,
    Environment,
    bytes_on_disk,
    complete,
    contents_sha256,
    folders,
    key_of,
    label,
    locked,
    record_of,
    write_record,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from bob.learn.pytorch.templates.format.template import Template
    from bob.learn.pytorch.templates.install.locks import Lock

__all__ = ["Environment", "Installed", "ensure", "find", "installed", "remove"]

_MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Installed:
    """What a list of environments shows of one.

    Attributes
    ----------
    templates
        Names, or paths of files, of the templates that asked for it.
    megabytes
        On the disk; files that uv shares with its cache are counted in full.
    created
        Date and time, UTC.
    python
        Its version, such as "3.11".
    """

    key: str
    templates: tuple[str, ...]
    megabytes: float
    created: str
    python: str


def ensure(
    template: Template,
    *,
    progress: bool = False,
    download: Callable[[Environment], None] | None = None,
) -> Environment:
    """The environment of a template, installed unless it is there.

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
    """The environment of a template if all is installed; starts nothing."""
    lock = locks.known(template)
    found = None if lock is None else complete(_key(template, lock))
    return found if found is not None and _is_whole(found, template) else None


def _is_whole(environment: Environment, template: Template) -> bool:
    return environment.downloaded is not None or not template.download_cmds


def installed() -> list[Installed]:
    """All environments, the oldest first."""
    found = [
        Installed(
            key=key_of(folder),
            templates=tuple(record["templates"]),
            megabytes=bytes_on_disk(folder) / _MEGABYTE,
            created=record["created"],
            python=record["python"],
        )
        for folder in folders()
        if (record := record_of(folder)) is not None
    ]
    return sorted(found, key=lambda one: (one.created, one.key))


def remove(what: Template | str) -> list[Installed]:
    """Remove an environment: by its key, the name of a template, or the template.

    Templates that share it get it again when they run. The value is what was removed.

    Raises
    ------
    InstallError
        There is none, or another process is making it right now.
    """
    with disk_errors_explained(what if isinstance(what, str) else what.name):
        found = _wanted(what)
        for one in found:
            with locked(settings.templates_folder() / f".{one.key}.lock", wait=False):
                for folder in folders(one.key):
                    # First, so that a removal that is killed leaves none that counts.
                    (folder / RECORD).unlink(missing_ok=True)
                    shutil.rmtree(folder)
    return found


def _wanted(what: Template | str) -> list[Installed]:
    there = installed()
    if isinstance(what, str):
        names = {what}
    else:
        own = find(what)
        names = {label(what)} if own is None else {own.key}
    found = [one for one in there if names & {one.key, *one.templates}]
    if not found:
        keys = ", ".join(f"{one.key} ({', '.join(one.templates)})" for one in there)
        raise InstallError(
            f"no environment is installed for {', '.join(names)}; there "
            f"{'are ' + keys if keys else 'is none at all'}. Give a key or the name of "
            f"a template"
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
    root = settings.templates_folder()
    with locked(locks.place(template).with_suffix(".lock")):
        lock = locks.resolve(template, progress=progress)
    key = _key(template, lock)
    with locked(root / f".{key}.lock"):
        found = complete(key) or _build(key, template, lock, progress=progress)
        if download is not None and not _is_whole(found, template):
            download(found)
            found = replace(found, downloaded=contents_sha256(found.home))
            record = record_of(found.folder) or {}
            write_record(found.folder, {**record, "downloaded": found.downloaded})
        return found


def _build(key: str, template: Template, lock: Lock, *, progress: bool) -> Environment:
    for folder in folders(key):
        shutil.rmtree(folder, ignore_errors=True)
    _clear_up()
    # A name of its own: what a killed process started may still write to the old.
    place = settings.templates_folder() / "environments"
    folder = place / f"{key}.{uuid.uuid4().hex[:6]}"
    try:
        return build(folder, template, lock, progress=progress)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _key(template: Template, lock: Lock) -> str:
    """What an environment is made of; commands make one that is not shared."""
    parts = [lock.text, lock.python, locks.platform_name()]
    if template.install_cmds or template.download_cmds:
        parts += [*template.install_cmds, *template.download_cmds, template.own_sha256]
    return locks.text_sha256(json.dumps(parts))[:16]


def _claim(environment: Environment, template: Template) -> None:
    """Write down that a template uses an environment."""
    name = label(template)
    record = record_of(environment.folder)
    if record is None or name in record["templates"]:
        return
    # A folder that others share may not be ours to write to; the list is for people.
    with suppress(OSError):
        lock = settings.templates_folder() / f".{environment.key}.lock"
        with locked(lock):
            record = record_of(environment.folder)
            if record is not None and name not in record["templates"]:
                record["templates"] = sorted([*record["templates"], name])
                write_record(environment.folder, record)


def _clear_up() -> None:
    """Remove environments that killed processes left half built."""
    for folder in folders():
        if record_of(folder) is not None:
            continue
        lock = settings.templates_folder() / f".{key_of(folder)}.lock"
        with suppress(InstallError), locked(lock, wait=False):
            shutil.rmtree(folder, ignore_errors=True)
