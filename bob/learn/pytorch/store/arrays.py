"""Arrays on disk as Bob writes them: HDF5, one dataset `array`, float64."""

from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bob.learn.pytorch.files import beside


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
