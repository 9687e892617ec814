"""A component given by name becomes an object."""

from __future__ import annotations

import difflib
import importlib
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bob.learn.pytorch.experiment.algorithms import NAMED
from bob.learn.pytorch.experiment.configuration import (
    ConfigurationError,
    is_python,
    run_files,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


#: What a path may be, for each kind that is more than a Python file.
_FILES = {
    "database": (
        "a folder of speakers, a trial list, a protocol in CSV or a Python file"
    ),
    "cohort": "a folder, a list, a file in CSV, a store (.h5) or a Python file",
    "algorithm": f"one of {', '.join(NAMED)}, a PLDA model (.npz), or a Python file",
    "preprocessor": "weights of a trained model, a template (.json) or a Python file",
}

#: A text that names a file that names a file …
_MOST_STEPS = 10


def resolve(
    kind: str,
    given: object,
    *,
    known: Callable[[str], object | None] = lambda _: None,
    opened: Callable[[Path], object | None] = lambda _: None,
    imports: Iterable[str] = ("bob.bio.base",),
    preferred_package: str | None = None,
) -> Any:
    """Turn what was given for a component into the component.

    Parameters
    ----------
    kind : str
        ``preprocessor``, ``extractor`` or ``algorithm`` (or ``database``, ``cohort``).
    given : object
        An object, which comes back as it is, or a text: what ``known`` knows, the
        path of a Python file (``.py``) that defines a variable of this kind, the name
        of an entry point of the group ``bob.bio.<kind>``, the path of a file that
        ``opened`` takes, or a Python expression.
    known : callable
        From a text to the component that it names, or None.
    opened : callable
        From the path of a file other than ``.py`` to the component in it, or None.
        Such files are never run.
    imports : iterable of str
        Modules whose names the expression may use.
    preferred_package : str, optional
        Distribution that wins among entry points of one name; otherwise the
        first from outside ``bob.bio``.

    Raises
    ------
    ConfigurationError
        If the text is none of these, saying what became of each.
    """
    for _ in range(_MOST_STEPS):
        if not isinstance(given, str):
            return given
        found = known(given)
        if found is None:
            found = _registered(kind, given, preferred_package)
        if found is None:
            found = _in_a_file(kind, given, opened)
        given = _evaluated(kind, given, tuple(imports)) if found is None else found
    raise ConfigurationError(
        f"--{kind} leads from one text to the next, to {given!r} in the end; a file "
        "may not name itself"
    )


def _in_a_file(
    kind: str, text: str, opened: Callable[[Path], object | None]
) -> object | None:
    """Return the component in a file; None for a text that names none."""
    path = Path(text).expanduser()
    if not path.is_file():
        is_path = "/" in text and not any(letter in text for letter in "()[]'\"")
        if is_path or is_python(path):
            raise _unknown(kind, text)
        return None
    if is_python(path):
        variables = run_files([text])
        if kind not in variables:
            raise ConfigurationError(f"{text} defines no variable {kind!r}")
        found: object = variables[kind]
        return found
    found = opened(path)
    if found is None:
        raise ConfigurationError(
            f"--{kind} {text!r} is a file, but expected is "
            f"{_FILES.get(kind, 'a Python file')} or an entry point; only files that "
            "end in .py are run"
        )
    return found


def _registered(kind: str, name: str, preferred_package: str | None) -> object | None:
    matching = [
        entry for entry in entry_points(group=f"bob.bio.{kind}") if entry.name == name
    ]

    def rank(entry: EntryPoint) -> tuple[bool, bool]:
        distribution = entry.dist.name if entry.dist else ""
        return distribution != preferred_package, distribution.startswith("bob.bio")

    chosen = min(matching, key=rank, default=None)
    found: object = None if chosen is None else chosen.load()
    return found


def _evaluated(kind: str, text: str, imports: tuple[str, ...]) -> object:
    names: dict[str, Any] = {}
    try:
        expression = compile(text, f"<{kind}>", "eval")
        for module in imports:
            importlib.import_module(module)
            top = module.split(".")[0]
            names[top] = importlib.import_module(top)
        value: object = eval(expression, names)  # noqa: S307 - the user's own expression
    except Exception as error:
        reason = f", nor an expression ({type(error).__name__}: {error})"
        raise _unknown(kind, text, reason) from error
    if value is None:
        raise ConfigurationError(f"--{kind} {text!r} gives None, expected a component")
    return value


def _unknown(kind: str, text: str, reason: str = "") -> ConfigurationError:
    return ConfigurationError(
        f"--{kind} {text!r} is neither {_FILES.get(kind, 'a Python file')} "
        f"(looked for {Path(text).expanduser().absolute()}), nor an entry point of "
        f"group bob.bio.{kind} (those installed: {_names_of(kind)}){reason}"
        f"{_nearest(kind, text)}"
    )


def _nearest(kind: str, text: str) -> str:
    names = [*_registered_names(kind), *(NAMED if kind == "algorithm" else ())]
    near = difflib.get_close_matches(text, names, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _registered_names(kind: str) -> list[str]:
    return sorted({entry.name for entry in entry_points(group=f"bob.bio.{kind}")})


def _names_of(kind: str) -> str:
    return ", ".join(_registered_names(kind)) or "none"
