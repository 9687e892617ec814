"""Algorithms of experiments: our own, those of Bob, and those of legacy Bob.

An algorithm is a backend of `bob.learn.pytorch.scoring` that makes references one by
one and keeps them in files.
"""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from bob.learn.pytorch.experiment.configuration import ConfigurationError
from bob.learn.pytorch.experiment.fingerprint import of_component
from bob.learn.pytorch.scoring import Backend, PldaBackend, mean_embeddings
from bob.learn.pytorch.scoring import backend as engines
from bob.learn.pytorch.scoring.enrolment import Fusion
from bob.learn.pytorch.store import arrays

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bob.learn.pytorch.scoring.backend import PreparedRows, RowBackend

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
        arrays.write(model, path)

    def read_model(self, path: Path) -> Any:
        """Read a stored reference."""
        return arrays.read(path)

    @abstractmethod
    def references(self, models: Sequence[Any]) -> Any:
        """Prepare references of `enrol`."""

    @abstractmethod
    def probes(self, probes: Sequence[Sequence[Rows]]) -> Any:
        """Prepare probes, each of some recordings."""

    def mean_probes(self, probes: Sequence[Sequence[Rows]]) -> Any:
        """Prepare probes whose recordings count as one, with their mean embedding."""
        return self.probes([[_mean(np.concatenate(list(part)))] for part in probes])


class _OfEmbeddings(Algorithm):
    """Compares embeddings by an engine; references are ``(vectors, dimensions)``."""

    @property
    @abstractmethod
    def engine(self) -> RowBackend:
        """Compare embeddings as these settings say."""

    def read_model(self, path: Path) -> Rows:
        return np.atleast_2d(np.asarray(arrays.read(path), dtype=np.float64))

    def references(self, models: Sequence[Rows]) -> PreparedRows:
        return self.engine.enrol(*_stacked(models))

    def probes(self, probes: Sequence[Sequence[Rows]]) -> PreparedRows:
        return self.engine.probes(*_stacked([np.concatenate(list(p)) for p in probes]))

    def matrix(self, references: PreparedRows, probes: PreparedRows) -> Rows:
        return self.engine.matrix(references, probes)


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

    def __init__(
        self,
        measure: Literal["cosine", "euclidean"] = "cosine",
        *,
        enrolment: Literal["embeddings", "scores"] = "embeddings",
        enrolment_fusion: Fusion = "mean",
        probe_fusion: Fusion = "mean",
        average_probes: bool = False,
        scale: float = 1.0,
        offset: float = 0.0,
    ) -> None:
        _require_one_of("measure", measure, tuple(engines.MEASURES))
        _require_one_of("enrolment", enrolment, ("embeddings", "scores"))
        for name, fusion in (
            ("enrolment_fusion", enrolment_fusion),
            ("probe_fusion", probe_fusion),
        ):
            _require_one_of(name, fusion, _FUSIONS)
        self.measure = measure
        self.enrolment = enrolment
        self.enrolment_fusion = enrolment_fusion
        self.probe_fusion = probe_fusion
        self.average_probes = average_probes
        self.scale = scale
        self.offset = offset

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


def _require_one_of(name: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ConfigurationError(
            f"{name} is {value!r}, expected one of: {', '.join(allowed)}"
        )


class _Plda(_OfEmbeddings):
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

    def references(self, models: Sequence[Rows]) -> PreparedRows:
        self._check_width(models[0] if len(models) else None)
        return super().references(models)

    def probes(self, probes: Sequence[Sequence[Rows]]) -> PreparedRows:
        self._check_width(probes[0][0] if len(probes) else None)
        return super().probes(probes)

    def mean_probes(self, probes: Sequence[Sequence[Rows]]) -> PreparedRows:
        # The mean of projected embeddings, as everywhere where PLDA scores.
        return self.probes(probes)

    def _check_width(self, rows: Rows | None) -> None:
        width = self.backend.projection.matrix.shape[0]
        if rows is not None and rows.shape[1] != width:
            raise ConfigurationError(
                f"the PLDA model is of embeddings of {width} dimensions, and these "
                f"have {rows.shape[1]}; train one with this preprocessor"
            )

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
    """Read the PLDA model of a file ``.npz``; None for any other text.

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


def as_algorithm(given: Any) -> Algorithm:
    """Wrap whatever a configuration calls an algorithm.

    Parameters
    ----------
    given
        A :class:`Similarity`, a ``PldaBackend``, the ``Distance`` (or any
        ``BioAlgorithm``) of Bob 8, or a legacy algorithm with ``enroll`` and ``score``.

    Raises
    ------
    ConfigurationError
        For anything else, and for a legacy algorithm that has to be trained.
    """
    if isinstance(given, Similarity):
        return given
    if isinstance(given, PldaBackend):
        return _Plda(given)
    if isinstance(given, type):
        raise ConfigurationError(
            f"the algorithm is the class {given.__name__}, expected an object: "
            f"{given.__name__}(…)"
        )
    if hasattr(given, "create_templates") and hasattr(given, "compare"):
        if hasattr(given, "fit"):
            raise ConfigurationError(
                f"the algorithm {type(given).__name__} has to be trained (it has fit), "
                "which verify.py does not do: use cosine, distance-cosine, or an "
                "algorithm that compares without training"
            )
        return _bob_distance(given) or _BobAlgorithm(given)
    if hasattr(given, "enroll") and hasattr(given, "score"):
        return _LegacyAlgorithm(given)
    raise ConfigurationError(
        f"the algorithm is {given!r} ({type(given).__name__}), expected one of "
        f"{', '.join(NAMED)}, a Similarity, an algorithm of Bob 8 (create_templates, "
        "compare) or a legacy one (enroll, score)"
    )


def _bob_distance(given: Any) -> Similarity | None:
    """Bob 8's Distance as products, where that is the same; otherwise None."""
    bobs = next(
        (
            kind
            for kind in type(given).__mro__
            if kind.__module__ == "bob.bio.base.algorithm.distance"
        ),
        None,
    )
    if bobs is None or any(
        getattr(type(given), name) is not getattr(bobs, name)
        for name in ("create_templates", "compare")
    ):
        return None
    function, factor = given.distance_function, given.factor
    name = function if isinstance(function, str) else function.__name__
    module = getattr(function, "__module__", "scipy.spatial.distance")
    fusions = {given.enrolls_score_fusion, given.probes_score_fusion}
    if (
        name not in engines.MEASURES
        or module != "scipy.spatial.distance"
        or not fusions <= set(_FUSIONS)
        # Only a negative factor keeps the order that max and min go by.
        or factor >= 0
    ):
        return None
    return Similarity(
        name,  # type: ignore[arg-type]
        enrolment="embeddings" if given.average_on_enroll else "scores",
        enrolment_fusion=given.enrolls_score_fusion,
        probe_fusion=given.probes_score_fusion,
        average_probes=given.average_probes,
        # factor * (1 - cosine), and factor * distance
        scale=-factor,
        offset=factor if name == "cosine" else 0.0,
    )


@dataclass(frozen=True, eq=False)
class _Objects:
    """References, or probes, of an algorithm that is not ours."""

    items: Sequence[Any]

    @property
    def usable(self) -> NDArray[np.bool_]:
        return np.ones(len(self.items), dtype=bool)

    def take(self, index: slice | NDArray[np.int64]) -> _Objects:
        places = np.arange(len(self.items))[index]
        return _Objects([self.items[place] for place in places])

    def __len__(self) -> int:
        return len(self.items)


class _Wrapped(Algorithm):
    """An algorithm that is not ours.

    Attributes
    ----------
    files
        Names of its methods that read and write a reference, if it has them.
    """

    files: tuple[str, str]

    def __init__(self, wrapped: Any) -> None:
        self._wrapped = wrapped

    def __repr__(self) -> str:
        return repr(self._wrapped)

    def fingerprint(self) -> Any:
        return of_component(self._wrapped)

    scoring = fingerprint

    def write_model(self, model: Any, path: str) -> None:
        getattr(self._wrapped, self.files[1], arrays.write)(model, path)

    def read_model(self, path: Path) -> Any:
        return getattr(self._wrapped, self.files[0], arrays.read)(str(path))

    def references(self, models: Sequence[Any]) -> _Objects:
        return _Objects(list(models))


class _BobAlgorithm(_Wrapped):
    """An algorithm of Bob 8: templates from features, and a matrix of scores."""

    files = ("read_biometric_reference", "write_biometric_reference")

    def enrol(self, features: Sequence[Rows]) -> Any:
        return self._wrapped.create_templates([list(features)], enroll=True)[0]

    def probes(self, probes: Sequence[Sequence[Rows]]) -> _Objects:
        features = [list(parts) for parts in probes]
        return _Objects(self._wrapped.create_templates(features, enroll=False))

    def matrix(self, references: _Objects, probes: _Objects) -> Rows:
        if not len(probes):
            return np.empty((len(references), 0))
        values = self._wrapped.compare(list(references.items), probes.items)
        return np.asarray(values, dtype=np.float64)


class _LegacyAlgorithm(_Wrapped):
    """An algorithm of legacy Bob: one model, one probe, one score at a time."""

    files = ("read_model", "write_model")

    def __init__(self, wrapped: Any) -> None:
        for need in (
            "requires_projector_training",
            "requires_enroller_training",
            "performs_projection",
        ):
            if getattr(wrapped, need, False):
                raise ConfigurationError(
                    f"the algorithm {type(wrapped).__name__} has {need}=True; "
                    "verify.py compares embeddings without training: use cosine, "
                    "distance-cosine, or an algorithm that neither trains nor projects"
                )
        super().__init__(wrapped)

    def __repr__(self) -> str:
        return str(self._wrapped)

    def enrol(self, features: Sequence[Rows]) -> Any:
        # One vector a recording was a 1-D array in legacy Bob.
        return self._wrapped.enroll([_as_legacy(rows) for rows in features])

    def probes(self, probes: Sequence[Sequence[Rows]]) -> _Objects:
        return _Objects([[_as_legacy(rows) for rows in parts] for parts in probes])

    def matrix(self, references: _Objects, probes: _Objects) -> Rows:
        scores = [[self._score(m, p) for p in probes.items] for m in references.items]
        return np.array(scores, dtype=np.float64)

    def _score(self, model: Any, probe: list[Rows]) -> float:
        if len(probe) == 1:
            return float(self._wrapped.score(model, probe[0]))
        together = getattr(self._wrapped, "score_for_multiple_probes", None)
        if together is not None:
            return float(together(model, probe))
        return float(np.mean([self._wrapped.score(model, item) for item in probe]))


def _as_legacy(rows: Rows) -> Rows:
    return rows[0] if len(rows) == 1 else rows


def _mean(rows: Rows) -> Rows:
    """(vectors, dimensions) -> (1, dimensions)."""
    return mean_embeddings(rows, [np.arange(len(rows))])


def _stacked(stacks: Sequence[Rows]) -> tuple[Rows, Sequence[Sequence[int]]]:
    """Return the rows of all, and for each the positions of its own."""
    if not len(stacks):
        return np.empty((0, 0)), []
    ends = np.cumsum([len(rows) for rows in stacks]).tolist()
    groups = [range(*span) for span in zip([0, *ends], ends, strict=False)]
    return np.concatenate(list(stacks)), groups
