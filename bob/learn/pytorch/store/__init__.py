"""Embeddings on disk: a store that grows safely, and other kinds of files."""

from typing import TYPE_CHECKING

from bob.learn.pytorch._lazy import lazy_names

if TYPE_CHECKING:
    from bob.learn.pytorch.store.arrays import fault_of
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
    "arrays": "fault_of",
    "exchange": "Imported export import_ read_embeddings",
    "reading": "StoredEmbeddings Summary read summarise",
    "records": "HDF5_SIGNATURE OTHERS Record STORES StoreError",
    "store": "EmbeddingStore remove",
}

__getattr__, __dir__ = lazy_names(__name__, _PLACES)
