"""The stages that turn recordings into stored features, and features into vectors."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from bob.learn.pytorch.experiment import from_store, stored
from bob.learn.pytorch.experiment.components import tried
from bob.learn.pytorch.experiment.configuration import ConfigurationError
from bob.learn.pytorch.experiment.experiment import Outcome
from bob.learn.pytorch.experiment.fingerprint import of_step, same_maker
from bob.learn.pytorch.experiment.making import (
    OF_THE_RECORDING,
    Computed,
    Planned,
    Step,
    carried_out,
    failure,
    half_written,
)
from bob.learn.pytorch.files import source_of
from bob.learn.pytorch.progress import say, track
from bob.learn.pytorch.protocols.cohorts import knows_speakers
from bob.learn.pytorch.store.records import faults_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from bob.learn.pytorch.experiment.experiment import Experiment, Vectors
    from bob.learn.pytorch.protocols.trials import Recording

logger = logging.getLogger(__name__)


class Preprocess:
    """From the recording to the preprocessed file."""

    stage = "preprocessing"

    def __init__(self, experiment: Experiment) -> None:
        preprocessing = experiment.preprocessing
        self.folder = experiment.layout.preprocessed
        self.prepare = preprocessing.prepare
        self.source = _source
        self.made_by = preprocessing.made_by
        self.made_from = preprocessing.made_from
        self.write = preprocessing.write
        self._preprocessing = preprocessing

    def compute(self, recordings: Sequence[Recording]) -> Computed:
        """Read and preprocess recordings."""
        return self._preprocessing.many(recordings)


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

    def source(self, recording: Recording, known: str) -> str:
        """Describe the recording's file as `source_of` does, if it is read here."""
        return "" if self._stored else _source(recording, known)

    def made_by(self, *, before: bool = False) -> Any:
        """The extractor, and the preprocessor if it runs here."""
        first = None if self._stored else self._preprocessing.made_by(before=before)
        return [self._extraction.made_by(before=before), first]

    def made_from(
        self, recording: Recording, source: str, *, before: bool = False
    ) -> Any:
        """The preprocessed file, or the recording."""
        if self._stored:
            return stored.fingerprint(self._place(recording))
        return self._preprocessing.made_from(recording, source, before=before)

    def compute(self, recordings: Sequence[Recording]) -> Computed:
        """Extract the features."""
        read = partial(tried, self._read, stage=self.stage)
        read_all: Computed = map(read, recordings)
        data = read_all if self._stored else self._preprocessing.many(recordings)
        for recording, made in zip(recordings, data, strict=True):
            if made.error is None:
                extract = partial(self._extraction, made.result)
                done = tried(extract, recording, stage=self.stage)
                yield done._replace(closes=made.closes)
            else:
                yield made

    def _read(self, recording: Recording) -> Any:
        path = self._place(recording)
        if not path.exists():
            raise FileNotFoundError(
                f"no stored data at {path}; run once without --skip-preprocessing"
            )
        stored.check(path)
        return self._preprocessing.read(path)

    def _place(self, recording: Recording) -> Path:
        return self._layout.stored(self._layout.preprocessed, recording.key)


def _source(recording: Recording, known: str) -> str:
    return "" if recording.path is None else source_of(recording.path, known=known)


def make(
    step: Step,
    experiment: Experiment,
    recordings: Sequence[Recording],
    outcome: Outcome,
) -> None:
    """Run a step on every recording whose file is missing or outdated."""
    good = [item for item in recordings if item.key not in outcome.failures]
    before = len(outcome.failures)
    half = half_written(step)
    again = frozenset[str]().union(*half.values())
    planned = _plan(step, experiment, good, outcome, again)
    noted = {item.recording.key for item in planned}
    if experiment.store is not None and isinstance(step, Preprocess):
        planned = _taken_from_store(step, experiment, planned)
    failures = carried_out(step, planned, experiment.workers, total=len(good))
    told = track(failures, step.stage, total=len(planned))
    for item, reason in zip(planned, told, strict=True):
        if reason is not None:
            outcome.failures[item.recording.key] = reason
    for note, keys in half.items():
        if keys & noted:  # others are of other recordings, such as a cohort's
            note.unlink(missing_ok=True)
    failed = len(outcome.failures) - before
    reused = outcome.reused[step.stage]
    outcome.computed[step.stage] = len(good) - reused - failed


def _taken_from_store(
    step: Preprocess, experiment: Experiment, planned: list[Planned]
) -> list[Planned]:
    """Make files of what a store of embeddings has; the rest is left."""
    extractor = from_store.embedding_extractor(experiment.preprocessing.component)
    if experiment.store is None or experiment.force:
        return planned
    if not planned:
        say(f"{step.stage}: every file is there, so {experiment.store} is not read")
        return planned
    return from_store.take(
        step,
        planned,
        extractor=extractor,
        path=experiment.store,
        workers=experiment.workers,
        knows_speakers=knows_speakers(experiment.database),
    )


def _plan(
    step: Step,
    experiment: Experiment,
    recordings: Sequence[Recording],
    outcome: Outcome,
    again: frozenset[str],
) -> list[Planned]:
    """List what is to be computed, the recordings of some keys in any case."""
    planned, reused, outdated = [], 0, 0
    for item, made in _expected(step, experiment, recordings, outcome):
        if made is None or experiment.force or item.recording.key in again:
            planned.append(item)
        elif not _stands(made, step, item):
            planned.append(item)
            outdated += 1
        elif not stored.is_whole(item.path):
            planned.append(item)
        else:
            reused += 1
            if item.source != made.source or not made.checksum:
                stored.accept(item.path, item.fingerprint, item.source)
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
) -> Iterator[tuple[Planned, stored.Mark | None]]:
    """Yield each file as it should be, and the mark of the one that is there."""
    made_by = step.made_by()
    for place, recording in enumerate(recordings):
        path = experiment.layout.stored(step.folder, recording.key)
        made = stored.mark(path)
        source = step.source(recording, made.source if made else "")
        try:
            made_from = step.made_from(recording, source)
        except OF_THE_RECORDING as error:
            outcome.failures[recording.key] = failure(recording, step.stage, error)
        else:
            expected = of_step(made_by, made_from)
            yield Planned(recording, path, expected, source, place), made


def _stands(made: stored.Mark, step: Step, item: Planned) -> bool:
    """Return whether a file is what would be made now."""
    return made.stands_for(item.fingerprint, before=lambda: _before(step, item))


def _before(step: Step, item: Planned) -> str:
    made_from = step.made_from(item.recording, item.source, before=True)
    return of_step(step.made_by(before=True), made_from)


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
        not _fits(made, step, item)
        for item, made in _expected(step, experiment, recordings, Outcome())
    )
    if outdated:
        raise ConfigurationError(
            f"{step.stage} is left out, but {outdated} stored files in {step.folder} "
            "were made by another model or setting, or from what has changed since; "
            f"run without --skip-{step.stage} to make them anew"
        )


def _fits(made: stored.Mark | None, step: Step, item: Planned) -> bool:
    if made is None or not made.fingerprint or _stands(made, step, item):
        return True
    path = item.recording.path
    gone = path is not None and not path.exists()
    return gone and any(
        same_maker(known, expected)
        for known in (made.fingerprint, made.accepted)
        for expected in (item.fingerprint, _before(step, item))
    )


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
        stored.check(path)
        return as_rows(experiment.extraction.read(path), str(path))
    except OF_THE_RECORDING as error:
        stage = "reading of the feature"
        outcome.failures[recording.key] = failure(recording, stage, error)
        return None


def as_rows(feature: Any, path: str) -> NDArray[np.float64]:
    """A feature as rows of vectors, (vectors, dimensions).

    Raises
    ------
    ValueError
        It is none, or says nothing; the message names the path.
    """
    rows = np.atleast_2d(np.asarray(feature, dtype=np.float64))
    if rows.ndim != 2 or rows.size == 0:
        raise ValueError(
            f"{path} holds an array of shape {rows.shape}, expected one embedding "
            "(dimensions,) or several (vectors, dimensions)"
        )
    for fault in faults_of(rows).values():
        raise ValueError(f"{path} holds an embedding that {fault}")
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
