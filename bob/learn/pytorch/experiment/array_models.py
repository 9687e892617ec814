"""References that are arrays on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bob.learn.pytorch.store import arrays

if TYPE_CHECKING:
    from pathlib import Path

    from bob.learn.pytorch.experiment.algorithms import Rows


class ArrayModels:
    """Stores references of an algorithm, which are ``(vectors, dimensions)`` each."""

    def write_model(self, model: Rows, path: str) -> None:
        """Store a reference as an array."""
        arrays.write(model, path)

    def read_model(self, path: Path) -> Rows:
        """Read a stored reference."""
        return np.atleast_2d(np.asarray(arrays.read(path), dtype=np.float64))
