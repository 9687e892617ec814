"""The stage that makes a reference of each speaker's recordings."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from bob.learn.pytorch.experiment import stored
from bob.learn.pytorch.experiment.configuration import ConfigurationError
from bob.learn.pytorch.experiment.fingerprint import digest

if TYPE_CHECKING:
    from pathlib import Path

    from bob.learn.pytorch.experiment.experiment import Experiment, Outcome, Vectors
    from bob.learn.pytorch.protocols.trials import Reference, Trials

logger = logging.getLogger(__name__)


def enrol(
    experiment: Experiment,
    group: str,
    trials: Trials,
    vectors: Vectors,
    outcome: Outcome,
) -> dict[str, Any]:
    """Enrol every reference of a group from its usable recordings, by id.

    References without any are absent, and so are their files.
    """
    models: dict[str, Any] = {}
    for reference in trials.references:
        path = experiment.layout.model(group, reference.id)
        keys = [item.key for item in reference.recordings if item.key in vectors]
        _tell_of_missing(group, reference, len(keys), outcome)
        if "enrollment" in experiment.skip:
            if keys:
                models[reference.id] = _left_before(experiment, path, keys)
        elif keys:
            models[reference.id] = _enrolled(experiment, path, keys, vectors)
        else:
            path.unlink(missing_ok=True)
    return models


def _left_before(experiment: Experiment, path: Path, keys: list[str]) -> Any:
    """Read a reference of an earlier run."""
    present = stored.fingerprint(path)
    if present is None:
        raise ConfigurationError(
            f"enrollment is left out, but there is no reference in {path}; run without "
            "--skip-enrollment"
        )
    if present not in ("", _fingerprint(experiment, keys)):
        raise ConfigurationError(
            f"enrollment is left out, but {path} was enrolled from other embeddings or "
            "by another algorithm; run without --skip-enrollment"
        )
    if not stored.is_whole(path):
        raise ConfigurationError(
            f"enrollment is left out, but {path} is damaged; run without "
            "--skip-enrollment"
        )
    return experiment.algorithm.read_model(path)


def _fingerprint(experiment: Experiment, keys: list[str]) -> str:
    layout = experiment.layout
    # The vectors are read from these files, so their fingerprints say it all.
    made_from = [
        stored.fingerprint(layout.stored(layout.extracted, key)) for key in keys
    ]
    by = experiment.algorithm.fingerprint()
    return digest({"from": made_from, "algorithm": by})


def _enrolled(
    experiment: Experiment, path: Path, keys: list[str], vectors: Vectors
) -> Any:
    algorithm = experiment.algorithm
    fingerprint = _fingerprint(experiment, keys)
    is_there = not experiment.force and stored.fingerprint(path) == fingerprint
    if is_there and stored.is_whole(path):
        return algorithm.read_model(path)
    model = algorithm.enrol([vectors[key] for key in keys])
    stored.write(path, fingerprint, lambda place: algorithm.write_model(model, place))
    return model


def _tell_of_missing(
    group: str, reference: Reference, used: int, outcome: Outcome
) -> None:
    named = len(reference.recordings)
    if used == named:
        return
    outcome.weakened[f"{group}/{reference.id}"] = (used, named)
    if used:
        logger.warning(
            "reference %s of group %s is enrolled from %d of its %d recordings, since "
            "the others cannot be used",
            reference.id,
            group,
            used,
            named,
        )
    else:
        logger.warning(
            "reference %s of group %s has no usable recording: its scores are nan",
            reference.id,
            group,
        )
