"""Names that a room offers, imported when they are first used: help is fast."""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

Find = Callable[[str], Any]


def lazy_names(
    room: str, places: Mapping[str, str], *, otherwise: Find | None = None
) -> tuple[Find, Callable[[], list[str]]]:
    """Return ``__getattr__`` and ``__dir__`` of a room, from its modules' names.

    Parameters
    ----------
    room
        ``__name__`` of the room.
    places
        Module below the room -> names that the room offers from it, between spaces.
    otherwise
        ``__getattr__`` for other names. By default they do not exist.

    Examples
    --------
    >>> find, _ = lazy_names("bob.learn.pytorch", {"errors": "UserError"})
    >>> find("UserError").__name__
    'UserError'
    """
    modules = {
        name: module for module, names in places.items() for name in names.split()
    }

    def find(name: str) -> Any:  # noqa: ANN401 - of any type
        if name in modules:
            return getattr(import_module(f"{room}.{modules[name]}"), name)
        if otherwise is not None:
            return otherwise(name)
        raise AttributeError(f"module {room!r} has no attribute {name!r}")

    def names() -> list[str]:
        return sorted({*vars(sys.modules[room]), *modules})

    return find, names
