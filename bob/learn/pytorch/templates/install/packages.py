"""Packages of a template: found and installed by uv, for a Python that fits."""

from __future__ import annotations

import json
import logging
import os
import platform
import re
import subprocess
import sys
import sysconfig
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bob.learn.pytorch import settings
from bob.learn.pytorch.files import text_sha256, write_text
from bob.learn.pytorch.models.checkpoint import file_sha256
from bob.learn.pytorch.templates.format.errors import InstallError
from bob.learn.pytorch.templates.guest import bob_template_stages as stages
from bob.learn.pytorch.templates.install.commands import (
    Installer,
    last_lines,
    offline_advice,
    shell_environment,
)

if TYPE_CHECKING:
    from bob.learn.pytorch.templates.format.template import Template

logger = logging.getLogger(__name__)

_OUR_VERSION = platform.python_version()


def _uv() -> str:
    """Path of the program uv."""
    try:
        from uv import find_uv_bin

        return find_uv_bin()
    except (ImportError, FileNotFoundError) as error:
        raise InstallError(
            "the program uv, which makes the environments of templates, is not in this "
            f"Python ({error}); bring it with `{sys.executable} -m pip install uv`"
        ) from error


def _uv_pip(*words: str) -> list[str]:
    """Return a command of `uv pip`, which has no variable for "no index"."""
    alone = ["--no-index"] if "PIP_NO_INDEX" in settings.installer_environment() else []
    return [_uv(), "pip", *words, *alone]


def _uv_environment() -> dict[str, str]:
    """Variables of uv: the user's indexes, no bars, and offline where the user is."""
    variables = settings.installer_environment()
    variables |= {"NO_COLOR": "1", "UV_NO_PROGRESS": "1"}
    if settings.offline():
        variables |= {"UV_OFFLINE": "1", "UV_PYTHON_DOWNLOADS": "never"}
    return variables


def _interpreter(template: Template, installer: Installer, minor: str = "") -> Path:
    """Find a Python of a minor version: ours, one of this machine, or one of uv."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    wanted = ",".join(filter(None, [template.python, minor and f"=={minor}.*"]))
    try:
        ours = SpecifierSet(wanted).contains(_OUR_VERSION, prereleases=True)
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


def _minor_version(python: Path, installer: Installer) -> str:
    """Version of an interpreter, such as "3.11"."""
    if python == Path(sys.executable):
        return _OUR_VERSION.rpartition(".")[0]
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
    """Find a Python of this machine that fits, outside of any environment."""
    variables = {**_uv_environment(), "PATH": settings.python_search_path()}
    found = subprocess.run(  # noqa: S603 - every word is ours or a checked range
        [_uv(), "python", "find", "--system", "--no-project", wanted],
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
        [_uv(), "python", "install", "--no-bin", wanted],
        step=f"fetch Python {wanted}",
        folder=Path(os.sep),
        environment=_uv_environment(),
        advice=f"install a Python {wanted} by hand (conda, pyenv, the system's "
        f"packages) and have it on PATH, then try again",
    )


_PYTHON_LINE = re.compile(r"# python (\d+\.\d+)$", re.MULTILINE)
_FILE_ADDRESS = re.compile(r"(?:file://|(?<!\S))/[^\s;#]*/([^/\s;#]+)")


@dataclass(frozen=True)
class Lock:
    """Exact packages for one version of Python."""

    text: str  # requirements as `normalised`, empty where a template has none
    python: str  # such as "3.11"

    @property
    def sha256(self) -> str:
        r"""SHA-256 of what is installed, the same whatever files the index offers.

        Examples
        --------
        >>> hashed, plain = Lock("a==2 --hash=sha256:0\n", ""), Lock("a==2\n", "")
        >>> hashed.sha256 == plain.sha256
        True
        """
        return text_sha256(re.sub(r" --hash=\S+", "", self.text))

    @staticmethod
    def place(template: Template) -> Path:
        """Return where the lock of a template is kept, whether it exists or not."""
        name = text_sha256(json.dumps(_inputs(template), sort_keys=True))[:32]
        return settings.templates_folder() / "locks" / f"{name}.txt"

    @classmethod
    def known(cls, template: Template) -> Lock | None:
        """Read the lock that was made earlier for what a template asks for."""
        try:
            text = cls.place(template).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        found = _PYTHON_LINE.search(text)
        return cls(normalised(text), found[1]) if found else None

    @classmethod
    def resolve(cls, template: Template, *, progress: bool = False) -> Lock:
        """Exact versions and hashes of all that a template asks for.

        What was resolved once for the same requirements stays as it was. The folder of
        the locks is to be locked by the caller.
        """
        earlier = cls.known(template)
        if earlier is not None:
            return earlier
        seconds = template.limits.install_seconds
        installer = Installer(template.name, seconds, progress=progress)
        python = _interpreter(template, installer)
        with_dependencies = _compiled(template.requirements, python, installer)
        alone = _compiled(
            template.requirements_without_dependencies, python, installer, "--no-deps"
        )
        # What stands alone was asked for by name, so it goes before a dependency.
        text = normalised(with_dependencies, alone)
        minor = _minor_version(python, installer)
        write_text(cls.place(template), f"# python {minor}\n{text}")
        return cls(text, minor)


def normalised(*texts: str) -> str:
    r"""Sort requirements by name: no comments, no options, no paths of this machine.

    Of two versions of one package, that of the later text stays.

    Examples
    --------
    >>> normalised("# by hand\nb @ file:///tmp/b-1.whl\nA==2  # newer")
    'A==2\nb @ b-1.whl\n'
    """
    found: dict[str, str] = {}
    for text in texts:
        for line in text.replace("\\\n", " ").splitlines():
            words = re.sub(r"(^|\s)#.*", "", line).split()
            if not words or (words[0].startswith("-") and words[0] != "-e"):
                continue
            named = words[1] if words[0] == "-e" and len(words) > 1 else words[0]
            entry = _FILE_ADDRESS.sub(r"\1", " ".join(words))
            name = re.split(r"[=@<>!~;\[]", _FILE_ADDRESS.sub(r"\1", named))[0]
            found[re.sub(r"[-_.]+", "-", name).lower()] = entry
    return "".join(f"{found[name]}\n" for name in sorted(found))


def platform_name() -> str:
    """Return the platform of an environment, such as "linux-x86_64-glibc"."""
    return "-".join(filter(None, [sysconfig.get_platform(), platform.libc_ver()[0]]))


def _inputs(template: Template) -> dict[str, object]:
    """All that changes what requirements resolve to."""
    return {
        "requirements": sorted(template.requirements),
        "alone": sorted(template.requirements_without_dependencies),
        "python": template.python,
        "ours": _OUR_VERSION.rpartition(".")[0],
        "platform": platform_name(),
        "torch": settings.installer_environment().get("UV_TORCH_BACKEND", ""),
    }


def _compiled(
    requirements: tuple[str, ...], python: Path, installer: Installer, *options: str
) -> str:
    """Resolve requirements with uv to exact versions, with hashes."""
    if not requirements:
        return ""
    with tempfile.TemporaryDirectory(prefix="bob-template-") as name:
        asked, answer = Path(name, "asked.txt"), Path(name, "answer.txt")
        asked.write_text("\n".join(requirements) + "\n", encoding="utf-8")
        words = _uv_pip("compile", str(asked), "--quiet", "--generate-hashes")
        words += ["--no-header", "--no-annotate", "--output-file", str(answer)]
        installer.run(
            [*words, "--python", str(python), *options],
            step="find the exact versions of all packages",
            folder=Path(name),
            environment=_uv_environment(),
            advice="check names and versions in `requirements` of the template: each "
            "must be on the package index for this platform and Python",
            shown=" ".join(["uv pip compile", *options, "of", ", ".join(requirements)]),
        )
        pins = normalised(answer.read_text(encoding="utf-8")).splitlines()
        return "".join(_with_hashes(f"{pin}\n") for pin in pins)


def _with_hashes(entry: str) -> str:
    """Add the hashes of local files to an entry; uv omits them for lone wheels."""
    from packaging.utils import canonicalize_name, canonicalize_version

    if "--hash=" in entry or "==" not in entry:
        return entry
    name, _, version = entry.split()[0].partition("==")
    wanted = (
        canonicalize_name(name.partition("[")[0]),
        canonicalize_version(version, strip_trailing_zero=False),
    )
    links = settings.installer_environment().get("UV_FIND_LINKS", "").split(",")
    hashes = {
        file_sha256(path)
        for link in links
        if link and "://" not in link
        for path in Path(link.strip()).expanduser().glob("*")
        if _distribution(path.name) == wanted
    }
    return (
        " ".join([entry.strip(), *(f"--hash=sha256:{it}" for it in sorted(hashes))])
        + "\n"
    )


def _distribution(file_name: str) -> tuple[str, str] | None:
    """Name and version of a wheel or an archive of sources."""
    from packaging.utils import (
        InvalidSdistFilename,
        InvalidWheelFilename,
        canonicalize_version,
        parse_sdist_filename,
        parse_wheel_filename,
    )

    try:
        if file_name.endswith(".whl"):
            name, version, _, _ = parse_wheel_filename(file_name)
        else:
            name, version = parse_sdist_filename(file_name)
    except (InvalidWheelFilename, InvalidSdistFilename):
        return None
    return name, canonicalize_version(version, strip_trailing_zero=False)


def build(folder: Path, template: Template, lock: Lock, *, progress: bool) -> Lock:
    """Install what a template needs, but no downloads; return all that is installed."""
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
    return Lock(text, lock.python)


def _install_packages(
    folder: Path, template: Template, lock: Lock, installer: Installer
) -> None:
    """Make the venv, and install the lock and nothing else into it."""
    python = _interpreter(template, installer, minor=lock.python)
    words = [_uv(), "venv", str(folder / "venv"), "--python", str(python)]
    words += ["--no-project", "--relocatable", "--quiet"]
    variables = _uv_environment()
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
        _uv_pip("install", "--python", str(folder / "venv"), *words),
        step="install the packages of the lock",
        folder=folder,
        environment=variables,
        advice=f"see what it said; where a package has vanished from the index or "
        f"changed, remove {Lock.place(template)} to have versions chosen anew",
    )


def _run_commands(folder: Path, template: Template, installer: Installer) -> None:
    """Run the template's own commands, each in a shell of its own."""
    if re.search(r"\bpip[\d.]*\b", "\n".join(template.install_cmds)):
        # Not the seed of `uv venv`, whose setuptools would then be in the lock.
        installer.run(
            _uv_pip("install", "--python", str(folder / "venv"), "pip"),
            step="install pip, since install_cmds name it",
            folder=folder,
            environment=_uv_environment(),
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
    """List what is installed, whoever installed it; pip itself changes nothing."""
    listed = folder / "frozen.txt"
    with listed.open("wb") as file:
        installer.run(
            [_uv(), "pip", "freeze", "--python", str(folder / "venv")],
            step="list the packages that install_cmds installed",
            folder=folder,
            environment=_uv_environment(),
            advice="see whether install_cmds have damaged the environment",
            output=file,
        )
    lines = normalised(listed.read_text(encoding="utf-8")).splitlines()
    listed.unlink()
    return "".join(f"{line}\n" for line in lines if not line.startswith("pip=="))
