"""A store of embeddings as npz, Parquet or Kaldi ark and scp, and back.

Every number comes back as it was, and so do failures, durations and fingerprints.
Nothing that is read here can run code: no pickles, no pipes of Kaldi.
"""

from __future__ import annotations

import contextlib
import itertools
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from bob.learn.pytorch.files import beside, is_another, path_in
from bob.learn.pytorch.store import image as store_image
from bob.learn.pytorch.store import kaldi, npz, parquet
from bob.learn.pytorch.store.arrays import faults_of
from bob.learn.pytorch.store.reading import (
    StoredEmbeddings,
    read,
    read_content,
    summarise,
)
from bob.learn.pytorch.store.records import (
    OTHERS,
    STORES,
    Record,
    StoreError,
)
from bob.learn.pytorch.store.store import EmbeddingStore

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping

    from bob.learn.pytorch.store.records import Columns

#: Fingerprint of embeddings of unknown origin.
UNKNOWN = {"made_by": "unknown"}

_SUFFIXES = (*STORES, *OTHERS)
_FORMATS = {".npz": npz, ".parquet": parquet, ".ark": kaldi, ".scp": kaldi}
_BATCH = 10_000


class Imported(NamedTuple):
    """Summary of an import.

    Attributes
    ----------
    embeddings, failures
        Numbers of recordings that were read, with an embedding and without.
    fingerprint
        What made them.
    """

    embeddings: int
    failures: int
    fingerprint: dict[str, str]


def read_embeddings(path: str | os.PathLike[str]) -> StoredEmbeddings:
    """Read embeddings with names, durations and what made them, as far as a file says.

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
    if suffix not in _SUFFIXES:
        raise StoreError(
            f"{path} is of an unknown kind; expected embeddings in a file that ends in "
            f"{', '.join(_SUFFIXES)}, such as `bob pytorch embed` writes"
        )
    if not path.is_file():
        raise StoreError(
            f"{path} is no file; make it with `bob pytorch embed RECORDINGS -o "
            f"{shlex.quote(str(path))}`"
        )
    if suffix in STORES:
        return read(path)
    columns, fingerprint = _read_other(path, suffix)
    return StoredEmbeddings.of(columns, fingerprint or {}, path)


def export(store: str | os.PathLike[str], path: str | os.PathLike[str]) -> None:
    """Write what a store holds now to a file of another kind.

    Parameters
    ----------
    path
        Ends in ``.npz``, ``.parquet``, ``.h5`` or ``.hdf5`` (a store again), ``.ark``
        or ``.scp`` (both are written, and beside them ``.ark.json`` with what they
        cannot hold).

    Raises
    ------
    StoreError
        The store cannot be read, the file not be written, or it cannot hold a name.
    """
    target = Path(path)
    suffix = _suffix(target)
    with _failing_to_write(target):
        if suffix in STORES:
            _export_store(Path(store), target)
        else:
            _FORMATS[suffix].write(read_content(store), target)


def import_(
    path: str | os.PathLike[str],
    store: str | os.PathLike[str],
    *,
    fingerprint: Mapping[str, str] | None = None,
) -> Imported:
    """Add what a file holds to a store, which is created where there is none.

    What the store has under a name is replaced, but not an embedding by a failure. A
    second import of the same file changes nothing.

    Parameters
    ----------
    path
        Written by :func:`export`, or by others: an npz file with the arrays ``names``
        and ``embeddings``, or one array a name; a Parquet file with the columns
        ``name`` and ``embedding``; vectors in an ark file or that an scp file names.
    fingerprint
        What made the embeddings, where the file does not say so itself.
        None stands for `UNKNOWN` then.

    Raises
    ------
    StoreError
        The file cannot be read, a name stands there twice, or the store cannot take
        it; see `EmbeddingStore.open`.
    """
    source, target_path = Path(path), Path(store)
    if target_path.suffix.lower() in OTHERS:
        raise StoreError(
            f"{store} is named second, as the store to add to, which ends in .h5; the "
            f"file to read comes first, and that is {path} here: swap them, or name a "
            "store"
        )
    columns, stored = _read(source)
    if stored and fingerprint is not None and dict(fingerprint) != stored:
        raise StoreError(
            f"{source} says itself what made its embeddings ({stored}); do not say "
            "anything else"
        )
    _refuse_twins(source, columns)
    made_by = stored or dict(UNKNOWN if fingerprint is None else fingerprint)
    with EmbeddingStore.open(store, fingerprint=made_by) as target:
        _refuse_others(source, columns, target)
        _refuse_faults(source, columns)
        for start in range(0, len(columns), _BATCH):
            batch = _records(columns.slice(start, start + _BATCH), source)
            target.append(
                [r for r in batch if r.embedding is not None or r.name not in target]
            )
    failures = int(np.count_nonzero(columns.failed))
    return Imported(len(columns) - failures, failures, made_by)


def _read(path: Path) -> tuple[Columns, dict[str, str] | None]:
    suffix = _suffix(path)
    if not path.is_file():
        raise StoreError(f"{path} is no file; expected embeddings to import")
    if suffix in STORES:
        content = read_content(path)
        return content.columns, content.fingerprint
    return _read_other(path, suffix)


def _read_other(path: Path, suffix: str) -> tuple[Columns, dict[str, str] | None]:
    columns, made_by = _FORMATS[suffix].read(path)
    fits = isinstance(made_by, dict) and all(
        isinstance(value, str) for value in made_by.values()
    )
    if made_by is not None and not fits:
        raise StoreError(
            f"{path} says that {made_by!r} made its embeddings; expected names and "
            "texts: export the store again"
        )
    return columns, made_by


def _records(columns: Columns, source: Path) -> list[Record]:
    return [
        Record(
            name,
            None if failed else columns.embeddings[row],
            float(columns.seconds[row]),
            int(columns.sample_rates[row]),
            columns.reasons[row]
            or (f"has no embedding in {source.name}" if failed else ""),
            columns.sources[row],
            columns.speakers[row],
            columns.settings[row],
        )
        for row, (name, failed) in enumerate(
            zip(columns.names, columns.failed, strict=True)
        )
    ]


def _export_store(store: Path, target: Path) -> None:
    if target.exists() and target.samefile(store):
        raise StoreError(f"{target} is the store itself; name another file")
    summary = summarise(store)
    with store.open("rb") as file, beside(target) as place:
        store_image.fold(
            file.fileno(),
            place,
            rows=summary.waiting,
            numbers=summary.dimensions * len(summary.failures),
        )


@contextlib.contextmanager
def _failing_to_write(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"{path} cannot be written ({error.strerror or error}); make room, or name "
            "another place"
        ) from error


def _refuse_twins(path: Path, columns: Columns) -> None:
    if len(set(columns.names)) < len(columns):
        ordered = sorted(columns.names)
        twin = next(a for a, b in itertools.pairwise(ordered) if a == b)
        raise StoreError(f"{path} holds {twin} twice; take one of them out")


def _refuse_faults(path: Path, columns: Columns) -> None:
    for row, fault in faults_of(columns.embeddings).items():
        if not columns.failed[row]:
            raise StoreError(
                f"{path}: the embedding of {columns.names[row]} {fault}, so nothing "
                "can be compared with it; take it out, or embed that recording again"
            )


def _refuse_others(path: Path, columns: Columns, target: EmbeddingStore) -> None:
    there = target.columns()
    known = dict(zip(there.names, there.sources, strict=True))
    for name, source in zip(columns.names, columns.sources, strict=True):
        if is_another(known.get(name, ""), source):
            raise StoreError(
                f"{target.path} holds another recording of the name {name}: "
                f"{path_in(known[name])} there, and {path_in(source)} in {path}; "
                "import into another store, or embed under other names"
            )


def _suffix(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix not in _SUFFIXES:
        raise StoreError(
            f"{path} is of an unknown kind; expected a name that ends in "
            f"{', '.join(_SUFFIXES)}"
        )
    return suffix
