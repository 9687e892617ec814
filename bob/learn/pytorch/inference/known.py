"""Recordings that a store has, and those that are to be embedded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from bob.learn.pytorch.files import is_another, path_in, source_of
from bob.learn.pytorch.progress import bar
from bob.learn.pytorch.store.store import StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bob.learn.pytorch.store.store import EmbeddingStore

Item: TypeAlias = tuple[str, str]
"""Name and path of a recording."""


class Known:
    """Everything that a store knows of its recordings.

    Attributes
    ----------
    names
        Of all, failures included.
    sources
        Of each that has an embedding, by name.
    speakers
        Who speaks, by name, where that is known.
    """

    def __init__(self, store: EmbeddingStore, fingerprint: Mapping[str, str]) -> None:
        columns = store.columns()
        about = list(zip(columns.names, columns.failed.tolist(), strict=True))
        self.store = store
        self.names = columns.names
        self.sources = {
            name: source
            for (name, failed), source in zip(about, columns.sources, strict=True)
            if not failed
        }
        self.speakers = {
            name: speaker
            for (name, _), speaker in zip(about, columns.speakers, strict=True)
            if speaker
        }
        now = {f"{key}={value}" for key, value in fingerprint.items()}
        self._settings = {
            name: settings
            for (name, failed), settings in zip(about, columns.settings, strict=True)
            if settings and not failed and not now.issuperset(settings.split())
        }

    def source(self, name: str, path: str) -> str:
        """Return that of the file now, empty where it is not known or gone."""
        before = self.sources.get(name)
        return "" if before is None else source_of(path, known=before)

    def has(self, name: str, source: str) -> bool:
        """Return whether there is the embedding of such a content under that name.

        Raises
        ------
        StoreError
            It was made with another setting that matters to this recording.
        """
        if not self.store.is_current(name, source=source):
            return False
        if name in self._settings:
            raise StoreError(
                f"{self.store.path} has {name} made with {self._settings[name]}, which "
                "matters to this recording, and it is another now. Write to another "
                "store, or choose what made these"
            )
        return True


def to_do(
    recordings: Mapping[str, str],
    known: Known,
    speakers: Mapping[str, str],
    *,
    shown: bool,
) -> list[Item]:
    """Return recordings without an embedding, or with another content than then.

    Raises
    ------
    StoreError
        A name is of another recording in the store, or made with another setting.
    """
    todo, renewed, others = [], {}, []
    # Shown only where many files have to be read, such as those of a copied corpus.
    items, total = recordings.items(), len(recordings)
    for name, path in bar(
        items, title="looking for changes", total=total, delay=2, shown=shown
    ):
        before, source = known.sources.get(name), known.source(name, path)
        if not known.has(name, source):
            todo.append((name, path))
            # Where the file of then is gone, this is it, moved and changed.
            if (
                before
                and is_another(before, source)
                and Path(path_in(before)).is_file()
            ):
                others.append((name, path_in(before), path_in(source)))
        elif source not in ("", before):
            renewed[name] = source
    if others:
        name, there, now = others[0]
        raise StoreError(
            f"{known.store.path} holds other recordings of the names of {len(others)} "
            f"of these: {name} is {there} there, and {now} now. Write to another "
            "store, or give each a name of its own in a list (a name, a blank and a "
            "path a line)"
        )
    new = {
        name: speaker
        for name, speaker in speakers.items()
        if name in known.sources and known.speakers.get(name) != speaker
    }
    known.store.renew(renewed, new)
    return todo
