"""Recordings in, embeddings out: the base of every extractor, as Bob asks for it."""

from __future__ import annotations

import inspect
import logging
import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np

from bob.learn.pytorch.audio import RecordingError, RecordingLike
from bob.learn.pytorch.inference.batching import BatchEmbedder, Result, embed_many
from bob.learn.pytorch.store.arrays import read, write

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import ArrayLike, NDArray
    from typing_extensions import Self

    from bob.learn.pytorch.models.catalogue import TrainedModel
    from bob.learn.pytorch.templates.format.template import Template


Key = TypeVar("Key")

logger = logging.getLogger(__name__)

# Their `load` reads images and HDF5, or audio through torchaudio's old reader; ours
# knows nothing of the extractor's choice of channel. The path serves better.
_NOT_THE_USERS = ("bob.bio.base.", "bob.bio.spear.", "bob.learn.pytorch.")


class Transformer:
    """A transformer without a fit, by scikit-learn's rules.

    Every parameter of the constructor is an attribute of the same name. To inherit
    scikit-learn's `BaseEstimator` would do the same, and cost 0.8 s at import.
    """

    def get_params(self, deep: bool = True) -> dict[str, Any]:  # noqa: ARG002, FBT001, FBT002
        """Return the parameters of the constructor, by name."""
        names = list(inspect.signature(type(self)).parameters)
        return {name: getattr(self, name) for name in names}

    def set_params(self, **parameters: object) -> Self:
        """Change parameters."""
        known = self.get_params()
        for name in parameters:
            if name not in known:
                raise ValueError(
                    f"{type(self).__name__} has no parameter {name!r}; it has "
                    f"{', '.join(known)}"
                )
        # A new object, so that nothing computed from the old parameters stays.
        vars(self).clear()
        type(self).__init__(self, **{**known, **parameters})
        return self

    def fit(self, recordings: object = None, y: object = None) -> Self:  # noqa: ARG002
        """Do nothing: there is nothing to learn."""
        return self

    def fit_transform(self, recordings: Any, y: object = None) -> Any:  # noqa: ANN401, ARG002
        """Transform."""
        return self.transform(recordings)

    def transform(self, recordings: Any) -> Any:  # noqa: ANN401
        """Turn each item into another."""
        raise NotImplementedError

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def _more_tags(self) -> dict[str, Any]:
        return {"requires_fit": False, "stateless": True}

    def _get_tags(self) -> dict[str, Any]:
        # The two that scikit-learn's Pipeline reads, and those of `bob.pipelines`.
        return {"pairwise": False, "multioutput": False, **self._more_tags()}

    def __repr__(self) -> str:
        given = ", ".join(f"{k}={v!r}" for k, v in self.get_params().items())
        return f"{type(self).__name__}({given})"


class _Runner(BatchEmbedder, Protocol):
    """An embedder of recordings, alone or in batches."""

    @property
    def readers(self) -> int:
        """Threads that read recordings for it."""

    def load(self, recording: Any, /, *, rate: float | None = None) -> Any:  # noqa: ANN401
        """Do as `BatchEmbedder` does, with the rate of an array without one."""


class RecordingTransformer(Transformer):
    """A recording becomes an embedding.

    Bob's legacy `Preprocessor` (`__call__`, `read_original_data`, `write_data`,
    `read_data`) and a transformer for scikit-learn and `bob.pipelines` in one. Of a
    subclass, it needs `model` and `runner`.
    """

    # Attributes of Bob's legacy preprocessors.
    writes_data = True
    min_preprocessed_file_size = 1000
    # Attributes that are made anew where a pickle is read.
    _not_pickled: tuple[str, ...] = ("_runner",)

    @property
    def model(self) -> TrainedModel | Template:
        """The model."""
        raise NotImplementedError

    @property
    def step_name(self) -> str:
        """Name of the step in a pipeline of Bob, and of its folder of checkpoints."""
        return self.model.name.replace("/", "-")

    @property
    def runner(self) -> _Runner:
        """Embedder of recordings."""
        raise NotImplementedError

    def _check(self) -> None:
        """Check the parameters; subclasses call it when they have set them."""
        _join_bob(RecordingTransformer)

    def embed(
        self,
        recording: RecordingLike | list[RecordingLike],
        *,
        rate: float | None = None,
    ) -> NDArray[np.float32]:
        """Return the embedding of a recording, or one row for each of a list.

        Parameters
        ----------
        recording
            Whatever `bob.learn.pytorch.audio.as_waveform` takes, such as a path, an
            array with `rate`, or `(rate, samples)`; or a list of such.
        rate
            Sampling rate in hertz of arrays that come without one.

        Returns
        -------
        ndarray
            (dimensions,) float32, or (recordings, dimensions) for a list; not
            normalised, unless the network does so.

        Raises
        ------
        RecordingError
            A recording cannot be read or used; it names the recording and the reason.
        """
        if isinstance(recording, list):
            return self._embed_all(recording, rate)
        runner = self.runner
        (result,) = runner.start_batch([runner.load(recording, rate=rate)])()
        if isinstance(result, RecordingError):
            raise result
        return result

    def _embed_all(
        self, recordings: list[RecordingLike], rate: float | None
    ) -> NDArray[np.float32]:
        if not recordings:
            raise RecordingError("is an empty list; expected one recording or more")
        if rate is not None:
            return np.stack([self.embed(one, rate=rate) for one in recordings])
        rows = []
        for result in self.embed_many(enumerate(recordings)):
            if result.embedding is None:
                raise result.error or RecordingError("has no embedding")
            rows.append(result.embedding)
        return np.stack(rows)

    @property
    def embeds_in_batches(self) -> bool:
        """True if `embed_many` does what a call does: no subclass has changed that."""
        kind, ours = type(self), RecordingTransformer
        return (kind.__call__, kind.embed) == (ours.__call__, ours.embed)

    def embed_many(
        self,
        recordings: Iterable[tuple[Key, RecordingLike]],
        *,
        workers: int | None = None,
    ) -> Iterator[Result[Key]]:
        """Keys and recordings -> one result each, in the same order.

        Several recordings go through the network together, which changes no embedding.

        Parameters
        ----------
        recordings
            Any number: only some are in memory at a time.
        workers
            Threads that read recordings meanwhile; 0 uses none, and None as many as
            serve the device best.
        """
        runner = self.runner
        workers = runner.readers if workers is None else workers
        return embed_many(runner, recordings, workers=workers)

    def __call__(
        self,
        audio: RecordingLike,
        annotations: object = None,  # noqa: ARG002 - of Bob's interface
    ) -> NDArray[np.float32]:
        """One recording, in old Bob (rate, samples) -> (1, dimensions).

        Raises
        ------
        RecordingError
            Same as for `embed`.
        """
        return self.embed(audio)[np.newaxis]

    def transform(
        self, recordings: Iterable[RecordingLike]
    ) -> list[NDArray[np.float32] | None]:
        """Embed recordings: one (dimensions,) each.

        None stands for one that cannot be used, and the log says which and why: Bob
        then counts it as failure to acquire, and the others keep their scores.

        Raises
        ------
        TypeError
            One path in place of a list of them.
        """
        if isinstance(recordings, str | os.PathLike):
            raise TypeError(
                f"transform came with the one path {recordings!r}; expected a list of "
                "recordings: put it into one, [path], or use `embed(path)`"
            )
        results = list(self.embed_many(enumerate(recordings)))
        for result in results:
            if result.error is not None:
                logger.warning("no embedding: %s", result.error)
        return [result.embedding for result in results]

    def read_original_data(
        self,
        biofile: Any,  # noqa: ANN401
        directory: str | None = None,
        extension: str | None = None,
    ) -> Any:  # noqa: ANN401
        """Return the path of a file of a database, or what the user's `load` gives."""
        if _has_own_loader(biofile):
            return biofile.load(directory, extension)
        if directory is None:
            directory = getattr(biofile, "original_directory", None)
        if extension is None:
            extension = getattr(biofile, "original_extension", None)
        if hasattr(biofile, "make_path"):
            return os.fspath(biofile.make_path(directory, extension))
        return str(Path(directory or "") / f"{biofile.path}{extension or ''}")

    @staticmethod
    def write_data(data: ArrayLike, data_file: object) -> None:
        """Store an embedding as Bob does: HDF5, dataset `array`."""
        write(data, data_file)

    @staticmethod
    def read_data(data_file: object) -> NDArray[np.float64]:
        """Read what `write_data` stored."""
        return read(data_file)

    def _more_tags(self) -> dict[str, Any]:
        return {
            **super()._more_tags(),
            "bob_features_save_fn": self.write_data,
            "bob_features_load_fn": self.read_data,
        }

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), **dict.fromkeys(self._not_pickled)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._check()

    def __str__(self) -> str:
        return repr(self)


class WholeSample(Transformer):
    """Hands the extractor each sample itself in the place of its data.

    `bob.pipelines` looks three times at `sample.data`, which where a database decodes
    means three times the work, and an exception at the first look ends the run.
    The extractor looks once, sees `path` and `rate` as well, and what goes wrong there
    fails one sample.
    """

    def transform(self, recordings: Any) -> list[Any]:  # noqa: ANN401
        """Return samples or sample sets of Bob whose `data` is the sample itself."""
        from bob.pipelines import DelayedSample, SampleSet

        return [
            SampleSet(self.transform(sample.samples), parent=sample)
            if isinstance(sample, SampleSet)
            else DelayedSample(partial(_itself, sample), parent=sample)
            for sample in recordings
        ]

    def _more_tags(self) -> dict[str, Any]:
        return {**super()._more_tags(), "bob_checkpoint_features": False}


def _itself(sample: object) -> object:
    return sample


def _join_bob(extractor: type) -> None:
    """Make Bob's `Preprocessor` a base of an extractor's class, where Bob is loaded.

    What Bob has for configurations of old asks `isinstance(…, Preprocessor)`. To
    inherit at once would import Bob, two seconds, for everyone who has no such
    configuration. So it is done when an extractor is made and Bob is there by then.
    """
    module = sys.modules.get("bob.bio.base.preprocessor")
    preprocessor = getattr(module, "Preprocessor", None)
    if preprocessor is not None and not issubclass(extractor, preprocessor):
        extractor.__bases__ = (*extractor.__bases__, preprocessor)


def _has_own_loader(biofile: object) -> bool:
    load = getattr(biofile, "load", None)
    module = getattr(getattr(load, "__func__", load), "__module__", None) or ""
    return callable(load) and not module.startswith(_NOT_THE_USERS)
