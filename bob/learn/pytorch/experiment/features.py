"""Files of features: planned, made here or in other processes, and read as vectors."""

from __future__ import annotations

import json
import logging
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

from bob.learn.pytorch.experiment import stored
from bob.learn.pytorch.experiment.components import (
    OF_THE_RECORDING,
    ExtractionStep,
    Made,
    Planned,
    Preprocessing,
    Step,
    failure,
)
from bob.learn.pytorch.experiment.configuration import ConfigurationError
from bob.learn.pytorch.experiment.experiment import Outcome
from bob.learn.pytorch.experiment.fingerprint import digest, of_step, same_maker
from bob.learn.pytorch.experiment.from_store import embedding_extractor
from bob.learn.pytorch.experiment.from_store import take as take_from_store
from bob.learn.pytorch.files import write_text
from bob.learn.pytorch.models.errors import WeightsError
from bob.learn.pytorch.progress import say, track
from bob.learn.pytorch.protocols.cohorts import knows_speakers
from bob.learn.pytorch.scorefiles.failures import Failure

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from bob.learn.pytorch.experiment.experiment import Experiment, Vectors
    from bob.learn.pytorch.parallel.sharing import Workers
    from bob.learn.pytorch.protocols.trials import Recording

_TOGETHER = ".together"

logger = logging.getLogger(__name__)


def make(
    experiment: Experiment, recordings: Sequence[Recording], outcome: Outcome
) -> None:
    """Make the files of recordings that are missing or outdated, of both stages.

    Raises
    ------
    ConfigurationError
        A stage is left out whose files a later one needs, and they are outdated.
    """
    layout, preprocessing = experiment.layout, experiment.preprocessing

    def preprocessed(recording: Recording) -> Path:
        return layout.stored(layout.preprocessed, recording.key)

    steps: list[Step] = [
        ExtractionStep(experiment.extraction, preprocessing, preprocessed)
    ]
    if preprocessing.writes_data:
        steps.insert(0, preprocessing)
    for step in steps:
        if step.stage not in experiment.skip:
            _make(step, experiment, recordings, outcome)
    _check_left_out(experiment, steps, recordings)


def _check_left_out(
    experiment: Experiment, steps: Sequence[Step], recordings: Sequence[Recording]
) -> None:
    """Files of stages that are left out must fit, if a later stage reads them."""
    layout = experiment.layout
    needed = {layout.extracted}
    if "extraction" not in experiment.skip:
        needed.add(layout.preprocessed)
    # Where both stages name one folder, it holds what the first has made.
    first = {layout.made_in(step.stage): step for step in reversed(steps)}
    for folder, step in first.items():
        if step.stage in experiment.skip and folder in needed:
            try:
                _refuse_outdated(step, experiment, recordings)
            except WeightsError as error:
                logger.warning(
                    "%s is left out, and whether its files fit cannot be told: %s",
                    step.stage,
                    error,
                )


def _make(
    step: Step,
    experiment: Experiment,
    recordings: Sequence[Recording],
    outcome: Outcome,
) -> None:
    """Run a step on every recording whose file is missing or outdated."""
    good = [item for item in recordings if item.key not in outcome.failures]
    before = len(outcome.failures)
    folder = experiment.layout.made_in(step.stage)
    half = _half_written(folder, step.stage)
    again = frozenset[str]().union(*half.values())
    planned = _plan(step, experiment, good, outcome, again)
    noted = {item.recording.key for item in planned}
    if experiment.store is not None and isinstance(step, Preprocessing):
        planned = _taken_from_store(step, experiment, planned)
    failures = _carried_out(
        step, planned, experiment.workers, folder=folder, total=len(good)
    )
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
    step: Preprocessing, experiment: Experiment, planned: list[Planned]
) -> list[Planned]:
    """Make files of what a store of embeddings has; the rest is left."""
    extractor = embedding_extractor(experiment.preprocessing.component)
    if experiment.store is None or experiment.force:
        return planned
    if not planned:
        say(f"{step.stage}: every file is there, so {experiment.store} is not read")
        return planned
    return take_from_store(
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
            experiment.layout.made_in(step.stage),
        )
    return planned


def _expected(
    step: Step,
    experiment: Experiment,
    recordings: Sequence[Recording],
    outcome: Outcome,
) -> Iterator[tuple[Planned, stored.Mark | None]]:
    """Yield each file as it should be, and the mark of the one that is there."""
    made_by, folder = step.made_by(), experiment.layout.made_in(step.stage)
    for place, recording in enumerate(recordings):
        path = experiment.layout.stored(folder, recording.key)
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


def _refuse_outdated(
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
            f"{step.stage} is left out, but {outdated} stored files in "
            f"{experiment.layout.made_in(step.stage)} were made by another model or "
            "setting, or from what has changed since; "
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


def _carried_out(
    step: Step,
    planned: Sequence[Planned],
    workers: Workers,
    *,
    folder: Path,
    total: int,
) -> Iterator[Failure | None]:
    """Make the planned files; yields, for each in order, why it could not be made.

    Parameters
    ----------
    total
        Number of recordings, those included that need not be made.

    Raises
    ------
    ConfigurationError
        The step's components cannot be sent to another process.
    WorkersError
        Processes or Dask workers die while they load what the step needs.
    """
    if not planned:  # then nothing need be loaded
        return
    maker = partial(_Maker, step, folder)
    if workers.dask is None and workers.jobs == 1:
        yield from maker().one_by_one(planned)
        return
    from bob.learn.pytorch.parallel.sharing import share_out

    try:
        with ExitStack() as stack:
            client = None
            if workers.dask is not None:
                from bob.learn.pytorch.parallel.dask_client import dask_client

                client = stack.enter_context(dask_client(workers.dask))
            for failures in share_out(
                maker,
                planned,
                places=[item.place for item in planned],
                total=total,
                jobs=workers.jobs,
                client=client,
                give_up=partial(_given_up, step.stage),
            ):
                yield from failures
    except TypeError as error:
        if "cannot be sent" not in str(error):
            raise
        raise ConfigurationError(
            f"the components of {step.stage} do not fit through to other processes, as "
            f"parallel and dask need: {error}"
        ) from error


def _given_up(stage: str, item: Planned, reason: str) -> Failure:
    return Failure(item.recording.key, item.recording.path, stage, reason)


class _Maker:
    """A step that is loaded, once for every process."""

    def __init__(self, step: Step, folder: Path) -> None:
        self._step, self._folder = step, folder
        step.prepare()

    def __call__(self, planned: Sequence[Planned]) -> list[Failure | None]:
        """Make files; return why each could not be made, or None."""
        return list(self.one_by_one(planned))

    def one_by_one(self, planned: Sequence[Planned]) -> Iterator[Failure | None]:
        """Yield the same as files are made."""
        computed = self._step.compute([item.recording for item in planned])
        together: list[tuple[Planned, Made]] = []
        for item, made in zip(planned, computed, strict=True):
            together.append((item, made))
            if made.closes:
                yield from self._written(together)
                together = []
        yield from self._written(together)

    def _written(self, together: list[tuple[Planned, Made]]) -> list[Failure | None]:
        """Write files that count only if all of them are there."""
        step = self._step
        keys = [item.recording.key for item, made in together if made.error is None]
        note = self._folder / f".{step.stage}-{digest(keys)}{_TOGETHER}"
        if len(keys) > 1:
            write_text(note, json.dumps(keys))
        for item, made in together:
            if made.error is None:
                step.write(made.result, item.path, item.fingerprint, source=item.source)
        note.unlink(missing_ok=True)
        return [
            None
            if made.error is None
            else failure(item.recording, step.stage, made.error)
            for item, made in together
        ]


def _half_written(folder: Path, stage: str) -> dict[Path, frozenset[str]]:
    """Return keys of files that a killed run wrote some of, by where that is noted.

    Their recordings were computed together, and are again, so that the embeddings are
    those of a run that nobody stopped, to the last bit.
    """
    notes = folder.glob(f".{stage}-*{_TOGETHER}")
    return {note: _keys_in(note) for note in notes}


def _keys_in(note: Path) -> frozenset[str]:
    try:
        return frozenset(json.loads(note.read_bytes()))
    except (OSError, ValueError, TypeError) as error:
        logger.warning("%s cannot be read (%s) and is left out", note, error)
        return frozenset()


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
    layout, stage = experiment.layout, "reading of the feature"
    vectors: dict[str, NDArray[np.float64]] = {}
    for recording in recordings:
        if recording.key not in outcome.failures:
            path = layout.stored(layout.extracted, recording.key)
            try:
                vectors[recording.key] = experiment.extraction.rows(path)
            except OF_THE_RECORDING as error:
                outcome.failures[recording.key] = failure(recording, stage, error)
    _require_one_size(vectors)
    return vectors


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
