"""A network as an ONNX file, which runs without Python and PyTorch."""

from __future__ import annotations

import hashlib
import logging
import warnings
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from bob.learn.pytorch.errors import UserError
from bob.learn.pytorch.files import beside

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from torch import nn
    from torch.export import ExportedProgram
    from torch.onnx import ONNXProgram

    from bob.learn.pytorch.models.embedder import Network

    class _Exportable(Network, Protocol):
        """Properties of a network that an export needs."""

        training: bool

        @property
        def bins(self) -> int:
            """Numbers in a frame of its features."""


# The lowest that torch writes, so that old runtimes read it: ONNX Runtime since 1.14.
OPSET = 18
# More than a network needs, so that no size inside of it is 1: that would become fixed.
_FRAMES_SHOWN = 400


class ExportError(UserError, RuntimeError):
    """A network cannot be written for another program; the message says why."""


def export_network(
    network: _Exportable, path: str | os.PathLike[str], *, opset: int = OPSET
) -> None:
    """Write a network as an ONNX file.

    Its inputs are ``features``, (batch, bins, frames) in the network's precision, and
    ``lengths``, (batch,) in int64: the frames of every item, behind which anything may
    stand. Its output is ``embedding``, (batch, dimensions). Batch and frames are free.
    It checks nothing: lengths are from ``minimum_frames`` to ``frames``, and the file
    tells ``bins``, ``minimum_frames`` and ``embedding_size`` in its metadata.

    The file is there whole or not at all. It takes a few seconds to make for a ResNet,
    and half a minute or more for CAM++, which has many layers.

    Parameters
    ----------
    network
        In evaluation mode; the device that its weights are on does not matter.
    path
        The file, which is replaced.
    opset
        Version of ONNX's operators, 18 or later.

    Raises
    ------
    ExportError
        The network is in training mode, or the packages that write ONNX are missing.
    """
    _check(network)
    import onnx

    program = _program(network, opset=opset)
    for name in ("bins", "minimum_frames", "embedding_size"):
        program.model.metadata_props[name] = str(getattr(network, name))
    with beside(Path(path)) as place:
        program.save(place, external_data=False)
        onnx.checker.check_model(place, full_check=True)


def graph_of(network: _Exportable) -> ExportedProgram:
    """Return the graph of a network by torch.export, for every batch and length.

    Parameters
    ----------
    network
        In evaluation mode.
    """
    import torch
    from torch.export import Dim

    weight = next(network.parameters())
    frames = network.minimum_frames + _FRAMES_SHOWN
    features = weight.new_zeros((2, network.bins, frames))
    lengths = torch.tensor([frames, frames - 1], device=weight.device)
    batch = Dim("batch")
    free = Dim("frames", min=network.minimum_frames)
    return torch.export.export(
        cast("nn.Module", network),
        (features, lengths),
        dynamic_shapes={"features": {0: batch, 2: free}, "lengths": {0: batch}},
    )


def exporter_sha256() -> str:
    """Return one hash of all that a graph depends on besides the weights.

    That is this package with the source of every architecture and of this module, and
    the packages that trace and write. A network that was exported by another is not
    what this one would write.

    Raises
    ------
    ExportError
        The packages that write ONNX are missing.
    """
    _check_packages()
    from bob.learn.pytorch import architectures

    names = ("bob.learn.pytorch", "torch", "onnx", "onnxscript")
    made_by = [f"opset {OPSET}", *(f"{name} {version(name)}" for name in names)]
    digest = hashlib.sha256("\n".join(made_by).encode())
    for folder in architectures.__path__:
        for source in sorted(Path(folder).rglob("*.py")):
            digest.update(source.read_bytes())
    digest.update(Path(__file__).read_bytes())
    return digest.hexdigest()


def _check(network: _Exportable) -> None:
    if network.training:
        raise ExportError(
            f"{type(network).__name__} is in training mode, in which it normalises by "
            "the batch; call its eval() before it is exported"
        )
    _check_packages()


def _check_packages() -> None:
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise ExportError(
            f"writing ONNX needs {error.name}, which is not installed; run "
            "pip install 'bob.learn.pytorch[onnx]'"
        ) from error


def _program(network: _Exportable, *, opset: int) -> ONNXProgram:
    import torch

    with _in_silence():
        program = torch.onnx.export(
            graph_of(network),
            dynamo=True,
            verbose=False,
            opset_version=opset,
            # Their names in the file; the graph is free in them already.
            dynamic_shapes={
                "features": {0: "batch", 2: "frames"},
                "lengths": {0: "batch"},
            },
            input_names=["features", "lengths"],
            output_names=["embedding"],
        )
    return cast("ONNXProgram", program)


@contextmanager
def _in_silence() -> Iterator[None]:
    """Keep to itself what the exporter says of its own state: the result is checked."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
