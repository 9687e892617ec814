"""Costs of a model, measured in a process that only runs it."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bob.learn.pytorch.models import store
from bob.learn.pytorch.parallel.partitions import WorkersError
from bob.learn.pytorch.report.models import Costs
from bob.learn.pytorch.templates.guest.bob_template_guard import peak_mb

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bob.learn.pytorch.audio import Waveform
    from bob.learn.pytorch.models.catalogue import TrainedModel
    from bob.learn.pytorch.templates.format.template import Template

# Of the recordings of a protocol, so much sound is measured on; one is cut there too.
SAMPLE_SECONDS = 60.0
_MEGABYTE = 1_000_000


def sample(names: Sequence[str], seconds: float) -> list[str]:
    """Choose recordings, spread evenly, as many as `SAMPLE_SECONDS` takes.

    Parameters
    ----------
    seconds
        How long they last together.

    Examples
    --------
    >>> sample(["a", "b", "c", "d"], 120)
    ['a', 'c']
    """
    share = min(1.0, SAMPLE_SECONDS / seconds)
    count = max(1, round(share * len(names)))
    return [names[number * len(names) // count] for number in range(count)]


def of_template(template: Template, paths: Sequence[str], *, device: str) -> Costs:
    """Costs of a template that may run, by the word of its worker.

    Raises
    ------
    TemplateError, WeightsError, RecordingError
        It cannot be installed, loaded or run, or a recording cannot be read.
    """
    from bob.learn.pytorch.templates.install.environment import bytes_on_disk
    from bob.learn.pytorch.templates.run import runner, shaping
    from bob.learn.pytorch.templates.run.worker import Worker

    environment, weights = runner.install(template, trusted=True)
    worker = Worker(template, environment, weights, device=device)
    try:
        parameters = worker.load()["parameters"]
        cpu, total = 0.0, 0.0
        # The first time compiles and fills caches.
        for number, path in enumerate([paths[0], *paths]):
            waveform = _waveform(path, template.sample_rate, "soxr")
            for piece in shaping.parts(waveform.samples, template):
                batch = shaping.batch([piece], template)
                worker.embed(batch, seconds=waveform.seconds)
                cpu += worker.cpu_seconds if number else 0.0
            total += waveform.seconds if number else 0.0
        peak = worker.peak_mb()
    finally:
        worker.close()
    files = sum(Path(place).stat().st_size for place in weights.values())
    return Costs(
        parameters=parameters,
        minimum_seconds=template.minimum_duration,
        cpu_ms=1000 * cpu / total,
        peak_mb=peak,
        install_mb=(bytes_on_disk(environment.folder) + files) / _MEGABYTE,
    )


def of_trained_model(
    model: TrainedModel, paths: Sequence[str], *, device: str
) -> Costs:
    """Costs of a model of the catalogue, in a new process of this interpreter.

    Raises
    ------
    WeightsError, RecordingError, WorkersError
        It cannot be fetched, a recording cannot be read, or the process dies.
    """
    from bob.learn.pytorch.parallel.processes import in_processes

    make = partial(_Measured, model.name, device)
    (results,) = in_processes(make, [[tuple(paths)]], jobs=1, give_up=_died)
    return results[0]


class _Measured:
    """In the other process: a model, and how it does."""

    def __init__(self, name: str, device: str) -> None:
        from bob.learn.pytorch.preprocessor.audio import EmbeddingExtractor

        self._extractor = EmbeddingExtractor(name, device=device)
        embedder = self._extractor.embedder
        # Now: what runs a network may fold its layers.
        self._parameters = sum(one.numel() for one in embedder.parameters())
        self._minimum_seconds = embedder.minimum_seconds
        self._extractor.prepare()

    def __call__(self, samples: Sequence[Sequence[str]]) -> list[Costs]:
        return [self._measure(paths) for paths in samples]

    def _measure(self, paths: Sequence[str]) -> Costs:
        model = self._extractor.model
        cpu, total = 0.0, 0.0
        for number, path in enumerate([paths[0], *paths]):
            waveform = _waveform(path, model.sample_rate, model.resampler)
            started = time.process_time()
            self._extractor.embed(waveform)
            cpu += time.process_time() - started if number else 0.0
            total += waveform.seconds if number else 0.0
        return Costs(
            parameters=self._parameters,
            minimum_seconds=self._minimum_seconds,
            cpu_ms=1000 * cpu / total,
            peak_mb=peak_mb(),
            install_mb=store.where(model).stat().st_size / _MEGABYTE,
        )


def _waveform(path: str, rate: int, resampler: str) -> Waveform:
    """Read the beginning of a recording, one channel at the rate of a model."""
    from bob.learn.pytorch.audio import Waveform, as_waveform

    found = as_waveform(path, channel="mix")
    count = round(SAMPLE_SECONDS * found.sample_rate)
    beginning = Waveform(found.samples[:count], found.sample_rate, found.name)
    return beginning.resampled(rate, method="fft" if resampler == "fft" else "soxr")


def _died(paths: Sequence[str], reason: str) -> Costs:
    raise WorkersError(
        f"the process that was to measure the model on {len(paths)} recordings ended "
        f"in the middle ({reason})"
    )
