"""A short text for what made a stored file, which changes when any of it does.

The text of a component must stay as it is from release to release, or the files of
finished experiments are made again. So classes that move keep their former name here.
"""

from __future__ import annotations

import copyreg
import functools
import hashlib
import importlib.util
import inspect
import json
import logging
import sys
import sysconfig
import types
from collections.abc import Callable, Mapping, Sequence, Set
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from bob.learn.pytorch.files import before_hashes, content_of, remembered_source

#: Inside these, a class or function is known by name and version alone.
_PACKAGE = "bob.learn.pytorch."

#: Today's modules -> their names when fingerprints of them were first stored; without
#: an entry that of the room counts, and without one there today's.
_FORMER_MODULES = {
    "_old_calls.check_fits": "extraction.memory.check_fits",
    "_old_calls.compare": "extraction.comparison.compare",
    "architectures.resnet.dlt_resnet34": "architectures.dlt_resnet.dlt_resnet34",
    "audio.opening": "audio.waveform",
    "comparing.compare": "extraction.comparison.compare",
    "files.source_of": "hashes.source_of",
    "inference.embedding.needed_mb": "extraction.memory.needed_mb",
    "inference.fold.fold": "architectures.folded.fold",
    "inference.long.embed_chunks": "extraction.chunks.embed_chunks",
    "models.checkpoint.read_weights": "weights.checkpoint.read_weights",
    "models.embedder": "embedder",
    "protocols.formats.bob_csv": "protocols.csv_protocol",
    "protocols.formats.csv_file": "protocols.csv_protocol",
    "protocols.formats.folder": "protocols.folder",
    "protocols.formats.kaldi": "protocols.kaldi",
    "protocols.formats.kaldi_trials": "protocols.kaldi_trials",
    "protocols.formats.trial_list": "protocols.trial_lists",
    "protocols.listed.TrialList": "protocols.trial_lines.TrialList",
    "protocols.opening.as_database": "protocols.database.as_database",
    "protocols.speakers": "protocols.speaker_protocol",
    "protocols.speakers.SpeakerDatabase": "protocols.folder.SpeakerDatabase",
    "protocols.trials": "protocols.database",
}
_FORMER_ROOMS = {
    "experiment": "verification",
    "inference": "extraction",
    "models": "weights",
    "parallel": "workers",
    "store": "storage",
}

_DEEPEST = 100
_LONGEST_PATH = 4096
_STANDARD_LIBRARY = sysconfig.get_path("stdlib")


def former_name(name: str) -> str:
    """Return the name in fingerprints of a module, class or function of this package.

    Examples
    --------
    >>> former_name("bob.learn.pytorch.store.arrays.write")
    'bob.learn.pytorch.storage.arrays.write'
    """
    if not name.startswith(_PACKAGE):
        return name
    parts = name.removeprefix(_PACKAGE).split(".")
    for count in range(len(parts), 0, -1):
        former = _FORMER_MODULES.get(".".join(parts[:count]))
        if former is not None:
            return ".".join([_PACKAGE + former, *parts[count:]])
    return _PACKAGE + ".".join([_FORMER_ROOMS.get(parts[0], parts[0]), *parts[1:]])


def _name(value: Any) -> str:
    return former_name(f"{value.__module__}.{value.__qualname__}")


def digest(description: object) -> str:
    """Return 32 hexadecimal digits for a description made of JSON values."""
    text = json.dumps(description, sort_keys=True, ensure_ascii=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def of_step(made_by: object, made_from: object) -> str:
    """Return the fingerprint of a stored file: what made it, a dash, and what from."""
    return f"{digest(made_by)}-{digest(made_from)}"


def same_maker(fingerprint: str, other: str) -> bool:
    """Return whether the same component made two stored files, from whatever."""
    return fingerprint.split("-")[0] == other.split("-")[0]


def of_source(source: str, *, before: bool = False) -> dict[str, Any]:
    """Describe what of a file counts, its content, as JSON values.

    Parameters
    ----------
    source
        What `bob.learn.pytorch.files.source_of` says of it; empty where it is missing.
    before
        Size and time of change instead, which counted before the content did: files
        that were made then are known by it.
    """
    if not source:
        return {"missing": True}
    if not before:
        return {"content": content_of(source)}
    size, changed = before_hashes(source).split(" ")
    return {"size": int(size), "changed": int(changed)}


def of_component(component: object, *, before: bool = False) -> Any:
    """Describe what in a component determines its results, as JSON values.

    A component of this package knows (its method ``fingerprint``); what a class
    derived from it adds or replaces counts beside that. Of any other component
    all methods, properties and attributes count: numbers, texts, arrays, tensors,
    containers, functions (by their code, defaults, what they enclose and what they
    use from a configuration), network weights, and further objects. Code that is
    imported from a file of the user's counts with the content of that file, and of
    the files that it imports; code of installed packages by its name.

    A text or path that names a file counts with the file's content, also a bare name
    of a file in the working folder. What a component reads by a name that it makes up
    while it runs cannot be seen; it should have a method ``fingerprint`` of its own.

    Parameters
    ----------
    before
        Describe files as `of_source` does then, and leave out those of bare names.
    """
    return _Description(before=before).of(component)


class _Description:
    """One walk over an object and what it refers to, each described once."""

    def __init__(self, *, before: bool) -> None:
        self._before = before
        #: Number of each object that was met, by its id.
        self._met: dict[int, int] = {}
        #: Keeps temporary objects, whose id another would take over.
        self._alive: list[Any] = []
        self._depth = 0

    def of(self, value: Any) -> Any:
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, str | PurePath):
            return self.text(str(value))
        if id(value) in self._met or self._depth >= _DEEPEST:
            return f"object {self._met.get(id(value), type(value).__qualname__)}"
        self._met[id(value)] = len(self._met)
        self._alive.append(value)
        describe = next(
            (function for kinds, function in _KINDS if isinstance(value, kinds)),
            _Description.object,
        )
        self._depth += 1
        try:
            return describe(self, value)
        finally:
            self._depth -= 1

    def text(self, value: str) -> Any:
        """Describe a text, and what it names if that is a file."""
        if not value or len(value) >= _LONGEST_PATH or "\n" in value:
            return value
        if self._before and "/" not in value:
            return value
        source = _source_of(value)
        return [value, of_source(source, before=self._before)] if source else value

    def bytes(self, value: bytes) -> str:
        return hashlib.blake2b(value, digest_size=16).hexdigest()

    def array(self, value: Any) -> list[Any]:
        array = np.asarray(value)
        if array.dtype.hasobject:
            return self.sequence(array.ravel().tolist())
        content = hashlib.blake2b(np.ascontiguousarray(array).data, digest_size=16)
        mask = getattr(value, "mask", None)
        return [
            array.dtype.str,
            list(array.shape),
            content.hexdigest(),
            None if mask is None else self.array(np.asarray(mask)),
        ]

    def mapping(self, value: Mapping[Any, Any]) -> dict[str, Any]:
        return {
            key if isinstance(key, str) else json.dumps(self.of(key)): self.of(item)
            for key, item in value.items()
        }

    def sequence(self, value: Sequence[Any]) -> list[Any]:
        return [self.of(item) for item in value]

    def set(self, value: Set[Any]) -> list[str]:
        return sorted(json.dumps(self.of(item)) for item in value)

    def partial(self, value: functools.partial[Any]) -> list[Any]:
        return [self.of(item) for item in (value.func, value.args, value.keywords)]

    def method(self, value: types.MethodType) -> list[Any]:
        return [self.of(value.__func__), self.of(value.__self__)]

    def builtin(self, value: types.BuiltinFunctionType) -> list[Any]:
        owner = value.__self__
        owned = None if isinstance(owner, types.ModuleType) else self.of(owner)
        return [value.__module__, value.__qualname__, owned]

    def function(self, value: types.FunctionType) -> dict[str, Any]:
        description: dict[str, Any] = {"function": _name(value)}
        if _is_installed(value):
            return description
        used = _names_in(value.__code__)
        description["code"] = self.code(value.__code__)
        description["defaults"] = self.of([value.__defaults__, value.__kwdefaults__])
        description["closure"] = [
            self.of(cell.cell_contents) for cell in value.__closure__ or ()
        ]
        description["imports"] = [self.imported(name) for name in sorted(used)]
        home = sys.modules.get(value.__module__)
        if getattr(home, "__file__", None):
            description["module"] = self.of(home)
        else:  # a configuration, which is no module
            description["globals"] = {
                name: self.of(item)
                for name, item in sorted(value.__globals__.items())
                if name in used and not isinstance(item, logging.Logger)
            }
        return description

    def code(self, code: types.CodeType) -> str:
        """Describe what a function does; its place in the file does not count."""
        constants = [
            self.code(item) if inspect.iscode(item) else self.of(item)
            for item in code.co_consts
        ]
        return digest([code.co_code.hex(), code.co_names, constants])

    def imported(self, name: str) -> Any:
        """Describe a module that a function imports while it runs, if the user's."""
        module = sys.modules.get(name)
        if module is not None:
            return self.of(module) if _user_file(module) else None
        try:
            specification = importlib.util.find_spec(name)
        except (ImportError, ValueError):
            return None
        path = getattr(specification, "origin", None) or ""
        if not path.endswith(".py") or _is_installed_file(path):
            return None
        return self.bytes(Path(path).read_bytes())

    def module(self, value: types.ModuleType) -> Any:
        """Describe a module of the user's by its files, any other by its name."""
        path = _user_file(value)
        if path is None:
            return former_name(value.__name__)
        is_package = hasattr(value, "__path__")
        files = sorted(path.parent.rglob("*.py")) if is_package else [path]
        used = {
            getattr(item, "__module__", None) or getattr(item, "__name__", "")
            for item in vars(value).values()
        } | {
            item.__name__
            for item in vars(value).values()
            if isinstance(item, types.ModuleType)
        }
        return [
            value.__name__,
            [self.bytes(file.read_bytes()) for file in files],
            [self.imported(name) for name in sorted(map(str, used)) if name],
        ]

    def kind(self, value: type) -> list[Any]:
        return [_name(value), self.methods(value)]

    def object(self, value: Any) -> Any:
        kind = type(value)
        description: dict[str, Any] = {
            "class": _name(kind),
            "methods": self.methods(kind),
        }
        own = getattr(value, "fingerprint", None)
        if callable(own):
            description["own"] = self.of(own())
        elif callable(getattr(value, "state_dict", None)):
            description["state"] = self.of(value.state_dict())
            description["attributes"] = self.attributes(value, but=_OF_NETWORKS)
        elif callable(getattr(value, "detach", None)):
            description["values"] = self.tensor(value)
        else:
            description["attributes"] = self.attributes(value)
            if not description["attributes"]:
                description["reduced"] = self.reduced(value)
        return description

    def tensor(self, value: Any) -> Any:
        plain = value.detach().cpu()
        if plain.is_quantized:
            plain = plain.dequantize()
        if "strided" not in str(plain.layout):
            plain = plain.to_dense()
        if "bfloat16" in str(plain.dtype):
            plain = plain.float()
        return [str(value.dtype), self.array(plain.numpy())]

    def reduced(self, value: Any) -> Any:
        """Describe what pickle would keep of an object without attributes."""
        reduce = copyreg.dispatch_table.get(type(value))
        try:
            parts = reduce(value) if reduce else value.__reduce_ex__(2)
        except Exception:  # noqa: BLE001 - objects refuse this in many ways
            return None
        if isinstance(parts, str):
            return parts
        maker, arguments, *more = parts
        state, *items = [*more, None, None, None][:3]
        listed = [list(item) if item is not None else None for item in items]
        return [
            getattr(maker, "__qualname__", ""),
            *map(self.of, (arguments, state, listed)),
        ]

    def attributes(self, value: Any, *, but: frozenset[str] = frozenset()) -> Any:
        slots = [
            name
            for parent in type(value).__mro__
            for name in _as_tuple(vars(parent).get("__slots__", ()))
        ]
        named = {name: getattr(value, name) for name in slots if hasattr(value, name)}
        named |= getattr(value, "__dict__", {})
        return {
            name: self.of(item)
            for name, item in sorted(named.items())
            if name not in but and (name == "__wrapped__" or not name.startswith("__"))
        }

    def methods(self, kind: type) -> dict[str, Any]:
        """Describe what classes from elsewhere define, down to but without `object`."""
        return {
            f"{parent.__qualname__}.{name}": self.of(_plain(item))
            for parent in kind.__mro__[:-1]
            if not _is_installed(parent)
            for name, item in sorted(vars(parent).items())
            if name not in _OF_CLASSES
        }


def _source_of(path: str) -> str:
    """Describe a file as `source_of` does; empty where there is none."""
    try:
        named = Path(path).is_file()
    except (OSError, ValueError):
        return ""
    return remembered_source(path) if named else ""


def _as_tuple(slots: Any) -> tuple[str, ...]:
    return (slots,) if isinstance(slots, str) else tuple(slots)


def _plain(item: Any) -> Any:
    """Return the function of a class or static method, or a property's getter."""
    if isinstance(item, property):
        return item.fget
    return getattr(item, "__func__", item)


def _is_ours_name(name: str) -> bool:
    return f"{name}.".startswith(_PACKAGE)


def _is_installed(value: Any) -> bool:
    """Return whether code comes with Python or a package, and changes with those."""
    name = str(getattr(value, "__module__", ""))
    if _is_ours_name(name) or name == "builtins":
        return True
    path = getattr(sys.modules.get(name), "__file__", None)
    return path is not None and _is_installed_file(path)


def _is_installed_file(path: str) -> bool:
    return "site-packages" in path or path.startswith(_STANDARD_LIBRARY)


def _user_file(module: types.ModuleType) -> Path | None:
    """Return the file of a module that is neither ours nor installed."""
    path = getattr(module, "__file__", None)
    if not path or _is_installed_file(path) or _is_ours_name(module.__name__):
        return None
    return Path(path)


def _names_in(code: types.CodeType) -> set[str]:
    inner = [item for item in code.co_consts if inspect.iscode(item)]
    return set(code.co_names).union(*map(_names_in, inner))


#: Names in every class that say nothing about what it does.
_OF_CLASSES = frozenset(
    {
        "__module__",
        "__dict__",
        "__weakref__",
        "__doc__",
        "__slots__",
        "__annotations__",
        "__firstlineno__",
        "__static_attributes__",
        "__abstractmethods__",
        "_abc_impl",
    }
)

#: Attributes of `torch.nn.Module` that the state dict stands for.
_OF_NETWORKS = frozenset({"_parameters", "_buffers"})

_KINDS: tuple[tuple[Any, Callable[[_Description, Any], Any]], ...] = (
    ((bytes, bytearray), lambda self, value: self.bytes(bytes(value))),
    ((np.ndarray, np.generic), _Description.array),
    (Mapping, _Description.mapping),
    ((list, tuple), _Description.sequence),
    (Set, _Description.set),
    (functools.partial, _Description.partial),
    (types.MethodType, _Description.method),
    (types.FunctionType, _Description.function),
    (types.BuiltinFunctionType, _Description.builtin),
    (types.ModuleType, _Description.module),
    (type, _Description.kind),
)
