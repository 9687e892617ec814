"""The rooms of the package offer the names that they list."""

from importlib import import_module
from pathlib import Path

import pytest

import bob.learn.pytorch

HOUSE = Path(bob.learn.pytorch.__file__).parent
ROOMS = sorted(
    place.parent.name
    for place in HOUSE.glob("*/__init__.py")
    if place.parent.name not in {"config", "script"}  # entry points and commands
)


@pytest.mark.parametrize("name", ROOMS)
def test_a_room_offers_the_names_that_it_lists(name):
    room = import_module(f"bob.learn.pytorch.{name}")

    for offered in room.__all__:
        assert offered in dir(room)
        assert getattr(room, offered) is not None
        if hasattr(room, "_PLACES"):
            # A module of the same name would hide a function once it is imported.
            assert not (HOUSE / name / f"{offered}.py").exists(), offered
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = room.nothing
