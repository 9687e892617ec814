"""Embeddings in Kaldi's ark and scp files."""

from __future__ import annotations

import contextlib
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from bob.learn.pytorch.files import beside, file_sha256
from bob.learn.pytorch.store.records import (
    TEXT_FIELDS,
    TEXTS,
    Columns,
    StoreError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from bob.learn.pytorch.store.reading import Content

_BINARY = b"\0B"
# What the file beside holds of a recording; the rest are texts.
_KINDS: dict[str, tuple[type, ...]] = {
    "seconds": (int, float, type(None)),
    "sample_rate": (int,),
}


def write(content: Content, path: Path) -> None:
    """Write an ark file, the scp file that points into it, and what neither holds."""
    kaldiio = _kaldiio()
    columns = content.columns
    _refuse_blanks(columns)
    ark = path.with_suffix(".ark").resolve()
    if len(str(ark).splitlines()) > 1:
        raise StoreError(
            f"{str(ark)!r} has a line break, where a line of the scp file would end; "
            "export to a folder and a file without one"
        )
    with contextlib.ExitStack() as places:
        # The last one is renamed first: the scp file when all that it names is there.
        scp_place, ark_place, json_place = (
            places.enter_context(beside(path, durable=True))
            for path in (ark.with_suffix(".scp"), ark, _beside_ark(ark))
        )
        with ark_place.open("wb") as file, scp_place.open("w", encoding="utf-8") as scp:
            for row in np.flatnonzero(~columns.failed):
                name = columns.names[row]
                offset = file.tell() + len(name.encode()) + 1
                kaldiio.save_ark(file, {name: columns.embeddings[row]})
                scp.write(f"{name} {ark}:{offset}\n")
        rest = _rest(content) | {"sha256": file_sha256(ark_place)}
        json_place.write_text(json.dumps(rest), encoding="utf-8")


def read(path: Path) -> tuple[Columns, dict[str, str] | None]:
    """Read the vectors of an ark file, or those that an scp file points to.

    Raises
    ------
    StoreError
        It is damaged, holds something else, or asks for a command to be run.
    """
    vectors = _ark if path.suffix.lower() == ".ark" else _scp
    try:
        found = dict(_without_twins(path, vectors(path)))
        return _with_rest(path, found)
    except StoreError:
        raise
    except Exception as error:  # kaldiio checks by assert, or not at all
        reason = str(error) or type(error).__name__
        raise StoreError(
            f"{path} cannot be read as embeddings ({reason}); expected vectors of Kaldi"
        ) from error


def _kaldiio() -> Any:  # noqa: ANN401 - it has no types
    try:
        import kaldiio  # type: ignore[import-untyped]
    except ImportError as error:
        raise StoreError(
            "Kaldi's files need kaldiio, which is not installed: "
            "pip install 'bob.learn.pytorch[kaldi]'"
        ) from error
    return kaldiio


def _beside_ark(path: Path) -> Path:
    return path.with_suffix(".ark.json")


def _refuse_blanks(columns: Columns) -> None:
    for name in columns.names:
        if name.split() != [name]:
            raise StoreError(
                f"the name {name!r} has a blank, where Kaldi would end it; export to "
                ".npz or .parquet, or name the recordings without blanks"
            )


def _rest(content: Content) -> dict[str, Any]:
    """Return all but the embeddings, for the file beside the ark."""
    columns = content.columns
    return {
        "made_by": content.fingerprint,
        "recordings": {
            name: {
                "seconds": None if math.isnan(seconds) else seconds,
                "sample_rate": rate,
                **dict(zip(TEXT_FIELDS, texts, strict=True)),
            }
            for name, seconds, rate, *texts in zip(
                columns.names,
                columns.seconds.tolist(),
                columns.sample_rates.tolist(),
                *(getattr(columns, column) for column in TEXTS),
                strict=True,
            )
        },
    }


def _with_rest(
    path: Path, vectors: dict[str, NDArray[np.float32]]
) -> tuple[Columns, dict[str, str] | None]:
    rest = _read_rest(path)
    recordings = rest.get("recordings", {})
    names = [*recordings, *(name for name in vectors if name not in recordings)]
    sizes = {len(vector) for vector in vectors.values()}
    if len(sizes) > 1:
        raise ValueError(f"its vectors have {sorted(sizes)[:5]} numbers")
    columns = Columns.empty(len(names), sizes.pop() if sizes else 0)
    columns.names[:] = names
    for row, name in enumerate(names):
        if name in vectors:
            columns.embeddings[row] = vectors[name]
            columns.failed[row] = False
        known = recordings.get(name, {})
        seconds = known.get("seconds")
        columns.seconds[row] = math.nan if seconds is None else seconds
        columns.sample_rates[row] = known.get("sample_rate", 0)
        for key, column in TEXT_FIELDS.items():
            getattr(columns, column)[row] = known.get(key, "")
    return columns, rest.get("made_by") or None


def _read_rest(path: Path) -> dict[str, Any]:
    """Read what stands beside the vectors, if anything does, and check them by it."""
    place, ark = _beside_ark(path), path.with_suffix(".ark")
    if not place.exists():
        return {}
    rest = json.loads(place.read_text(encoding="utf-8"))
    if not isinstance(rest, dict):
        raise TypeError(f"{place} holds a {type(rest).__name__}, and no object")
    expected = rest.get("sha256")
    if expected is not None and ark.exists() and file_sha256(ark) != expected:
        raise ValueError(
            f"{ark} has changed since it was written with {place}; if that is meant, "
            "remove the latter"
        )
    for name, known in dict(rest.get("recordings", {})).items():
        for key, value in known.items():
            kind = _KINDS.get(key, (str,))
            if not isinstance(value, kind) or isinstance(value, bool):
                raise TypeError(f"{place}: {key} of {name} is {value!r}")
    return rest


def _without_twins(
    path: Path, vectors: Iterator[tuple[str, NDArray[np.float32]]]
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    seen: set[str] = set()
    for name, vector in vectors:
        if name in seen:
            raise StoreError(f"{path} holds {name} twice; take one of them out")
        seen.add(name)
        yield name, vector


def _ark(path: Path) -> Iterator[tuple[str, NDArray[np.float32]]]:
    read_token = _kaldiio().matio.read_token
    with path.open("rb") as file:
        while (name := read_token(file)) is not None:
            # Behind a vector in text there is the end of its line.
            if name.strip():
                yield name.strip(), _vector(file, name)


def _scp(path: Path) -> Iterator[tuple[str, NDArray[np.float32]]]:
    with contextlib.ExitStack() as files:
        opened: dict[str, BinaryIO] = {}
        for line in path.read_text(encoding="utf-8").splitlines():
            if not line.strip():
                continue
            name, place = line.split(maxsplit=1)
            if place.startswith("|") or place.rstrip().endswith("|"):
                raise StoreError(
                    f"{path} would run a command for {name} ({place}); let Kaldi write "
                    "an ark file, and import that"
                )
            ark, colon, offset = place.strip().rpartition(":")
            if not colon:  # a file of one vector
                ark, offset = offset, "0"
            if ark not in opened:
                files.close()
                # As Kaldi finds it: from where the program runs, or beside the scp.
                found = Path(ark) if Path(ark).exists() else path.parent / ark
                opened = {ark: files.enter_context(found.open("rb"))}
            opened[ark].seek(int(offset))
            yield name, _vector(opened[ark], name)


def _vector(file: BinaryIO, name: str) -> NDArray[np.float32]:
    place = file.tell()
    head = file.read(8)
    file.seek(place)
    if head[:2] == _BINARY:
        vector = np.asarray(_kaldiio().matio.read_kaldi(file), dtype=np.float32)
    elif head.lstrip().startswith(b"["):
        # kaldiio takes the numbers for integers where the first one looks like that.
        numbers = file.readline().decode().strip().removeprefix("[").removesuffix("]")
        vector = np.array(numbers.split(), dtype=np.float32)
    else:  # kaldiio would also unpickle, and decode audio
        raise ValueError(f"{name} is no vector of Kaldi, it begins with {head!r}")
    if vector.ndim == 2 and len(vector) == 1:
        vector = vector[0]
    if vector.ndim != 1 or not len(vector):
        raise ValueError(f"{name} has the shape {vector.shape}, and no vector's")
    return vector
