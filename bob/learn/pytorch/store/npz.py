"""Embeddings in npz files: ours, and what others write."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import numpy as np

from bob.learn.pytorch.files import beside
from bob.learn.pytorch.store.records import TEXTS, Columns, StoreError

if TYPE_CHECKING:
    import zipfile
    from pathlib import Path

    from numpy.typing import NDArray

    from bob.learn.pytorch.store.reading import Content

# Embeddings become smaller by a tenth; what says more than this lies, or is a bomb.
_PACKED_TIMES = 100
_UNPACKED_BYTES = 1 << 26


def write(content: Content, path: Path) -> None:
    """Write embeddings, and the records of failures, in arrays by name."""
    columns = content.columns
    good = columns.take(np.flatnonzero(~columns.failed))
    bad = columns.take(np.flatnonzero(columns.failed))
    # On a full disk, zipfile hides the reason when it writes to a file itself.
    buffer = io.BytesIO()
    np.savez(
        buffer,
        names=np.array(good.names, dtype=np.str_),
        embeddings=good.embeddings,
        **_known(good, prefix=""),
        failed=np.array(bad.names, dtype=np.str_),
        reasons=np.array(bad.reasons, dtype=np.str_),
        **_known(bad, prefix="failed_"),
        made_by=np.array(json.dumps(content.fingerprint)),
    )
    with beside(path, durable=True) as place:
        place.write_bytes(buffer.getbuffer())


def _known(columns: Columns, *, prefix: str) -> dict[str, NDArray[Any]]:
    """Return the columns that both kinds of records have, by name."""
    return {
        f"{prefix}seconds": columns.seconds,
        f"{prefix}sample_rates": columns.sample_rates,
        **{
            f"{prefix}{name}": np.array(getattr(columns, name), dtype=np.str_)
            for name in TEXTS[1:]
        },
    }


def read(path: Path) -> tuple[Columns, dict[str, str] | None]:
    """Read embeddings and their fingerprint, None where the file has none.

    Raises
    ------
    StoreError
        It is damaged, or holds something else.
    """
    try:
        # Opened here, for NumPy leaves a file open that is cut short.
        with path.open("rb") as content, np.load(content, allow_pickle=False) as file:
            _refuse_bomb(file.zip.infolist(), path.stat().st_size)
            arrays = {name: file[name] for name in file.files}
        if "names" not in arrays or "embeddings" not in arrays:
            return _one_array_a_name(arrays), None
        made_by = json.loads(str(arrays["made_by"])) if "made_by" in arrays else None
        return Columns.joined([_good(arrays), _bad(arrays)]), made_by or None
    except Exception as error:  # zipfile, zlib and NumPy have many for damage
        raise StoreError(
            f"{path} cannot be read as embeddings ({error}); expected an npz file with "
            "the arrays names and embeddings, or with one vector a name"
        ) from error


def _refuse_bomb(members: list[zipfile.ZipInfo], size: int) -> None:
    """Refuse what would take minutes and all memory to unpack."""
    unpacked = sum(member.file_size for member in members)
    if unpacked > max(_UNPACKED_BYTES, _PACKED_TIMES * size):
        raise ValueError(f"its {size} bytes claim to hold {unpacked} bytes")


def _good(arrays: dict[str, NDArray[np.generic]]) -> Columns:
    names = arrays["names"].astype(np.str_).tolist()
    embeddings = arrays["embeddings"].astype(np.float32)
    if embeddings.ndim != 2 or len(embeddings) != len(names):
        raise ValueError(
            f"{len(names)} names, but embeddings of the shape {embeddings.shape}"
        )
    columns = Columns.empty(len(names), embeddings.shape[1])
    columns.failed[:] = False
    columns.names[:] = names
    columns.embeddings[:] = embeddings
    _fill(columns, arrays, prefix="")
    return columns


def _bad(arrays: dict[str, NDArray[np.generic]]) -> Columns:
    names = arrays.get("failed", np.array([], dtype=np.str_)).astype(np.str_).tolist()
    columns = Columns.empty(len(names), 0)
    columns.names[:] = names
    if names:
        columns.reasons[:] = _texts(arrays["reasons"], len(names))
    _fill(columns, arrays, prefix="failed_")
    return columns


def _fill(
    columns: Columns, arrays: dict[str, NDArray[np.generic]], *, prefix: str
) -> None:
    for name in ("seconds", "sample_rates"):
        if f"{prefix}{name}" in arrays:
            getattr(columns, name)[:] = arrays[f"{prefix}{name}"]
    for name in TEXTS[1:]:
        if f"{prefix}{name}" in arrays:
            texts = _texts(arrays[f"{prefix}{name}"], len(columns))
            getattr(columns, name)[:] = texts


def _texts(array: NDArray[np.generic], count: int) -> list[str]:
    texts: list[str] = array.astype(np.str_).tolist()
    if len(texts) != count:
        raise ValueError(f"{len(texts)} texts for {count} names")
    return texts


def _one_array_a_name(arrays: dict[str, NDArray[np.generic]]) -> Columns:
    shapes = {array.shape for array in arrays.values()}
    if len(shapes) != 1 or len(next(iter(shapes))) != 1:
        raise ValueError(f"its arrays are {', '.join(sorted(arrays)[:10]) or 'none'}")
    stacked = np.stack(list(arrays.values()))
    return _good({"names": np.array(list(arrays)), "embeddings": stacked})
