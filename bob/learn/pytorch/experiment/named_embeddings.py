"""Embeddings of a store or another file, found by the names that trials use.

A store names recordings as they were given to `bob pytorch embed`: by path, or by the
name in a list. Trials name them by path, by key or by id. A name of trials stands for
the recording in the store that has, in this order, the path of its file, if that is
known; the very name; the same but for the suffix of a recording; the same absolute
path; a path that ends in it, if only one does. Folders are told apart by ``/`` or a
backslash. `verify.py --store` finds recordings by the same rule.
"""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

from bob.learn.pytorch.errors import ScoringError
from bob.learn.pytorch.files import path_in
from bob.learn.pytorch.printing import counted
from bob.learn.pytorch.protocols.names import (
    loose_spelling,
    safe_name,
    without_audio_suffix,
)
from bob.learn.pytorch.store.records import differing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import TypeAlias

    from bob.learn.pytorch.store.reading import StoredEmbeddings

    # Most names are of one row, and lists of one take room.
    _Rows: TypeAlias = int | list[int]


#: The row of a recording that has no embedding.
FAILED = -1


def refuse_other_model(first: StoredEmbeddings, second: StoredEmbeddings) -> None:
    """Refuse embeddings of other dimensions, or that other models made as they say."""
    one, other = first.fingerprint, second.fingerprint
    keys = differing(one, other)
    told_by_both = [key for key in keys if key in one and key in other]
    sizes = first.embeddings.shape[1], second.embeddings.shape[1]
    if sizes[0] != sizes[1] or told_by_both:
        told = "; ".join(
            f"{key} is {one[key]!r} and {other[key]!r}" for key in told_by_both
        )
        raise ScoringError(
            f"{first.path} and {second.path} were made differently: "
            f"{told or f'{sizes[0]} and {sizes[1]} numbers an embedding'}; embed both "
            "with the same model and options"
        )


class RowsByName:
    """Rows of stored embeddings by the names that trials use; see above.

    Parameters
    ----------
    names, sources
        As those of `StoredEmbeddings`; sources may be left out.

    Examples
    --------
    >>> rows = RowsByName(["/data/ann/1.wav", "/data/bob/1.wav"])
    >>> rows.find("/data/ann/1.wav"), rows.find("bob/1"), rows.find("cid/1")
    (0, 1, None)
    """

    def __init__(self, names: Iterable[str], sources: Sequence[str] = ()) -> None:
        self._names = tuple(names)
        self._sources = sources
        self.exact = {name: row for row, name in enumerate(self._names)}
        self._files: dict[str, int] | None = None
        self._spelled: dict[object, dict[str, _Rows]] = {}

    def find(self, name: str, path: str | None = None) -> int | None:
        """Return the row of a recording of a name, and path if that is known, or None.

        Raises
        ------
        ScoringError
            It may be either of two.
        """
        row = self.same(name, path)
        if row is not None:
            return row
        rows = self.alike(name, path)
        if len(rows) > 1:
            raise ScoringError(
                f"{name} may be more than one recording in the store, such as "
                f"{self._names[rows[0]]} and {self._names[rows[1]]}; give trials and "
                "recordings the same names"
            )
        return rows[0] if rows else None

    def same(self, name: str, path: str | None = None) -> int | None:
        """Return the row of that very path, however spelled, or else of that name."""
        if path is not None:
            for spelling in _spellings(path):
                if spelling in self.exact:
                    return self.exact[spelling]
            row = self._file(path)
            if row is not None:
                return row
        return self.exact.get(name)

    def alike(self, name: str, path: str | None = None) -> list[int]:
        """Return the rows whose names are the same but for a suffix, or else end so."""
        candidates = (name,) if path is None else (name, path)
        for spell in (_bare, _absolute, None):
            for candidate in candidates:
                if spell is not None:
                    rows = self._spelt(spell, spell, candidate)
                else:
                    depth = _bare(candidate).count("/") + 1
                    rows = self._spelt(depth, partial(_tail, depth=depth), candidate)
                if rows is not None:
                    return rows if isinstance(rows, list) else [rows]
        return []

    def _file(self, path: str) -> int | None:
        """Return the row whose source says that it was made of this file."""
        if self._files is None:
            self._files = {
                file: row
                for row, source in reversed(list(enumerate(self._sources)))
                if (file := path_in(source))
            }
        return self._files.get(os.path.abspath(path))  # noqa: PTH100

    def _spelt(
        self, key: object, spell: Callable[[str], str], name: str
    ) -> _Rows | None:
        """Return the rows whose names are spelled alike; the key is of the spelling."""
        if key not in self._spelled:
            rows: dict[str, _Rows] = {}
            for row, spelled in enumerate(map(spell, self._names)):
                before = rows.setdefault(spelled, row)
                if isinstance(before, list):
                    before.append(row)
                elif before != row:
                    rows[spelled] = [before, row]
            self._spelled[key] = rows
        return self._spelled[key].get(spell(name))


class Finder:
    """Looks recordings up, and remembers what was not found."""

    def __init__(self, embeddings: StoredEmbeddings) -> None:
        self._path = embeddings.path
        self._good = RowsByName(embeddings.names, embeddings.sources)
        self._failed = RowsByName(embeddings.failures)
        self._missing: dict[str, None] = {}
        self._lost: dict[str, None] = {}

    def row(self, name: str, path: str | None = None) -> int:
        """Return the row of a recording, or `FAILED`."""
        row = self._good.find(name, path)
        if row is not None:
            return row
        known = self._failed.find(name, path) is not None
        (self._lost if known else self._missing)[name] = None
        return FAILED

    def named(self, names: Iterable[str]) -> Iterator[tuple[str, int | None]]:
        """Yield each name with the row of that very name, or None."""
        return ((name, self._good.exact.get(name)) for name in names)

    def knows(self, name: str) -> bool:
        """Return whether there is a recording of that very name or path."""
        return any(side.find(name) is not None for side in (self._good, self._failed))

    def notes(self, source: object, *, allow_missing: bool) -> tuple[str, ...]:
        """Return notes on recordings without an embedding; refuse missing ones."""
        if self._missing and not allow_missing:
            raise ScoringError(
                f"{self._path} has no embedding of "
                f"{counted(len(self._missing), 'recording')} of {source}, such "
                f"as {next(iter(self._missing))!r}; embed them into it, "
                "or let their trials fail with allow_missing",
                remedy="allow_missing",
            )
        return tuple(
            f"{counted(len(names), 'recording')} {what}, such as "
            f"{next(iter(names))}; their trials score nan"
            for names, what in (
                (self._lost, "could not be embedded"),
                (self._missing, "not in the store"),
            )
            if names
        )


def _spellings(path: str) -> tuple[str, ...]:
    """Return a path as it is, and as seen from the root and from here."""
    place = os.path.abspath(path)  # noqa: PTH100 - many times as fast
    seen = os.path.relpath(place)
    return path, place, seen, f"./{seen}"


def _bare(name: str) -> str:
    """Spell a path in one way, as keys are: without white space and suffix."""
    plain = os.path.normpath(name.replace("\\", "/"))
    return loose_spelling(safe_name(plain))


def _tail(name: str, *, depth: int) -> str:
    return "/".join(_bare(name).rsplit("/", depth)[-depth:])


def _absolute(name: str) -> str:
    return without_audio_suffix(os.path.abspath(name))  # noqa: PTH100 - many times as fast
