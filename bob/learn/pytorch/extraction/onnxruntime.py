"""ONNX Runtime in the place of PyTorch, for the network on a CPU."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from bob.learn.pytorch.extraction.engine import CPUEngine, Embeddings, padded
from bob.learn.pytorch.extraction.errors import ExportError
from bob.learn.pytorch.extraction.onnx import export_network

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import Tensor

    from bob.learn.pytorch.embedder import SpeakerEmbedder


class ONNXEngine(CPUEngine):
    """The front end by PyTorch, the network by ONNX Runtime, from the same weights.

    Parameters
    ----------
    embedder
        In evaluation mode, on the CPU, its network in float32.
    place
        Of the exported network; it is exported there where it is missing.

    Raises
    ------
    ExportError
        ONNX Runtime, or what exports for it, is not installed.
    """

    def __init__(self, embedder: SpeakerEmbedder, place: Path) -> None:
        import torch

        super().__init__(embedder, precision="float64")
        self._input = torch.float32
        if not place.is_file():
            export_network(embedder.network, place)  # type: ignore[arg-type]
        self._session = session(place, threads=torch.get_num_threads())

    def start(self, batch: Sequence[Tensor]) -> Embeddings:
        """Compute at once, as on a CPU there is nothing else to do."""
        features, lengths = padded(batch)
        if lengths is None:
            frames = np.full(len(features), features.shape[-1], np.int64)
        else:
            frames = lengths.numpy()
        inputs = {"features": features.numpy(), "lengths": frames}
        (embeddings,) = self._session.run(None, inputs)
        return lambda: np.asarray(embeddings, np.float32)


def session(place: Path, *, threads: int) -> Any:  # noqa: ANN401 - has no types
    """Open a network in ONNX Runtime, with threads that sleep while they wait."""
    try:
        import onnxruntime
    except ImportError as error:
        raise ExportError(
            "engine='onnxruntime' needs onnxruntime, which is not installed; run "
            "pip install 'bob.learn.pytorch[onnx]', or use engine='torch'"
        ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        str(place), options, providers=["CPUExecutionProvider"]
    )
