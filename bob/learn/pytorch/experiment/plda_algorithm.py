"""A trained PLDA model as the algorithm of an experiment."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bob.learn.pytorch.experiment.array_models import ArrayModels
from bob.learn.pytorch.experiment.configuration import ConfigurationError
from bob.learn.pytorch.scoring import PldaBackend

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from bob.learn.pytorch.experiment.algorithms import Rows, Scorer


class Plda(ArrayModels):
    """Log-likelihood ratios of a PLDA model, references enrolled by their count.

    A probe of several recordings is the mean of its projected embeddings.

    Parameters
    ----------
    backend
        As `bob.learn.pytorch.scoring.train_plda` and ``bob pytorch plda train`` make
        it.
    """

    def __init__(self, backend: PldaBackend) -> None:
        self.backend = backend

    def __repr__(self) -> str:
        dimensions, left = self.backend.projection.matrix.shape
        return (
            f"Plda({dimensions} dimensions, {left} of them in the model, length "
            f"{self.backend.length_normalisation!r}, {self._digest()})"
        )

    def fingerprint(self) -> dict[str, str]:
        """A reference is its embeddings, whatever the model."""
        return {"class": "Plda"}

    def scoring(self) -> dict[str, str]:
        """The model."""
        return {
            "model": self._digest(),
            "length": self.backend.length_normalisation,
        }

    def enrol(self, features: Sequence[Rows]) -> Rows:
        """Keep the embeddings: (recordings, dimensions)."""
        rows: Rows = np.concatenate(list(features))
        return rows

    def against(self, probes: Sequence[Sequence[Rows]]) -> Scorer:
        """A scorer that holds the projected probes."""
        stacks = [np.concatenate(list(parts)) for parts in probes]
        projected = self._means(stacks)

        def score(
            models: Sequence[Rows], chosen: NDArray[np.intp] | None
        ) -> NDArray[np.float64]:
            tested = projected if chosen is None else projected[chosen]
            if not len(models) or not len(tested):
                return np.empty((len(models), len(tested)))
            counts = [len(rows) for rows in models]
            return self.backend.score(self._means(models), tested, counts=counts)

        return score

    def _means(self, stacks: Sequence[Rows]) -> Rows:
        """Mean of the projected embeddings of each: (stacks, model dimensions)."""
        width = self.backend.projection.matrix.shape[0]
        for rows in stacks[:1]:
            if rows.shape[1] != width:
                raise ConfigurationError(
                    f"the PLDA model is of embeddings of {width} dimensions, and these "
                    f"have {rows.shape[1]}; train one with this preprocessor"
                )
        if not stacks:
            return np.empty((0, self.backend.model.mean.size))
        ends = np.cumsum([len(rows) for rows in stacks])
        groups = np.split(np.arange(ends[-1]), ends[:-1])
        return self.backend.enrol(np.concatenate(list(stacks)), groups)[0]

    def _digest(self) -> str:
        backend = self.backend
        made_of = (
            backend.projection.mean,
            backend.projection.matrix,
            backend.model.mean,
            backend.model.between,
            backend.model.within,
        )
        joined = b"".join(np.ascontiguousarray(part).tobytes() for part in made_of)
        return hashlib.blake2b(joined, digest_size=8).hexdigest()


def plda_at(path: str) -> Any:
    """The PLDA model in a file ``.npz``; None for any other text.

    Raises
    ------
    ConfigurationError
        The file is something else.
    """
    place = Path(path).expanduser()
    if place.suffix.lower() != ".npz":
        return None
    try:
        return PldaBackend.load(place)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"the algorithm cannot be read: {error}") from error
