"""The stages that turn recordings into stored features, and features into vectors."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bob.learn.pytorch.audio import RecordingError
from bob.learn.pytorch.verification import stored
from bob.learn.pytorch.verification.configuration import ConfigurationError
from bob.learn.pytorch.verification.fingerprint import digest
from bob.learn.pytorch.verification.outcome import Failure, Outcome
from bob.learn.pytorch.verification.progress import track

if TYPE_CHECKING:
    from pathlib import Path

    from bob.learn.pytorch.verification.database import Recording
    from bob.learn.pytorch.verification.experiment import Experiment

logger = logging.getLogger(__name__)

#: What a bad recording makes readers and components raise. Anything else is a
#: mistake in a component, which no other recording would survive either.
_OF_THE_RECORDING = (RecordingError, OSError, ValueError, RuntimeError)

Vectors = Mapping[str, NDArray[np.float64]]


class _NoResultError(ValueError):
    """A component returned None."""


def preprocess(
    experiment: Experiment, recordings: Sequence[Recording], outcome: Outcome
) -> None:
    """Preprocess every recording whose stored result is missing or outdated."""
    preprocessing = experiment.preprocessing
    if not preprocessing.writes_data:
        return

    def expected(recording: Recording) -> str:
        return digest(preprocessing.fingerprint(recording))

    def compute(recording: Recording, path: Path, fingerprint: str) -> None:
        data = _required(preprocessing(recording), "preprocessing")
        preprocessing.write(data, path, fingerprint)

    _store_all(
        experiment,
        "preprocessing",
        recordings,
        outcome,
        expected=expected,
        compute=compute,
    )


def extract(
    experiment: Experiment, recordings: Sequence[Recording], outcome: Outcome
) -> None:
    """Extract every feature whose stored result is missing or outdated."""
    preprocessing, extraction = experiment.preprocessing, experiment.extraction
    layout = experiment.layout

    def source(recording: Recording) -> Path:
        return layout.stored(layout.preprocessed, recording.key)

    def expected(recording: Recording) -> str:
        if preprocessing.writes_data:
            made_from: Any = stored.fingerprint(source(recording))
        else:
            made_from = preprocessing.fingerprint(recording)
        return digest({"from": made_from, "extractor": extraction.fingerprint()})

    def compute(recording: Recording, path: Path, fingerprint: str) -> None:
        if preprocessing.writes_data:
            data = preprocessing.read(source(recording))
        else:
            data = _required(preprocessing(recording), "preprocessing")
        feature = _required(extraction(data, recording), "extraction")
        extraction.write(feature, path, fingerprint)

    _store_all(
        experiment,
        "extraction",
        recordings,
        outcome,
        expected=expected,
        compute=compute,
    )


def _required(result: Any, stage: str) -> Any:
    if result is None:
        raise _NoResultError(f"{stage} was not successful: the component returned None")
    return result


def _store_all(
    experiment: Experiment,
    stage: str,
    recordings: Sequence[Recording],
    outcome: Outcome,
    *,
    expected: Callable[[Recording], str],
    compute: Callable[[Recording, Path, str], None],
) -> None:
    layout = experiment.layout
    folder = layout.preprocessed if stage == "preprocessing" else layout.extracted
    good = [item for item in recordings if item.key not in outcome.failures]
    wanted, outdated = [], 0
    for recording in good:
        path = layout.stored(folder, recording.key)
        fingerprint = expected(recording)
        present = stored.fingerprint(path)
        if experiment.force or present != fingerprint:
            wanted.append((recording, path, fingerprint))
            outdated += present is not None and not experiment.force
    if outdated:
        logger.warning(
            "%s: %d stored files in %s were made by another model, recording or "
            "setting and are computed anew",
            stage,
            outdated,
            folder,
        )
    if wanted:
        experiment.preprocessing.prepare()
    before = len(outcome.failures)
    for recording, path, fingerprint in track(wanted, stage):
        _store(
            recording, path, fingerprint, compute=compute, stage=stage, outcome=outcome
        )
    outcome.outdated[stage] = outdated
    outcome.reused[stage] = len(good) - len(wanted)
    outcome.computed[stage] = len(wanted) - (len(outcome.failures) - before)


def _store(
    recording: Recording,
    path: Path,
    fingerprint: str,
    *,
    compute: Callable[[Recording, Path, str], None],
    stage: str,
    outcome: Outcome,
) -> None:
    try:
        compute(recording, path, fingerprint)
    except _OF_THE_RECORDING as error:
        # What an earlier recording of this name has left must not stand for it.
        path.unlink(missing_ok=True)
        _fail(recording, stage, error, outcome)


def _fail(recording: Recording, stage: str, error: Exception, outcome: Outcome) -> None:
    reason = getattr(error, "reason", None) or str(error) or type(error).__name__
    outcome.failures[recording.key] = Failure(
        recording.key, recording.path, stage, reason
    )
    logger.info("%s of %s failed: %s", stage, recording.key, reason)


def load(
    experiment: Experiment, recordings: Sequence[Recording], outcome: Outcome
) -> Vectors:
    """Read the features of all good recordings as rows of vectors.

    Returns
    -------
    mapping
        Key of the recording -> array of shape (vectors, dimensions); most
        features are one vector.

    Raises
    ------
    ConfigurationError
        If two recordings have vectors of different size.
    """
    vectors: dict[str, NDArray[np.float64]] = {}
    for recording in recordings:
        if recording.key not in outcome.failures:
            rows = _read(experiment, recording, outcome)
            if rows is not None:
                vectors[recording.key] = rows
    _require_one_size(vectors)
    return vectors


def _read(
    experiment: Experiment, recording: Recording, outcome: Outcome
) -> NDArray[np.float64] | None:
    layout = experiment.layout
    path = layout.stored(layout.extracted, recording.key)
    try:
        if not path.exists():
            raise FileNotFoundError(f"no stored feature at {path}")
        return _as_rows(experiment.extraction.read(path), path)
    except _OF_THE_RECORDING as error:
        _fail(recording, "reading of the feature", error, outcome)
        return None


def _as_rows(feature: Any, path: Path) -> NDArray[np.float64]:
    rows = np.atleast_2d(np.asarray(feature, dtype=np.float64))
    if rows.ndim != 2 or rows.size == 0:
        raise ValueError(
            f"{path} holds an array of shape {rows.shape}, expected one embedding "
            "(dimensions,) or several (vectors, dimensions)"
        )
    if not np.isfinite(rows).all():
        raise ValueError(f"{path} holds values that are not finite")
    return rows


def _require_one_size(vectors: Vectors) -> None:
    first: dict[int, str] = {}
    for key, rows in vectors.items():
        first.setdefault(rows.shape[1], key)
    if len(first) > 1:
        sizes = ", ".join(f"{size} ({key})" for size, key in first.items())
        raise ConfigurationError(
            f"embeddings of different sizes cannot be compared: {sizes}; did two "
            "models write into one sub_directory? --force computes all anew"
        )
