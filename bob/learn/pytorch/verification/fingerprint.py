"""What made a stored file, as one short text that changes when any of it does."""

from __future__ import annotations

import hashlib
import inspect
import json
import types
from collections.abc import Callable, Mapping, Sequence, Set
from pathlib import Path, PurePath
from typing import Any

import numpy as np


def digest(description: object) -> str:
    """32 hexadecimal digits of a description made of JSON values."""
    text = json.dumps(description, sort_keys=True, ensure_ascii=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def of_file(path: Path) -> dict[str, Any]:
    """Size in bytes and time of change in nanoseconds; also for a missing file."""
    try:
        status = path.stat()
    except OSError:
        return {"missing": True}
    return {"size": status.st_size, "changed": status.st_mtime_ns}


def of_component(component: object) -> Any:
    """What in a component determines its results, as JSON values.

    A component that knows (a method ``fingerprint``) says so itself. Of any
    other, its methods and its attributes count: numbers, texts, arrays,
    containers, functions (by their code, what they enclose and what they use
    from their module) and further objects. An attribute that begins with ``_``
    does not count unless it is all that there is.
    """
    own = getattr(component, "fingerprint", None)
    if callable(own):
        return own()
    return _described(component)


_DEEPEST = 5


def _described(value: Any, depth: int = 0) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if depth >= _DEEPEST:
        return type(value).__qualname__
    describe = next(
        (function for kinds, function in _DESCRIPTIONS if isinstance(value, kinds)),
        _object,
    )
    return describe(value, depth + 1)


def _path(value: PurePath, _depth: int) -> str:
    return str(value)


def _bytes(value: bytes, _depth: int) -> str:
    return hashlib.blake2b(value, digest_size=16).hexdigest()


def _array(value: Any, depth: int) -> list[Any]:
    array = np.asarray(value)
    if array.dtype.hasobject:
        return _sequence(array.ravel().tolist(), depth)
    return [array.dtype.str, list(array.shape), _bytes(array.tobytes(), depth)]


def _mapping(value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
    return {str(key): _described(item, depth) for key, item in value.items()}


def _sequence(value: Sequence[Any], depth: int) -> list[Any]:
    return [_described(item, depth) for item in value]


def _set(value: Set[Any], depth: int) -> list[str]:
    return sorted(json.dumps(item) for item in _sequence(list(value), depth))


def _function(function: Any, depth: int) -> dict[str, Any]:
    module = getattr(function, "__module__", None)
    description: dict[str, Any] = {"function": f"{module}.{function.__qualname__}"}
    code = getattr(function, "__code__", None)
    if code is not None:
        description["code"] = _code(code)
        description["closure"] = [
            _described(cell.cell_contents, depth) for cell in function.__closure__ or ()
        ]
        description["globals"] = {
            name: _described(function.__globals__[name], depth)
            for name in sorted(_names_in(code))
            if isinstance(function.__globals__.get(name), _COUNTED_GLOBALS)
        }
    return description


def _code(code: types.CodeType) -> str:
    """Digest of what a function does; its place in the file does not count."""
    constants = [
        _code(constant) if inspect.iscode(constant) else _described(constant)
        for constant in code.co_consts
    ]
    return digest([code.co_code.hex(), code.co_names, constants])


def _names_in(code: types.CodeType) -> set[str]:
    inner = [item for item in code.co_consts if inspect.iscode(item)]
    return set(code.co_names).union(*map(_names_in, inner))


def _object(value: Any, depth: int) -> dict[str, Any]:
    kind = type(value)
    attributes = getattr(value, "__dict__", {})
    public = {
        name: item for name, item in attributes.items() if not name.startswith("_")
    }
    return {
        "class": f"{kind.__module__}.{kind.__qualname__}",
        "methods": {
            f"{parent.__qualname__}.{name}": _function(item, depth)
            for parent in kind.__mro__[:-1]
            for name, item in vars(parent).items()
            if isinstance(item, types.FunctionType)
        },
        "attributes": _mapping(public or attributes, depth),
    }


#: Global names that a function uses count when they are functions or plain values.
_COUNTED_GLOBALS = (
    types.FunctionType,
    bool,
    int,
    float,
    str,
    bytes,
    tuple,
    np.ndarray,
    np.generic,
)

_DESCRIPTIONS: tuple[tuple[Any, Callable[[Any, int], Any]], ...] = (
    (PurePath, _path),
    (bytes, _bytes),
    ((np.ndarray, np.generic), _array),
    (Mapping, _mapping),
    ((list, tuple), _sequence),
    (Set, _set),
    (
        (types.FunctionType, types.MethodType, types.BuiltinFunctionType),
        _function,
    ),
)
