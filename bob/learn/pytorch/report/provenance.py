"""What result folders tell of their making, as titles and texts."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# Of no use to a reader, and nobody else's business.
_LEFT_OUT = ("Host",)


def description_facts(text: str) -> list[tuple[str, str]]:
    r"""Read Experiment.info: titles with a colon, below them what they stand for.

    Examples
    --------
    >>> description_facts("Command line:\nverify.py a.py\n\nHost:\nlab\n\n")
    [('Command line', 'verify.py a.py')]
    """
    parts = re.split(r"(?m)^([A-Z][A-Za-z ]+):\n", text)
    return [
        (title, content.strip())
        for title, content in zip(parts[1::2], parts[2::2], strict=True)
        if title not in _LEFT_OUT and content.strip()
    ]


def model_facts(text: str) -> list[tuple[str, str]]:
    """Trained models and templates that a description names, with their hashes.

    The hashes are those of this installation, which checks every file that it loads.
    """
    from bob.learn.pytorch.weights.catalogue import MODELS

    found = []
    for model in MODELS:
        if re.search(rf"(?<![\w-]){re.escape(model.name)}(?![\w-])", text):
            weights = model.weights
            digest = weights.sha256 or "not published"
            found.append(
                ("Model", f"{model.name}: {weights.file_name}, SHA-256 {digest}")
            )
    return found + _template_facts(text)


def _template_facts(text: str) -> list[tuple[str, str]]:
    """Shipped templates that a description names, with the hash of what they run."""
    from bob.learn.pytorch.templates.template import load, shipped

    found = []
    for name in shipped():
        if f"'{name}'" in text:
            template = load(name)
            weights = [
                f"{file['file_name']}, SHA-256 {file.get('sha256', 'not given')}"
                for file in template.weights
            ]
            says = "; ".join([f"{name}: SHA-256 {template.sha256}", *weights])
            found.append(("Template", says))
    return found


def file_fact(path: Path, *, trials: int) -> str:
    """One line on a score file: its place, how many trials, its hash."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return f"{path}: {trials:,} trials, SHA-256 {digest.hexdigest()}"


def versions() -> str:
    """Versions of this package and of what works out the figures."""
    import platform

    found = [f"Python {platform.python_version()}"]
    names = "bob.learn.pytorch", "numpy", "scipy"
    found += [f"{name} {_version(name)}" for name in names]
    return ", ".join(found)


def _version(name: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(name)
    except PackageNotFoundError:
        return "(not installed)"
