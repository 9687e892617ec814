"""DltResNet and ResNet with the interface of bob.learn.pytorch 0.2.0."""

from __future__ import annotations

import copy
import dataclasses
import warnings
from functools import partial
from typing import TYPE_CHECKING, Literal

import numpy as np

from bob.learn.pytorch.inference.engine import chosen_device
from bob.learn.pytorch.preprocessor.audio.embedding import EmbeddingExtractor

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from numpy.typing import ArrayLike, NDArray

    from bob.learn.pytorch.architectures.resnet import SpeakerResNet
    from bob.learn.pytorch.choices import Precision
    from bob.learn.pytorch.models.catalogue import TrainedModel
    from bob.learn.pytorch.models.embedder import SpeakerEmbedder


EMBEDDING_SIZE = 128


class DltResNetExtractor(EmbeddingExtractor):
    """Speaker embeddings of DltResNet, or of ResNet with `use_res`.

    Parameters
    ----------
    model_file
        File with the weights, which has to be there; None for where the settings say,
        or the default place, to which missing weights are downloaded.
    num_classes
        Irrelevant to embeddings, and here to keep the signature.
    bn_dim
        Numbers in an embedding; it has to be that of the weights.
    cuda_flag
        1 computes on the first CUDA device.
    test
        Random weights, the same at every time and place, instead of `model_file`.
    use_res
        ResNet instead of DltResNet.
    device
        Device of torch; it goes before `cuda_flag`.
    precision, engine
        Same as those of `EmbeddingExtractor`; on a CPU the spectrogram is computed in
        float64, as in the original.
    channel
        Channel to take, counted from 0, or "mix" for the mean; None refuses several.

    Notes
    -----
    Differences from the original:

    - with `test`, and with a file without `state_dict`, it left the network in training
      mode, where an embedding depends on the recordings before it;
    - a file of another network, or without the prefix `module.`, left random weights in
      place without a word; here it is refused;
    - it needed samples of float64 or int16 at 16 kHz or any other rate, one channel;
      here also paths and everything else of `bob.learn.pytorch.audio.as_waveform`;
    - below 0.385 s it returned NaN or failed, and it embedded silence; here both raise
      `RecordingError`;
    - `extract_embeddings` dropped a remainder of up to 30 frames, and gave NaN for one
      of 31 to 36; here it belongs to the chunk before.
    """

    def __init__(  # noqa: PLR0913 - the original's, and three more
        self,
        model_file: str | os.PathLike[str] | None = None,
        num_classes: int = 1211,
        bn_dim: int = EMBEDDING_SIZE,
        cuda_flag: int = 0,
        test: bool = False,  # noqa: FBT001, FBT002
        use_res: bool = False,  # noqa: FBT001, FBT002
        *,
        device: str | None = None,
        precision: Precision | Literal["auto"] = "float32",
        engine: Literal["torch", "onnxruntime"] = "torch",
        channel: int | Literal["mix"] | None = None,
    ) -> None:
        self.num_classes = num_classes
        self.bn_dim = bn_dim
        self.cuda_flag = cuda_flag
        self.test = test
        self.use_res = use_res
        super().__init__(
            "resnet34-voxceleb1" if use_res else "dltresnet34-voxceleb1",
            model_file=model_file,
            device=device,
            precision=precision,
            engine=engine,
            channel=channel,
        )

    def _check(self) -> None:
        if not isinstance(self.bn_dim, int | np.integer):
            raise TypeError(f"bn_dim is {self.bn_dim!r}; expected a whole number")
        if self.bn_dim < 1:
            raise ValueError(f"bn_dim is {self.bn_dim}; expected 1 or more")
        super()._check()

    @property
    def model(self) -> TrainedModel:
        """The entry of the catalogue, with the embedding size asked for."""
        entry = super().model
        if self.bn_dim == entry.embedding_size:
            return entry
        return dataclasses.replace(
            entry,
            network=partial(_network, use_res=self.use_res, embedding_size=self.bn_dim),
            embedding_size=self.bn_dim,
        )

    def extract_embeddings(
        self,
        model: SpeakerResNet | None,
        specs: ArrayLike,
        L: int,  # noqa: N803
        batch_size: int,
        cuda_flag: int = 0,
        min_length: int = 30,
    ) -> NDArray[np.float32]:
        """Cut a spectrogram into chunks and embed each.

        Parameters
        ----------
        model
            Network, `(batch, 257, frames) -> (batch, dimensions)`, in evaluation mode;
            None for this extractor's own.
        specs
            Magnitudes before normalisation, (frames, 257) or with leading ones in the
            shape; each chunk is normalised by itself.
        L
            Frames in a chunk, at least 37; 0 takes the spectrogram whole.
        batch_size
            Chunks that go through the network together.
        cuda_flag
            1 computes with a copy of the network on the first CUDA device.
        min_length
            A remainder of more frames, and of at least 37, is a chunk of its own;
            one of fewer belongs to the chunk before.

        Returns
        -------
        ndarray
            (chunks, dimensions).

        Raises
        ------
        ValueError
            Chunks or a spectrogram of fewer than 37 frames.
        """
        network: SpeakerResNet = self.embedder.network if model is None else model  # type: ignore[assignment]
        if cuda_flag:
            # A copy: the network itself stays where its owner put it.
            network = copy.deepcopy(network).to(chosen_device("cuda"))
        magnitudes = np.asarray(specs)
        return _embed_chunks(
            network,
            magnitudes.reshape(magnitudes.shape[-2:]),
            length=L,
            batch_size=batch_size,
            remainder=min_length + 1,
        )

    def fetch(self, *, progress: bool = False) -> None:
        """Fetch the weights if they are missing; with `test` there are none."""
        if not self.test:
            super().fetch(progress=progress)

    def _load(self, *, progress: bool = False) -> SpeakerEmbedder:
        if not self.test:
            return super()._load(progress=progress)
        warnings.warn(
            f"{type(self).__name__}(test=True) has random weights: its embeddings say "
            "nothing about speakers",
            stacklevel=2,
        )
        import torch

        from bob.learn.pytorch.models.embedder import SpeakerEmbedder

        with torch.random.fork_rng(devices=[]):
            torch.random.manual_seed(0)
            network = self.model.network()
        embedder = SpeakerEmbedder(
            self.model.features(), network, sample_rate=self.model.sample_rate
        )
        network.to(torch.float64 if self.precision == "float64" else torch.float32)
        return embedder.eval().to(chosen_device(self._wanted_device()))

    def _weights_sha256(self) -> str:
        return "random weights" if self.test else super()._weights_sha256()

    def _wanted_device(self) -> str | None:
        return "cuda" if self.device is None and self.cuda_flag else self.device


class ResNetExtractor(DltResNetExtractor):
    """Speaker embeddings of ResNet: `DltResNetExtractor` with `use_res`.

    Parameters
    ----------
    model_file, num_classes, bn_dim, cuda_flag, test, device, precision, engine, channel
        Same as those of `DltResNetExtractor`.
    """

    def __init__(  # noqa: PLR0913 - those of DltResNetExtractor, less one
        self,
        model_file: str | os.PathLike[str] | None = None,
        num_classes: int = 1211,
        bn_dim: int = EMBEDDING_SIZE,
        cuda_flag: int = 0,
        test: bool = False,  # noqa: FBT001, FBT002
        *,
        device: str | None = None,
        precision: Precision | Literal["auto"] = "float32",
        engine: Literal["torch", "onnxruntime"] = "torch",
        channel: int | Literal["mix"] | None = None,
    ) -> None:
        super().__init__(
            model_file,
            num_classes,
            bn_dim,
            cuda_flag,
            test,
            use_res=True,
            device=device,
            precision=precision,
            engine=engine,
            channel=channel,
        )


def _network(*, use_res: bool, embedding_size: int) -> SpeakerResNet:
    from bob.learn.pytorch.architectures.resnet import dlt_resnet34, resnet34

    make = resnet34 if use_res else dlt_resnet34
    return make(embedding_size=embedding_size)


_SMALLEST_DEVIATION = 1e-7


def _bounds(
    frames: int, length: int, *, minimum: int, remainder: int = 0
) -> list[tuple[int, int]]:
    """Return first and last frame of every chunk; together they cover all frames.

    What is left after the last whole chunk is a chunk of its own from `remainder` and
    `minimum` frames on, and otherwise belongs to the chunk before.

    Examples
    --------
    >>> _bounds(250, 100, minimum=37)
    [(0, 100), (100, 200), (200, 250)]
    >>> _bounds(230, 100, minimum=37)
    [(0, 100), (100, 230)]
    """
    if length <= 0 or length > frames:
        length = frames
    if length < minimum:
        raise ValueError(
            f"a chunk of {length} frames is too short to embed; the network needs "
            f"{minimum}, so ask for longer chunks or take a longer recording"
        )
    starts = list(range(0, frames, length))
    left = frames - starts[-1]
    if left < max(minimum, min(remainder, length)):
        del starts[-1]
    return list(zip(starts, [*starts[1:], frames], strict=True))


def _embed_chunks(
    network: SpeakerResNet,
    magnitudes: ArrayLike,
    *,
    length: int,
    batch_size: int,
    remainder: int = 0,
) -> NDArray[np.float32]:
    """Embed magnitudes (frames, 257) by chunk -> (chunks, dimensions).

    Each chunk is normalised by itself.
    """
    import torch

    spectrogram = np.asarray(magnitudes, np.float64)
    cuts = _bounds(
        len(spectrogram),
        length,
        minimum=network.minimum_frames,
        remainder=remainder,
    )
    chunks = [_normalised(spectrogram[start:end]) for start, end in cuts]
    weights = next(network.parameters())
    embeddings = []
    with torch.inference_mode():
        for batch in _batches(chunks, max(1, batch_size)):
            features = torch.from_numpy(np.stack(batch)).transpose(1, 2)
            embedding = network(features.to(weights.device, weights.dtype))
            embeddings.append(embedding.to("cpu", torch.float32).numpy())
    return np.concatenate(embeddings)


def _normalised(chunk: NDArray[np.float64]) -> NDArray[np.float64]:
    deviation = chunk.std(axis=0) + _SMALLEST_DEVIATION
    return np.asarray((chunk - chunk.mean(axis=0)) / deviation)


def _batches(
    chunks: list[NDArray[np.float64]], size: int
) -> Iterator[list[NDArray[np.float64]]]:
    """Yield chunks in order; the last may have another length, and then goes alone."""
    whole = [chunk for chunk in chunks if len(chunk) == len(chunks[0])]
    for start in range(0, len(whole), size):
        yield whole[start : start + size]
    if len(whole) < len(chunks):
        yield chunks[-1:]
