"""Settings of the user, which no code has to be changed for.

A setting is looked up, first match wins, in

1. the environment: ``bob.learn.pytorch.offline`` is ``BOB_LEARN_PYTORCH_OFFLINE``;
2. ``bobrc.toml`` of Bob 12, in ``$XDG_CONFIG_HOME`` or ``~/.config``, where
   ``bob config set <key> <value>`` writes: nested tables, or a flat quoted key;
3. ``~/.bobrc`` of bob.extension, a flat JSON file, if there is one.

An empty value counts as not set. Nothing is remembered between two calls, and no other
module of this package reads the environment.
"""

import configparser
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bob.learn.pytorch.errors import UserError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

WEIGHTS_FOLDER = "bob.learn.pytorch.weights_folder"
TEMPLATES_FOLDER = "bob.learn.pytorch.templates_folder"
OFFLINE = "bob.learn.pytorch.offline"
PYPI = "https://pypi.org/simple"

# What a program that builds or runs other people's code may know of the user's setup.
_PLAIN = (
    *("PATH", "LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR"),
    *("CC", "CXX", "CFLAGS", "CXXFLAGS", "LDFLAGS", "CPATH", "LIBRARY_PATH"),
    *("LD_LIBRARY_PATH", "CUDA_HOME", "CUDA_PATH", "CUDA_VISIBLE_DEVICES", "SDKROOT"),
    *("MACOSX_DEPLOYMENT_TARGET", "OMP_NUM_THREADS", "OMP_WAIT_POLICY"),
)
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
_CERTIFICATES = (
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
    *("PIP_CERT", "GIT_SSL_CAINFO", "NIX_SSL_CERT_FILE"),
)
# Where uv looks for packages; set one of them, and pip's settings do not count.
_UV_PLACES = (
    *("UV_INDEX", "UV_INDEX_URL", "UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL"),
    "UV_FIND_LINKS",
)
_UV_MANNERS = (
    *("UV_INDEX_", "UV_KEYRING_PROVIDER", "UV_INSECURE_HOST", "UV_HTTP_"),
    *("UV_REQUEST_TIMEOUT", "UV_CACHE_DIR", "UV_NO_CACHE", "UV_LINK_MODE"),
    *("UV_NATIVE_TLS", "UV_SYSTEM_CERTS", "UV_CONCURRENT_", "UV_TORCH_BACKEND"),
    *("UV_PYTHON_INSTALL_", "UV_PYTHON_CACHE_DIR", "UV_PYTHON_DOWNLOADS"),
    *("UV_PYTHON_PREFERENCE", "UV_OFFLINE", "UV_CONFIG_FILE"),
)

_YES = ("1", "true", "yes", "on")
_NO = ("0", "false", "no", "off")


class SettingsError(UserError, ValueError):
    """A settings file, or a value in it, that cannot be understood."""


def get(key: str) -> str | None:
    """Return the value of a setting, None where it is set nowhere.

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
    """Return the environment variable that sets a key.

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
    asked = os.environ.get("OMP_NUM_THREADS") or count
    try:
        threads = min(count, int(asked))
    except ValueError:  # OpenMP takes lists too, one number for each level
        threads = count
    policy = os.environ.get("OMP_WAIT_POLICY", "passive")
    with _set_inside(OMP_NUM_THREADS=str(threads), OMP_WAIT_POLICY=policy):
        yield


@contextmanager
def safe_path_of_children() -> Iterator[None]:
    """Let processes of Python that are started inside find no code where they work.

    Python 3.10 does not know the variable.
    """
    with _set_inside(PYTHONSAFEPATH="1"):
        yield


@contextmanager
def _set_inside(**variables: str) -> Iterator[None]:
    """Set variables of the environment, and put back afterwards what was there."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def weights_folder() -> Path:
    """Return the folder for weights: the user's choice, or one in the data folder.

    The key is ``bob.learn.pytorch.weights_folder``; unset, it is
    ``bob.learn.pytorch/weights`` in ``$XDG_DATA_HOME`` or ``~/.local/share``.
    """
    return _data_folder(WEIGHTS_FOLDER, "weights")


def templates_folder() -> Path:
    """Return the folder of templates: environments, locks, weights, and trust.

    The key is ``bob.learn.pytorch.templates_folder``; unset, it is
    ``bob.learn.pytorch/templates`` in ``$XDG_DATA_HOME`` or ``~/.local/share``.
    """
    return _data_folder(TEMPLATES_FOLDER, "templates").absolute()


def _data_folder(key: str, name: str) -> Path:
    data = _base_folder("XDG_DATA_HOME", ".local/share")
    chosen = get(key)
    ours = data / "bob.learn.pytorch" / name
    return ours if chosen is None else Path(chosen).expanduser()


def plain_environment(*, network: bool) -> dict[str, str]:
    """Return variables without secrets that programs need to start and to compile.

    With `network` these are also the proxies, with their passwords if there are any,
    and where the certificates are.
    """
    names = list(_PLAIN)
    if network:
        names += [*_PROXIES, *(name.upper() for name in _PROXIES), *_CERTIFICATES]
    return {name: os.environ[name] for name in names if os.environ.get(name)}


def installer_environment() -> dict[str, str]:
    """Return the variables for uv: where packages are, and its cache.

    ``PIP_NO_INDEX`` is there where uv is to be given ``--no-index``.

    Where neither its variables nor ``uv.toml`` say where packages are, those of pip and
    ``pip.conf`` do. Other variables are left out: building a package runs its code.
    """
    variables = plain_environment(network=True)
    homes = ("HOME", "USER", "LOGNAME", "NETRC", "XDG_CACHE_HOME", "XDG_DATA_HOME")
    variables |= {name: os.environ[name] for name in homes if os.environ.get(name)}
    variables |= {
        name: value
        for name, value in os.environ.items()
        if value and (name in _UV_PLACES or name.startswith(_UV_MANNERS))
    }
    file = _uv_toml()
    if file is not None:
        # Named, it is the only one: no pyproject.toml above some folder counts.
        variables.setdefault("UV_CONFIG_FILE", str(file))
    elif "UV_CONFIG_FILE" not in variables:
        variables["UV_NO_CONFIG"] = "1"
    pip = _pip_settings()
    if "UV_NO_CONFIG" in variables and not variables.keys() & set(_UV_PLACES):
        variables |= _places_of_pip(pip)
    bundles = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
    found = [pip.get("cert"), *(variables.get(name) for name in bundles)]
    for bundle in filter(None, found):
        variables.setdefault("SSL_CERT_FILE", bundle)
    return variables


def python_search_path() -> str:
    """Return ``PATH`` to look for interpreters: with pyenv's own, not its stand-ins."""
    folders = [
        folder
        for folder in os.environ.get("PATH", os.defpath).split(os.pathsep)
        if Path(folder).name != "shims"
    ]
    root = os.environ.get("PYENV_ROOT")
    pyenv = Path(root) if root else Path.home() / ".pyenv"
    folders += sorted(map(str, pyenv.glob("versions/*/bin")), reverse=True)
    return os.pathsep.join(folders)


def offline() -> bool:
    """Return whether the user forbids downloads (key ``bob.learn.pytorch.offline``).

    Raises
    ------
    SettingsError
        The value is not one of 1, true, yes, on, 0, false, no, off.
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
    """Return one of the XDG base folders; XDG ignores relative paths."""
    chosen = Path(os.environ.get(variable, ""))
    return chosen if chosen.is_absolute() else Path.home() / default


def _uv_toml() -> Path | None:
    """Find the user's settings of uv, or those of the machine."""
    for folder in (_base_folder("XDG_CONFIG_HOME", ".config"), Path("/etc")):
        if (file := folder / "uv" / "uv.toml").is_file():
            return file
    return None


def _pip_settings() -> dict[str, str]:
    """Read pip's variables and settings files on downloads, by pip's names."""
    chosen = os.environ.get("PIP_CONFIG_FILE")
    files = [
        Path("/etc/pip.conf"),
        Path.home() / ".pip" / "pip.conf",
        _base_folder("XDG_CONFIG_HOME", ".config") / "pip" / "pip.conf",
        Path(sys.prefix) / "pip.conf",
        *([Path(chosen)] if chosen else []),
    ]
    parser = configparser.RawConfigParser()
    try:
        parser.read([] if chosen == os.devnull else files, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError) as error:
        raise SettingsError(
            f"a settings file of pip cannot be read: {error}"
        ) from error
    found: dict[str, str] = {}
    for section in ("global", "download", "install"):
        if parser.has_section(section):
            found |= parser.items(section)
    names = ("index-url", "extra-index-url", "find-links", "no-index", "trusted-host")
    for name in (*names, "cert", "timeout"):
        variable = f"PIP_{'default_' * (name == 'timeout')}{name}".replace("-", "_")
        found[name] = os.environ.get(variable.upper(), found.get(name, ""))
    return found


def _places_of_pip(pip: dict[str, str]) -> dict[str, str]:
    """Return pip's settings as variables of uv."""
    # A folder that is not there stops uv, and not pip.
    links = (x for x in pip["find-links"].split() if "://" in x or Path(x).exists())
    indexes = [pip["index-url"].strip() or PYPI, *pip["extra-index-url"].split()]
    extra = len(indexes) > 1
    found = {
        # Of one version in two indexes, uv sees the files of the first alone; and the
        # default index, whatever it is, comes last.
        "UV_INDEX": " ".join(indexes[:-1]),
        "UV_DEFAULT_INDEX": indexes[-1] if extra else pip["index-url"].strip(),
        "UV_FIND_LINKS": ",".join(links),
        "PIP_NO_INDEX": "1" if pip["no-index"].strip().lower() in _YES else "",
        "UV_INSECURE_HOST": " ".join(pip["trusted-host"].split()),
        "UV_HTTP_TIMEOUT": pip["timeout"].strip(),
        # pip takes the best of all indexes, uv the first that knows the name.
        "UV_INDEX_STRATEGY": "unsafe-best-match" if extra else "",
    }
    return {name: value for name, value in found.items() if value}


def _table(path: Path, read: Callable[[str], object]) -> dict[str, object]:
    """Read the settings in a file; none where the file does not exist."""
    try:
        table = read(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
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
    """Find the value of a dotted key, whether its dots are tables or not."""
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
    """Return a value as text; `bob config set` stores numbers as such."""
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
