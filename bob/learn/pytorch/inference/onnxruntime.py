"""Networks that are kept as ONNX files, and their sessions in ONNX Runtime."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from bob.learn.pytorch import settings
from bob.learn.pytorch.export.onnx import ExportError, export_network
from bob.learn.pytorch.models.checkpoint import (
    file_sha256,
    record_path,
    record_sha256,
    recorded_sha256,
)
from bob.learn.pytorch.models.errors import WeightsError

if TYPE_CHECKING:
    from pathlib import Path

    from bob.learn.pytorch.export.onnx import _Exportable

logger = logging.getLogger(__name__)


def kept_session(network: _Exportable, place: Path, *, threads: int) -> Any:  # noqa: ANN401
    """Open a network that is kept at a place; export it there where necessary."""
    runtime = _runtime()  # before what may take a minute
    if _is_there(place):
        try:
            _check_unchanged(place)
            return session(place, threads=threads)
        except ExportError as error:
            logger.warning("%s; it is exported again", error)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)  # before what takes a minute
        export_network(network, place)
        record_sha256(place, file_sha256(place))
    except OSError as error:
        raise _not_kept(place, error) from error
    try:
        return session(place, threads=threads)
    except ExportError as error:
        raise ExportError(
            f"{error}, though it was exported there just now; onnxruntime "
            f"{runtime.__version__} may be too old for it: run pip install -U "
            "onnxruntime, or use engine='torch'"
        ) from error


def session(place: Path, *, threads: int) -> Any:  # noqa: ANN401 - has no types
    """Open a network in ONNX Runtime, with threads that sleep while they wait."""
    runtime = _runtime()
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    try:
        return runtime.InferenceSession(
            str(place), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # its errors have nothing else in common
        reason = str(error).partition("\n")[0]
        raise ExportError(
            f"ONNX Runtime cannot open the network in {place} ({reason})"
        ) from error


def _runtime() -> Any:  # noqa: ANN401 - a module without types
    try:
        import onnxruntime
    except ImportError as error:
        raise ExportError(
            "engine='onnxruntime' needs onnxruntime, which is not installed; run "
            "pip install 'bob.learn.pytorch[onnx]', or use engine='torch'"
        ) from error
    return onnxruntime


def _check_unchanged(place: Path) -> None:
    try:
        is_known = recorded_sha256(place) == file_sha256(place)
    except WeightsError as error:
        raise ExportError(str(error)) from error
    if not is_known:
        raise ExportError(
            f"the network in {place} is not known to be what was exported there: its "
            f"SHA-256 is not that in {record_path(place).name}"
        )


def _is_there(place: Path) -> bool:
    try:
        return place.is_file()
    except OSError as error:
        raise _not_kept(place, error) from error


def _not_kept(place: Path, error: OSError) -> ExportError:
    return ExportError(
        f"the network for ONNX Runtime cannot be kept in {place.parent} "
        f"({error.filename or place}: {error.strerror or error}); choose another "
        f"folder: `bob config set {settings.WEIGHTS_FOLDER} <folder>`, or use "
        "engine='torch'"
    )
