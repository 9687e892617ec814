"""Algorithms of experiments: similarity and PLDA.

An algorithm is a backend of `bob.learn.pytorch.scoring` that makes references one by
one and keeps them in files.
"""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from bob.learn.pytorch.experiment.configuration import ConfigurationError
from bob.learn.pytorch.experiment.fingerprint import of_component
from bob.learn.pytorch.scoring import Backend, PldaBackend, mean_embeddings
from bob.learn.pytorch.scoring import backend as engines
from bob.learn.pytorch.scoring.enrolment import Fusion
from bob.learn.pytorch.store.arrays import read as read_array
from bob.learn.pytorch.store.arrays import write as write_array

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bob.learn.pytorch.scoring.backend import Pairs, PreparedRows, RowBackend

Rows = NDArray[np.float64]
_FUSIONS = get_args(Fusion)


class Algorithm(Backend):
    """Enrols and stores references, and compares them with probes.

    Each recording is features ``(vectors, dimensions)``.
    """

    @abstractmethod
    def fingerprint(self) -> Any:
        """Return what determines the references, as JSON values."""

    @abstractmethod
    def scoring(self) -> Any:
        """Return what determines the scores, as JSON values."""

    @abstractmethod
    def enrol(self, features: Sequence[Rows]) -> Any:
        """Make a reference of its recordings."""

    def write_model(self, model: Any, path: str) -> None:
        """Store a reference."""
        write_array(model, path)

    def read_model(self, path: Path) -> Any:
        """Read a stored reference."""
        return read_array(path)

    @abstractmethod
    def references(self, models: Sequence[Any | None]) -> Any:
        """Prepare references of `enrol`; None for those that have no recording."""

    @abstractmethod
    def probes(self, probes: Sequence[Sequence[Rows]]) -> Any:
        """Prepare probes, each of some recordings, or of none."""

    def mean_probes(self, probes: Sequence[Sequence[Rows]]) -> Any:
        """Prepare probes whose recordings count as one, with their mean embedding."""
        means = [_mean(np.concatenate(list(rows))) for rows in probes]
        return self.probes([[rows] for rows in means])


class _OfEmbeddings(Algorithm):
    """Compares embeddings by an engine; references are ``(vectors, dimensions)``."""

    @property
    @abstractmethod
    def engine(self) -> RowBackend:
        """Compare embeddings as these settings say."""

    def read_model(self, path: Path) -> Rows:
        return np.atleast_2d(np.asarray(read_array(path), dtype=np.float64))

    def references(self, models: Sequence[Rows | None]) -> PreparedRows:
        return self.engine.enrol(*_stacked([[] if m is None else [m] for m in models]))

    def probes(self, probes: Sequence[Sequence[Rows]]) -> PreparedRows:
        return self.engine.probes(*_stacked(probes))

    def matrix(self, references: PreparedRows, probes: PreparedRows) -> Rows:
        return self.engine.matrix(references, probes)

    def pairs(
        self, references: PreparedRows, probes: PreparedRows, pairs: Pairs
    ) -> Rows:
        return self.engine.pairs(references, probes, pairs)


@dataclass(eq=False, repr=False)
class Similarity(_OfEmbeddings):
    """Compares embeddings directly.

    Parameters
    ----------
    measure : {"cosine", "euclidean"}
        Cosine similarity in [-1, 1], or the negative Euclidean distance.
    enrolment : {"embeddings", "scores"}
        A speaker of several enrolment recordings is the mean of their
        embeddings (as in Bob 8 and in most toolkits), or is compared recording
        by recording and the scores are fused (as in legacy Bob).
    enrolment_fusion, probe_fusion : {"mean", "max", "min", "median"}
        How scores of several enrolment recordings, or of the several recordings
        of one probe, become one.
    average_probes : bool
        Several recordings of one probe are averaged as embeddings instead.
    scale, offset : float
        The score is ``scale * similarity + offset``; ``offset=-1`` turns the
        cosine similarity into the negative cosine distance.
    """

    measure: Literal["cosine", "euclidean"] = "cosine"
    _: KW_ONLY
    enrolment: Literal["embeddings", "scores"] = "embeddings"
    enrolment_fusion: Fusion = "mean"
    probe_fusion: Fusion = "mean"
    average_probes: bool = False
    scale: float = 1.0
    offset: float = 0.0

    def __post_init__(self) -> None:
        for name, allowed in (
            ("measure", tuple(engines.MEASURES)),
            ("enrolment", ("embeddings", "scores")),
            ("enrolment_fusion", _FUSIONS),
            ("probe_fusion", _FUSIONS),
        ):
            if getattr(self, name) not in allowed:
                raise ConfigurationError(
                    f"{name} is {getattr(self, name)!r}, expected one of: "
                    f"{', '.join(allowed)}"
                )

    @property
    def engine(self) -> RowBackend:
        """Compare embeddings as these settings say."""
        by = {name: name for name in _FUSIONS} | {"mean": "scores"}
        of_scores = by[self.enrolment_fusion]
        return engines.MEASURES[self.measure](
            enrolment=of_scores if self.enrolment == "scores" else "mean",
            several_probes="mean" if self.average_probes else by[self.probe_fusion],
            scale=self.scale,
            offset=self.offset,
        )

    def __repr__(self) -> str:
        settings = ", ".join(f"{key}={value!r}" for key, value in vars(self).items())
        return f"Similarity({settings})"

    def fingerprint(self) -> Any:
        """Return whether a reference is the mean, or all vectors."""
        return {"class": "Similarity", "enrolment": self.enrolment}

    def scoring(self) -> Any:
        """Return all settings."""
        return of_component(vars(self))

    def enrol(self, features: Sequence[Rows]) -> Rows:
        """Stack the recordings' vectors, or average them: (vectors, dimensions)."""
        rows = np.concatenate(list(features))
        if self.enrolment == "embeddings":
            rows = _mean(rows)
        return rows


@dataclass(eq=False, repr=False)
class PldaAlgorithm(_OfEmbeddings):
    """Log-likelihood ratios of a PLDA model, references enrolled by their count.

    A probe of several recordings is the mean of its projected embeddings.

    Parameters
    ----------
    backend
        As `bob.learn.pytorch.scoring.train_plda` and ``bob pytorch plda train`` make
        it.
    """

    backend: PldaBackend

    def __repr__(self) -> str:
        dimensions, left = self.backend.projection.matrix.shape
        return (
            f"Plda({dimensions} dimensions, {left} of them in the model, length "
            f"{self.backend.length_normalisation!r}, {self._digest()})"
        )

    @property
    def engine(self) -> engines.Plda:
        """Score by the model."""
        return engines.Plda(model=self.backend)

    def fingerprint(self) -> dict[str, str]:
        """Return the same for each model: a reference is its embeddings."""
        return {"class": "Plda"}

    def scoring(self) -> dict[str, str]:
        """Return what the model is."""
        return {
            "model": self._digest(),
            "length": self.backend.length_normalisation,
        }

    def enrol(self, features: Sequence[Rows]) -> Rows:
        """Keep the embeddings: (recordings, dimensions)."""
        rows: Rows = np.concatenate(list(features))
        return rows

    def mean_probes(self, probes: Sequence[Sequence[Rows]]) -> PreparedRows:
        """Prepare probes by the mean of projected embeddings, as all of PLDA."""
        return self.probes(probes)

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


#: Names of old and new; the ``distance-`` ones are legacy Bob's to the last digit.
NAMED = {
    "cosine": Similarity("cosine"),
    "euclidean": Similarity("euclidean"),
    "distance-cosine": Similarity("cosine", enrolment="scores", offset=-1.0),
    "distance-euclidean": Similarity("euclidean", enrolment="scores"),
}


def plda_at(path: str) -> Any:
    """Read the PLDA model of a file ``.npz``; None for any other text."""
    place = Path(path).expanduser()
    if place.suffix.lower() != ".npz":
        return None
    try:
        return PldaBackend.load(place)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"the algorithm cannot be read: {error}") from error


def _mean(rows: Rows) -> Rows:
    """(vectors, dimensions) -> (1, dimensions)."""
    return mean_embeddings(rows, [np.arange(len(rows))])


def _stacked(
    parts: Sequence[Sequence[Rows]],
) -> tuple[Rows, Sequence[Sequence[int]]]:
    """Return all rows, and for each the positions of its own."""
    stacks = [rows for part in parts for rows in part]
    ends = np.cumsum([sum(map(len, part)) for part in parts], dtype=int).tolist()
    groups = [range(*span) for span in zip([0, *ends], ends, strict=False)]
    return np.concatenate(stacks) if stacks else np.empty((0, 0)), groups
