"""One environment of a template is built: venv, packages, the template's commands."""

from __future__ import annotations

import logging
import re
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from bob.learn.pytorch.files import write_text
from bob.learn.pytorch.templates.guest import bob_template_stages as stages
from bob.learn.pytorch.templates.install import interpreters, locks
from bob.learn.pytorch.templates.install.commands import Installer, shell_environment
from bob.learn.pytorch.templates.install.shelf import at, label, write_record

if TYPE_CHECKING:
    from bob.learn.pytorch.templates.format.template import Template
    from bob.learn.pytorch.templates.install.locks import Lock
    from bob.learn.pytorch.templates.install.shelf import Environment

logger = logging.getLogger(__name__)


def build(
    folder: Path,
    template: Template,
    lock: Lock,
    *,
    progress: bool,
) -> Environment:
    """Install what a template needs into a new folder, and write down that it is whole.

    What `download_cmds` bring is not in it yet.
    """
    seconds = template.limits.install_seconds
    installer = Installer(template.name, seconds, progress=progress)
    for part in ("work", "home/.cache"):
        (folder / part).mkdir(parents=True)
    logger.info("installing %s to %s", template.name, folder)
    _install_packages(folder, template, lock, installer)
    text = lock.text
    if template.install_cmds:
        _run_commands(folder, template, installer)
        text = _frozen(folder, installer)
    write_text(folder / "lock.txt", text)
    environment = at(folder, locks.versions_sha256(text))
    record = {
        "format": 1,
        "python": lock.python,
        "platform": locks.platform_name(),
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "lock_sha256": environment.lock_sha256,
        "templates": [label(template)],
    }
    write_record(folder, record)
    return environment


def _install_packages(
    folder: Path, template: Template, lock: Lock, installer: Installer
) -> None:
    """Make the venv, and install the lock and nothing else into it."""
    python = interpreters.interpreter(template, installer, minor=lock.python)
    words = [interpreters.uv(), "venv", str(folder / "venv"), "--python", str(python)]
    words += ["--no-project", "--relocatable", "--quiet"]
    variables = interpreters.uv_environment()
    installer.run(
        words,
        step="make the environment",
        folder=folder,
        environment=variables,
        advice=f"see that {python} works",
    )
    if not lock.text:
        return
    pinned = folder / "lock.txt"
    pinned.write_text(lock.text, encoding="utf-8")
    words = ["--no-deps", "--require-hashes", "--requirements", str(pinned)]
    installer.run(
        interpreters.uv_pip("install", "--python", str(folder / "venv"), *words),
        step="install the packages of the lock",
        folder=folder,
        environment=variables,
        advice=f"see what it said; where a package has vanished from the index or "
        f"changed, remove {locks.place(template)} to have versions chosen anew",
    )


def _run_commands(folder: Path, template: Template, installer: Installer) -> None:
    """Run the template's own commands, each in a shell of its own."""
    if re.search(r"\bpip[\d.]*\b", "\n".join(template.install_cmds)):
        # Not the seed of `uv venv`, whose setuptools would then be in the lock.
        installer.run(
            interpreters.uv_pip("install", "--python", str(folder / "venv"), "pip"),
            step="install pip, since install_cmds name it",
            folder=folder,
            environment=interpreters.uv_environment(),
            advice="have pip on the package index",
        )
    variables = shell_environment(folder / "venv", folder / "home")
    place = str(folder / "work")
    for index, line in enumerate(template.install_cmds):
        command = stages.shell_line(line)
        moved = stages.changed_folder(command, place)
        if moved is not None and Path(moved).is_dir():
            place = moved  # for the lines that follow, as one shell would have it
            continue
        installer.run(
            ["/bin/sh", "-c", command],
            step=f"install_cmds[{index}]",
            folder=Path(place),
            environment=variables,
            advice="mend this line of the template; each line is run by /bin/sh in the "
            "folder `work`, with the environment's python first on PATH",
            shown=line,
        )


def _frozen(folder: Path, installer: Installer) -> str:
    """What is installed, whoever installed it; pip itself changes nothing."""
    listed = folder / "frozen.txt"
    with listed.open("wb") as file:
        installer.run(
            [interpreters.uv(), "pip", "freeze", "--python", str(folder / "venv")],
            step="list the packages that install_cmds installed",
            folder=folder,
            environment=interpreters.uv_environment(),
            advice="see whether install_cmds have damaged the environment",
            output=file,
        )
    lines = locks.normalised(listed.read_text(encoding="utf-8")).splitlines()
    listed.unlink()
    return "".join(f"{line}\n" for line in lines if not line.startswith("pip=="))
