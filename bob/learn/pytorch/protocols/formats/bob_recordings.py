"""What Bob's files and samples say about a recording, none of it decoded."""

# ruff: noqa: ANN401 - Bob's objects have no type but their methods

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import Any

#: Loaders that hand out a file as it is: reading the path comes to the same.
_PLAIN_LOADERS = frozenset({"bob", "builtins", "pathlib", "posix", "soundfile"})

_SAMPLE_FIELDS = frozenset({"key", "path", "subject_id", "template_id", "data"})


def metadata_of(sample: Any) -> dict[str, str]:
    """What else a sample says about its recording."""
    return {
        name: str(value)
        for name, value in vars(sample).items()
        if isinstance(value, (str, int, float))
        and not name.startswith("_")
        and name not in _SAMPLE_FIELDS
    }


def audio_of(sample: Any) -> tuple[Path | None, bool]:
    """Where a sample's audio is, and whether the sample must be asked for it.

    The audio itself is not touched: Bob's samples decode when `data` is read.
    """
    attributes = vars(sample)
    if isinstance(attributes.get("data"), (str, os.PathLike)):
        return Path(attributes["data"]), False
    load = attributes.get("_load")
    if isinstance(load, functools.partial):
        arguments = [*load.args, *load.keywords.values()]
        paths = [item for item in arguments if isinstance(item, (str, os.PathLike))]
        if len(paths) == 1:
            plain = len(arguments) == 1 and _is_plain(load.func)
            return Path(paths[0]), not plain
    path = attributes.get("path")
    if isinstance(path, (str, os.PathLike)) and Path(path).is_file():
        return Path(path), True
    return None, True


def _is_plain(loader: Any) -> bool:
    return str(getattr(loader, "__module__", "")).split(".")[0] in _PLAIN_LOADERS


def loads_itself(file: Any) -> bool:
    """Whether the class of a legacy file has a `load` that is not Bob's."""
    load = getattr(type(file), "load", None)
    return load is not None and not str(load.__module__).startswith("bob.")
