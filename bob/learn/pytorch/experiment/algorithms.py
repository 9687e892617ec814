"""Comparing references with probes: our own algorithms, Bob's, and those of old."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from bob.learn.pytorch.experiment.array_models import ArrayModels
from bob.learn.pytorch.experiment.configuration import ConfigurationError
from bob.learn.pytorch.experiment.fingerprint import of_component
from bob.learn.pytorch.experiment.plda_algorithm import Plda
from bob.learn.pytorch.scoring import (
    PldaBackend,
    cosine,
    euclidean,
    fuse_scores,
    mean_embeddings,
)
from bob.learn.pytorch.scoring.enrolment import Fusion
from bob.learn.pytorch.store import arrays

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

Rows = NDArray[np.float64]
_FUSIONS = get_args(Fusion)
_MEASURES = {"cosine": cosine, "euclidean": euclidean}


class Scorer(Protocol):
    """Compares models with probes that are already known."""

    def __call__(
        self, models: Sequence[Any], chosen: NDArray[np.intp] | None
    ) -> NDArray[np.float64]:
        """Scores of shape (models, probes); ``chosen`` picks probes, None is all."""


class Algorithm(Protocol):
    """What the experiment needs of an algorithm."""

    def fingerprint(self) -> Any:
        """What determines the models, as JSON values."""

    def scoring(self) -> Any:
        """What determines the scores, as JSON values."""

    def enrol(self, features: Sequence[Rows]) -> Any:
        """Make a reference of recordings, each of shape (vectors, dimensions)."""

    def write_model(self, model: Any, path: str) -> None:
        """Store a reference."""

    def read_model(self, path: Path) -> Any:
        """Read a stored reference."""

    def against(self, probes: Sequence[Sequence[Rows]]) -> Scorer:
        """A scorer for these probes, each a list of recordings' features."""


class Similarity(ArrayModels):
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
        _require_one_of("measure", measure, tuple(_MEASURES))
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

    def __repr__(self) -> str:
        settings = ", ".join(f"{key}={value!r}" for key, value in vars(self).items())
        return f"Similarity({settings})"

    def fingerprint(self) -> Any:
        """Only what determines a model: the mean, or all vectors."""
        return {"class": "Similarity", "enrolment": self.enrolment}

    def scoring(self) -> Any:
        """All settings."""
        return of_component(vars(self))

    def enrol(self, features: Sequence[Rows]) -> Rows:
        """Stack the recordings' vectors, or average them: (vectors, dimensions)."""
        rows = np.concatenate(list(features))
        if self.enrolment == "embeddings":
            rows = mean_embeddings(rows, [np.arange(len(rows))])
        return rows

    def against(self, probes: Sequence[Sequence[Rows]]) -> Scorer:
        """Hold the probes as one matrix for products with many references."""
        stacks = [np.concatenate(list(parts)) for parts in probes]
        if self.average_probes:
            stacks = [rows.mean(axis=0, keepdims=True) for rows in stacks]
        return _MatrixScorer(self, stacks)


def _require_one_of(name: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ConfigurationError(
            f"{name} is {value!r}, expected one of: {', '.join(allowed)}"
        )


class _MatrixScorer:
    """All comparisons as one product, then fusion of what belongs together."""

    def __init__(self, algorithm: Similarity, probes: list[Rows]) -> None:
        self._algorithm = algorithm
        self._probes = probes
        self._all = np.concatenate(probes) if probes else np.empty((0, 0))
        self._one_each = all(len(rows) == 1 for rows in probes)

    def __call__(
        self, models: Sequence[Rows], chosen: NDArray[np.intp] | None
    ) -> NDArray[np.float64]:
        algorithm = self._algorithm
        probes, probe_counts = self._selected(chosen)
        if not len(probe_counts):
            return np.empty((len(models), 0))
        measure = _MEASURES[algorithm.measure]
        values = measure(np.concatenate(list(models)), probes)
        values = algorithm.scale * values + algorithm.offset
        values = _fused(values.T, probe_counts, algorithm.probe_fusion).T
        counts = [len(rows) for rows in models]
        return _fused(values, counts, algorithm.enrolment_fusion)

    def _selected(self, chosen: NDArray[np.intp] | None) -> tuple[Rows, Sequence[int]]:
        if chosen is None:
            return self._all, [len(rows) for rows in self._probes]
        if self._one_each:
            return self._all[chosen], [1] * len(chosen)
        picked = [self._probes[index] for index in chosen]
        return np.concatenate(picked), [len(rows) for rows in picked]


def _fused(
    values: NDArray[np.float64], counts: Sequence[int], fusion: Fusion
) -> NDArray[np.float64]:
    """(sum of counts, columns) -> (counts, columns), neighbouring rows fused."""
    if all(count == 1 for count in counts):
        return values
    ends = np.cumsum(counts)
    groups = [
        np.arange(end - count, end) for end, count in zip(ends, counts, strict=True)
    ]
    return fuse_scores(values, groups, fusion=fusion)


#: Names of old and new; the ``distance-`` ones are legacy Bob's to the last digit.
NAMED = {
    "cosine": Similarity("cosine"),
    "euclidean": Similarity("euclidean"),
    "distance-cosine": Similarity("cosine", enrolment="scores", offset=-1.0),
    "distance-euclidean": Similarity("euclidean", enrolment="scores"),
}


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
        return Plda(given)
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
        name not in _MEASURES
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


class _BobAlgorithm:
    """An algorithm of Bob 8: templates from features, and a matrix of scores."""

    def __init__(self, wrapped: Any) -> None:
        self._wrapped = wrapped

    def __repr__(self) -> str:
        return repr(self._wrapped)

    def fingerprint(self) -> Any:
        return of_component(self._wrapped)

    scoring = fingerprint

    def enrol(self, features: Sequence[Rows]) -> Any:
        return self._wrapped.create_templates([list(features)], enroll=True)[0]

    def write_model(self, model: Any, path: str) -> None:
        write = getattr(self._wrapped, "write_biometric_reference", None)
        if write is None:
            arrays.write(model, path)
        else:
            write(model, path)

    def read_model(self, path: Path) -> Any:
        read = getattr(self._wrapped, "read_biometric_reference", arrays.read)
        return read(str(path))

    def against(self, probes: Sequence[Sequence[Rows]]) -> Scorer:
        features = [list(parts) for parts in probes]
        templates = self._wrapped.create_templates(features, enroll=False)

        def score(
            models: Sequence[Any], chosen: NDArray[np.intp] | None
        ) -> NDArray[np.float64]:
            part = templates if chosen is None else [templates[i] for i in chosen]
            if not len(part):
                return np.empty((len(models), 0))
            values = self._wrapped.compare(list(models), part)
            return np.asarray(values, dtype=np.float64)

        return score


class _LegacyAlgorithm:
    """An algorithm of legacy Bob: one model, one probe, one score at a time."""

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
        self._wrapped = wrapped

    def __repr__(self) -> str:
        return str(self._wrapped)

    def fingerprint(self) -> Any:
        return of_component(self._wrapped)

    scoring = fingerprint

    def enrol(self, features: Sequence[Rows]) -> Any:
        # One vector a recording was a 1-D array in legacy Bob.
        return self._wrapped.enroll([_as_legacy(rows) for rows in features])

    def write_model(self, model: Any, path: str) -> None:
        getattr(self._wrapped, "write_model", arrays.write)(model, path)

    def read_model(self, path: Path) -> Any:
        return getattr(self._wrapped, "read_model", arrays.read)(str(path))

    def against(self, probes: Sequence[Sequence[Rows]]) -> Scorer:
        legacy = [[_as_legacy(rows) for rows in parts] for parts in probes]

        def score(
            models: Sequence[Any], chosen: NDArray[np.intp] | None
        ) -> NDArray[np.float64]:
            part = legacy if chosen is None else [legacy[i] for i in chosen]
            return np.array([[self._score(m, probe) for probe in part] for m in models])

        return score

    def _score(self, model: Any, probe: list[Rows]) -> float:
        if len(probe) == 1:
            return float(self._wrapped.score(model, probe[0]))
        together = getattr(self._wrapped, "score_for_multiple_probes", None)
        if together is not None:
            return float(together(model, probe))
        return float(np.mean([self._wrapped.score(model, item) for item in probe]))


def _as_legacy(rows: Rows) -> Rows:
    return rows[0] if len(rows) == 1 else rows
