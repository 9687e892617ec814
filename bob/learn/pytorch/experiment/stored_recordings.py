"""Where in stored embeddings a recording is, by whatever name it goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bob.learn.pytorch.errors import ScoringError
from bob.learn.pytorch.experiment.named_embeddings import RowsByName

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bob.learn.pytorch.store.reading import StoredEmbeddings

#: The row of a recording that has no embedding.
FAILED = -1


class Finder:
    """Looks recordings up, and remembers what was not found."""

    def __init__(self, embeddings: StoredEmbeddings) -> None:
        self._path = embeddings.path
        self._good = RowsByName(embeddings.names, embeddings.sources)
        self._failed = RowsByName(embeddings.failures)
        self._missing: dict[str, None] = {}
        self._lost: dict[str, None] = {}

    def row(self, name: str, path: str | None = None) -> int:
        """The row of a recording, or `FAILED`."""
        row = self._good.find(name, path)
        if row is not None:
            return row
        known = self._failed.find(name, path) is not None
        (self._lost if known else self._missing)[name] = None
        return FAILED

    def named(self, names: Iterable[str]) -> Iterator[tuple[str, int | None]]:
        """Each name with the row of that very name, which most have; None else."""
        return ((name, self._good.exact.get(name)) for name in names)

    def knows(self, name: str) -> bool:
        """Return whether there is a recording of that very name or path."""
        return any(side.find(name) is not None for side in (self._good, self._failed))

    def notes(self, source: object, *, allow_missing: bool) -> tuple[str, ...]:
        """What is to be told; an error where recordings are missing."""
        if self._missing and not allow_missing:
            raise ScoringError(
                f"{self._path} has no embedding of {len(self._missing)} recordings of "
                f"{source}, such as {next(iter(self._missing))!r}; embed them into it, "
                "or let their trials fail (--allow-missing)"
            )
        return tuple(
            f"{len(names)} recordings {what}, such as {next(iter(names))}; their "
            "trials score nan"
            for names, what in (
                (self._lost, "could not be embedded"),
                (self._missing, "are not in the store"),
            )
            if names
        )
