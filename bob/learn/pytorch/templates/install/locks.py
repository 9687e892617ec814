"""Requirements of a template, resolved once to exact versions and hashes by uv."""

from __future__ import annotations

import hashlib
import json
import platform
import re
import sysconfig
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bob.learn.pytorch import settings
from bob.learn.pytorch.files import write_text
from bob.learn.pytorch.models.checksum import file_sha256
from bob.learn.pytorch.templates.install.commands import Installer
from bob.learn.pytorch.templates.install.interpreters import (
    OUR_VERSION,
    interpreter,
    minor_version,
    uv_environment,
    uv_pip,
)

if TYPE_CHECKING:
    from bob.learn.pytorch.templates.format.template import Template

_PYTHON_LINE = re.compile(r"# python (\d+\.\d+)$", re.MULTILINE)
_FILE_ADDRESS = re.compile(r"(?:file://|(?<!\S))/[^\s;#]*/([^/\s;#]+)")


@dataclass(frozen=True)
class Lock:
    """Exact packages for one version of Python.

    Attributes
    ----------
    text
        Requirements as `normalised`, empty where a template has none.
    python
        Such as "3.11".
    """

    text: str
    python: str


def text_sha256(text: str) -> str:
    """SHA-256 of a text, 64 hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def versions_sha256(text: str) -> str:
    r"""SHA-256 of what a lock installs, the same whatever files its index offers.

    Examples
    --------
    >>> versions_sha256("a==2 --hash=sha256:00\n") == text_sha256("a==2\n")
    True
    """
    return text_sha256(re.sub(r" --hash=\S+", "", text))


def place(template: Template) -> Path:
    """Where the lock of a template is kept, whether it is there or not."""
    name = text_sha256(json.dumps(_inputs(template), sort_keys=True))[:32]
    return settings.templates_folder() / "locks" / f"{name}.txt"


def known(template: Template) -> Lock | None:
    """The lock that was made earlier for what a template asks for."""
    try:
        text = place(template).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    found = _PYTHON_LINE.search(text)
    return Lock(normalised(text), found[1]) if found else None


def resolve(template: Template, *, progress: bool = False) -> Lock:
    """Exact versions and hashes of all that a template asks for.

    What was resolved once for the same requirements stays as it was. The folder of
    the locks is to be locked by the caller.

    Raises
    ------
    InstallError
        There are no such packages or no such Python, or they cannot be reached.
    """
    earlier = known(template)
    if earlier is not None:
        return earlier
    seconds = template.limits.install_seconds
    installer = Installer(template.name, seconds, progress=progress)
    python = interpreter(template, installer)
    with_dependencies = _compiled(template.requirements, python, installer)
    alone = _compiled(
        template.requirements_without_dependencies, python, installer, "--no-deps"
    )
    # What stands alone was asked for by name, so it goes before a dependency.
    text = normalised(with_dependencies, alone)
    minor = minor_version(python, installer)
    write_text(place(template), f"# python {minor}\n{text}")
    return Lock(text, minor)


def normalised(*texts: str) -> str:
    r"""Requirements sorted by name: no comments, no options, no paths of this machine.

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
    """Where an environment can be used, such as "linux-x86_64-glibc"."""
    return "-".join(filter(None, [sysconfig.get_platform(), platform.libc_ver()[0]]))


def _inputs(template: Template) -> dict[str, object]:
    """All that changes what requirements resolve to."""
    return {
        "requirements": sorted(template.requirements),
        "alone": sorted(template.requirements_without_dependencies),
        "python": template.python,
        "ours": OUR_VERSION.rpartition(".")[0],
        "platform": platform_name(),
        "torch": settings.installer_environment().get("UV_TORCH_BACKEND", ""),
    }


def _compiled(
    requirements: tuple[str, ...], python: Path, installer: Installer, *options: str
) -> str:
    """What uv resolves requirements to, with hashes."""
    if not requirements:
        return ""
    with tempfile.TemporaryDirectory(prefix="bob-template-") as name:
        asked, answer = Path(name, "asked.txt"), Path(name, "answer.txt")
        asked.write_text("\n".join(requirements) + "\n", encoding="utf-8")
        words = uv_pip("compile", str(asked), "--quiet", "--generate-hashes")
        words += ["--no-header", "--no-annotate", "--output-file", str(answer)]
        installer.run(
            [*words, "--python", str(python), *options],
            step="find the exact versions of all packages",
            folder=Path(name),
            environment=uv_environment(),
            advice="check names and versions in `requirements` of the template: each "
            "must be on the package index for this platform and Python",
            shown=" ".join(["uv pip compile", *options, "of", ", ".join(requirements)]),
        )
        return "".join(map(_with_hashes, _entries(answer.read_text(encoding="utf-8"))))


def _entries(text: str) -> list[str]:
    """One line for each requirement, its hashes included."""
    return [f"{line}\n" for line in normalised(text).splitlines()]


def _with_hashes(entry: str) -> str:
    """An entry with the hashes of local files, which uv leaves out for lone wheels."""
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
