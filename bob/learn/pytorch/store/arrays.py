"""Embeddings as arrays: in files as Bob writes them, and those that say nothing.

A file is HDF5 with one dataset `array`, float64.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bob.learn.pytorch.files import beside

# Of an embedding with fewer numbers, all may be equal by chance.
_FEWEST_THAT_VARY = 3


def write(data: ArrayLike, data_file: object) -> None:
    """Store one array of any shape, as float64.

    Parameters
    ----------
    data_file
        An open `h5py.File`, or a path; that is written beside and renamed.
    """
    import h5py

    if isinstance(data_file, h5py.Group):
        data_file["array"] = np.asarray(data, np.float64)
        return
    with beside(Path(str(data_file))) as place, h5py.File(place, "w") as file:
        file["array"] = np.asarray(data, np.float64)


def read(data_file: object) -> NDArray[np.float64]:
    """Read the array that `write` stored, in its shape, as float64.

    Raises
    ------
    ValueError
        The file does not hold a dataset `array`, or is damaged.
    """
    import h5py

    if isinstance(data_file, h5py.Group):
        return _array(data_file, str(data_file.filename))
    try:
        with h5py.File(str(data_file), "r") as file:
            return _array(file, str(data_file))
    except (KeyError, RuntimeError, TypeError) as error:  # h5py's, of damage
        raise ValueError(
            f"{data_file} is damaged ({error}); delete it and compute it again"
        ) from error


def _array(file: object, name: str) -> NDArray[np.float64]:
    import h5py

    if not isinstance(file, h5py.Group) or "array" not in file:
        raise ValueError(
            f"{name} holds no dataset 'array', which Bob stores embeddings in; "
            "delete it and compute it again"
        )
    return np.asarray(file["array"])


def fault_of(embedding: NDArray[Any]) -> str:
    """Return why nothing can be compared with an embedding, empty where it can.

    Parameters
    ----------
    embedding
        ``(dimensions,)``, or the frames of one recording.

    Examples
    --------
    >>> fault_of(np.zeros(3)), fault_of(np.arange(3))
    ('is all zeros', '')
    """
    bad = int(np.count_nonzero(~np.isfinite(embedding)))
    if bad:
        return f"is NaN or infinite in {bad} of {embedding.size} numbers"
    if not embedding.any():
        return "is all zeros"
    first = embedding.flat[0]
    # Of one or two numbers, equal ones are an embedding like another.
    if embedding.size >= _FEWEST_THAT_VARY and (embedding == first).all():
        return f"is one number, {first:g}, over and over"
    return ""


def faults_of(embeddings: NDArray[Any]) -> dict[int, str]:
    """Return the rows of ``(rows, dimensions)`` that `fault_of` finds fault with."""
    if not embeddings.shape[1]:
        return {}
    # A sum may also overflow: these rows are looked at, and the others are good.
    with np.errstate(over="ignore", invalid="ignore"):
        suspicious = ~np.isfinite(embeddings.sum(axis=1))
    suspicious |= embeddings[:, 0] == embeddings[:, -1]
    rows = np.flatnonzero(suspicious).tolist()
    return {row: fault for row in rows if (fault := fault_of(embeddings[row]))}
