"""Stored features that know what made them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from bob.learn.pytorch.atomic import beside, write_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_ATTRIBUTE = "bob.learn.pytorch.fingerprint"


def write(path: Path, fingerprint: str, writer: Callable[[str], object]) -> None:
    """Let a component write its file, and mark the file with a fingerprint.

    Parameters
    ----------
    path : Path
        The file's final place.
    fingerprint : str
        What made the content.
    writer : callable
        Gets the path to write to; any format. In HDF5 the fingerprint is an
        attribute of the file, otherwise it stands in ``<path>.fingerprint``.
    """
    with beside(path) as place:
        writer(str(place))
        if not _mark(place, fingerprint):
            _mark_outside(path, place, fingerprint)


def fingerprint(path: Path) -> str | None:
    """The fingerprint of a stored file; None for a file that is not usable.

    A file without any fingerprint, of another version or program, has the
    empty text.
    """
    import h5py

    try:
        if path.stat().st_size == 0:
            return None
        if not h5py.is_hdf5(path):
            return _outside(path)
        with h5py.File(path, "r") as file:
            return str(file.attrs.get(_ATTRIBUTE, ""))
    except OSError:
        return None


def _mark(path: Path, value: str) -> bool:
    import h5py

    if not h5py.is_hdf5(path):
        return False
    with h5py.File(path, "r+") as file:
        file.attrs[_ATTRIBUTE] = value
    return True


def _outside_path(path: Path) -> Path:
    return path.with_name(path.name + ".fingerprint")


def _state(path: Path) -> dict[str, Any]:
    status = path.stat()
    return {"size": status.st_size, "changed": status.st_mtime_ns}


def _mark_outside(path: Path, place: Path, value: str) -> None:
    # The mark goes first and describes the file to come: a crash in between
    # leaves a mark that does not fit, and the file is made anew.
    content = json.dumps({"fingerprint": value, **_state(place)})
    write_text(_outside_path(path), content)


def _outside(path: Path) -> str:
    try:
        content = json.loads(_outside_path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    state = _state(path)
    if all(content.get(key) == value for key, value in state.items()):
        return str(content.get("fingerprint", ""))
    return ""
