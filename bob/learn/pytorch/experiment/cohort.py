"""The cohort of an experiment: its speakers, their recordings, and normalisation by it.

The algorithm of the experiment scores the cohort too: as probes against the references
of a protocol, and as references against its probes.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bob.learn.pytorch.errors import ScoringError
from bob.learn.pytorch.experiment.components import as_rows
from bob.learn.pytorch.experiment.configuration import ConfigurationError
from bob.learn.pytorch.experiment.experiment import (
    CohortMembers,
    Normalisation,
    usable_vectors,
)
from bob.learn.pytorch.experiment.fingerprint import of_component
from bob.learn.pytorch.experiment.stored import fingerprint as stored_fingerprint
from bob.learn.pytorch.experiment.stored_speakers import cohort_speakers, identities
from bob.learn.pytorch.protocols.cohorts import (
    own_cohort,
    read_cohort,
    speakers_in_both,
)
from bob.learn.pytorch.protocols.trials import (
    Database,
    Probe,
    Recording,
    Reference,
    Trials,
    WithoutExtras,
)
from bob.learn.pytorch.scoring import (
    CohortNormaliser,
    CohortSides,
    normalisation_named,
)
from bob.learn.pytorch.scoring.cohort import too_small_for
from bob.learn.pytorch.store.records import differing

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator

    from bob.learn.pytorch.choices import Method
    from bob.learn.pytorch.experiment.experiment import Experiment, Vectors
    from bob.learn.pytorch.experiment.options import Settings
    from bob.learn.pytorch.scoring.backend import Prepared

logger = logging.getLogger(__name__)

#: Below it are the embeddings of a cohort that is not the database's own.
PREFIX = "cohort"


def normalisation_of(
    settled: Settings, database: Database, given: object
) -> Normalisation | None:
    """Return the normalisation that was asked for, None if none was.

    The cohort is what is given, a path or a database, or else that of the database.

    Raises
    ------
    ConfigurationError
        The method is not known, or there is no cohort.
    """
    method = _method(settled)
    if method is None:
        if given is not None:
            logger.warning(
                "a cohort is given, and nothing is normalised by it: set "
                "score_normalisation"
            )
        return None
    by_speaker, groups = not settled.cohort_recordings, settled.groups
    if given is None:
        each = {group: _own(database, group, by_speaker=by_speaker) for group in groups}
        # Groups of one cohort share it, so that its embeddings are made once.
        shared = {cohort: cohort for cohort in each.values()}
        cohorts = {group: shared[cohort] for group, cohort in each.items()}
    else:
        cohort = _from(given, by_speaker=by_speaker)
        _warn_of_shared_speakers(cohort, database)
        cohorts = dict.fromkeys(groups, cohort)
    top = int(settled.cohort_top) if method == "as-norm" else None
    if top is not None and top < 2:
        raise ConfigurationError(
            f"cohort_top is {settled.cohort_top}; a spread takes 2 scores or more"
        )
    for cohort in cohorts.values():
        _require_enough(method, top, cohort)
    return Normalisation(method, cohorts, top)


def _method(settled: Settings) -> Method | None:
    method: Method | None = None
    if settled.score_normalisation is not None:
        try:
            method = normalisation_named(settled.score_normalisation)
        except ScoringError as error:
            raise ConfigurationError(f"score_normalisation: {error}") from error
    if settled.zt_norm:
        if method not in (None, "zt-norm"):
            raise ConfigurationError(
                f"--zt-norm and --score-normalisation {method} exclude each other"
            )
        method = "zt-norm"
    if method is not None and len(set(settled.score_directories)) < 2:
        raise ConfigurationError(
            f"score_directories is {list(settled.score_directories)}; raw and "
            "normalised scores need one each, such as ['nonorm', 'ztnorm']"
        )
    return method


def _warn_of_shared_speakers(cohort: CohortMembers, database: Database) -> None:
    shared = speakers_in_both(tuple(cohort.recordings()), database)
    if shared:
        logger.warning(
            "%d of the cohort's speakers are also compared (%s), which makes scores "
            "look better than they are: take them out of the cohort",
            len(shared),
            ", ".join(shared[:3]),
        )


def _own(database: Database, group: str, *, by_speaker: bool) -> CohortMembers:
    references, probes = own_cohort(database, group)
    name = f"the database {database.name}"
    if references and probes:
        return CohortMembers(
            references, probes, name, by_speaker=False, database=database
        )
    found = database.training()
    if not found:
        raise ConfigurationError(
            f"the database {database.name} has no cohort and no training recordings: "
            "name other speakers, for example --cohort folder/of/speakers"
        )
    return _grouped(found, name, by_speaker=by_speaker, database=database)


def _from(given: object, *, by_speaker: bool) -> CohortMembers:
    if isinstance(given, str | os.PathLike) and Path(given).suffix == ".h5":
        return _from_store(Path(given).expanduser(), by_speaker=by_speaker)
    recordings = [
        Recording(
            f"{PREFIX}/{item.key}", item.path, item.subject, item.source,
            item.metadata, item.own_loader,
        )
        for item in read_cohort(given)
    ]  # fmt: skip
    is_path = isinstance(given, str | os.PathLike)
    name = Path(given).name if is_path else str(getattr(given, "name", given))  # type: ignore[arg-type]
    database: Any = given if hasattr(given, "annotations") else None
    return _grouped(recordings, name, by_speaker=by_speaker, database=database)


def _from_store(path: Path, *, by_speaker: bool) -> CohortMembers:
    from bob.learn.pytorch.store.store import EmbeddingStore

    content = EmbeddingStore.read(path)
    if not content.names:
        raise ConfigurationError(f"the cohort {path} holds no embedding")
    known = cohort_speakers(content) if by_speaker else None
    by_speaker = known is not None
    speakers = content.names if known is None else known[1]
    recordings = [
        Recording(name, None, speaker)
        for name, speaker in zip(content.names, speakers, strict=True)
    ]
    cohort = _grouped(recordings, path.name, by_speaker=by_speaker, database=None)
    return CohortMembers(
        cohort.references, cohort.probes, cohort.name, by_speaker, store=path
    )


def _grouped(
    recordings: Iterable[Recording],
    name: str,
    *,
    by_speaker: bool,
    database: Database | None,
) -> CohortMembers:
    """Make one member a speaker, or one a recording."""
    members: dict[str, list[Recording]] = defaultdict(list)
    for item in recordings:
        members[item.subject if by_speaker else item.key].append(item)
    items = [(key, part[0].subject, tuple(part)) for key, part in members.items()]
    return CohortMembers(
        tuple(Reference(*item) for item in items),
        tuple(Probe(*item) for item in items),
        name,
        by_speaker,
        database,
    )


def _require_enough(method: Method, top: int | None, cohort: CohortMembers) -> None:
    """Refuse a cohort with fewer members on either side than the method takes."""
    sizes = {"references": len(cohort.references), "probes": len(cohort.probes)}
    if reason := too_small_for(method, top, **sizes):
        repairs = top and not too_small_for(method, None, **sizes)
        how = " (cohort_top, --cohort-top)" if repairs else ""
        raise ConfigurationError(f"{method}: {reason}{how}")


def normaliser_of(
    normalisation: Normalisation,
    experiment: Experiment,
    group: str,
    trials: Trials,
    vectors: Vectors,
    sides: tuple[Prepared, Prepared],
) -> CohortNormaliser:
    """Prepare the cohort of a group for both sides of its trials."""
    names = [[item.id for item in side] for side in (trials.references, trials.probes)]
    return CohortNormaliser(
        normalisation.method,
        experiment.algorithm,
        *sides,
        _sides(normalisation.cohorts[group], experiment, vectors),
        (names[0], names[1]),
        normalisation.top,
    )


class _Plain(WithoutExtras):
    """A database of recordings that are files, for their preprocessing alone."""

    name, protocol = PREFIX, None
    original_directory = None

    def groups(self) -> tuple[str, ...]:
        return ()

    def trials(self, group: str) -> Trials:
        raise NotImplementedError(group)


def cohort_recordings(
    normalisation: Normalisation, experiment: Experiment
) -> Iterator[tuple[Database, list[Recording]]]:
    """Yield the recordings of each different cohort, and the database that loads them.

    Those of a cohort in a store are not needed, if this preprocessor made it.
    """
    given = normalisation.cohorts.values()
    for cohort in {id(cohort): cohort for cohort in given}.values():
        if cohort.store is None:
            yield cohort.database or _Plain(), cohort.recordings()
            continue
        from bob.learn.pytorch.experiment.from_store import embedding_extractor

        wanted = embedding_extractor(experiment.preprocessing.component).fingerprint()
        if keys := differing(cohort.content.fingerprint, wanted):
            raise ConfigurationError(
                f"the cohort {cohort.store} was not made by this preprocessor: they "
                f"differ in {', '.join(keys)}; embed the cohort with it, or name "
                "recordings"
            )


def _sides(
    cohort: CohortMembers, experiment: Experiment, vectors: Vectors
) -> CohortSides:
    """Prepare a cohort; members without any embedding are left out."""
    if cohort.store is not None:
        vectors = _stored_vectors(cohort, experiment)
    who = _identities(cohort)
    references = [(item, usable_vectors(item, vectors)) for item in cohort.references]
    probes = [(item, usable_vectors(item, vectors)) for item in cohort.probes]
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
            stored_fingerprint(layout.stored(layout.extracted, item.key))
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
