"""Recordings to embeddings by a template: installed, loaded, run on batches."""

from __future__ import annotations

import logging
import math
import os
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from bob.learn.pytorch.audio import (
    RecordingError,
    RecordingLike,
    UnusableEmbedding,
    as_waveform,
    check_usable,
    files,
)
from bob.learn.pytorch.inference.batching import Loaded
from bob.learn.pytorch.printing import printable
from bob.learn.pytorch.store.arrays import fault_of
from bob.learn.pytorch.templates.format.errors import (
    StageError,
    TookTooLong,
    WorkerDied,
)
from bob.learn.pytorch.templates.install import artefacts, environment, trust
from bob.learn.pytorch.templates.install.commands import is_unreachable
from bob.learn.pytorch.templates.run import shaping
from bob.learn.pytorch.templates.run.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Literal

    from numpy.typing import NDArray

    from bob.learn.pytorch.templates.format.template import Template
    from bob.learn.pytorch.templates.install.environment import Environment


def install(
    template: Template, *, trusted: bool = False, progress: bool = False
) -> tuple[Environment, dict[str, str]]:
    """Fetch and install what a template needs, unless it is there.

    Parameters
    ----------
    trusted
        Whether the caller answers for it; else it has to be trusted already.
    progress
        Whether to show on standard error what happens.

    Returns
    -------
    Environment, dict
        And the path of each file of weights, by name.

    Raises
    ------
    UntrustedTemplate
        Nobody allowed it to run.
    WeightsError, InstallError
        Something cannot be fetched or installed.
    StageError, WorkerDied
        The stage failed that downloads what the model needs.
    """
    if not trusted:
        trust.require(template)
    weights = artefacts.fetch(template, progress=progress)

    def download(made: Environment) -> None:
        worker = Worker(template, made, weights, network=True)
        try:
            worker.download()
        except StageError as error:
            if not is_unreachable(f"{error.reason}\n{error.detail}"):
                raise
            raise error.explained(
                "  to do    check that this machine reaches the hub (proxy: "
                "HTTPS_PROXY, certificates: SSL_CERT_FILE) and try again; the "
                "packages stay installed, and only the download is done anew. Or bring "
                "the files from a machine where it works, by copying the folder "
                f"home/.cache of its environment to {made.home}"
            ) from None
        finally:
            worker.close()

    made = environment.ensure(template, progress=progress, download=download)
    return made, weights


def start(template: Template, *, device: str = "cpu", trusted: bool = False) -> Worker:
    """Start a process with the template loaded; errors as those of `install`."""
    made, weights = install(template, trusted=trusted)
    worker = Worker(template, made, weights, device=device)
    try:
        worker.load()
    except BaseException:
        worker.close()
        raise
    return worker


logger = logging.getLogger(__name__)

# Lengths are counted in hundredths of a second; so many of sound go in one batch.
FRAMES_A_SECOND = 100
BATCH_FRAMES = 16_000
# When so many recordings in a row fail before any did not, it may be the template's
# fault: it is, if such noise fails too. Long recordings go first, and fail first.
HOPELESS = 3
PROBE_SECONDS = 1.0
PROBE_LEVEL = 0.01
# A template may be called with what its makers thought of; that is longer than nothing.
SHORTEST_SECONDS = 0.02


class Session(Protocol):
    """A template that is loaded, in this process or in another."""

    def embed(self, batch: NDArray[np.float32], *, seconds: float) -> NDArray[Any]:
        """Run a batch through it."""

    def close(self) -> None:
        """Let go of it."""


class TemplateEmbedder:
    """Embedder of a template, for `bob.learn.pytorch.inference.batching.embed_many`.

    Recordings are decoded, one channel is taken or their mean, resampled (soxr), split
    or padded as the template says; several parts of one recording give the mean of
    their embeddings. A recording on which the model fails or its process dies is
    reported as such, and the others go on with a new process. Where the first three
    fail, or ever three in a row by their process dying, a second of quiet noise is
    tried: if that fails too, the error is the template's, and so it is where it cannot
    be loaded. Several threads may use one of these.

    Parameters
    ----------
    template
        The template to run.
    start
        Loads it, at the first recording and after each death of its process.
    channel
        Channel to take, counted from 0, or "mix" for the mean; None refuses several.
    pooling
        In place of the template's.
    """

    def __init__(
        self,
        template: Template,
        start: Callable[[], Session],
        *,
        channel: int | Literal["mix"] | None = "mix",
        pooling: str | None = None,
    ) -> None:
        self._template = template
        self._start = start
        self._channel = channel
        self._pooling = pooling
        self._session: Session | None = None
        self._owner = 0
        self._lock = threading.RLock()
        self._failures, self._deaths, self._successes = 0, 0, 0
        # Number of times that it was given up, and the last reason.
        self._ends = 0
        self._verdict: BaseException = KeyboardInterrupt()
        self.readers = 1
        self.frames_at_once = BATCH_FRAMES if template.batching == "equal" else 0

    def prepare(self) -> None:
        """Load the template now, not at the first recording.

        Raises
        ------
        TemplateError
            It cannot be loaded.
        """
        self._loaded_session()

    def _loaded_session(self) -> Session:
        if self._session is not None and self._owner != os.getpid():
            self.close()  # of the process that this one was forked off
        if self._session is None:
            self._session = self._start()
            self._owner = os.getpid()
        return self._session

    def close(self) -> None:
        """Let go of what was loaded."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def load(self, recording: RecordingLike, *, rate: float | None = None) -> Loaded:
        """Read a recording and bring it into parts, by any thread.

        Raises
        ------
        RecordingError
            The recording cannot be read or used; the message gives the reason.
        """
        waveform = as_waveform(recording, rate=rate, channel=self._channel)
        check_usable(waveform, minimum_seconds=SHORTEST_SECONDS)
        fitting = waveform.resampled(self._template.sample_rate, method="soxr")
        frames = math.ceil(fitting.seconds * FRAMES_A_SECOND)
        pieces = shaping.parts(fitting.samples, self._template)
        loaded = Loaded.of(waveform, pieces, frames)
        if isinstance(recording, str | os.PathLike) and files.info(recording)[2] > 1:
            return replace(loaded, settings=("channel",))
        return loaded

    def start_batch(
        self, batch: Sequence[Loaded]
    ) -> Callable[[], list[NDArray[np.float32] | RecordingError]]:
        """Nothing begins before what comes back is called: one result an item.

        Raises
        ------
        TemplateError
            From what comes back: the template cannot be used at all.
        """
        ends = self._ends

        def results() -> list[NDArray[np.float32] | RecordingError]:
            with self._lock:
                if ends != self._ends:  # since this batch was begun
                    raise self._verdict
                try:
                    return self._results(batch)
                except (StageError, WorkerDied, KeyboardInterrupt) as error:
                    self._give_up(error)
                    raise

        return results

    def _give_up(self, error: BaseException) -> None:
        """Let no batch that was begun before be tried any more."""
        self._ends += 1
        self._verdict = error
        self._failures, self._deaths = 0, 0
        if isinstance(error, KeyboardInterrupt):
            self.close()

    def outputs(self, recording: RecordingLike) -> list[NDArray[Any]]:
        """Return the raw output of the template for each part of a recording.

        Raises
        ------
        RecordingError, TemplateError
            Same as for `load`, and a template that fails.
        """
        loaded = self.load(recording)
        with self._lock:
            self.prepare()
            name = loaded.name or "a recording"
            return [self._call([piece], name) for piece in loaded.content]

    def _results(
        self, batch: Sequence[Loaded]
    ) -> list[NDArray[np.float32] | RecordingError]:
        """Items of exactly one length together, where the template may do that."""
        self.prepare()
        groups: dict[int, list[int]] = {}
        if self._template.batching == "equal":
            for index, item in enumerate(batch):
                if len(item.content) == 1:
                    groups.setdefault(len(item.content[0]), []).append(index)
        results: dict[int, NDArray[np.float32] | RecordingError] = {}
        for group in groups.values():
            if len(group) > 1:
                made = self._together([batch[index] for index in group])
                results.update(zip(group, made, strict=True))
        return [
            results[index] if index in results else self._alone(item)
            for index, item in enumerate(batch)
        ]

    def _together(
        self, items: Sequence[Loaded]
    ) -> list[NDArray[np.float32] | RecordingError]:
        try:
            made = self._embeddings([item.content[0] for item in items], "a batch")
        except (StageError, WorkerDied) as error:
            logger.info("%s; now one recording at a time", error)
            return [self._alone(item) for item in items]
        self._succeeded()
        return [
            self._checked(one, item.name) for one, item in zip(made, items, strict=True)
        ]

    def _alone(self, item: Loaded) -> NDArray[np.float32] | RecordingError:
        name = item.name or "a recording"
        self.prepare()  # what fails here is no fault of the recording
        try:
            made = self._parts(item, name)
        except (StageError, WorkerDied) as error:
            return self._failed(error, item.name)
        self._succeeded()
        if len(made) > 1 and made[0].ndim == 1:
            made = [np.mean(made, axis=0, dtype=np.float64).astype(np.float32)]
        return self._checked(
            np.concatenate(made) if len(made) > 1 else made[0], item.name
        )

    def _parts(self, item: Loaded, name: str) -> list[NDArray[Any]]:
        """Return one embedding a part; what took too long is tried once more.

        Where recordings before it have died already, it is the model that is slow.
        """
        tries = 1 if self._deaths else 2
        while True:
            tries -= 1
            try:
                return [self._embeddings([piece], name)[0] for piece in item.content]
            except TookTooLong as error:
                if not tries:
                    raise
                logger.info("%s; once more in a new process", error)

    def _embeddings(
        self, pieces: Sequence[NDArray[np.float32]], name: str
    ) -> NDArray[Any]:
        return shaping.embeddings(
            self._call(pieces, name),
            self._template,
            count=len(pieces),
            pooling=self._pooling,
        )

    def _call(self, pieces: Sequence[NDArray[np.float32]], name: str) -> NDArray[Any]:
        session = self._loaded_session()
        seconds = sum(len(piece) for piece in pieces) / self._template.sample_rate
        try:
            return session.embed(shaping.batch(pieces, self._template), seconds=seconds)
        except WorkerDied:
            logger.info(
                "the process of %s died at %s", self._template.name, printable(name)
            )
            self._session = None
            raise

    def _succeeded(self) -> None:
        self._failures, self._deaths, self._successes = 0, 0, 1

    def _failed(
        self, error: StageError | WorkerDied, name: str | None
    ) -> RecordingError:
        """Return the error of one recording.

        Raises
        ------
        TemplateError
            It is not the recording's fault.
        """
        self._failures += 1
        self._deaths += isinstance(error, WorkerDied)
        failures = self._failures
        may_be_hopeless = self._deaths >= HOPELESS or (
            failures >= HOPELESS and not self._successes
        )
        if may_be_hopeless and not self._works():
            raise error.at(name or "a recording", failures)
        first, *_ = str(error).splitlines()
        logger.warning("%s: %s", printable(name or "a recording"), error)
        return RecordingError(f"cannot be embedded: {first}", recording=name)

    def _works(self) -> bool:
        """Return whether it embeds a little noise, so that recordings are at fault."""
        rate = self._template.sample_rate
        noise = np.random.default_rng(0).normal(
            0, PROBE_LEVEL, round(PROBE_SECONDS * rate)
        )
        try:
            self._embeddings(shaping.parts(noise, self._template)[:1], "noise")
        except (StageError, WorkerDied):
            return False
        self._succeeded()
        return True

    def _checked(
        self, embedding: NDArray[np.float32], name: str | None
    ) -> NDArray[np.float32] | RecordingError:
        fault = fault_of(embedding)
        if not fault:
            return embedding
        return UnusableEmbedding(
            f"cannot be embedded: template {self._template.name}, embed_fwd: y {fault}",
            recording=name,
        )
