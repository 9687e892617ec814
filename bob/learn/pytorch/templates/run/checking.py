"""A template tried out: does it load, and embed what it should, every time alike?"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from bob.learn.pytorch.store.arrays import fault_of
from bob.learn.pytorch.templates.format.errors import StageError, WorkerDied
from bob.learn.pytorch.templates.format.static import static_problems, static_warnings
from bob.learn.pytorch.templates.run import shaping
from bob.learn.pytorch.templates.run.runner import install
from bob.learn.pytorch.templates.run.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from bob.learn.pytorch.templates.format.template import Template

LENGTHS = (0.5, 1.0, 3.0, 10.0)
BATCH = 4
# Largest difference of two embeddings of one sound, relative to the largest number.
TOLERANCE = 1e-5


@dataclass(frozen=True)
class Finding:
    """Result of one trial: its name, and figures or what went wrong."""

    name: str
    ok: bool | None  # None for mere information
    detail: str


def check_code(template: Template) -> list[Finding]:
    """Check the code of a template without running it."""
    wrong = static_problems(template)
    notes = static_warnings(template)
    return [
        *(Finding("code", ok=False, detail=text) for text in wrong),
        *([] if wrong else [Finding("code", ok=True, detail="nothing is wrong")]),
        *(Finding("code", ok=None, detail=text) for text in notes),
    ]


def check(
    template: Template,
    *,
    device: str = "cpu",
    trusted: bool = False,
    progress: bool = False,
) -> Iterator[Finding]:
    """Install a template, load it, and embed noise and silence of several lengths.

    Parameters
    ----------
    device
        Device of torch.
    trusted
        Whether the caller answers for the template.

    Yields
    ------
    Finding
        One by one; what follows a model that cannot be loaded is left out.

    Raises
    ------
    TemplateError, WeightsError
        Same as for `bob.learn.pytorch.templates.run.runner.install`.
    """
    started = time.perf_counter()
    environment, weights = install(template, trusted=trusted, progress=progress)
    yield Finding("installed", None, f"in {time.perf_counter() - started:.1f} s")
    make = partial(Worker, template, environment, weights, device=device)
    worker = make()
    try:
        yield from _checked(template, worker, make)
    finally:
        worker.close()


def _checked(
    template: Template, worker: Worker, make: Callable[[], Worker]
) -> Iterator[Finding]:
    try:
        answer = worker.load()
    except (StageError, WorkerDied) as error:
        yield Finding("loads", ok=False, detail=str(error))
        return
    parameters = answer["parameters"]
    size = "" if parameters is None else f", {parameters:,} parameters"
    loaded = f"in {answer['seconds']:.1f} s{size}"
    yield Finding("loads", ok=True, detail=loaded)
    without = ", ".join(answer["isolation"]) or "nothing that this system offers"
    yield Finding("has no network", bool(answer["isolation"]), f"by {without}")
    trial = _Trial(template, worker, make)
    for name, run in trial.runs():
        try:
            ok, detail = run()
        except (StageError, WorkerDied) as error:
            ok, detail = False, str(error)
        yield Finding(name, ok, detail)
        if not worker.is_alive:
            return


class _Trial:
    """The trials of one loaded template."""

    def __init__(
        self, template: Template, worker: Worker, make: Callable[[], Worker]
    ) -> None:
        self._template = template
        self._worker = worker
        self._make = make
        self._random = np.random.default_rng(0)
        self._noise = self._random.normal(0, 0.1, 30 * template.sample_rate)

    def runs(self) -> Iterator[tuple[str, Callable[[], tuple[bool | None, str]]]]:
        """Name and trial, in order."""
        for seconds in LENGTHS:
            yield f"noise of {seconds:g} s", partial(self._embeds, seconds)
        yield "silence of 1 s", self._silence
        yield "the same twice", self._repeats
        yield "the same in another process", self._repeats_elsewhere
        yield "a batch equals one by one", self._batch
        yield "speed and memory", self._speed

    def _embedding(self, samples: NDArray[np.float64]) -> NDArray[Any]:
        pieces = shaping.parts(samples, self._template)
        made = [self._together([piece]) for piece in pieces]
        # Frames of parts follow each other.
        return np.concatenate(made, axis=min(1, made[0].ndim - 2))

    def _together(self, pieces: list[NDArray[np.float32]]) -> NDArray[Any]:
        seconds = sum(len(piece) for piece in pieces) / self._template.sample_rate
        made = self._worker.embed(
            shaping.batch(pieces, self._template), seconds=seconds
        )
        return shaping.embeddings(made, self._template, count=len(pieces))

    def _part(self, seconds: float, start: float = 0) -> NDArray[np.float64]:
        rate = self._template.sample_rate
        first = round(start * rate)
        return self._noise[first : first + round(seconds * rate)]

    def _embeds(self, seconds: float) -> tuple[bool, str]:
        return _finite(self._embedding(self._part(seconds)))

    def _silence(self) -> tuple[bool | None, str]:
        embedding = self._embedding(np.zeros(self._template.sample_rate))
        ok, detail = _finite(embedding)
        if ok or np.isfinite(embedding).all():
            return True, detail
        if self._template.maximum_duration is not None:
            detail += "; a part of a long recording may be silent, and fails all of it"
            return False, detail
        return None, f"{detail}; silent recordings are refused before they come here"

    def _repeats(self) -> tuple[bool, str]:
        first, second = (self._embedding(self._part(3)) for _ in range(2))
        return _alike(first, second)

    def _repeats_elsewhere(self) -> tuple[bool, str]:
        first, here = self._embedding(self._part(3)), self._worker
        self._worker = self._make()
        try:
            self._worker.load()
            return _alike(first, self._embedding(self._part(3)))
        finally:
            self._worker.close()
            self._worker = here

    def _batch(self) -> tuple[bool | None, str]:
        if self._template.batching == "one":
            return None, "not asked for (batching is 'one')"
        pieces = [
            piece
            for start in range(BATCH)
            for piece in shaping.parts(self._part(3, start * 4), self._template)[:1]
        ]
        together = self._together(pieces)
        alone = np.concatenate([self._together([piece]) for piece in pieces])
        return _alike(together, alone)

    def _speed(self) -> tuple[None, str]:
        sound = self._part(10)
        started = time.perf_counter()
        self._embedding(sound)
        took = time.perf_counter() - started
        peak = self._worker.peak_mb()
        return None, f"{10 / took:.0f} x real time on 10 s, {peak:,.0f} MB at most"


def _finite(embedding: NDArray[Any]) -> tuple[bool, str]:
    shape = "x".join(map(str, embedding.shape[1:]))
    fault = fault_of(embedding)
    if fault:
        return False, f"y {fault}"
    return True, f"{shape} numbers of {embedding.dtype}"


def _alike(first: NDArray[Any], second: NDArray[Any]) -> tuple[bool, str]:
    if first.shape != second.shape:
        return False, f"of shape {first.shape}, then {second.shape}"
    exact = first.astype(np.float64)
    largest = float(np.abs(exact).max()) or 1.0
    apart = float(np.abs(exact - second).max()) / largest
    return apart <= TOLERANCE, f"{apart:.1g} of the largest number apart"
