"""Preprocessors and extractors of any age, as the two steps that make features."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from bob.learn.pytorch.audio import RecordingError, files
from bob.learn.pytorch.experiment.configuration import ConfigurationError
from bob.learn.pytorch.experiment.fingerprint import of_component, of_source
from bob.learn.pytorch.experiment.stored import check as check_stored
from bob.learn.pytorch.experiment.stored import fingerprint as stored_fingerprint
from bob.learn.pytorch.experiment.stored import writing
from bob.learn.pytorch.files import remembered_source
from bob.learn.pytorch.scorefiles.failures import Failure
from bob.learn.pytorch.store.arrays import faults_of
from bob.learn.pytorch.store.arrays import read as read_array
from bob.learn.pytorch.store.arrays import write as write_array

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from bob.learn.pytorch.protocols.trials import Database, Recording

logger = logging.getLogger(__name__)

#: What a bad recording makes readers and components raise. Anything else is a
#: mistake in a component, which no other recording would survive either.
OF_THE_RECORDING = (RecordingError, OSError, ValueError, RuntimeError)

#: The full scale of 16-bit samples: legacy Bob hands out float64 in this range.
_INT16_SCALE = 32768.0


class Made(NamedTuple):
    """A result, or None and the error of the recording.

    `closes` is that of `bob.learn.pytorch.inference.batching.Result`.
    """

    result: Any
    error: Exception | None = None
    closes: bool = True


Computed: TypeAlias = Iterator[Made]
"""One for every recording."""


class Planned(NamedTuple):
    """A file that is to be made, and what will tell that it is the right one."""

    recording: Recording
    path: Path
    fingerprint: str
    source: str = ""
    place: int = 0


class _Component:
    """A component of the configuration, and the files of its results."""

    kind: str  # as messages call it
    result: str
    #: Methods that the component may have, to write and read a file.
    writer: str
    reader: str

    def __init__(self, component: Any) -> None:
        if isinstance(component, type):
            raise ConfigurationError(
                f"the {self.kind} is the class {component.__name__}, expected an "
                f"object: {component.__name__}(…)"
            )
        if not callable(component) and not hasattr(component, "transform"):
            raise ConfigurationError(
                f"the {self.kind} is {component!r} ({type(component).__name__}), "
                "expected an object that can be called with the data or has "
                "transform(list)"
            )
        self.component = component
        self._made_by: dict[bool, Any] = {}

    def prepare(self) -> None:
        """Load what the component needs, so that it fails once and not a file each."""
        for part in _parts(self.component):
            prepare = getattr(part, "prepare", None)
            if callable(prepare):
                prepare()

    def made_by(self, *, before: bool = False) -> Any:
        """Describe what beside the input determines the result; may fetch weights."""
        if before not in self._made_by:
            self._made_by[before] = of_component(self.component, before=before)
        return self._made_by[before]

    def write(
        self, result: Any, path: Path, fingerprint: str, *, source: str = ""
    ) -> None:
        """Store a result."""
        write = getattr(self.component, self.writer, write_array)
        with writing(path, fingerprint, source=source) as place:
            write(result, place)

    def read(self, path: Path) -> Any:
        """Read a stored result.

        Raises
        ------
        FileNotFoundError, DamagedFileError
            It is not there, or not what was written.
        """
        if not path.exists():
            raise FileNotFoundError(f"no stored {self.result} at {path}")
        check_stored(path)
        return getattr(self.component, self.reader, read_array)(str(path))


class Preprocessing(_Component):
    """A preprocessor: legacy Bob's (callable) or today's (a transformer).

    As a step it reads a recording and makes the preprocessed file.

    Parameters
    ----------
    component
        With ``__call__(data, annotations[, metadata])``, or with
        ``transform(list)``; optionally ``read_original_data``, ``write_data``,
        ``read_data``, ``writes_data`` and ``fingerprint``.
    database
        Says where the recordings lie and how they are annotated.
    """

    stage = "preprocessing"
    kind, result, writer, reader = "preprocessor", "data", "write_data", "read_data"

    def __init__(self, component: Any, database: Database) -> None:
        super().__init__(component)
        self.database = database
        self.writes_data = bool(getattr(component, "writes_data", True))

    def source(self, recording: Recording, known: str) -> str:
        """Describe the recording's file; ``known`` is what was said of it before."""
        path = recording.path
        return "" if path is None else remembered_source(path, known=known)

    def made_from(
        self, recording: Recording, source: str, *, before: bool = False
    ) -> Any:
        """Describe what of the recording determines the result; may fail with it.

        With `before`, as files were described that have no hash of the recording.
        """
        if recording.path is None:
            state = of_component(getattr(recording.source, "data", recording.key))
        else:
            state = of_source(source, before=before)
        annotations = self.database.annotations(recording)
        return [state, of_component(annotations, before=before)]

    def __call__(self, recording: Recording) -> Any:
        """Read and preprocess one recording."""
        if not callable(self.component):
            return _transformed(self.component, recording)
        data = self._load(recording)
        extra = _metadata(self.component, recording)
        return self.component(data, self.database.annotations(recording), **extra)

    def compute(self, recordings: Sequence[Recording]) -> Computed:
        """Read and preprocess recordings; a component of ours embeds in batches."""
        if getattr(self.component, "embeds_in_batches", False):
            return self._in_batches(recordings)
        return (_tried(self, item, stage=self.stage) for item in recordings)

    def _in_batches(self, recordings: Sequence[Recording]) -> Computed:
        # What a database loads in a way of its own is loaded in this thread.
        unread: dict[int, Made] = {}

        def readable() -> Iterator[tuple[int, Any]]:
            for place, recording in enumerate(recordings):
                made = _tried(self._load, recording, stage=self.stage)
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

    def _load(self, recording: Recording) -> Any:
        file = _legacy_file(recording)
        if file is None:
            source: Any = recording.source
            rate = getattr(source, "rate", None)
            return source.data if rate is None else (rate, source.data)
        directory = self.database.original_directory
        extension = self.database.original_extension
        load = getattr(self.component, "read_original_data", None)
        if load is not None:
            return load(file, directory, extension)
        return file.load(directory, extension)


class Extraction(_Component):
    """An extractor: legacy Bob's (callable) or today's (a transformer)."""

    kind, result = "extractor", "feature"
    writer, reader = "write_feature", "read_feature"

    def __init__(self, component: Any) -> None:
        super().__init__(component)
        if getattr(component, "requires_training", False):
            raise ConfigurationError(
                f"the extractor {type(component).__name__} requires training, which "
                "verify.py does not offer; train it beforehand and configure the "
                "trained one"
            )

    def __call__(self, data: Any, recording: Recording) -> Any:
        """Extract the feature of one recording's preprocessed data."""
        if not callable(self.component):
            return self.component.transform([data])[0]
        return self.component(data, **_metadata(self.component, recording))

    def rows(self, path: Path) -> NDArray[np.float64]:
        """Read a stored feature as rows, of shape (vectors, dimensions).

        Raises
        ------
        FileNotFoundError, DamagedFileError, ValueError
            It is not there, not what was written, or no embedding.
        """
        return as_rows(self.read(path), str(path))


class ExtractionStep:
    """The step from the preprocessed file, or the recording itself, to the feature.

    Parameters
    ----------
    place
        Returns the path of a recording's preprocessed file.
    """

    stage = "extraction"

    def __init__(
        self,
        extraction: Extraction,
        preprocessing: Preprocessing,
        place: Callable[[Recording], Path],
    ) -> None:
        self._extraction, self._preprocessing = extraction, preprocessing
        self._place = place
        self._stored = preprocessing.writes_data
        self.write = extraction.write

    def prepare(self) -> None:
        """Load what the extractor needs, and the preprocessor if it runs here."""
        self._extraction.prepare()
        if not self._stored:
            self._preprocessing.prepare()

    def source(self, recording: Recording, known: str) -> str:
        """Describe the recording's file if it is read here."""
        return "" if self._stored else self._preprocessing.source(recording, known)

    def made_by(self, *, before: bool = False) -> Any:
        """Describe the extractor, and the preprocessor if it runs here."""
        first = None if self._stored else self._preprocessing.made_by(before=before)
        return [self._extraction.made_by(before=before), first]

    def made_from(
        self, recording: Recording, source: str, *, before: bool = False
    ) -> Any:
        """Describe the preprocessed file, or the recording."""
        if self._stored:
            return stored_fingerprint(self._place(recording))
        return self._preprocessing.made_from(recording, source, before=before)

    def compute(self, recordings: Sequence[Recording]) -> Computed:
        """Extract the features."""
        read = partial(_tried, self._read, stage=self.stage)
        read_all: Computed = map(read, recordings)
        data = read_all if self._stored else self._preprocessing.compute(recordings)
        for recording, made in zip(recordings, data, strict=True):
            if made.error is None:
                extract = partial(self._extraction, made.result)
                done = _tried(extract, recording, stage=self.stage)
                yield done._replace(closes=made.closes)
            else:
                yield made

    def _read(self, recording: Recording) -> Any:
        try:
            return self._preprocessing.read(self._place(recording))
        except FileNotFoundError as error:
            advice = "run once without --skip-preprocessing"
            raise FileNotFoundError(f"{error}; {advice}") from error


#: A stage that makes a file of every recording.
Step: TypeAlias = Preprocessing | ExtractionStep


def _tried(
    work: Callable[[Recording], Any], recording: Recording, *, stage: str
) -> Made:
    """Return a result, or None and the error that the recording is to blame for."""
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


def failure(recording: Recording, stage: str, error: Exception) -> Failure:
    """Return why a recording did not become a feature."""
    if type(error).__name__ == "OutOfMemoryError":  # torch's: the device is to blame
        raise error
    reason = getattr(error, "reason", None) or str(error) or type(error).__name__
    logger.info("%s of %s failed: %s", stage, recording.key, reason)
    return Failure(recording.key, recording.path, stage, reason)


def as_rows(feature: Any, path: str) -> NDArray[np.float64]:
    """Return a feature as rows of vectors, of shape (vectors, dimensions).

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


def _parts(component: Any) -> Iterator[Any]:
    """Yield a component, the steps of a pipeline, and what a wrapper holds."""
    yield component
    for _, step in getattr(component, "steps", ()):
        yield from _parts(step)
    if hasattr(component, "estimator"):
        yield from _parts(component.estimator)


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

    def make_path(self, *_: object, **__: object) -> str:
        """Return the recording's own path, whatever folder and suffix are given."""
        return str(self.recording)

    def load(self, *_: object, **__: object) -> tuple[int, NDArray[np.float64]]:
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
    """Return what a transformer of today makes of a recording.

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
