"""Files from the web: continued where they broke off, tried again, checked.

Proxies, certificates (``REQUESTS_CA_BUNDLE``) and passwords (``.netrc``) are those of
the user's environment, as the library `requests` reads them.
"""

from __future__ import annotations

import logging
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bob.learn.pytorch.weights.arrival import bring, settle
from bob.learn.pytorch.weights.errors import DownloadError, HashMismatch, WeightsError
from bob.learn.pytorch.weights.partial import PartialFile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import requests

    from bob.learn.pytorch.weights.catalogue import WebFile

logger = logging.getLogger(__name__)

_BLOCK_BYTES = 1 << 15
_TRY_AGAIN = (408, 425, 429, 500, 502, 503, 504)


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long a download goes on trying.

    Attributes
    ----------
    attempts
        How many attempts in a row may bring less than `progress_bytes`.
    first_wait, longest_wait
        Seconds before the second attempt, doubled each time, and their limit.
    connect_seconds, read_seconds
        How long a server may take to accept a connection, and to send the next bytes.
    """

    attempts: int = 4
    first_wait: float = 1.0
    longest_wait: float = 30.0
    connect_seconds: float = 10.0
    read_seconds: float = 60.0
    progress_bytes: int = 1 << 20

    def wait(self, failures: int, *, asked_for: float) -> float:
        """Seconds to wait after so many failures; a server may ask for more."""
        seconds: float = self.first_wait * 2 ** (failures - 1)
        return min(max(seconds, asked_for), self.longest_wait)


PATIENCE = Patience()


class _Interrupted(Exception):  # noqa: N818 - not an error: the next attempt goes on
    """An attempt ended early in a way that another attempt may mend."""

    def __init__(self, reason: str, *, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait


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
    which raises a `WeightsError` for one that is not to be trusted as the first.

    Raises
    ------
    OfflineError, DownloadError, HashMismatch
        Each names the address, the destination, the reason and the way by hand.
    """

    def obtain() -> None:
        failures = {}
        for url in source.urls:
            transfer = _Transfer(
                url, PartialFile(destination), source.sha256, progress, patience, check
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
    sha256: str | None
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
        if self.check is not None and self.sha256 is None:
            self._check(self.check)
        try:
            settle(self.part.path, destination, sha256=self.sha256)
        except HashMismatch:
            self.part.discard()
            if not continued:
                raise
            # The part that an earlier process left may have been of another file.
            self._transfer()
            settle(self.part.path, destination, sha256=self.sha256)
        self.part.discard()

    def _check(self, check: Callable[[Path], object]) -> None:
        """Refuse what can be no complete file, before its hash is remembered."""
        try:
            check(self.part.path)
        except WeightsError as error:
            self.part.discard()
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
        self._refuse_page()
        return continued

    def _interruption(self) -> _Interrupted | None:
        """Make one attempt; None if it brought all."""
        try:
            self._attempt()
        except _Interrupted as error:
            return error
        return None

    def _pause(self, error: _Interrupted, failures: int) -> None:
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
        return self.part.continues(self.url, hash_known=self.sha256 is not None)

    def _attempt(self) -> None:
        """Ask for what is missing and append it."""
        import requests

        if self._continues() and self.part.size == self.part.total:
            return
        with requests.Session() as session, self._ask(session) as response:
            self._refuse(response)
            if response.status_code == 200:
                self.part.begin(self.url, response.headers)
            else:
                self._check_start(response)
            self._pour(response)
        total = self.part.total
        if total is not None and self.part.size != total:
            raise _Interrupted(f"{self.part.size} of {total} bytes came")

    def _ask(self, session: requests.Session) -> requests.Response:
        import requests

        # Ranges count the bytes of the file itself, so it must not come compressed.
        headers = {"Accept-Encoding": "identity"}
        if self._continues():
            headers["Range"] = f"bytes={self.part.size}-"
            validator = self.part.validator(self.url)
            if validator is not None:
                headers["If-Range"] = validator
        patience = (self.patience.connect_seconds, self.patience.read_seconds)
        try:
            return session.get(self.url, headers=headers, stream=True, timeout=patience)
        except requests.exceptions.SSLError as error:
            raise DownloadError(
                f"the server's certificate was not accepted ({_plain(error)}); "
                f"where an organisation signs its own, name the file with its "
                f"certificate in the environment variable REQUESTS_CA_BUNDLE"
            ) from error
        except (requests.ConnectionError, requests.Timeout) as error:
            raise _Interrupted(f"no connection ({_plain(error)})") from error
        except (requests.RequestException, OSError) as error:
            # requests raises a bare OSError where REQUESTS_CA_BUNDLE names no file.
            raise DownloadError(_plain(error)) from error

    def _refuse(self, response: requests.Response) -> None:
        """Stop at answers that do not bring the file."""
        hops = [hop.url for hop in (*response.history, response)]
        encrypted = self.url.startswith("https:")
        if encrypted and any(hop.startswith("http:") for hop in hops):
            raise DownloadError(
                f"{self.url} leads to {', '.join(hops)}; not all of it is encrypted"
            )
        if response.status_code in (200, 206):
            return
        reason = f"the server answered {response.status_code} {response.reason}"
        if response.status_code == 416:
            self.part.discard()
            raise _Interrupted(reason)
        if response.status_code in _TRY_AGAIN:
            wait = response.headers.get("Retry-After", "")
            raise _Interrupted(reason, wait=float(wait) if wait.isdecimal() else 0.0)
        raise DownloadError(reason)

    def _check_start(self, response: requests.Response) -> None:
        """A continuation must begin where the part ends, in a file of the same size."""
        text = response.headers.get("Content-Range", "")
        found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", text)
        fits = (
            found is not None
            and int(found[1]) == self.part.size
            and found[2] in ("*", str(self.part.total))
        )
        if not fits:
            size = self.part.size
            self.part.discard()
            raise _Interrupted(f"asked to continue at byte {size}, it sent {text!r}")

    def _refuse_page(self) -> None:
        """A portal that wants a login answers 200 with a page."""
        with self.part.path.open("rb") as file:
            head = file.read(64)
        if head.lstrip().startswith(b"<"):
            self.part.discard()
            raise DownloadError(
                f"a web page came instead of the file ({head!r}…); a proxy or a login "
                f"may stand in between"
            )

    def _pour(self, response: requests.Response) -> None:
        """Append what comes."""
        import requests
        import tqdm

        with (
            self.part.path.open("ab") as file,
            tqdm.tqdm(
                desc=self.part.path.stem,
                total=self.part.total,
                initial=self.part.size,
                unit="B",
                unit_scale=True,
                unit_divisor=1024,
                disable=None if self.progress else True,  # None: unless on a terminal
            ) as bar,
        ):
            try:
                for block in response.iter_content(_BLOCK_BYTES):
                    file.write(block)
                    bar.update(len(block))
            except requests.RequestException as error:
                raise _Interrupted(f"the connection broke ({_plain(error)})") from error


def _plain(error: Exception) -> str:
    """What went wrong, without the objects that libraries wrap around it."""
    inner = error.args[0] if error.args else None
    said = str(getattr(inner, "reason", None) or error)
    return said.rpartition("): ")[2]
