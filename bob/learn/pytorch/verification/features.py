"""The stages that turn recordings into stored features, and features into vectors."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bob.learn.pytorch.audio import RecordingError
from bob.learn.pytorch.verification import stored
from bob.learn.pytorch.verification.configuration import ConfigurationError
from bob.learn.pytorch.verification.fingerprint import of_step, same_maker
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


class Step(Protocol):
    """One stage that makes a file of every recording."""

    stage: str
    folder: Path

    def prepare(self) -> None:
        """Load what computing needs; its errors are no recording's."""

    def made_by(self) -> Any:
        """What beside the recording determines the result; may fetch weights."""

    def made_from(self, recording: Recording) -> Any:
        """What of the recording determines the result; may fail with it."""

    def compute(self, recording: Recording) -> Any:
        """The result, or an error of the recording."""

    def write(self, result: Any, path: Path, fingerprint: str) -> None:
        """Store a result; an error here is the disk's."""


class Preprocess:
    """From the recording to the preprocessed file."""

    stage = "preprocessing"

    def __init__(self, experiment: Experiment) -> None:
        preprocessing = experiment.preprocessing
        self.folder = experiment.layout.preprocessed
        self.prepare = preprocessing.prepare
        self.made_by = preprocessing.made_by
        self.made_from = preprocessing.made_from
        self.write = preprocessing.write
        self._preprocessing = preprocessing

    def compute(self, recording: Recording) -> Any:
        """Read and preprocess a recording."""
        return _required(self._preprocessing(recording), self.stage)


class Extract:
    """From the preprocessed file, or the recording itself, to the feature's file."""

    stage = "extraction"

    def __init__(self, experiment: Experiment) -> None:
        self._preprocessing = experiment.preprocessing
        self._extraction = experiment.extraction
        self._layout = experiment.layout
        self._stored = experiment.preprocessing.writes_data
        self.folder = experiment.layout.extracted
        self.write = experiment.extraction.write

    def prepare(self) -> None:
        """Load what the extractor needs, and the preprocessor if it runs here."""
        self._extraction.prepare()
        if not self._stored:
            self._preprocessing.prepare()

    def made_by(self) -> Any:
        """The extractor, and the preprocessor if it runs here."""
        before = None if self._stored else self._preprocessing.made_by()
        return [self._extraction.made_by(), before]

    def made_from(self, recording: Recording) -> Any:
        """The preprocessed file, or the recording."""
        if self._stored:
            return stored.fingerprint(self._source(recording))
        return self._preprocessing.made_from(recording)

    def compute(self, recording: Recording) -> Any:
        """Extract the feature."""
        if self._stored:
            data = self._preprocessing.read(self._source(recording))
        else:
            data = _required(self._preprocessing(recording), "preprocessing")
        return _required(self._extraction(data, recording), self.stage)

    def _source(self, recording: Recording) -> Path:
        return self._layout.stored(self._layout.preprocessed, recording.key)


def _required(result: Any, stage: str) -> Any:
    if result is None:
        raise ValueError(f"{stage} was not successful: the component returned None")
    return result


def make(
    step: Step,
    experiment: Experiment,
    recordings: Sequence[Recording],
    outcome: Outcome,
) -> None:
    """Run a step on every recording whose file is missing or outdated."""
    good = [item for item in recordings if item.key not in outcome.failures]
    before = len(outcome.failures)
    planned = _plan(step, experiment, good, outcome)
    if planned:
        step.prepare()
    for recording, path, fingerprint in track(planned, step.stage):
        _make_one(step, recording, path, fingerprint, outcome)
    failed = len(outcome.failures) - before
    reused = outcome.reused[step.stage]
    outcome.computed[step.stage] = len(good) - reused - failed


def _make_one(
    step: Step, recording: Recording, path: Path, fingerprint: str, outcome: Outcome
) -> None:
    try:
        result = step.compute(recording)
    except _OF_THE_RECORDING as error:
        _fail(recording, step.stage, error, outcome)
    except Exception:
        logger.warning("%s broke at %s", step.stage, recording.path or recording.key)
        raise
    else:
        step.write(result, path, fingerprint)


def _plan(
    step: Step,
    experiment: Experiment,
    recordings: Sequence[Recording],
    outcome: Outcome,
) -> list[tuple[Recording, Path, str]]:
    """What is to be computed: recording, its file, and the file's fingerprint."""
    planned, reused, outdated = [], 0, 0
    for recording, path, fingerprint in _expected(
        step, experiment, recordings, outcome
    ):
        present = None if experiment.force else stored.fingerprint(path)
        if present == fingerprint:
            reused += 1
        else:
            planned.append((recording, path, fingerprint))
            outdated += present is not None
    outcome.reused[step.stage], outcome.outdated[step.stage] = reused, outdated
    if outdated:
        logger.warning(
            "%s: %d of the files in %s were made by another model, recording or "
            "setting and are computed anew",
            step.stage,
            outdated,
            step.folder,
        )
    return planned


def _expected(
    step: Step,
    experiment: Experiment,
    recordings: Sequence[Recording],
    outcome: Outcome,
) -> Iterator[tuple[Recording, Path, str]]:
    made_by = step.made_by()
    for recording in recordings:
        path = experiment.layout.stored(step.folder, recording.key)
        try:
            made_from = step.made_from(recording)
        except _OF_THE_RECORDING as error:
            _fail(recording, step.stage, error, outcome)
        else:
            yield recording, path, of_step(made_by, made_from)


def refuse_outdated(
    step: Step, experiment: Experiment, recordings: Sequence[Recording]
) -> None:
    """Refuse to leave out a step whose files do not fit what is there now.

    Recordings that are gone, and files that another program left without a
    fingerprint, are taken as they are.

    Raises
    ------
    ConfigurationError
        With the number of files that do not fit.
    """
    outdated = sum(
        not _fits(stored.fingerprint(path), fingerprint, recording)
        for recording, path, fingerprint in _expected(
            step, experiment, recordings, Outcome()
        )
    )
    if outdated:
        raise ConfigurationError(
            f"{step.stage} is left out, but {outdated} stored files in {step.folder} "
            "were made by another model or setting, or from what has changed since; "
            f"run without --skip-{step.stage} to make them anew"
        )


def _fits(present: str | None, expected: str, recording: Recording) -> bool:
    if present in (None, "", expected):
        return True
    gone = recording.path is not None and not recording.path.exists()
    return gone and same_maker(present or "", expected)


def _fail(recording: Recording, stage: str, error: Exception, outcome: Outcome) -> None:
    if type(error).__name__ == "OutOfMemoryError":  # torch's: the device is to blame
        raise error
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
    if not rows.any(axis=1).all():
        raise ValueError(f"{path} holds an embedding of zeros, which is like nothing")
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
