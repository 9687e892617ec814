"""The rooms of the package offer the names that they list."""

from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

import bob.learn.pytorch

ROOMS = sorted(
    folder.parent.name
    for folder in Path(bob.learn.pytorch.__file__).parent.glob("*/__init__.py")
    if folder.parent.name not in {"config", "script"}  # entry points and commands
)


@pytest.mark.parametrize("name", ROOMS)
def test_a_room_offers_the_names_that_it_lists(name):
    room = import_module(f"bob.learn.pytorch.{name}")

    for offered in room.__all__:
        assert offered in dir(room)
        # A module of the same name would hide a function once it is imported.
        assert not isinstance(getattr(room, offered), ModuleType), offered
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = room.nothing
