"""Files of many recordings, made by one step: here, in processes, or on Dask."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias

from bob.learn.pytorch.audio import RecordingError
from bob.learn.pytorch.experiment.configuration import ConfigurationError
from bob.learn.pytorch.experiment.fingerprint import digest
from bob.learn.pytorch.files import write_text
from bob.learn.pytorch.scorefiles.failures import Failure

if TYPE_CHECKING:
    from pathlib import Path

    from bob.learn.pytorch.parallel.sharing import Workers
    from bob.learn.pytorch.protocols.trials import Recording

_TOGETHER = ".together"

logger = logging.getLogger(__name__)

#: What a bad recording makes readers and components raise. Anything else is a
#: mistake in a component, which no other recording would survive either.
OF_THE_RECORDING = (RecordingError, OSError, ValueError, RuntimeError)


class Made(NamedTuple):
    """A result, or None and the error of the recording.

    `closes` is that of `bob.learn.pytorch.inference.batching.Result`.
    """

    result: Any
    error: Exception | None = None
    closes: bool = True


Computed: TypeAlias = Iterator[Made]
"""One for every recording."""


class Step(Protocol):
    """One stage that makes a file of every recording."""

    stage: str
    folder: Path

    def prepare(self) -> None:
        """Load what computing needs; its errors are no recording's."""

    def source(self, recording: Recording, known: str) -> str:
        """Describe the recording's file, if it counts; `known` was said before."""

    def made_by(self, *, before: bool = False) -> Any:
        """What beside the recording determines the result; may fetch weights."""

    def made_from(
        self, recording: Recording, source: str, *, before: bool = False
    ) -> Any:
        """What of the recording determines the result; may fail with it.

        With `before`, as files were described that have no hash of the recording.
        """

    def compute(self, recordings: Sequence[Recording]) -> Computed:
        """Results, or errors of recordings, in the same order."""

    def write(
        self, result: Any, path: Path, fingerprint: str, *, source: str = ""
    ) -> None:
        """Store a result; an error here is the disk's."""


class Planned(NamedTuple):
    """A file that is to be made, and what will tell that it is the right one."""

    recording: Recording
    path: Path
    fingerprint: str
    source: str = ""
    place: int = 0


def carried_out(
    step: Step, planned: Sequence[Planned], workers: Workers, *, total: int
) -> Iterator[Failure | None]:
    """Make the planned files; yields, for each in order, why it could not be made.

    Parameters
    ----------
    total
        How many recordings there are, of those that need not be made too.

    Raises
    ------
    ConfigurationError
        The step's components cannot be sent to another process.
    WorkersError
        Processes or Dask workers die while they load what the step needs.
    """
    if not planned:  # then nothing need be loaded
        return
    if workers.dask is None and workers.jobs == 1:
        yield from Maker(step).one_by_one(planned)
        return
    try:
        yield from _elsewhere(step, planned, workers, total=total)
    except TypeError as error:
        if "cannot be sent" not in str(error):
            raise
        raise ConfigurationError(
            f"the components of {step.stage} do not fit through to other processes, as "
            f"--parallel and --dask need: {error}"
        ) from error


def _elsewhere(
    step: Step, planned: Sequence[Planned], workers: Workers, *, total: int
) -> Iterator[Failure | None]:
    from bob.learn.pytorch.parallel.sharing import share_out

    with ExitStack() as stack:
        client = None
        if workers.dask is not None:
            from bob.learn.pytorch.parallel.dask_client import dask_client

            client = stack.enter_context(dask_client(workers.dask))
        for failures in share_out(
            partial(Maker, step),
            planned,
            places=[item.place for item in planned],
            total=total,
            jobs=workers.jobs,
            client=client,
            give_up=partial(_given_up, step.stage),
        ):
            yield from failures


class Maker:
    """A step that is loaded, once for every process."""

    def __init__(self, step: Step) -> None:
        self._step = step
        step.prepare()

    def __call__(self, planned: Sequence[Planned]) -> list[Failure | None]:
        """Make files; why each could not be made, or None."""
        return list(self.one_by_one(planned))

    def one_by_one(self, planned: Sequence[Planned]) -> Iterator[Failure | None]:
        """The same as files are made."""
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
        note = step.folder / f".{step.stage}-{digest(keys)}{_TOGETHER}"
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


def half_written(step: Step) -> dict[Path, frozenset[str]]:
    """Return keys of files that a killed run wrote some of, by where that is noted.

    Their recordings were computed together, and are again, so that the embeddings are
    those of a run that nobody stopped, to the last bit.
    """
    notes = step.folder.glob(f".{step.stage}-*{_TOGETHER}")
    return {note: _keys_in(note) for note in notes}


def _keys_in(note: Path) -> frozenset[str]:
    try:
        return frozenset(json.loads(note.read_bytes()))
    except (OSError, ValueError, TypeError) as error:
        logger.warning("%s cannot be read (%s) and is left out", note, error)
        return frozenset()


def failure(recording: Recording, stage: str, error: Exception) -> Failure:
    """Why a recording did not become a feature."""
    if type(error).__name__ == "OutOfMemoryError":  # torch's: the device is to blame
        raise error
    reason = getattr(error, "reason", None) or str(error) or type(error).__name__
    logger.info("%s of %s failed: %s", stage, recording.key, reason)
    return Failure(recording.key, recording.path, stage, reason)


def _given_up(stage: str, item: Planned, reason: str) -> Failure:
    return Failure(item.recording.key, item.recording.path, stage, reason)
