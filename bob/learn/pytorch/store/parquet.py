"""Embeddings in Parquet files, a row for each recording."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from bob.learn.pytorch.files import beside
from bob.learn.pytorch.store.records import (
    TEXT_FIELDS,
    TEXTS,
    Columns,
    StoreError,
)

if TYPE_CHECKING:
    from pathlib import Path

    from bob.learn.pytorch.store.reading import Content

_MADE_BY = b"bob.learn.pytorch.made_by"
_ROWS = 65_536


def write(content: Content, path: Path) -> None:
    """Write name, embedding, seconds, sample_rate, and four columns of text.

    A failed recording has null as its embedding; the fingerprint is metadata of the
    schema.
    """
    import pyarrow as pa  # type: ignore[import-untyped]
    import pyarrow.parquet as pq  # type: ignore[import-untyped]

    schema = pa.schema(
        [
            ("name", pa.string()),
            ("embedding", pa.list_(pa.float32())),
            ("seconds", pa.float64()),
            ("sample_rate", pa.int64()),
            *((name, pa.string()) for name in TEXT_FIELDS),
        ],
        metadata={_MADE_BY: json.dumps(content.fingerprint)},
    )
    with (
        beside(path, durable=True) as place,
        pq.ParquetWriter(place, schema, write_page_checksum=True) as file,
    ):
        for start in range(0, len(content.columns), _ROWS):
            part = content.columns.slice(start, start + _ROWS)
            file.write_table(pa.table(_arrays(part), schema=schema))


def _arrays(columns: Columns) -> list[Any]:
    import pyarrow as pa

    lengths = np.where(columns.failed, 0, columns.dimensions)
    ends = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    numbers = columns.embeddings[~columns.failed].reshape(-1)
    embeddings = pa.ListArray.from_arrays(
        pa.array(ends), pa.array(numbers), mask=pa.array(columns.failed)
    )
    return [
        pa.array(columns.names, pa.string()),
        embeddings,
        pa.array(columns.seconds),
        pa.array(columns.sample_rates),
        *(pa.array(getattr(columns, name), pa.string()) for name in TEXTS),
    ]


def read(path: Path) -> tuple[Columns, dict[str, str] | None]:
    """Read embeddings and their fingerprint, None where the file has none.

    Raises
    ------
    StoreError
        It is damaged, or lacks the columns name and embedding.
    """
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            table = file.read()
        missing = {"name", "embedding"} - set(table.column_names)
        if missing:
            raise ValueError(f"its columns are {', '.join(table.column_names)}")
        metadata = table.schema.metadata or {}
        made_by = json.loads(metadata[_MADE_BY]) if _MADE_BY in metadata else None
        return _columns(table), made_by or None
    except Exception as error:  # Arrow has many for damage
        raise StoreError(
            f"{path} cannot be read as embeddings ({error}); expected a Parquet file "
            "with the columns name (text) and embedding (a list of numbers)"
        ) from error


def _names(column: Any) -> list[str]:  # noqa: ANN401
    import pyarrow as pa

    names: list[str | None] = column.cast(pa.string()).to_pylist()
    if None in names:
        raise ValueError(f"row {names.index(None) + 1} has no name")
    return [name for name in names if name is not None]


def _columns(table: Any) -> Columns:  # noqa: ANN401 - pyarrow has no types
    import pyarrow as pa

    lists = table["embedding"].combine_chunks().cast(pa.list_(pa.float32()))
    if isinstance(lists, pa.ChunkedArray):  # of no chunks
        lists = pa.concat_arrays([pa.array([], lists.type), *lists.chunks])
    lengths = set(lists.value_lengths().drop_null().to_pylist())
    if len(lengths) > 1:
        raise ValueError(f"its embeddings have {sorted(lengths)[:5]} numbers")
    columns = Columns.empty(table.num_rows, lengths.pop() if lengths else 0)
    columns.names[:] = _names(table["name"])
    columns.failed[:] = lists.is_null().to_numpy(zero_copy_only=False)
    numbers = lists.flatten().to_numpy(zero_copy_only=False)
    good = int(np.count_nonzero(~columns.failed))
    columns.embeddings[~columns.failed] = numbers.reshape(good, columns.dimensions)
    for name, column in TEXT_FIELDS.items():
        if name in table.column_names:
            texts = table[name].cast(pa.string()).to_pylist()
            getattr(columns, column)[:] = [text or "" for text in texts]
    if "seconds" in table.column_names:
        seconds = table["seconds"].cast(pa.float64()).to_pylist()
        columns.seconds[:] = [np.nan if s is None else s for s in seconds]
    if "sample_rate" in table.column_names:
        rates = table["sample_rate"].cast(pa.int64()).to_pylist()
        columns.sample_rates[:] = [rate or 0 for rate in rates]
    return columns
