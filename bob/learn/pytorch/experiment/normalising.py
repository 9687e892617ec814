"""Scores of an experiment relative to those against a cohort.

The algorithm of the experiment scores the cohort too: as probes against the references
of a protocol, and as references against its probes.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from bob.learn.pytorch.experiment import stored
from bob.learn.pytorch.experiment.cohort import PREFIX
from bob.learn.pytorch.experiment.components import as_rows
from bob.learn.pytorch.experiment.configuration import ConfigurationError
from bob.learn.pytorch.experiment.fingerprint import of_component
from bob.learn.pytorch.experiment.stored_speakers import identities
from bob.learn.pytorch.protocols.trials import Probe, Reference, WithoutExtras
from bob.learn.pytorch.scoring import CohortNormaliser, CohortSides
from bob.learn.pytorch.store.records import differing

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence

    from numpy.typing import NDArray

    from bob.learn.pytorch.experiment.experiment import (
        CohortMembers,
        Experiment,
        Normalisation,
        Vectors,
    )
    from bob.learn.pytorch.protocols.trials import Database, Recording, Trials
    from bob.learn.pytorch.scoring.backend import Prepared

    FloatArray: TypeAlias = NDArray[np.float64]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class RowNormaliser:
    """Normalises the scores of one reference of a group against its probes.

    Attributes
    ----------
    normaliser
        Knows the references with a model, and the usable probes.
    place
        Id of a reference -> its position; those without a model are absent.
    good
        ``(probes,)``, true for the probes of the group that are usable.
    """

    normaliser: CohortNormaliser
    place: Mapping[str, int]
    good: NDArray[np.bool_]

    def means(self, references: Sequence[str]) -> tuple[FloatArray, FloatArray]:
        """Return the mean cohort score of references, and of all probes of the group.

        Of as-norm that of the highest; NaN where there is no embedding.
        """
        of_references, of_probes = self.normaliser.means
        places = [self.place.get(name, -1) for name in references]
        probes = np.full(len(self.good), np.nan)
        probes[self.good] = of_probes
        return np.append(of_references, np.nan)[places], probes

    def __call__(
        self, reference: str, chosen: Sequence[int], scores: FloatArray
    ) -> FloatArray:
        """(probes,) -> (probes,): normalise scores against the chosen probes."""
        normalised = np.full(len(scores), np.nan)
        where = np.asarray(chosen, dtype=np.int64)
        usable = self.good[where]
        if reference not in self.place or not usable.any():
            return normalised
        probes = (np.cumsum(self.good) - 1)[where[usable]]
        pairs = np.full(probes.size, self.place[reference]), probes
        normalised[usable] = self.normaliser(scores[usable], pairs=pairs)
        return normalised


def row_normaliser(
    experiment: Experiment,
    group: str,
    trials: Trials,
    vectors: Vectors,
    *,
    references: Prepared,
    place: Mapping[str, int],
    probes: Prepared,
    good: NDArray[np.bool_],
) -> RowNormaliser | None:
    """Prepare the cohort of a group, None if nothing is normalised.

    Parameters
    ----------
    references, place
        Those with a model, and the position of each by its id.
    probes, good
        Usable probes, and ``(probes,)`` which of the group they are.

    Raises
    ------
    ScoringError
        The cohort has fewer members with an embedding than asked for.
    """
    normalisation = experiment.normalisation
    if normalisation is None:
        return None
    members = normalisation.cohorts[group]
    sides = _sides(members, experiment, vectors)
    names = (
        [item.id for item in trials.references if item.id in place],
        [item.id for item, usable in zip(trials.probes, good, strict=True) if usable],
    )
    normaliser = CohortNormaliser(
        normalisation.method,
        experiment.algorithm,
        references,
        probes,
        sides,
        names,
        normalisation.top,
    )
    return RowNormaliser(normaliser, place, good)


class _Plain(WithoutExtras):
    """A database of recordings that are files, for their preprocessing alone."""

    name, protocol = PREFIX, None
    original_directory = None

    def groups(self) -> tuple[str, ...]:
        return ()

    def trials(self, group: str) -> Trials:
        raise NotImplementedError(group)


def all_recordings(
    normalisation: Normalisation,
) -> list[tuple[CohortMembers, list[Recording]]]:
    """Return each different cohort with the recordings of which files are made."""
    cohorts = {id(cohort): cohort for cohort in normalisation.cohorts.values()}
    return [
        (cohort, cohort.recordings())
        for cohort in cohorts.values()
        if cohort.store is None
    ]


def database_of(cohort: CohortMembers) -> Database:
    """Return the database that loads the recordings of a cohort."""
    return cohort.database or _Plain()


def refuse_other_model(cohort: CohortMembers, experiment: Experiment) -> None:
    """Refuse a store of embeddings that the preprocessor would make differently.

    Raises
    ------
    ConfigurationError
        With what differs.
    """
    from bob.learn.pytorch.experiment.from_store import embedding_extractor

    wanted = embedding_extractor(experiment.preprocessing.component).fingerprint()
    keys = differing(cohort.content.fingerprint, wanted)
    if keys:
        raise ConfigurationError(
            f"the cohort {cohort.store} was not made by this preprocessor: they differ "
            f"in {', '.join(keys)}; embed the cohort with it, or name recordings"
        )


def _sides(
    cohort: CohortMembers, experiment: Experiment, vectors: Vectors
) -> CohortSides:
    """Prepare a cohort; members without any embedding are left out.

    Parameters
    ----------
    vectors
        By key of the recording; not used if the cohort has a store.
    """
    if cohort.store is not None:
        vectors = _stored_vectors(cohort, experiment)
    who = _identities(cohort)
    references = [(item, _rows(item, vectors)) for item in cohort.references]
    probes = [(item, _rows(item, vectors)) for item in cohort.probes]
    without = sum(not rows for _, rows in probes)
    if without:
        logger.warning("%d members of the cohort have no embedding", without)
    algorithm = experiment.algorithm
    prepare = algorithm.mean_probes if cohort.by_speaker else algorithm.probes
    return CohortSides(
        algorithm.references([algorithm.enrol(rows) for _, rows in references if rows]),
        prepare([rows for _, rows in probes if rows]),
        [who(item) for item, rows in references if rows],
        [who(item) for item, rows in probes if rows],
        cohort.name,
    )


def _identities(cohort: CohortMembers) -> Callable[[Reference | Probe], Hashable]:
    """Return what tells the speakers of a cohort apart."""
    if cohort.store is None:
        return lambda item: item.subject
    content = cohort.content
    who = dict(zip(content.names, identities(content), strict=True))
    return lambda item: who[item.recordings[0].key]


def _rows(item: Reference | Probe, vectors: Vectors) -> list[Any]:
    return [vectors[rec.key] for rec in item.recordings if rec.key in vectors]


def _stored_vectors(cohort: CohortMembers, experiment: Experiment) -> Vectors:
    content, extraction = cohort.content, experiment.extraction
    rows = content.embeddings[:, None].astype(float)
    found: dict[str, Any] = dict(zip(content.names, rows, strict=True))
    if "extraction" not in experiment.skip:
        for item in cohort.recordings():
            feature = extraction(found[item.key], item)
            found[item.key] = as_rows(feature, item.key)
    return found


def fingerprint(
    normalisation: Normalisation, group: str, experiment: Experiment
) -> list[object]:
    """Return what determines the normalisation of a group's scores, as JSON values."""
    cohort, layout = normalisation.cohorts[group], experiment.layout
    if cohort.store is not None:
        made = hashlib.blake2b(cohort.content.embeddings.tobytes(), digest_size=16)
        of_members: list[Any] = [list(cohort.content.names), made.hexdigest()]
    else:
        of_members = [
            stored.fingerprint(layout.stored(layout.extracted, item.key))
            for item in cohort.recordings()
        ]
    items: tuple[Reference | Probe, ...] = (*cohort.references, *cohort.probes)
    members = [
        [item.id, item.subject, [recording.key for recording in item.recordings]]
        for item in items
    ]
    settings = of_component(
        [normalisation.method, normalisation.top, cohort.by_speaker]
    )
    return [settings, members, of_members]
