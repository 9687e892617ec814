"""Origin of the scores of an experiment, as it is kept beside them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from bob.learn.pytorch.experiment.algorithms import Similarity
from bob.learn.pytorch.models.errors import WeightsError

if TYPE_CHECKING:
    from bob.learn.pytorch.experiment.components import Preprocessing
    from bob.learn.pytorch.experiment.experiment import Experiment
    from bob.learn.pytorch.protocols.trials import Trials

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def origin(experiment: Experiment, group: str, trials: Trials) -> dict[str, Any]:
    """Return what `write_provenance` keeps of the scores of a group, as JSON values.

    The experiment is that of the raw scores, or of the normalised ones; see `kinds`.
    """
    counts = {len(reference.recordings) for reference in trials.references}
    database = experiment.database
    return {
        "made_by": _made_by(experiment.preprocessing),
        "measure": _measure(experiment),
        **_enrolment(experiment.algorithm),
        "mean_subtracted": False,
        **_normalisation(experiment, group),
        "enrolment recordings": " to ".join(
            map(str, sorted({min(counts), max(counts)}))
        ),
        "database": database.name,
        "protocol": str(database.protocol),
        "group": group,
    }


def _made_by(preprocessing: Preprocessing) -> dict[str, str]:
    """Return the fingerprint of an extractor, as stores of embeddings have it."""
    component = preprocessing.component
    if not getattr(component, "embeds_in_batches", False):
        return {"model": named(component)}
    try:
        # Kept by the preprocessing: hashing large weights takes seconds.
        own = preprocessing.made_by()["own"]
    except WeightsError:  # they are not here, and the embeddings are
        return {"model": component.model.name}
    # What names a file stands there with its state.
    return {key: item[0] if isinstance(item, list) else item
            for key, item in own.items()}  # fmt: skip


def _measure(experiment: Experiment) -> str:
    """``cosine`` is that of the embeddings themselves, which other commands compute."""
    algorithm = experiment.algorithm
    plain = (
        isinstance(algorithm, Similarity)
        and algorithm.measure == "cosine"
        and (algorithm.scale, algorithm.offset) == (1.0, 0.0)
    )
    measure = "cosine" if plain else named(algorithm)
    extractor, layout = experiment.extraction.component, experiment.layout
    if layout.extracted == layout.preprocessed or _changes_nothing(extractor):
        return measure
    return f"{measure} of what {named(extractor)} makes"


def _changes_nothing(extractor: Any) -> bool:
    """Return whether it is ``CallableExtractor(lambda x: x)``, by its code."""
    function = getattr(extractor, "callable", None)
    code = getattr(function, "__code__", None)
    return code is not None and code.co_code == (lambda x: x).__code__.co_code


def _enrolment(algorithm: Any) -> dict[str, str]:
    if not isinstance(algorithm, Similarity):
        return {}
    if algorithm.enrolment == "embeddings":
        return {"enrolment": "mean"}
    fusion = algorithm.enrolment_fusion
    return {"enrolment": {"mean": "scores"}.get(fusion, fusion)}


def _normalisation(experiment: Experiment, group: str) -> dict[str, str]:
    normalisation = experiment.normalisation
    if normalisation is None:
        return {"normalisation": "none"}
    top = f", top {normalisation.top}" if normalisation.top else ""
    cohort = normalisation.cohorts[group]
    return {
        "normalisation": normalisation.method.removesuffix("-norm") + top,
        "cohort": cohort.name,
        "cohort_size": str(len(cohort.probes)),
    }


def named(component: object) -> str:
    """Return a component in words, without its place in memory, which changes."""
    return _ADDRESS.sub("", str(component))
