"""Configuration files that are run, and components that are given by name.

Every module of this room may import this one, which imports none of them.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import inspect
import logging
import sys
import traceback
import types
import warnings
from contextlib import contextmanager
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bob.learn.pytorch.errors import UserError
from bob.learn.pytorch.printing import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set

logger = logging.getLogger(__name__)


class ConfigurationError(UserError, ValueError):
    """An experiment that cannot be carried out as configured; the message says why."""


def run_files(names: Iterable[str]) -> dict[str, Any]:
    """Run configuration files one after the other, each seeing what came before.

    Parameters
    ----------
    names : iterable of str
        Paths of Python files (``.py``), names of modules, or names of entry points
        of the group ``bob.bio.config``.

    Returns
    -------
    dict
        The variables after the last file.

    Raises
    ------
    ConfigurationError
        If a name is none of the three, or its file cannot be read.
    """
    variables: dict[str, Any] = {}
    for name in names:
        path = _find_file(name)
        module = types.ModuleType("user_config")
        module.__file__ = str(path)
        module.__dict__.update(variables)
        try:
            code = compile(path.read_bytes(), str(path), "exec")
        except (OSError, SyntaxError, ValueError) as error:
            raise ConfigurationError(
                f"configuration {path} cannot be read: {error}"
            ) from error
        with _callable_extractor_in_bob(), _deprecations_logged(path):
            _execute(code, module, path)
        variables = {
            key: value
            for key, value in module.__dict__.items()
            if not (key.startswith("__") and key.endswith("__"))
        }
    return variables


@contextmanager
def _deprecations_logged(path: Path) -> Iterator[None]:
    """Log, once each, deprecations that a configuration's own lines meet.

    Python hides them outside of ``__main__``.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "default", category=DeprecationWarning, module=r"user_config\Z"
        )
        show = warnings.showwarning

        def log(
            message: Warning | str, category: type[Warning], filename: str,
            lineno: int, *rest: Any, **more: Any,
        ) -> None:  # fmt: skip
            if filename == str(path) and issubclass(category, DeprecationWarning):
                logger.warning("configuration %s, line %d: %s", path, lineno, message)
            else:
                show(message, category, filename, lineno, *rest, **more)

        warnings.showwarning = log
        yield


def _execute(code: types.CodeType, module: types.ModuleType, path: Path) -> None:
    """Run a configuration; an error in it is reported with its own line."""
    try:
        exec(code, module.__dict__)  # noqa: S102 - the user's own program
    except Exception as error:
        logger.debug("the configuration failed", exc_info=True)
        frames = traceback.extract_tb(error.__traceback__)
        lines = [frame.lineno for frame in frames if frame.filename == str(path)]
        raise ConfigurationError(
            f"configuration {path}, line {lines[-1] if lines else '?'}: "
            f"{type(error).__name__}: {error}"
        ) from error


def _find_file(name: str) -> Path:
    path = Path(name).expanduser()
    if _is_python(path) and path.is_file():
        return path
    for entry in entry_points(group="bob.bio.config"):
        if entry.name == name:
            return _module_file(entry.module)
    if path.is_file():
        raise ConfigurationError(
            f"{name} is no configuration: only files that end in .py are run. "
            f"Recordings and lists are given with --database, models and their weights "
            f"with --preprocessor, a PLDA model with --algorithm"
        )
    if not _is_python(path) and "/" not in name:
        try:
            return _module_file(name)
        except (ImportError, ValueError):
            pass
    raise ConfigurationError(
        f"no configuration {name!r}: neither a Python file (looked for "
        f"{printable(path.absolute())}), nor an importable module, nor an entry point "
        "of group bob.bio.config"
    )


def _is_python(path: Path) -> bool:
    """Return whether a file may be run: only a name that ends in .py asks for that."""
    return path.suffix == ".py"


def _module_file(module: str) -> Path:
    specification = importlib.util.find_spec(module)
    if specification is None or not _is_python(Path(specification.origin or "")):
        raise ImportError(f"module {module!r} has no file of Python")
    return Path(str(specification.origin))


#: Variables of `bob bio pipeline simple`, for a file that serves both tools.
_BOB_PIPELINE_VARIABLES = frozenset(
    [
        *("pipeline", "checkpoint_dir", "dask_client", "output", "memory"),
        *("write_metadata_scores", "dask_partition_size", "dask_n_workers"),
        "dask_n_partitions",
    ]
)


def warn_of_unknown(variables: Mapping[str, Any], *, known: Set[str]) -> None:
    """Warn of variables that nothing reads, except those that are plainly private.

    Private are names that begin with ``_`` or are ALL UPPERCASE, and values
    that are modules, classes, functions or None.
    """
    for name, value in variables.items():
        if (
            name in known | _BOB_PIPELINE_VARIABLES
            or name.startswith("_")
            or name.isupper()
            or value is None
            or inspect.ismodule(value)
            or inspect.isclass(value)
            or inspect.isroutine(value)
        ):
            continue
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        logger.warning(
            "the variable %r of the configuration is not known%s "
            "(use a '_' prefix to suppress this warning)",
            name,
            hint,
        )


#: What a path may be, for each kind that is more than a Python file.
_FILES = {
    "database": (
        "a folder of speakers, a trial list, a protocol in CSV or a Python file"
    ),
    "cohort": "a folder, a list, a file in CSV, a store (.h5) or a Python file",
    "algorithm": "a PLDA model (.npz), or a Python file",
    "preprocessor": "weights of a trained model, a template (.json) or a Python file",
}

#: A text that names a file that names a file …
_MOST_STEPS = 10


def resolve(
    kind: str,
    given: object,
    *,
    known: Callable[[str], object | None] = lambda _: None,
    names: Iterable[str] = (),
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
    names
        Those that ``known`` knows, for messages.
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
        with _callable_extractor_in_bob():
            if found is None:
                found = _registered(kind, given, preferred_package)
            try:
                if found is None:
                    found = _in_a_file(kind, given, opened)
                if found is None:
                    found = _evaluated(kind, given, tuple(imports))
            except _NothingError as error:
                raise _unknown(kind, given, error, tuple(names)) from error.__cause__
        given = found
    raise ConfigurationError(
        f"the {kind} leads from one text to the next, to {given!r} in the end; a file "
        "may not name itself"
    )


class _NothingError(Exception):
    """A text that names no component; the message adds why it is no expression."""


def _in_a_file(
    kind: str, text: str, opened: Callable[[Path], object | None]
) -> object | None:
    """Return the component in a file; None for a text that names none."""
    path = Path(text).expanduser()
    if not path.is_file():
        is_path = "/" in text and not any(letter in text for letter in "()[]'\"")
        if is_path or _is_python(path):
            raise _NothingError
        return None
    if _is_python(path):
        variables = run_files([text])
        if kind not in variables:
            raise ConfigurationError(f"{text} defines no variable {kind!r}")
        found: object = variables[kind]
        return found
    found = opened(path)
    if found is None:
        raise ConfigurationError(
            f"the {kind} {text!r} is a file, but expected is "
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
        raise _NothingError(reason) from error
    if value is None:
        raise ConfigurationError(
            f"the {kind} {text!r} gives None, expected a component"
        )
    return value


def _unknown(
    kind: str, text: str, reason: object, names: tuple[str, ...]
) -> ConfigurationError:
    registered = sorted({entry.name for entry in entry_points(group=f"bob.bio.{kind}")})
    near = difflib.get_close_matches(text, [*registered, *names], n=1)
    return ConfigurationError(
        f"the {kind} {text!r} is neither "
        + (f"one of {', '.join(names)}, nor " if names else "")
        + f"{_FILES.get(kind, 'a Python file')} "
        f"(looked for {Path(text).expanduser().absolute()}), nor an entry point of "
        f"group bob.bio.{kind} (those installed: {', '.join(registered) or 'none'})"
        f"{reason}" + (f"; did you mean {near[0]!r}?" if near else "")
    )


_EXTRACTOR_MODULE = "bob.bio.base.extractor"


class _ExtractorModuleFinder(importlib.abc.MetaPathFinder):
    """Adds CallableExtractor to bob.bio.base.extractor when that is imported.

    Bob removed the class in 2020; configurations that import it from there are
    still about.
    """

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: types.ModuleType | None = None,  # noqa: ARG002 - the protocol's parameter
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != _EXTRACTOR_MODULE:
            return None
        specification = importlib.machinery.PathFinder.find_spec(fullname, path)
        if specification is not None and specification.loader is not None:
            loader: Any = specification.loader
            run = loader.exec_module

            def run_and_add(module: types.ModuleType) -> None:
                run(module)
                _add_callable_extractor(module)

            loader.exec_module = run_and_add
        return specification


def _add_callable_extractor(module: types.ModuleType) -> None:
    from bob.learn.pytorch.extractor import CallableExtractor

    vars(module).setdefault("CallableExtractor", CallableExtractor)


@contextmanager
def _callable_extractor_in_bob() -> Iterator[None]:
    """Let ``from bob.bio.base.extractor import CallableExtractor`` work, as of old.

    Nothing is imported now; the class is added when the module is.
    """
    loaded = sys.modules.get(_EXTRACTOR_MODULE)
    if loaded is not None:
        _add_callable_extractor(loaded)
    finder = _ExtractorModuleFinder()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
