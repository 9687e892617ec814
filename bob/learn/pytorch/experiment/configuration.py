"""Configuration files and command line become the settings of one experiment."""

from __future__ import annotations

import difflib
import importlib.util
import inspect
import logging
import traceback
import types
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bob.learn.pytorch.errors import UserError
from bob.learn.pytorch.experiment.options import (
    GRID_OPTIONS,
    NOT_OFFERED,
    OPTIONS,
    STAGES,
    STAGES_WITHOUT_WORK,
    UNUSED_PLACES,
    Option,
)
from bob.learn.pytorch.printing import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

logger = logging.getLogger(__name__)

#: Variables of `bob bio pipeline simple`, for a file that serves both tools.
_BOB_PIPELINE_VARIABLES = frozenset(
    [
        "pipeline",
        "checkpoint_dir",
        "dask_client",
        "output",
        "memory",
        "write_metadata_scores",
        "dask_partition_size",
        "dask_n_workers",
        "dask_n_partitions",
    ]
)


class ConfigurationError(UserError, ValueError):
    """What verify.py was told cannot be carried out; the message names the option."""


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
        _execute(code, module, path)
        variables = {
            key: value
            for key, value in module.__dict__.items()
            if not (key.startswith("__") and key.endswith("__"))
        }
    return variables


def _execute(code: types.CodeType, module: types.ModuleType, path: Path) -> None:
    """Run a configuration; an error in it is told by its own line, not by ours."""
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
    if is_python(path) and path.is_file():
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
    if not is_python(path) and "/" not in name:
        try:
            return _module_file(name)
        except (ImportError, ValueError):
            pass
    raise ConfigurationError(
        f"no configuration {name!r}: neither a Python file (looked for "
        f"{printable(path.absolute())}), nor an importable module, nor an entry point "
        "of group bob.bio.config"
    )


def is_python(path: Path) -> bool:
    """Return whether a file may be run: only a name that ends in .py asks for that."""
    return path.suffix == ".py"


def _module_file(module: str) -> Path:
    specification = importlib.util.find_spec(module)
    if specification is None or not is_python(Path(specification.origin or "")):
        raise ImportError(f"module {module!r} has no file of Python")
    return Path(str(specification.origin))


def settle(
    given: Mapping[str, Any], variables: Mapping[str, Any]
) -> types.SimpleNamespace:
    """Join command line, configuration variables and defaults, in this order.

    Parameters
    ----------
    given : mapping
        Option name -> value, only of options that stand on the command line.
    variables : mapping
        What the configuration files left behind.

    Returns
    -------
    types.SimpleNamespace
        One attribute an option, lists as tuples; ``skip`` is the set of stages
        to leave out.

    Raises
    ------
    ConfigurationError
        For a missing required option, a value of the wrong type, or an option
        that this version does not offer.
    """
    _refuse_not_offered(given, variables)
    settled = types.SimpleNamespace()
    _require(given, variables)
    for option in OPTIONS:
        value = given.get(option.name, variables.get(option.name))
        if value is None:
            value = option.default
        setattr(settled, option.name, _checked(option, value))
    settled.skip = _stages_to_skip(settled)
    _warn_of_ignored(given, variables)
    _warn_of_unknown(variables)
    return settled


def _require(given: Mapping[str, Any], variables: Mapping[str, Any]) -> None:
    missing = [
        option
        for option in OPTIONS
        if option.importance == "required"
        and given.get(option.name, variables.get(option.name)) is None
    ]
    if missing:
        names = ", ".join(f"'{option.name}'" for option in missing)
        flags = ", ".join(f"'--{option.long}'" for option in missing)
        raise ConfigurationError(
            f"Please specify {names} either on command line (via {flags}) or in a "
            "configuration file (`verify.py -H config.py` writes one to fill in)"
        )


def _refuse_not_offered(given: Mapping[str, Any], variables: Mapping[str, Any]) -> None:
    for name, (option, instead) in NOT_OFFERED.items():
        if given.get(name, variables.get(name)):
            raise ConfigurationError(
                f"--{option.long} is not offered by this version: {instead}"
            )


def _checked(option: Option, value: Any) -> Any:
    if option.kind == "component" or value is None:
        return value
    check = {
        "text": _text,
        "words": _words,
        "count": _count,
        "number": _count,
        "real": _real,
        "flag": _flag,
    }[option.kind]
    return check(option, value)


def _refuse(option: Option, value: Any, expected: str) -> ConfigurationError:
    return ConfigurationError(
        f"'{option.name}' is {value!r} ({type(value).__name__}), expected {expected}"
    )


def _text(option: Option, value: Any) -> str:
    if not isinstance(value, (str, Path)):
        raise _refuse(option, value, "a text")
    return str(value)


def _words(option: Option, value: Any) -> tuple[str, ...]:
    words = (value,) if isinstance(value, str) else value
    if not isinstance(words, list | tuple):
        raise _refuse(option, value, "a list of texts")
    if option.default and not words:
        raise _refuse(option, value, "at least one")
    for word in words:
        if not isinstance(word, str) or (option.choices and word not in option.choices):
            raise _refuse(
                option, value, "some of: " + (", ".join(option.choices) or "texts")
            )
    return tuple(words)


def _count(option: Option, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise _refuse(option, value, "a whole number")
    return value


def _real(option: Option, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _refuse(option, value, "a number")
    return float(value)


def _flag(option: Option, value: Any) -> bool:
    if value not in (True, False):
        raise _refuse(option, value, "True or False")
    return bool(value)


def _stages_to_skip(settled: types.SimpleNamespace) -> frozenset[str]:
    skipped = frozenset(
        stage
        for stage in (*STAGES, *STAGES_WITHOUT_WORK)
        if getattr(settled, "skip_" + stage.replace("-", "_"))
    )
    if settled.execute_only:
        skipped |= frozenset(STAGES) - frozenset(settled.execute_only)
    return skipped


def _warn_of_ignored(given: Mapping[str, Any], variables: Mapping[str, Any]) -> None:
    asked = [
        f"--{option.long}"
        for option in (*GRID_OPTIONS, *UNUSED_PLACES)
        if given.get(option.name, variables.get(option.name)) not in (None, False)
    ]
    if asked:
        logger.warning(
            "%s: ignored, since one process does all the work here", ", ".join(asked)
        )


def known_names() -> frozenset[str]:
    """Every variable that a configuration file may set."""
    options = [*OPTIONS, *GRID_OPTIONS, *UNUSED_PLACES]
    return frozenset(option.name for option in options) | frozenset(NOT_OFFERED)


def unknown_variables(variables: Mapping[str, Any]) -> list[str]:
    """Variables that nothing here reads, except those that are plainly private.

    Private are names that begin with ``_`` or are ALL UPPERCASE, and values
    that are modules, classes, functions or None.
    """
    known = known_names() | _BOB_PIPELINE_VARIABLES
    return [
        name
        for name, value in variables.items()
        if name not in known
        and not name.startswith("_")
        and not name.isupper()
        and value is not None
        and not inspect.ismodule(value)
        and not inspect.isclass(value)
        and not inspect.isroutine(value)
    ]


def _warn_of_unknown(variables: Mapping[str, Any]) -> None:
    for name in unknown_variables(variables):
        near = difflib.get_close_matches(name, known_names(), n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        logger.warning(
            "the variable %r of the configuration is not known%s "
            "(use a '_' prefix to suppress this warning)",
            name,
            hint,
        )


def commented_template() -> str:
    """A configuration file in which every option stands as a comment (``-H``)."""
    headings = {
        "required": "REQUIRED: without these, nothing runs",
        "common": "COMMON: you may want to change these",
        "optional": "OPTIONAL: where things go, and what they look like",
        "rare": "RARE",
    }
    lines = ["# A configuration of verify.py: remove the '#' of what you set.", ""]
    for importance, heading in headings.items():
        lines += ["#" * 70, f"# {heading}", "#" * 70, ""]
        for option in OPTIONS:
            if option.importance == importance:
                lines += _template_entry(option)
    return "\n".join(lines)


def _template_entry(option: Option) -> list[str]:
    choices = f" One or more of: {', '.join(option.choices)}." if option.choices else ""
    default = (
        list(option.default) if isinstance(option.default, tuple) else option.default
    )
    value = "..." if option.importance == "required" else repr(default)
    return [f"# {option.help}{choices}", f"# {option.name} = {value}", ""]
