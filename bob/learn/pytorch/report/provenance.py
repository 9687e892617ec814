"""Provenance of scores and result folders, as titles and texts."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bob.learn.pytorch.files import file_sha256

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from bob.learn.pytorch.metrics import Names, ScoreTable

# Of no use to a reader, and nobody else's business.
_LEFT_OUT = ("Host",)
_MODEL_SUFFIXES = "pt|pth|tar|ckpt|safetensors|onnx|json"
#: Of a trial list are hashed at once.
_LINES = 100_000


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
    """List models, templates and files that a description names, with their hashes.

    The hashes are those of this installation, which checks every file that it loads;
    of any other file, its present one.
    """
    from bob.learn.pytorch.models.catalogue import MODELS

    found = []
    for model in MODELS:
        if re.search(rf"(?<![\w-]){re.escape(model.name)}(?![\w-])", text):
            weights = model.weights
            digest = weights.sha256 or "not published"
            found.append(
                ("Model", f"{model.name}: {weights.file_name}, SHA-256 {digest}")
            )
    return found + _template_facts(text) + _file_facts(text)


def _template_facts(text: str) -> list[tuple[str, str]]:
    """List shipped templates that a description names, with the hash of each."""
    from bob.learn.pytorch.templates.format.template import load, shipped

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


def _file_facts(text: str) -> list[tuple[str, str]]:
    """List weights and templates that are files of the user's."""
    names = re.findall(rf"'([^'\n]+\.(?:{_MODEL_SUFFIXES}))'", text)
    return [
        ("Model file", f"{path}: SHA-256 {file_sha256(path)} when this page was made")
        for path in map(Path, dict.fromkeys(names))
        if path.is_file()
    ]


def file_fact(path: Path, *, trials: int, sha256: str) -> str:
    """Return one line on a score file: its place, how many trials, its hash."""
    return f"{path}: {trials:,} trials, SHA-256 {sha256}"


def trials_fact(table: ScoreTable) -> str:
    r"""Return one line on a trial list: its size and a hash, which no order changes.

    The hash is that of the sorted lines "claimed reference real probe", as a score file
    of five columns has them without its scores; of "claimed real probe" where the
    references have no names. Systems on the same trials have the same.

    Examples
    --------
    >>> from bob.learn.pytorch.metrics import ScoreTable
    >>> table = ScoreTable.from_matrix([[1.0]], references=["r"], probes=["p"],
    ...                                reference_subjects=["a"], probe_subjects=["b"])
    >>> import hashlib
    >>> hashlib.sha256(b"a r b p\n").hexdigest() in trials_fact(table)
    True
    """
    columns = [table.claimed, table.real, table.probe]
    if table.model is not None:
        columns.insert(1, table.model)
    digest = hashlib.sha256()
    names, ranks = zip(*map(_ranked, columns), strict=True)
    order = np.lexsort(ranks[::-1])
    for start in range(0, order.size, _LINES):
        part = order[start : start + _LINES]
        words = [
            [known[rank] for rank in column[part].tolist()]
            for known, column in zip(names, ranks, strict=True)
        ]
        lines = [b" ".join(fields) + b"\n" for fields in zip(*words, strict=True)]
        digest.update(b"".join(lines))
    targets = int(np.count_nonzero(table.is_target))
    return (
        f"{targets:,} target and {len(table) - targets:,} non-target trials, SHA-256 "
        f"{digest.hexdigest()}"
    )


def _ranked(column: Names) -> tuple[list[bytes], NDArray[np.int64]]:
    """Return names in the order of their bytes, and the place of each trial's."""
    encoded = [name.encode("utf-8", "surrogateescape") for name in column.distinct]
    order = sorted(range(len(encoded)), key=encoded.__getitem__)
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return [encoded[place] for place in order], rank[column.codes]


def calibration_facts(content: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Describe a calibration by its file.

    Examples
    --------
    >>> calibration_facts({"columns": ["score"], "weights": [2.0], "offset": -1.0,
    ...                    "trained_on": {"targets": 3, "non_targets": 9},
    ...                    "provenance": {"group": "dev"}})
    [('Calibrated by', '2 x score -1, trained on 3 target and 9 non-target trials'), \
('Calibration made from', 'group: dev')]
    """
    terms = [
        f"{weight:g} x {column}"
        for weight, column in zip(
            content.get("weights", ()), content.get("columns", ()), strict=False
        )
    ]
    trials = content.get("trained_on", {})
    says = (
        f"{' + '.join(terms)} {content.get('offset', 0):+g}, trained on "
        f"{trials.get('targets', 0):,} target and {trials.get('non_targets', 0):,} "
        "non-target trials"
    )
    made = content.get("provenance", {})
    facts = [("Calibrated by", says)] if terms else []
    if made:
        said = {title: text for title, text in made.items() if text}
        facts.append(("Calibration made from", _in_lines(said)))
    return facts


def made_in_words(normalisation: str, *, calibrated: str = "") -> str:
    """Say how scores were made: ``as-norm, top 100, calibrated``, or ``raw``."""
    return ", ".join(filter(None, [normalisation, calibrated])) or "raw"


def settings_facts(content: Mapping[str, Any]) -> list[tuple[str, str]]:
    """List settings with their values, of the JSON beside a score file.

    Examples
    --------
    >>> settings_facts({"measure": "cosine", "made_by": {"model": "m"}})
    [('Measure', 'cosine'), ('Made by', 'model: m')]
    """
    return [
        (
            title if "." in title else title.replace("_", " ").capitalize(),
            _in_lines(value),
        )
        for title, value in content.items()
        if title not in ("scores", "notes")
    ]


def _in_lines(value: object) -> str:
    if isinstance(value, dict):
        return "\n".join(f"{title}: {text}" for title, text in value.items())
    return str(value)


def versions() -> str:
    """Return the versions of this package and of NumPy and SciPy."""
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
