"""What a user may change without touching code.

A setting is looked up, first match wins, in

1. the environment: ``bob.learn.pytorch.offline`` is ``BOB_LEARN_PYTORCH_OFFLINE``;
2. ``bobrc.toml`` of Bob 12, in ``$XDG_CONFIG_HOME`` or ``~/.config``, where
   ``bob config set <key> <value>`` writes: nested tables, or a flat quoted key;
3. ``~/.bobrc`` of bob.extension, a flat JSON file, if there is one.

An empty value counts as not set. Nothing is remembered between two calls, and no other
module of this package reads the environment.
"""

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

WEIGHTS_FOLDER = "bob.learn.pytorch.weights_folder"
OFFLINE = "bob.learn.pytorch.offline"

_YES = ("1", "true", "yes", "on")
_NO = ("0", "false", "no", "off")


class SettingsError(ValueError):
    """A settings file, or a value in it, that cannot be understood."""


def get(key: str) -> str | None:
    """Value of a setting, None where it is set nowhere.

    Raises
    ------
    SettingsError
        When ``bobrc.toml`` or ``~/.bobrc`` cannot be read; it names the file and line.
    """
    value = os.environ.get(environment_variable(key))
    for path, read in ((_bobrc_toml(), tomllib.loads), (_old_bobrc(), json.loads)):
        if value:
            break
        value = _text(_find(_table(path, read), key), key, path)
    return value or None


def environment_variable(key: str) -> str:
    """Name of the environment variable that sets a key.

    Examples
    --------
    >>> environment_variable("bob.learn.pytorch.offline")
    'BOB_LEARN_PYTORCH_OFFLINE'
    """
    return key.upper().replace(".", "_")


def let_idle_threads_sleep() -> None:
    """Ask OpenMP for threads that sleep while they wait, unless the user asked already.

    Spinning, they slow PyTorch down up to fiftyfold on a busy machine of few cores. It
    must be called before torch is imported.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")


@contextmanager
def threads_of_children(count: int) -> Iterator[None]:
    """Let processes that are started inside have so many OpenMP threads each.

    They sleep while they wait. A smaller ``OMP_NUM_THREADS`` of the user's counts, and
    any ``OMP_WAIT_POLICY``.
    """
    names = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY")
    before = {name: os.environ.get(name) for name in names}
    try:
        asked = int(before["OMP_NUM_THREADS"] or count)
    except ValueError:  # OpenMP takes lists too, one number for each level
        asked = count
    os.environ["OMP_NUM_THREADS"] = str(min(count, asked))
    let_idle_threads_sleep()
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def weights_folder() -> Path:
    """Folder for weights: the user's choice, else one in the user's data folder.

    The key is ``bob.learn.pytorch.weights_folder``; unset, it is
    ``bob.learn.pytorch/weights`` in ``$XDG_DATA_HOME`` or ``~/.local/share``.
    """
    chosen = get(WEIGHTS_FOLDER)
    if chosen is not None:
        return Path(chosen).expanduser()
    data = _base_folder("XDG_DATA_HOME", ".local/share")
    return data / "bob.learn.pytorch" / "weights"


def offline() -> bool:
    """Whether the user forbids every download (key ``bob.learn.pytorch.offline``).

    Raises
    ------
    SettingsError
        When the value is none of 1, true, yes, on, 0, false, no, off.
    """
    value = (get(OFFLINE) or "0").strip().lower()
    if value not in _YES + _NO:
        raise SettingsError(
            f"{OFFLINE} is {value!r}; expected one of {', '.join(_YES + _NO)}. Change "
            f"it with `bob config set {OFFLINE} true`, or with the environment "
            f"variable {environment_variable(OFFLINE)}"
        )
    return value in _YES


def _bobrc_toml() -> Path:
    return _base_folder("XDG_CONFIG_HOME", ".config") / "bobrc.toml"


def _old_bobrc() -> Path:
    return Path.home() / ".bobrc"


def _base_folder(variable: str, default: str) -> Path:
    """One of the XDG base folders; a relative path there is void, says XDG."""
    chosen = Path(os.environ.get(variable, ""))
    return chosen if chosen.is_absolute() else Path.home() / default


def _table(path: Path, read: Callable[[str], object]) -> dict[str, object]:
    """The settings in a file; none where the file does not exist."""
    try:
        table = read(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"the settings file {path} cannot be read: {error}. Repair that line, or "
            f"move the file away and set your values again with `bob config set`"
        ) from error
    if not isinstance(table, dict):
        raise SettingsError(
            f"the settings file {path} holds a {type(table).__name__}; expected keys "
            f"with values, as `bob config set` writes them"
        )
    return table


def _find(table: dict[str, object], key: str) -> object:
    """Value of a dotted key, wherever its dots are tables and wherever not."""
    if key in table:
        return table[key]
    parts = key.split(".")
    for cut in range(1, len(parts)):
        inner = table.get(".".join(parts[:cut]))
        if isinstance(inner, dict):
            found = _find(inner, ".".join(parts[cut:]))
            if found is not None:
                return found
    return None


def _text(value: object, key: str, path: Path) -> str | None:
    """A value as text; `bob config set` stores what looks like a number as one."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    raise SettingsError(
        f"{key} in {path} is a {type(value).__name__}; expected one text value. Set it "
        f"again with `bob config set {key} <value>`"
    )
