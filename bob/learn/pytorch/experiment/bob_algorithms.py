"""Algorithms of Bob and of legacy Bob in an experiment."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from bob.learn.pytorch.experiment.algorithms import (
    NAMED,
    Algorithm,
    PldaAlgorithm,
    Rows,
    Similarity,
)
from bob.learn.pytorch.experiment.configuration import ConfigurationError
from bob.learn.pytorch.experiment.fingerprint import of_component
from bob.learn.pytorch.scoring import PldaBackend
from bob.learn.pytorch.scoring.backend import MEASURES
from bob.learn.pytorch.scoring.enrolment import FUSIONS
from bob.learn.pytorch.store.arrays import read as read_array
from bob.learn.pytorch.store.arrays import write as write_array

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray


def as_algorithm(given: Any) -> Algorithm:
    """Wrap whatever a configuration calls an algorithm.

    That is a ``Similarity``, a ``PldaBackend``, the ``Distance`` (or any
    ``BioAlgorithm``) of Bob 8, or a legacy algorithm with ``enroll`` and ``score``.

    Raises
    ------
    ConfigurationError
        For anything else, and for a legacy algorithm that has to be trained.
    """
    if isinstance(given, Similarity):
        return given
    if isinstance(given, PldaBackend):
        return PldaAlgorithm(given)
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
    """Return Bob 8's Distance as products, where that is the same; otherwise None."""
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
        name not in MEASURES
        or module != "scipy.spatial.distance"
        or not fusions <= set(FUSIONS)
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
    """References, or probes, of an algorithm that is not ours.

    Attributes
    ----------
    items
        The usable ones.
    usable
        ``(count,)``, true for those.
    """

    items: Sequence[Any]
    usable: NDArray[np.bool_]

    def take(self, index: slice | NDArray[np.int64]) -> _Objects:
        usable = self.usable[index]
        places = self._place[index][usable]
        return _Objects([self.items[place] for place in places], usable)

    @cached_property
    def _place(self) -> NDArray[np.int64]:
        return np.cumsum(self.usable) - 1

    def __len__(self) -> int:
        return self.usable.size


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
        getattr(self._wrapped, self.files[1], write_array)(model, path)

    def read_model(self, path: Path) -> Any:
        return getattr(self._wrapped, self.files[0], read_array)(str(path))

    def references(self, models: Sequence[Any | None]) -> _Objects:
        there = [model for model in models if model is not None]
        return _Objects(there, np.array([model is not None for model in models], bool))

    def probes(self, probes: Sequence[Sequence[Rows]]) -> _Objects:
        there = self._prepared([list(parts) for parts in probes if len(parts)])
        return _Objects(there, np.array([len(parts) > 0 for parts in probes], bool))

    def matrix(self, references: _Objects, probes: _Objects) -> Rows:
        scores = np.full((len(references), len(probes)), np.nan)
        if len(references.items) and len(probes.items):
            found = self._compared(references.items, probes.items)
            scores[np.ix_(references.usable, probes.usable)] = found
        return scores

    @abstractmethod
    def _prepared(self, probes: list[list[Rows]]) -> Sequence[Any]:
        """Return the probes as the algorithm compares them."""

    @abstractmethod
    def _compared(self, models: Sequence[Any], probes: Sequence[Any]) -> Any:
        """Score each model with each probe."""


class _BobAlgorithm(_Wrapped):
    """An algorithm of Bob 8: templates from features, and a matrix of scores."""

    files = ("read_biometric_reference", "write_biometric_reference")

    def enrol(self, features: Sequence[Rows]) -> Any:
        return self._wrapped.create_templates([list(features)], enroll=True)[0]

    def _prepared(self, probes: list[list[Rows]]) -> Any:
        return self._wrapped.create_templates(probes, enroll=False)

    def _compared(self, models: Sequence[Any], probes: Sequence[Any]) -> Any:
        return self._wrapped.compare(list(models), probes)


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

    def _prepared(self, probes: list[list[Rows]]) -> Any:
        return [[_as_legacy(rows) for rows in parts] for parts in probes]

    def _compared(self, models: Sequence[Any], probes: Sequence[Any]) -> Any:
        return [[self._score(model, probe) for probe in probes] for model in models]

    def _score(self, model: Any, probe: list[Rows]) -> float:
        if len(probe) == 1:
            return float(self._wrapped.score(model, probe[0]))
        together = getattr(self._wrapped, "score_for_multiple_probes", None)
        if together is not None:
            return float(together(model, probe))
        return float(np.mean([self._wrapped.score(model, item) for item in probe]))


def _as_legacy(rows: Rows) -> Rows:
    return rows[0] if len(rows) == 1 else rows
