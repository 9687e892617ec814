"""What every extractor of embeddings is to Bob, whatever it runs."""

import logging
import os
from collections.abc import Iterable, Iterator
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bob.learn.pytorch.audio import RecordingError, RecordingLike
from bob.learn.pytorch.inference.batching import BatchEmbedder, Result, embed_many
from bob.learn.pytorch.preprocessor.audio import original
from bob.learn.pytorch.preprocessor.audio.estimator import Transformer
from bob.learn.pytorch.store import arrays

Key = TypeVar("Key")

logger = logging.getLogger(__name__)


class Runner(BatchEmbedder, Protocol):
    """What embeds recordings, alone or in batches."""

    readers: int

    def load(self, recording: Any, /, *, rate: float | None = None) -> Any:  # noqa: ANN401
        """As of `BatchEmbedder`, with the rate of an array without one."""


class Model(Protocol):
    """What is known of a model."""

    @property
    def name(self) -> str:
        """What people call it."""


class RecordingTransformer(Transformer):
    """A recording becomes an embedding.

    Bob's legacy `Preprocessor` (`__call__`, `read_original_data`, `write_data`,
    `read_data`) and a transformer for scikit-learn and `bob.pipelines` in one. Of a
    subclass, it needs `model` and `runner`.
    """

    # Of Bob's legacy preprocessors.
    writes_data = True
    min_preprocessed_file_size = 1000

    @property
    def model(self) -> Model:
        """What is known of the model."""
        raise NotImplementedError

    @property
    def step_name(self) -> str:
        """What a pipeline of Bob calls it, and the folder of its checkpoints."""
        return self.model.name.replace("/", "-")

    @property
    def runner(self) -> Runner:
        """What embeds recordings."""
        raise NotImplementedError

    def _check(self) -> None:
        """Called by subclasses when their parameters are set."""
        original.join_bob(RecordingTransformer)

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
            raise ValueError("embed came with an empty list; expected recordings")
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
        """Whether `embed_many` does what calling it does: no subclass changed that."""
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
            As `embed`.
        """
        return self.embed(audio)[np.newaxis]

    def transform(
        self, recordings: Iterable[RecordingLike]
    ) -> list[NDArray[np.float32] | None]:
        """Recordings -> one (dimensions,) each.

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
        """What to embed for a file of a Bob database: its path, or what it loads."""
        return original.read_original(biofile, directory, extension)

    @staticmethod
    def write_data(data: ArrayLike, data_file: object) -> None:
        """Store an embedding as Bob does: HDF5, dataset `array`."""
        arrays.write(data, data_file)

    @staticmethod
    def read_data(data_file: object) -> NDArray[np.float64]:
        """Read what `write_data` stored."""
        return arrays.read(data_file)

    def _more_tags(self) -> dict[str, Any]:
        return {
            **super()._more_tags(),
            "bob_features_save_fn": self.write_data,
            "bob_features_load_fn": self.read_data,
        }

    def __str__(self) -> str:
        return repr(self)
