"""A front end and a network joined: waveform to embedding."""

from collections.abc import Iterator
from typing import Protocol

import torch
from torch import Tensor, nn


class FrontEnd(Protocol):
    """Interface of a front end, besides that of `nn.Module`."""

    @property
    def sample_rate(self) -> int:
        """In hertz."""

    def samples(self, frames: int) -> int:
        """Fewest samples that give `frames` frames."""

    def lengths(self, samples: Tensor) -> Tensor:
        """Frames of every item of a batch, of its number of samples."""

    def __call__(self, waveform: Tensor, lengths: Tensor | None = None, /) -> Tensor:
        """(batch, time) -> (batch, bins, frames)."""


class Network(Protocol):
    """Interface of a network, besides that of `nn.Module`."""

    @property
    def embedding_size(self) -> int:
        """Numbers in an embedding."""

    @property
    def minimum_frames(self) -> int:
        """Fewest frames that give an embedding."""

    def parameters(self) -> Iterator[nn.Parameter]:
        """Its weights."""

    def buffers(self) -> Iterator[Tensor]:
        """Tensors beside the weights."""

    def __call__(self, features: Tensor, lengths: Tensor | None = None, /) -> Tensor:
        """(batch, bins, frames) -> (batch, embedding_size)."""


class SpeakerEmbedder(nn.Module):
    """A front end and a network: waveform in, embedding out.

    The front end computes in the precision of the waveform, the network in its own:
    to change that, cast `network`. Both move to another device together.

    Parameters
    ----------
    features
        The front end that the network was trained with.
    network
        From its features to embeddings.
    sample_rate
        Sampling rate of the waveforms that will come, in hertz.

    Attributes
    ----------
    minimum_samples
        Fewest samples that give an embedding.
    minimum_seconds
        The same as a duration.

    Raises
    ------
    ValueError
        If the front end was made for another sampling rate.
    """

    def __init__(
        self, features: FrontEnd, network: Network, *, sample_rate: int
    ) -> None:
        super().__init__()
        if features.sample_rate != sample_rate:
            raise ValueError(
                f"{type(features).__name__} takes {features.sample_rate} Hz, not "
                f"{sample_rate} Hz: pass sample_rate={features.sample_rate} and "
                f"resample recordings to it"
            )
        self.features = features
        self.network = network
        self.sample_rate = sample_rate
        self.embedding_size = network.embedding_size
        self.minimum_samples = features.samples(network.minimum_frames)
        self.minimum_seconds = self.minimum_samples / sample_rate

    @property
    def place(self) -> tuple[torch.device, torch.dtype]:
        """Device of the network, and precision of the features that it takes.

        A folded network may have no parameters left; it takes float32.
        """
        for weight in self.network.parameters():
            return weight.device, weight.dtype
        for buffer in self.network.buffers():
            return buffer.device, torch.float32
        return torch.device("cpu"), torch.float32

    def forward(self, waveform: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(batch, time), samples in [-1, 1] -> (batch, embedding_size).

        Parameters
        ----------
        waveform
            Items shorter than the batch may be followed by anything.
        lengths
            Samples of every item, (batch,); None where all fill the batch. An item's
            embedding is then the one that it has alone, up to rounding.

        Raises
        ------
        ValueError
            If the waveform is not a batch of floats, or shorter than `minimum_samples`.
        """
        _, precision = self.place
        features = self.features(waveform, lengths).to(precision)
        if lengths is None:
            return self.network(features)
        return self.network(features, self.features.lengths(lengths))
