"""The program uv, and a Python for a template that uv finds or fetches."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bob.learn.pytorch import settings
from bob.learn.pytorch.templates.format.errors import InstallError
from bob.learn.pytorch.templates.install.commands import last_lines, offline_advice

if TYPE_CHECKING:
    from bob.learn.pytorch.templates.format.template import Template
    from bob.learn.pytorch.templates.install.commands import Installer

OUR_VERSION = platform.python_version()


def uv() -> str:
    """Path of the program uv."""
    try:
        from uv import find_uv_bin

        return find_uv_bin()
    except (ImportError, FileNotFoundError) as error:
        raise InstallError(
            "the program uv, which makes the environments of templates, is not in this "
            f"Python ({error}); bring it with `{sys.executable} -m pip install uv`"
        ) from error


def uv_pip(*words: str) -> list[str]:
    """A command of `uv pip`, which has no variable for an index that is not asked."""
    alone = ["--no-index"] if "PIP_NO_INDEX" in settings.installer_environment() else []
    return [uv(), "pip", *words, *alone]


def uv_environment() -> dict[str, str]:
    """Variables of uv: the user's indexes, no bars, and offline where the user is."""
    variables = settings.installer_environment()
    variables |= {"NO_COLOR": "1", "UV_NO_PROGRESS": "1"}
    if settings.offline():
        variables |= {"UV_OFFLINE": "1", "UV_PYTHON_DOWNLOADS": "never"}
    return variables


def interpreter(template: Template, installer: Installer, minor: str = "") -> Path:
    """A Python that fits a template: ours, one of this machine, or one uv fetches.

    With `minor`, such as "3.11", it must be of that version.
    """
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    wanted = ",".join(filter(None, [template.python, minor and f"=={minor}.*"]))
    try:
        ours = SpecifierSet(wanted).contains(OUR_VERSION, prereleases=True)
    except InvalidSpecifier as error:
        raise InstallError(
            f"template {template.name}: `python` is {template.python!r}; expected a "
            f'range such as ">=3.9,<3.13"'
        ) from error
    if ours and sys.executable:
        return Path(sys.executable)
    found = _find(wanted)
    if found is None:
        _fetch_python(wanted, installer)
        found = _find(wanted)
    if found is None:
        raise InstallError(
            f"template {template.name} needs Python {wanted}, and none was found even "
            f"after uv fetched one; see `uv python list`, or install one by hand"
        )
    return found


def minor_version(python: Path, installer: Installer) -> str:
    """Version of an interpreter, such as "3.11"."""
    if python == Path(sys.executable):
        return OUR_VERSION.rpartition(".")[0]
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    found = subprocess.run(  # noqa: S603 - an interpreter that uv found
        [str(python), "-I", "-c", code],
        env=settings.plain_environment(network=False),
        capture_output=True,
        text=True,
        check=False,
    )
    version = found.stdout.strip()
    if not re.fullmatch(r"\d+\.\d+", version):
        raise InstallError(
            f"template {installer.template}: {python} does not say its version; it "
            f"said: {last_lines(found.stdout + found.stderr)!r}. Repair or remove it"
        )
    return version


def _find(wanted: str) -> Path | None:
    """A Python of this machine that fits, outside of any environment."""
    variables = {**uv_environment(), "PATH": settings.python_search_path()}
    found = subprocess.run(  # noqa: S603 - every word is ours or a checked range
        [uv(), "python", "find", "--system", "--no-project", wanted],
        cwd=os.sep,
        env=variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    return Path(found.stdout.strip()) if found.returncode == 0 else None


def _fetch_python(wanted: str, installer: Installer) -> None:
    """Let uv fetch an interpreter."""
    if settings.offline():
        raise InstallError(
            f"template {installer.template} needs Python {wanted}, and this machine "
            f"has none; {offline_advice()}"
        )
    installer.run(
        [uv(), "python", "install", "--no-bin", wanted],
        step=f"fetch Python {wanted}",
        folder=Path(os.sep),
        environment=uv_environment(),
        advice=f"install a Python {wanted} by hand (conda, pyenv, the system's "
        f"packages) and have it on PATH, then try again",
    )
