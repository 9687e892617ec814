"""Embeddings on disk: a store that grows safely, and other kinds of files."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bob.learn.pytorch.store.exchange import (
        Imported,
        export,
        import_,
        read_embeddings,
    )
    from bob.learn.pytorch.store.reading import (
        StoredEmbeddings,
        Summary,
        read,
        summarise,
    )
    from bob.learn.pytorch.store.records import (
        HDF5_SIGNATURE,
        OTHERS,
        STORES,
        Record,
        StoreError,
        fault_of,
    )
    from bob.learn.pytorch.store.store import EmbeddingStore, remove

__all__ = [
    "EmbeddingStore",
    "HDF5_SIGNATURE",
    "Imported",
    "OTHERS",
    "Record",
    "STORES",
    "StoreError",
    "StoredEmbeddings",
    "Summary",
    "export",
    "fault_of",
    "import_",
    "read",
    "read_embeddings",
    "remove",
    "summarise",
]

_PLACES = {
    "exchange": ("Imported", "export", "import_", "read_embeddings"),
    "reading": ("StoredEmbeddings", "Summary", "read", "summarise"),
    "store": ("EmbeddingStore", "remove"),
}


def __getattr__(name: str) -> object:
    # Commands print their help without NumPy.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    place = next((key for key, names in _PLACES.items() if name in names), "records")
    return getattr(import_module(f"{__name__}.{place}"), name)
