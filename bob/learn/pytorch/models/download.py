"""Files from the web: continued where they broke off, tried again, checked.

Proxies, certificates (``REQUESTS_CA_BUNDLE``) and passwords (``.netrc``) are those of
the user's environment, as the library `requests` reads them.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bob.learn.pytorch.models.answers import (
    LARGEST_BYTES,
    announced_bytes,
    range_start,
    refuse_other_kinds,
    validator,
)
from bob.learn.pytorch.models.arrival import bring, settle
from bob.learn.pytorch.models.checksum import file_sha256
from bob.learn.pytorch.models.errors import DownloadError, HashMismatch, WeightsError
from bob.learn.pytorch.models.partial import PartialFile
from bob.learn.pytorch.models.web import Answer, Interrupted, Patience, asked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bob.learn.pytorch.models.catalogue import WebFile

logger = logging.getLogger(__name__)

_TRY_AGAIN = (408, 425, 429, 500, 502, 503, 504)


PATIENCE = Patience()


def fetch_web_file(
    source: WebFile,
    destination: Path,
    *,
    progress: bool = False,
    remedy: str = "",
    check: Callable[[Path], object] | None = None,
    patience: Patience = PATIENCE,
) -> Path:
    """Fetch a file from the web unless it is there; return its path.

    With `progress`, a bar is drawn on standard error if that is a terminal. `remedy`
    is added to error messages. A file without a published hash is given to `check`,
    which raises a `WeightsError` for one that is not to be trusted as the first. No
    more comes than the published size, or `LARGEST_BYTES` without one, and a server
    that sends less than `LEAST_RATE` is left.

    Raises
    ------
    OfflineError, DownloadError, HashMismatch
        Each names the address, the destination, the reason and the way by hand.
    """

    def obtain() -> None:
        failures = {}
        for url in source.urls:
            transfer = _Transfer(
                url, PartialFile(destination), source, progress, patience, check
            )
            failure = transfer.bring_to(destination)
            if failure is None:
                return
            failures[url] = failure
        if len(failures) == 1:
            raise failures[source.urls[0]]
        raise DownloadError(
            "; ".join(f"{url}: {failure}" for url, failure in failures.items())
        )

    return bring(source, destination, obtain, remedy=remedy)


@dataclass
class _Transfer:
    """One file from one address."""

    url: str
    part: PartialFile
    source: WebFile
    progress: bool
    patience: Patience
    check: Callable[[Path], object] | None = None

    def bring_to(self, destination: Path) -> WeightsError | None:
        """Transfer, check and move into place; return why that failed, if it did."""
        try:
            self._bring_to(destination)
        except (DownloadError, HashMismatch) as error:
            return error
        return None

    def _bring_to(self, destination: Path) -> None:
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
        while (interruption := self._interruption()) is not None:
            grown = self.part.size - most
            failures = 1 if grown >= self.patience.progress_bytes else failures + 1
            most = max(most, self.part.size)
            self._pause(interruption, failures)
        return continued

    def _interruption(self) -> Interrupted | None:
        """Make one attempt; None if it brought all."""
        try:
            self._attempt()
        except Interrupted as error:
            return error
        return None

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
        total = announced_bytes(answer.headers)
        if answer.status == 200:
            self._refuse_too_much(total or 0)
            mark = validator(answer.headers)
            self.part.begin(self.url, total=total, validator=mark)
            return
        size = self.part.size
        found = range_start(answer.headers)
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
        import tqdm

        size = self.part.size
        with (
            self.part.path.open("ab") as file,
            tqdm.tqdm(
                desc=self.part.path.stem,
                total=self.part.total,
                initial=size,
                unit="B",
                unit_scale=True,
                unit_divisor=1024,
                disable=None if self.progress else True,  # None: unless on a terminal
            ) as bar,
        ):
            for block in blocks:
                size += len(block)
                self._refuse_too_much(size)
                file.write(block)
                bar.update(len(block))
