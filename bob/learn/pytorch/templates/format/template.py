"""A template: what its JSON says, with the defaults filled in.

Reading one runs nothing of it. `load` takes a path or the name of a shipped template.
"""

from __future__ import annotations

import difflib
import json
import os
from dataclasses import dataclass, field
from importlib.machinery import EXTENSION_SUFFIXES, SOURCE_SUFFIXES
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from bob.learn.pytorch.files import content_of, remembered_source, text_sha256
from bob.learn.pytorch.printing import nearest, printable
from bob.learn.pytorch.templates.format.errors import UnknownTemplate
from bob.learn.pytorch.templates.format.rules import LAYOUTS, file_name
from bob.learn.pytorch.templates.format.schema import (
    problems,
    read,
    refuse,
    without_comments,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

BACKBONES = Path(__file__).parents[1] / "backbones"
"""The folder of the shipped templates."""

_START = Path(__file__).with_name("start.json")
SUFFIX = ".json"

# Texts for people, and limits of a run, change no embedding.
_HARMLESS = (
    "$schema",
    "authors",
    "references",
    "downstream_tasks",
    "name",
    "description",
    "licence",
    "trained_on",
    "verified",
    "limits",
)

_CONTEXTS = ("import_context", "model_init_context", "pre_proc_context")
# Compiled files that Python makes itself are made anew when their source changes.
_IMPORTED = tuple({*SOURCE_SUFFIXES, *EXTENSION_SUFFIXES})

T = TypeVar("T")


class _Key(Generic[T]):
    """An attribute that is the value of the key of its name, or else a default."""

    def __init__(self, default: T, convert: Callable[[Any], T]) -> None:
        self._default = default
        self._convert = convert

    def __set_name__(self, owner: type, name: str) -> None:
        self._key = name

    def __get__(self, template: Template | None, owner: type) -> T:
        if template is None or self._key not in template.content:
            return self._default
        return self._convert(template.content[self._key])


def _text(default: str = "") -> _Key[str]:
    return _Key(default, str)


def _texts() -> _Key[tuple[str, ...]]:
    return _Key((), tuple)


@dataclass(frozen=True)
class Limits:
    """Limits of a model: memory in megabytes, `seconds` for one batch."""

    load_seconds: float = 600.0
    seconds: float = 120.0
    memory_mb: int = 8192
    install_seconds: float = 3600.0


@dataclass(frozen=True, eq=False)
class Template:
    """An audio model: how it is installed, loaded and asked for embeddings.

    The attributes that are keys of the JSON, as doc/ describes them, have the defaults
    filled in; "" and None are what was not said.

    Attributes
    ----------
    name
        "speech/ecapa_tdnn" for a shipped template, otherwise the name of the file
        without its suffix.
    path
        The file; None for a template that was made in memory.
    content
        The JSON, checked, without comments and defaults.
    """

    name: str
    path: Path | None
    content: Mapping[str, Any] = field(repr=False)

    description = _text()
    trained_on = _text()
    authors = _texts()
    references = _texts()
    downstream_tasks = _texts()
    python = _text()
    requirements = _texts()
    requirements_without_dependencies = _texts()
    install_cmds = _texts()
    download_cmds = _texts()
    import_context = _text()
    import_cmds = _texts()
    model_init_context = _text()
    model_init = _texts()
    pre_proc_context = _text()
    pre_proc = _texts()
    embed_fwd = _texts()
    sample_rate = _Key(0, int)
    in_shape = _Key(0, int)
    in_channels = _Key(1, int)
    in_type = _text("torch")
    output = _Key[int | str | None](None, lambda value: value)
    out_layout = _text("vector")
    pooling = _text("none")
    embedding_size = _Key[int | None](None, int)
    minimum_duration = _Key(0.0, float)
    maximum_duration = _Key[float | None](None, float)
    padding = _text("zeros")
    batching = _text("one")
    limits = _Key(Limits(), lambda given: Limits(**given))
    verified = _Key["Mapping[str, Any] | None"](None, lambda value: value)

    @property
    def title(self) -> str:
        """Title of the model, for people."""
        return str(self.content.get("name", self.name))

    @property
    def label(self) -> str:
        """Name in lists, which for a file of a user is its path."""
        if self.path is None or BACKBONES in self.path.absolute().parents:
            return self.name
        return str(self.path.absolute())

    @property
    def recommended_seconds(self) -> float:
        """Below this duration, an embedding says little; a guess for all models."""
        return max(1.0, self.minimum_duration)

    @property
    def in_layout(self) -> str:
        """Layout of the axes of x."""
        return str(self.content.get("in_layout", LAYOUTS[self.in_shape][0]))

    @property
    def licence(self) -> str:
        """The licences in one line, for people."""
        given = self.content.get("licence", {})
        if isinstance(given, str):
            return given
        parts = [f"{key} {given[key]}" for key in ("code", "weights") if key in given]
        return "; ".join([*parts, *filter(None, [given.get("notes")])]) or "not stated"

    @property
    def weights(self) -> tuple[Mapping[str, Any], ...]:
        """Each file that is fetched; `file_name` is there, and `url` is a list."""
        return tuple(_file(weights) for weights in self.content.get("weights", ()))

    @property
    def sha256(self) -> str:
        """Hash of everything that is installed, executed, or changes an embedding.

        Code in folders outside of the template counts as it is now.
        """
        outside = {folder: code_in(Path(folder)) for folder in self.folders_outside}
        return self._sha256(**({"code outside": outside} if outside else {}))

    @property
    def own_sha256(self) -> str:
        """The same of the template alone, which decides what is installed."""
        return self._sha256()

    @property
    def folders_outside(self) -> tuple[str, ...]:
        """Folders that stages run in and that no command of the template has made."""
        given = [str(self.content.get(key, "")) for key in _CONTEXTS]
        return tuple(
            sorted(
                {it for it in given if os.path.isabs(it) or ".." in Path(it).parts}  # noqa: PTH117
            )
        )

    def _sha256(self, **more: object) -> str:
        counts = {
            key: value for key, value in self.content.items() if key not in _HARMLESS
        }
        text = json.dumps({**counts, **more}, sort_keys=True, separators=(",", ":"))
        return text_sha256(text)


def code_in(folder: Path) -> dict[str, str]:
    """Return the hash of every file below a folder that Python can import, by its path.

    Folders that links lead to are looked into as well.
    """
    found: dict[str, str] = {}
    seen = set()
    for root, below, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(root)
        if real in seen:
            below.clear()
            continue
        seen.add(real)
        for name in names:
            if name.endswith(_IMPORTED):
                path = os.path.join(root, name)  # noqa: PTH118 - may be thousands
                content = content_of(remembered_source(path))
                found[os.path.relpath(path, folder)] = content
    return found


def _file(weights: Mapping[str, Any]) -> Mapping[str, Any]:
    filled = {**weights, "file_name": file_name(weights)}
    if isinstance(weights.get("url"), str):
        filled["url"] = [weights["url"]]
    return filled


def load(name_or_path: str | os.PathLike[str]) -> Template:
    """Read a template; nothing of it is run.

    Parameters
    ----------
    name_or_path
        The name of a shipped template such as "speech/ecapa_tdnn", or the path of a
        file, which has the suffix ".json" or a folder in front. A relative path is
        looked for in the working directory, then below the shipped templates.

    Raises
    ------
    UnknownTemplate
        There is no such template; the message names the nearest.
    InvalidTemplate
        The file is no template; the message names everything that is wrong.
    """
    path = _find(name_or_path)
    return from_content(read(path), name=_name(path), path=path)


def from_content(
    content: object, *, name: str = "template", path: Path | None = None
) -> Template:
    """Make a template of the content of its JSON."""
    where = name if path is None else printable(str(path))
    try:
        found = [str(problem) for problem in problems(content)]
    except RecursionError:
        found = ["$: lists and objects are nested too deep"]
    if found:
        refuse(where, found)
    return Template(name, path, without_comments(content))


def commented_start(name: str) -> str:
    """Return the text of a template that is valid, runs, and explains each key.

    The pinned packages have the versions that are installed here.
    """
    from importlib.metadata import version

    values = {}
    for package in ("numpy", "torch"):
        # A local version such as 2.11.0+cpu is in no registry.
        values[f"@{package}@"] = f"{package}=={version(package).partition('+')[0]}"
    values["@name@"] = name or "untitled"  # last: it may be one of the marks
    text = _START.read_text(encoding="utf-8")
    for mark, value in values.items():
        text = text.replace(f'"{mark}"', json.dumps(value, ensure_ascii=False))
    return text


def shipped() -> list[str]:
    """Names of the templates that come with this package; no file is opened."""
    files = BACKBONES.glob(f"*/*{SUFFIX}")
    return sorted(
        path.relative_to(BACKBONES).with_suffix("").as_posix() for path in files
    )


def _find(name_or_path: str | os.PathLike[str]) -> Path:
    wanted = os.fspath(name_or_path)
    names = shipped()
    if wanted in names and isinstance(name_or_path, str):
        return BACKBONES / (wanted + SUFFIX)
    path = Path(wanted).expanduser() if wanted.startswith("~/") else Path(wanted)
    is_path = (
        not isinstance(name_or_path, str)
        or wanted.endswith(SUFFIX)
        or os.sep in wanted.rstrip(os.sep)
    )
    places = (path, BACKBONES / path) if is_path else ()
    for place in places:
        if _is_there(place):
            return place
    raise UnknownTemplate(_unknown(wanted, places, names))


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # reading it will tell
        return True


def _unknown(wanted: str, places: Sequence[Path], names: list[str]) -> str:
    shown = printable(wanted)
    text = f"no template is called {shown!r}"
    if places:
        absolute = dict.fromkeys(printable(str(place.absolute())) for place in places)
        text += f", and no file is there (looked for {' and '.join(absolute)})"
    elif wanted and _is_there(Path(wanted)):
        text += f"; for the file of that name, write ./{shown}"
    return f"{text}; {_nearest(wanted.removesuffix(SUFFIX), names)}"


def _nearest(wanted: str, names: list[str]) -> str:
    last = wanted.rpartition("/")[2].lower()
    near = [name for name in names if last and last in name]
    if not near:
        stems = {name.rpartition("/")[2]: name for name in names}
        near = [stems[stem] for stem in difflib.get_close_matches(last, stems, n=3)]
        near += difflib.get_close_matches(wanted, names, n=3, cutoff=0.5)
    listed = "`bob pytorch template list` shows all that are shipped"
    names = list(dict.fromkeys(near))[:3]
    return f"{nearest(names)} ({listed})" if names else listed


def _name(path: Path) -> str:
    absolute = Path(os.path.abspath(path))  # noqa: PTH100 - resolves "..", not links
    if absolute.parent.parent == BACKBONES:
        return f"{absolute.parent.name}/{absolute.stem}"
    return printable(path.stem)
