"""Origin of scores, and whether a calibration, or a threshold, fits others."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from bob.learn.pytorch.files import file_sha256, write_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

#: The measure of calibrated and fused scores.
LOG_LIKELIHOOD_RATIO = "log-likelihood ratio (natural)"
#: The measure of scores that are cosines of the embeddings themselves.
COSINE = "cosine"
# Facts that scores must share for one calibration.
_FACTS = ("model", "weights", "measure", "mean_subtracted", "normalisation")
# What was fitted and made the scores; compared by its content, since a path may be
# spelled in many ways, and hold another one by now.
_FITTED = ("calibration", "fusion")
# For a reader of the scores; it does not tell how they were made.
_NOTES = "notes"


@dataclass(frozen=True)
class Origin:
    """Facts about what made scores, as far as they are known; false without any.

    Attributes
    ----------
    kept
        JSON values, as they stand beside a score file, in the provenance of a
        calibration, or in the report of an experiment. ``made_by`` may hold the
        fingerprint of the extractor of the embeddings.

    Examples
    --------
    >>> one = Origin({"measure": "cosine", "normalisation": "none"})
    >>> one.differs_from(Origin({"measure": "plda"}))
    "the measure is 'cosine', not 'plda'"
    >>> one.differs_from(Origin({"cohort": "a.h5"})) is None
    True
    """

    kept: Mapping[str, Any] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.kept)

    @classmethod
    def of_cosines(cls, made_by: Mapping[str, str]) -> Origin:
        """Return the origin of plain cosines of a ``model`` with its ``weights``."""
        own = {name: made_by[name] for name in _FACTS[:2] if name in made_by}
        return cls.of_scores(own, COSINE)

    @classmethod
    def of_scores(
        cls,
        made_by: Mapping[str, Any],
        measure: str,
        *,
        enrolment: str | None = None,
        sizes: Iterable[int] | None = None,
        mean_subtracted: bool = False,
        normalisation: str = "none",
        top: int | None = None,
        cohort: Mapping[str, str] | None = None,
    ) -> Origin:
        """Return the origin of scores that are made now.

        The sizes are the counts of recordings of references, and the top is that of
        the cohort scores that the normalisation takes.
        """
        several = None
        if sizes is not None:
            ends = sorted(set(sizes))
            several = " to ".join(map(str, dict.fromkeys([*ends[:1], *ends[-1:]])))
        more = f", top {top}" if top else ""
        kept = {
            "made_by": dict(made_by),
            "measure": measure,
            "enrolment": enrolment,
            "mean_subtracted": mean_subtracted,
            "normalisation": normalisation.removesuffix("-norm") + more,
            **(cohort or {}),
            "enrolment recordings": several,
        }
        return cls({name: value for name, value in kept.items() if value is not None})

    @property
    def facts(self) -> dict[str, str]:
        """Return all that is known, as texts of one level, without notes."""
        outer = {name: value for name, value in self.kept.items() if name != "made_by"}
        every = {**outer, **self._extractor}
        return {name: str(value) for name, value in every.items() if name != _NOTES}

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes of the maker of the scores on their recordings."""
        notes = self.kept.get(_NOTES, ())
        return tuple(map(str, notes)) if isinstance(notes, list | tuple) else ()

    @property
    def normalisation(self) -> str:
        """Return the normalisation, such as ``as-norm, top 100``; empty without.

        Examples
        --------
        >>> Origin({"normalisation": "as, top 100"}).normalisation
        'as-norm, top 100'
        """
        kept = str(self.kept.get("normalisation", "none"))
        kind, comma, more = kept.partition(",")
        return "" if kind in ("none", "None") else f"{kind}-norm{comma}{more}"

    @property
    def is_calibrated(self) -> bool | None:
        """Return whether the scores are log-likelihood ratios; None if unknown."""
        if not self:
            return None
        measure = str(self.kept.get("measure", ""))
        return "meaning" in self.kept or measure.startswith(LOG_LIKELIHOOD_RATIO)

    @property
    def are_cosines(self) -> bool:
        """Return whether the scores are plain cosines, which lie between -1 and 1."""
        facts = self.facts
        return (facts.get("measure"), facts.get("normalisation")) == (COSINE, "none")

    def of_system(self, name: str) -> Origin:
        """Return the origin of one system, from the provenance of a fusion."""
        kept = {
            fact: self.kept[_fact_of(name, fact)]
            for fact in _FACTS
            if _fact_of(name, fact) in self.kept
        }
        # Facts that all systems share are not repeated for each.
        return Origin({**self.kept, **kept})

    def first_difference(self, other: Origin, *, threshold: bool = False) -> str | None:
        """Return the name of the first fact that differs; see `differs_from`."""
        here, there = self.facts, other.facts
        names = list(_FACTS)
        if threshold:
            settings = self._extractor.keys() & other._extractor.keys()
            names += ["enrolment", *sorted(settings - set(_FACTS))]
        for name in names:
            if name in here and name in there and here[name] != there[name]:
                return name
        if threshold and self and other:
            return next((what for what in _FITTED if self._fitted(other, what)), None)
        return None

    def differs_from(self, other: Origin, *, threshold: bool = False) -> str | None:
        """Say how scores were made otherwise than others; None if nothing shows it.

        The facts that matter are the model, its weights, the measure, the subtracted
        mean and the normalisation. A fact that one side does not know is not compared.

        Parameters
        ----------
        threshold
            Also compare what a common threshold needs: all settings of the extractor,
            the enrolment, and the calibration or fusion that made the scores.
        """
        name = self.first_difference(other, threshold=threshold)
        if name is None:
            return None
        if name in _FITTED:
            return f"another {name} made them, or none"
        return f"the {name} is {self.facts[name]!r}, not {other.facts[name]!r}"

    @property
    def _extractor(self) -> dict[str, Any]:
        inner = self.kept.get("made_by", {})
        return dict(inner) if isinstance(inner, dict) else {}

    def _fitted(self, other: Origin, what: str) -> bool:
        """Return whether different calibrations, or fusions, made the two.

        Where one keeps no hash of it, as older files do not, the scores that it was
        fitted on are compared.
        """
        one, two = self.kept, other.kept
        if what not in one and what not in two:
            return False
        if (what in one) != (what in two):
            return True
        here, there = (kept.get(f"{what} sha256") for kept in (one, two))
        if here and there:
            return bool(here != there)
        return _trained_on(one, what) != _trained_on(two, what)


def provenance_of_fit(
    origins: Mapping[Path, Origin],
    *,
    speakers: int | None,
    systems: Mapping[str, Origin] | None = None,
) -> dict[str, str]:
    """Return what a calibration or fusion keeps of the scores that it was fitted on.

    Facts that all score files share are kept, and of a fusion those of each of its
    ``systems``. The number of ``speakers`` is None where it is not known.
    """
    found = {}
    if origins:
        found["scores"] = ", ".join(map(str, origins))
        found["sha256"] = ", ".join(map(file_sha256, origins))
        first, *others = (origin.facts for origin in origins.values())
        for name, value in first.items():
            if all(other.get(name) == value for other in others):
                found.setdefault(name, value)
    found["speakers"] = str(speakers)
    found["bob.learn.pytorch"] = version("bob.learn.pytorch")
    for system, origin in (systems or {}).items():
        facts = origin.facts
        found |= {_fact_of(system, name): facts[name]
                  for name in _FACTS if name in facts}  # fmt: skip
    return found


def provenance_file(scores: Path) -> Path:
    """Return the file that keeps what made a score file: ``<scores>.json``."""
    return scores.with_name(f"{scores.name}.json")


def write_provenance(scores: Path, kept: Mapping[str, Any]) -> None:
    """Write beside a score file what made it, with the hash that it goes with.

    Parameters
    ----------
    kept
        JSON values; ``made_by`` is the fingerprint of the embeddings, and ``measure``,
        ``enrolment``, ``mean_subtracted``, ``normalisation``, ``cohort``,
        ``cohort_size`` and ``enrolment recordings`` are what calibrations go by.
    """
    content = {
        "scores": scores.name,
        "sha256": file_sha256(scores),
        **kept,
        "bob.learn.pytorch": version("bob.learn.pytorch"),
    }
    write_text(provenance_file(scores), json.dumps(content, indent=2) + "\n")


def read_provenance(scores: Path, *, sha256: str | None = None) -> dict[str, Any]:
    """Read what made a score file, as long as it is kept of these very scores.

    Parameters
    ----------
    sha256
        Hash of the score file, 64 hexadecimal digits, where it is known already.

    Returns
    -------
    dict
        The JSON values of `write_provenance` without the hash; empty where there is no
        such file, it cannot be read as JSON, or the scores have changed since.
    """
    try:
        content = json.loads(provenance_file(scores).read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(content, dict):
        return {}
    of_these = content.pop("sha256", "") == (sha256 or file_sha256(scores))
    return content if of_these else {}


def _fact_of(system: str, name: str) -> str:
    return f"{system}: {name}"


def _trained_on(kept: Mapping[str, Any], what: str) -> object:
    trained = kept.get(f"{what} trained on")
    return trained.get("sha256") if isinstance(trained, dict) else trained
