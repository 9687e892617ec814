"""Preprocessors and extractors of any age behind one small interface."""

from __future__ import annotations

import inspect
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bob.learn.pytorch.audio import files
from bob.learn.pytorch.experiment import stored
from bob.learn.pytorch.experiment.configuration import ConfigurationError
from bob.learn.pytorch.experiment.fingerprint import of_component, of_source
from bob.learn.pytorch.experiment.making import OF_THE_RECORDING, Made
from bob.learn.pytorch.store import arrays

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from bob.learn.pytorch.experiment.making import Computed
    from bob.learn.pytorch.protocols.trials import Database, Recording

logger = logging.getLogger(__name__)

#: The full scale of 16-bit samples: legacy Bob hands out float64 in this range.
_INT16_SCALE = 32768.0


class Preprocessing:
    """A preprocessor: legacy Bob's (callable) or today's (a transformer).

    Parameters
    ----------
    component
        With ``__call__(data, annotations[, metadata])``, or with
        ``transform(list)``; optionally ``read_original_data``, ``write_data``,
        ``read_data``, ``writes_data`` and ``fingerprint``.
    database
        Says where the recordings lie and how they are annotated.
    """

    def __init__(self, component: Any, database: Database) -> None:
        _require_step(component, "preprocessor")
        self.component = component
        self.database = database
        self.writes_data = bool(getattr(component, "writes_data", True))
        self._made_by: dict[bool, Any] = {}

    def prepare(self) -> None:
        """Load what the component needs, so that it fails once and not a file each."""
        _prepare(self.component)

    def made_by(self, *, before: bool = False) -> Any:
        """What beside the recording determines the result; may fetch weights."""
        if before not in self._made_by:
            self._made_by[before] = of_component(self.component, before=before)
        return self._made_by[before]

    def made_from(
        self, recording: Recording, source: str, *, before: bool = False
    ) -> Any:
        """What of the recording determines the result; may fail with it."""
        annotations = self.database.annotations(recording)
        return [
            _state(recording, source, before=before),
            of_component(annotations, before=before),
        ]

    def __call__(self, recording: Recording) -> Any:
        """Read and preprocess one recording."""
        if not callable(self.component):
            return _transformed(self.component, recording)
        data = self._read(recording)
        extra = _metadata(self.component, recording)
        return self.component(data, self.database.annotations(recording), **extra)

    def many(self, recordings: Sequence[Recording]) -> Computed:
        """The same for many, which a component of ours embeds in batches."""
        if getattr(self.component, "embeds_in_batches", False):
            return self._in_batches(recordings)
        return (tried(self, item, stage="preprocessing") for item in recordings)

    def _in_batches(self, recordings: Sequence[Recording]) -> Computed:
        # What a database loads in a way of its own is loaded in this thread.
        unread: dict[int, Made] = {}

        def readable() -> Iterator[tuple[int, Any]]:
            for place, recording in enumerate(recordings):
                made = tried(self._read, recording, stage="preprocessing")
                if made.error is None:
                    yield place, made.result
                else:
                    unread[place] = made._replace(closes=False)

        following = 0
        for result in self.component.embed_many(readable()):
            yield from (unread[place] for place in range(following, result.key))
            found = result.embedding
            row = None if found is None else found[None]
            yield Made(row, result.error, result.closes)
            following = result.key + 1
        yield from (unread[place] for place in range(following, len(recordings)))

    def _read(self, recording: Recording) -> Any:
        file = _legacy_file(recording)
        if file is None:
            source: Any = recording.source
            rate = getattr(source, "rate", None)
            return source.data if rate is None else (rate, source.data)
        directory = self.database.original_directory
        extension = self.database.original_extension
        read = getattr(self.component, "read_original_data", None)
        if read is not None:
            return read(file, directory, extension)
        return file.load(directory, extension)

    def write(
        self, data: Any, path: Path, fingerprint: str, *, source: str = ""
    ) -> None:
        """Store preprocessed data."""
        write = getattr(self.component, "write_data", arrays.write)
        stored.write(path, fingerprint, lambda place: write(data, place), source=source)

    def read(self, path: Path) -> Any:
        """Read stored preprocessed data."""
        return getattr(self.component, "read_data", arrays.read)(str(path))


class Extraction:
    """An extractor: legacy Bob's (callable) or today's (a transformer)."""

    def __init__(self, component: Any) -> None:
        _require_step(component, "extractor")
        if getattr(component, "requires_training", False):
            raise ConfigurationError(
                f"the extractor {type(component).__name__} requires training, which "
                "verify.py does not offer; train it beforehand and configure the "
                "trained one"
            )
        self.component = component
        self._made_by: dict[bool, Any] = {}

    def prepare(self) -> None:
        """Load what the component needs, so that it fails once and not a file each."""
        _prepare(self.component)

    def made_by(self, *, before: bool = False) -> Any:
        """What beside the preprocessed data determines the result."""
        if before not in self._made_by:
            self._made_by[before] = of_component(self.component, before=before)
        return self._made_by[before]

    def __call__(self, data: Any, recording: Recording) -> Any:
        """Extract the feature of one recording's preprocessed data."""
        if not callable(self.component):
            return self.component.transform([data])[0]
        return self.component(data, **_metadata(self.component, recording))

    def write(
        self, feature: Any, path: Path, fingerprint: str, *, source: str = ""
    ) -> None:
        """Store a feature."""
        write = getattr(self.component, "write_feature", arrays.write)
        stored.write(
            path, fingerprint, lambda place: write(feature, place), source=source
        )

    def read(self, path: Path) -> Any:
        """Read a stored feature."""
        return getattr(self.component, "read_feature", arrays.read)(str(path))


def tried(
    work: Callable[[Recording], Any], recording: Recording, *, stage: str
) -> Made:
    """A result, or None and the error that the recording is to blame for."""
    try:
        result = work(recording)
    except OF_THE_RECORDING as error:
        return Made(None, error)
    except Exception:
        logger.warning("%s broke at %s", stage, recording.path or recording.key)
        raise
    if result is None:
        reason = f"{stage} was not successful: the component returned None"
        return Made(None, ValueError(reason))
    return Made(result)


def _prepare(component: Any) -> None:
    for part in _parts(component):
        prepare = getattr(part, "prepare", None)
        if callable(prepare):
            prepare()


def _parts(component: Any) -> Iterator[Any]:
    """A component, the steps of a pipeline, and what a wrapper holds."""
    yield component
    for _, step in getattr(component, "steps", ()):
        yield from _parts(step)
    if hasattr(component, "estimator"):
        yield from _parts(component.estimator)


def _state(recording: Recording, source: str, *, before: bool) -> Any:
    """What says whether a recording has changed: its file, or else its samples."""
    if recording.path is not None:
        return of_source(source, before=before)
    return of_component(getattr(recording.source, "data", recording.key))


def _require_step(component: Any, kind: str) -> None:
    if isinstance(component, type):
        raise ConfigurationError(
            f"the {kind} is the class {component.__name__}, expected an object: "
            f"{component.__name__}(…)"
        )
    if not callable(component) and not hasattr(component, "transform"):
        raise ConfigurationError(
            f"the {kind} is {component!r} ({type(component).__name__}), expected an "
            "object that can be called with the data or has transform(list)"
        )


def _metadata(component: Any, recording: Recording) -> Mapping[str, Any]:
    """``metadata=`` for components that ask for it, as in legacy Bob."""
    try:
        names = inspect.signature(component).parameters
    except (TypeError, ValueError):
        return {}
    return {"metadata": recording.source} if "metadata" in names else {}


@dataclass(frozen=True)
class _AudioFile:
    """A recording with the interface of the old ``BioFile``.

    It serves preprocessors that ask a file of a Bob database to load itself
    where no such database is used.
    """

    path: str
    client_id: str
    recording: Path

    def make_path(
        self,
        directory: str | None = None,  # noqa: ARG002 - the recording's place is known
        extension: str | None = None,  # noqa: ARG002
    ) -> str:
        """The recording's own path."""
        return str(self.recording)

    def load(
        self,
        original_directory: str | None = None,  # noqa: ARG002
        original_extension: str | None = None,  # noqa: ARG002
    ) -> tuple[int, NDArray[np.float64]]:
        """``(rate in hertz, samples)``, the samples float64 in int16 range."""
        waveform = files.read(self.recording)
        return waveform.sample_rate, waveform.samples * _INT16_SCALE


def _legacy_file(recording: Recording) -> Any:
    """Something with ``load`` and ``make_path``; None for a sample in memory."""
    source = recording.source
    if recording.own_loader or recording.path is None:
        return source if hasattr(source, "make_path") else None
    return _AudioFile(recording.key, recording.subject, recording.path)


def _transformed(component: Any, recording: Recording) -> Any:
    """What a transformer of today makes of a recording.

    One made by `bob.pipelines.wrap` takes samples that have data, rate and path;
    any other takes the samples of the waveform, float64 in int16 range.
    """
    wrapped = [
        part
        for part in _parts(component)
        if type(part).__module__.startswith("bob.pipelines")
    ]
    if wrapped:
        return component.transform([_sample(recording)])[0].data
    file = _legacy_file(recording)
    source: Any = recording.source
    data = source.data if file is None else file.load()[1]
    return component.transform([data])[0]


def _sample(recording: Recording) -> Any:
    if hasattr(recording.source, "data"):
        return recording.source
    from bob.pipelines import Sample

    path = str(recording.path)
    return Sample(path, key=recording.key, path=path, subject_id=recording.subject)
