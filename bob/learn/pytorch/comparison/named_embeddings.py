"""Embeddings of a store or another file, found by the names that trials use.

A store names recordings as they were given to `bob pytorch embed`: by path, or by the
name in a list. Trials name them by path, by key or by id. A name of trials stands for
the recording in the store that has, in this order, the very name; the same but for the
suffix of a recording; the same absolute path; a path that ends in it, if only one does.
"""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from bob.learn.pytorch.protocols.names import safe_name, without_audio_suffix
from bob.learn.pytorch.storage.reading import StoredEmbeddings
from bob.learn.pytorch.storage.reading import read as read_store
from bob.learn.pytorch.storage.records import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bob.learn.pytorch.storage.records import Columns

_STORES = (".h5", ".hdf5")
_OTHERS = (".npz", ".parquet", ".ark", ".scp")
_SEVERAL = -1


class ScoringError(ValueError):
    """Trials and embeddings that do not go together; the message says how to go on."""


def read_embeddings(path: str | os.PathLike[str]) -> StoredEmbeddings:
    """Embeddings with names, durations and what made them, as far as a file says it.

    Parameters
    ----------
    path
        A store (``.h5``, ``.hdf5``), or ``.npz``, ``.parquet``, ``.ark`` or ``.scp``.

    Raises
    ------
    StoreError
        The file is missing, damaged or of another kind.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in (*_STORES, *_OTHERS):
        raise StoreError(
            f"{path} is of an unknown kind; expected embeddings in a file that ends in "
            f"{', '.join((*_STORES, *_OTHERS))}, such as `bob pytorch embed` writes"
        )
    if not path.is_file():
        raise StoreError(
            f"{path} is no file; make it with `bob pytorch embed RECORDINGS -o "
            f"{shlex.quote(str(path))}`"
        )
    if suffix in _STORES:
        return read_store(path)
    columns, fingerprint = _others(path, suffix)
    return StoredEmbeddings.of(columns, fingerprint or {}, path)


def _others(path: Path, suffix: str) -> tuple[Columns, dict[str, str] | None]:
    from bob.learn.pytorch.storage import kaldi, npz, parquet

    if suffix == ".npz":
        return npz.read(path)
    return parquet.read(path) if suffix == ".parquet" else kaldi.read(path)


def refuse_other_model(first: StoredEmbeddings, second: StoredEmbeddings) -> None:
    """Refuse embeddings of two models, which have nothing to do with each other.

    Raises
    ------
    ScoringError
        Dimensions differ, or both say what made them and that differs.
    """
    one, other = first.fingerprint, second.fingerprint
    differing = [key for key in one if key in other and one[key] != other[key]]
    sizes = first.embeddings.shape[1], second.embeddings.shape[1]
    if sizes[0] != sizes[1] or differing:
        told = "; ".join(
            f"{key} is {one[key]!r} and {other[key]!r}" for key in differing
        )
        raise ScoringError(
            f"{first.path} and {second.path} were made differently: "
            f"{told or f'{sizes[0]} and {sizes[1]} numbers an embedding'}; embed both "
            "with the same model and options"
        )


class RowsByName:
    """Rows of stored embeddings by the names that trials use; see above.

    Examples
    --------
    >>> rows = RowsByName(["/data/ann/1.wav", "/data/bob/1.wav"])
    >>> rows.find("/data/ann/1.wav"), rows.find("bob/1"), rows.find("cid/1")
    (0, 1, None)
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names = tuple(names)
        self.exact = {name: row for row, name in enumerate(self._names)}
        self._stems: dict[str, int] = {}
        self._places: dict[str, int] = {}
        self._tails: dict[int, dict[str, int]] = {}

    def find(self, *candidates: str) -> int | None:
        """The row of a recording that goes by any of these names.

        Raises
        ------
        ScoringError
            It may be either of two.
        """
        for name in candidates:
            if name in self.exact:
                return self.exact[name]
        for look in (self._stem, self._place, self._tail):
            for name in candidates:
                row = look(name)
                if row == _SEVERAL:
                    raise ScoringError(
                        f"{name} may be more than one recording in the store; give "
                        "trials and recordings the same names"
                    )
                if row is not None:
                    return row
        return None

    def _stem(self, name: str) -> int | None:
        if not self._stems:
            self._stems = self._indexed(map(_bare, self._names))
        return self._stems.get(_bare(name))

    def _place(self, name: str) -> int | None:
        if not self._places:
            self._places = self._indexed(map(_absolute, self._names))
        return self._places.get(_absolute(name))

    def _tail(self, name: str) -> int | None:
        wanted = _bare(name)
        depth = wanted.count("/") + 1
        if depth not in self._tails:
            self._tails[depth] = self._indexed(
                "/".join(_bare(name).rsplit("/", depth)[-depth:])
                for name in self._names
            )
        return self._tails[depth].get(wanted)

    def _indexed(self, spelled: Iterable[str]) -> dict[str, int]:
        rows: dict[str, int] = {}
        for row, name in enumerate(spelled):
            if rows.setdefault(name, row) != row:
                rows[name] = _SEVERAL
        return rows


def _bare(name: str) -> str:
    """As keys are: without white space and suffix, each path spelled in one way."""
    return without_audio_suffix(safe_name(os.path.normpath(name)))


def _absolute(name: str) -> str:
    return without_audio_suffix(os.path.abspath(name))  # noqa: PTH100 - many times as fast
