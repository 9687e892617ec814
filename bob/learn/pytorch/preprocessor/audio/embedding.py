"""Any trained model of the catalogue, as Bob's preprocessor and transformer."""

import difflib
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from bob.learn.pytorch import settings
from bob.learn.pytorch.audio import check_channel
from bob.learn.pytorch.choices import Precision
from bob.learn.pytorch.inference import engine as engines
from bob.learn.pytorch.models import catalogue
from bob.learn.pytorch.preprocessor.audio.recordings import RecordingTransformer

if TYPE_CHECKING:
    from bob.learn.pytorch.inference.embedding import RecordingEmbedder
    from bob.learn.pytorch.models.embedder import SpeakerEmbedder

logger = logging.getLogger(__name__)

# Raise it when a change here changes embeddings: stored ones are then made anew.
RECIPE = "1"

# Enough for 20 minutes with CAM++; DltResNet and ResNet need less, of any recording.
MEMORY_MB = 4_096.0

_TYPES: tuple[tuple[str, Any, str], ...] = (
    ("name_or_path", str | os.PathLike, "the name of a trained model, or a path"),
    (
        "model_file",
        str | os.PathLike | None,
        "the path of a file with weights, or None",
    ),
    ("device", str | None, "a text such as 'cpu' or 'cuda:0', or None"),
)


class EmbeddingExtractor(RecordingTransformer):
    """A recording becomes a speaker embedding.

    The network is loaded at the first recording, and left out of pickles.

    Parameters
    ----------
    name_or_path
        Name of a trained model (`bob pytorch models list`), or a file with weights for
        the network of one; which one shows in the file.
    model_file
        File with weights for the named model, which has to be there, or an existing
        folder for the published file; None for where the settings say, or the default
        place, to which missing weights are downloaded.
    device
        Device of torch: "cpu" (None), "cuda:1", …; "auto" is a GPU where there is one.
    precision
        Precision of the network: float32, float64, bfloat16 or, on a GPU, float16.
        "auto" is float16 on a GPU with tensor cores, bfloat16 on a CPU that is faster
        in it than our kernel is in float32, else float32. Front ends compute in float64
        on a CPU, and in float32 on a GPU.
    engine
        Engine of the network: "torch", or "onnxruntime" on a CPU in float32, which
        "auto" means for it.
    channel
        Channel to take, counted from 0, or "mix" for the mean; None refuses several.
    memory_mb
        Memory limit in MB for a batch, or one recording. What needs more goes in
        blocks; a network such as CAM++, which has to see the whole, refuses it.
    chunk_seconds
        Take the mean over chunks of such recordings instead; it is not the embedding
        that they have as a whole.

    Raises
    ------
    UnknownModelError
        No trained model has that name.
    TypeError, ValueError
        An unknown precision or channel, or an argument of another type.
    """

    # The network takes 25 to 100 MB, and whoever unpickles loads it by itself.
    _not_pickled = ("_embedder", "_runner", "_model")

    def __init__(
        self,
        name_or_path: str | os.PathLike[str] = "campplus-zh-en",
        *,
        model_file: str | os.PathLike[str] | None = None,
        device: str | None = None,
        precision: Precision | Literal["auto"] = "float32",
        engine: Literal["torch", "onnxruntime"] = "torch",
        channel: int | Literal["mix"] | None = None,
        memory_mb: float = MEMORY_MB,
        chunk_seconds: float | None = None,
    ) -> None:
        self.name_or_path = name_or_path
        self.model_file = model_file
        self.device = device
        self.precision = precision
        self.engine = engine
        self.channel = channel
        self.memory_mb = memory_mb
        self.chunk_seconds = chunk_seconds
        self._check()

    def _check(self) -> None:
        """Check what is cheap to check; a misspelt name should not wait."""
        check_channel(self.channel)
        for name in ("memory_mb", "chunk_seconds"):
            number = getattr(self, name)
            if number is not None and not number > 0:
                raise engines.ChoiceError(
                    f"{name} is {number!r}; expected more than 0", option=name
                )
        for name, types, expected in _TYPES:
            value = getattr(self, name)
            if not isinstance(value, types):
                raise TypeError(f"{name} is {value!r}; expected {expected}")
        engines.check_choice(self.engine, self.precision, self._wanted_device())
        self._embedder: SpeakerEmbedder | None = None
        self._runner: RecordingEmbedder | None = None
        self._model: catalogue.TrainedModel | None = None
        if not _is_path(self.name_or_path):
            self._model = catalogue.find(str(self.name_or_path))
        super()._check()

    @property
    def model(self) -> catalogue.TrainedModel:
        """The entry of the catalogue; opens the weights where only they tell.

        Raises
        ------
        WeightsError
            The file is not there, or not of a network that the catalogue knows.
        """
        if self._model is None:
            self._model = _recognised(Path(self.name_or_path).expanduser())
        return self._model

    @property
    def embedder(self) -> "SpeakerEmbedder":
        """The network with its front end, loaded at the first use.

        Raises
        ------
        WeightsError
            The weights cannot be had, or are not those of this network.
        ValueError
            The device is not there.
        """
        if self._embedder is None:
            self._embedder = self._load()
        return self._embedder

    def fetch(self, *, progress: bool = False) -> None:
        """Fetch the weights if they are missing; errors as for `embedder`."""
        from bob.learn.pytorch.models import store

        store.obtain(self.model, path=self._weights_file(), progress=progress)

    def prepare(self, *, progress: bool = True) -> None:
        """Fetch the weights and load the network now, not at the first recording.

        Parameters
        ----------
        progress
            Whether a download shows a bar.
        """
        if self._embedder is None:
            self._embedder = self._load(progress=progress)
        _ = self.runner

    def _load(self, *, progress: bool = False) -> "SpeakerEmbedder":
        from bob.learn.pytorch.models import store

        return store.load_embedder(
            self.model,
            path=self._weights_file(),
            precision="float64" if self.precision == "float64" else "float32",
            device=self.chosen()["device"],
            progress=progress,
        )

    @property
    def runner(self) -> "RecordingEmbedder":
        """Embedder of recordings, made at the first use; errors as for `embedder`."""
        if self._runner is None:
            from bob.learn.pytorch.inference.embedding import RecordingEmbedder

            chosen = self.chosen()
            self._runner = RecordingEmbedder(
                engines.make(self.embedder, **chosen, cache=self._export_place),
                model=self.model,
                channel=self.channel,
                memory_mb=self.memory_mb,
                chunk_seconds=self.chunk_seconds,
            )
            logger.info("%s runs on %s", self.model.name, ", ".join(chosen.values()))
        return self._runner

    def chosen(self) -> dict[str, str]:
        """Return the device, precision and engine that "auto" and None stand for."""
        return engines.choose(self.engine, self.precision, self._wanted_device())

    def fingerprint(self) -> dict[str, str]:
        """Everything that its embeddings depend on; fetches missing weights."""
        chunks = (
            {"chunk_seconds": f"{self.chunk_seconds:g}"} if self.chunk_seconds else {}
        )
        return {
            **chunks,
            "extractor": type(self).__name__,
            "model": self.model.name,
            "weights": self._weights_sha256(),
            "embedding_size": str(self.model.embedding_size),
            "precision": self.chosen()["precision"],
            "channel": str(self.channel),
            "resampler": self.model.resampler,
            "recipe": RECIPE,
        }

    def _weights_file(self) -> Path | None:
        if _is_path(self.name_or_path):
            return Path(self.name_or_path).expanduser()
        return None if self.model_file is None else Path(self.model_file)

    def _weights_sha256(self) -> str:
        from bob.learn.pytorch.models import store

        return store.file_sha256(
            store.obtain(self.model, path=self._weights_file(), progress=True)
        )

    def _export_place(self) -> Path:
        """Return where the network for ONNX Runtime is kept."""
        from bob.learn.pytorch.export.onnx import exporter_sha256

        model = self.model
        parts = (
            f"{model.name}-{model.embedding_size}",
            self._weights_sha256()[:16].replace(" ", "-"),
            exporter_sha256()[:16],
        )
        return settings.weights_folder() / "onnx" / f"{'-'.join(parts)}.onnx"

    def _wanted_device(self) -> str | None:
        return self.device


def _is_path(name: str | os.PathLike[str]) -> bool:
    """Return whether a name means a file: names of models have no slash and no dot."""
    return not isinstance(name, str) or os.sep in name or "." in name


def _nearest_template(path: Path) -> str:
    from bob.learn.pytorch.templates.format.template import shipped

    near = difflib.get_close_matches(path.as_posix(), shipped(), n=1, cutoff=0.8)
    return f"; the nearest template is {near[0]}" if near else ""


def _recognised(path: Path) -> catalogue.TrainedModel:
    from bob.learn.pytorch.models import store

    known = ", ".join(model.name for model in catalogue.MODELS)
    if not path.is_file():
        raise store.WeightsError(
            f"there is no file {path}; expected weights, or the name of a trained "
            f"model, one of {known}{_nearest_template(path)}"
        )
    model = store.recognise(path)
    if model is None:
        raise store.WrongWeights(
            f"{path} is not of the network of a trained model; those are {known}"
        )
    return model
