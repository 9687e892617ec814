"""A server is asked for a file: its answer read, and left where too little comes."""

from __future__ import annotations

import json
import queue
import re
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urljoin

from bob.learn.pytorch.models.errors import DownloadError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping
    from pathlib import Path

    import requests

    _Queue = queue.Queue["Answer | bytes | Exception | None"]

#: Limit in bytes of a file whose size is not published.
LARGEST_BYTES = 16 << 30

_COUNT = "[0-9]{1,15}"
_VALIDATOR = re.compile("[\x20-\x7e]{1,300}")
_HEAD_BYTES = 4096
_ERROR_BYTES = 1 << 16
_ERROR_KEYS = {"detail", "error", "errors", "fault", "message"}


def refuse_other_kinds(path: Path) -> None:
    """Refuse an empty file, a web page, a pointer of git-lfs, or an error in JSON."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not start:
        raise DownloadError("an empty file came")
    if start.startswith(b"<"):
        raise DownloadError(
            f"a web page came instead of the file ({head[:64]!r}…); a proxy or a login "
            f"may stand in between"
        )
    if start.startswith(b"version https://git-lfs"):
        raise DownloadError(
            "a pointer of git-lfs came instead of the file; expected the address of "
            "the file itself, which has /resolve/ or /media/ where this one has /raw/"
        )
    if start.startswith(b"{") and path.stat().st_size <= _ERROR_BYTES:
        _refuse_json_error(path)


def _refuse_json_error(path: Path) -> None:
    content = path.read_bytes()
    try:
        said = json.loads(content)
    except (ValueError, RecursionError):
        return
    if _ERROR_KEYS & said.keys():
        raise DownloadError(f"an error came instead of the file ({content[:200]!r})")


#: Bytes a second below which a server is left, and seconds over which they count.
LEAST_RATE = 1000
WINDOW_SECONDS = 60.0

_BLOCK_BYTES = 1 << 13  # at the least rate, one takes eight seconds
_AHEAD = 8  # blocks that wait until they are on disk
_REDIRECTS = 30


@dataclass(frozen=True, kw_only=True)
class Patience:
    """Limits within which a download goes on trying."""

    attempts: int = 4  # in a row, that bring less than `progress_bytes`
    first_wait: float = 1.0  # seconds before the second attempt, doubled each time
    longest_wait: float = 30.0
    connect_seconds: float = 10.0  # to accept a connection
    read_seconds: float = 60.0  # to send the next bytes
    window_seconds: float = WINDOW_SECONDS  # over which `LEAST_RATE` is measured
    progress_bytes: int = 1 << 20

    def wait(self, failures: int, *, asked_for: float) -> float:
        """Return the seconds to wait after failures; a server may ask for more."""
        seconds: float = self.first_wait * 2 ** (failures - 1)
        return min(max(seconds, asked_for), self.longest_wait)


class Interrupted(Exception):  # noqa: N818 - not an error: the next attempt goes on
    """An attempt ended early in a way that another attempt may mend."""

    def __init__(self, reason: str, *, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait


class Answer(NamedTuple):
    """The head of an answer, and the addresses that led to it."""

    status: int
    reason: str
    headers: Mapping[str, str]
    hops: list[str]
    hang_up: Callable[[], None]

    def total_bytes(self) -> int | None:
        """Return the size in bytes that the server announces, None without one."""
        coding = self.headers.get("Content-Encoding", "identity")
        if coding.strip().lower() not in ("", "identity"):
            raise DownloadError(
                f"the server sends it in the Content-Encoding {coding!r}; expected the "
                f"file itself, for which it was asked"
            )
        text = self.headers.get("Content-Length")
        if text is None:
            return None
        said = {one.strip() for one in text.split(",")}
        if len(said) != 1 or not re.fullmatch(_COUNT, count := said.pop()):
            shown = repr(text if len(text) <= 40 else f"{text[:40]}…")
            raise DownloadError(
                f"the server's Content-Length is {shown}; expected a count of bytes"
            )
        return int(count)

    def range_start(self) -> tuple[int, int | None] | None:
        """Return the first byte of a range and the size of the file, if that is known.

        None stands for a Content-Range that is missing or malformed.
        """
        text = self.headers.get("Content-Range", "")
        found = re.fullmatch(rf"bytes ({_COUNT})-{_COUNT}/({_COUNT}|\*)", text)
        if found is None:
            return None
        return int(found[1]), None if found[2] == "*" else int(found[2])

    def validator(self) -> str | None:
        """Return the ETag or date by which a server continues this very file only.

        A malformed one counts as missing, since it would have to be sent back.
        """
        tag = self.headers.get("ETag", "")
        strong = "" if tag.startswith("W/") else tag
        for found in (strong, self.headers.get("Last-Modified", "")):
            if _VALIDATOR.fullmatch(found):
                return found
        return None


@contextmanager
def asked(
    url: str, headers: Mapping[str, str], patience: Patience
) -> Iterator[tuple[Answer, Iterator[bytes]]]:
    """Ask for an address; give the head of the answer, and what comes after it.

    A thread reads: timeouts of sockets count from byte to byte, so that a server that
    sends one now and then could hold up this thread for ever. It is left where less
    than `LEAST_RATE` came over `Patience.window_seconds`; only waiting for it counts.

    Raises
    ------
    Interrupted
        There is no connection, it broke, or too little comes.
    DownloadError
        The answer, or a certificate, is not to be accepted.
    """
    came: _Queue = queue.Queue(_AHEAD)
    left = threading.Event()
    said = _said(url, headers, patience)
    thread = threading.Thread(target=_read, args=(said, came, left), daemon=True)
    thread.start()
    pace = Pace(patience.window_seconds)
    hang_up = None
    try:
        answer = _next(came, pace)
        assert isinstance(answer, Answer)  # noqa: S101 - which comes first
        hang_up = answer.hang_up
        yield answer, _blocks(came, pace)
    finally:
        left.set()
        if hang_up is not None:
            hang_up()


def _blocks(came: _Queue, pace: Pace) -> Iterator[bytes]:
    while isinstance(block := _next(came, pace), bytes):
        yield block


class Pace:
    """Count of bytes since a window began, and of the seconds waited for them."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.begin()

    def begin(self) -> None:
        """Begin a window."""
        self._waited, self._count = 0.0, 0

    @property
    def left(self) -> float:
        """Return the seconds until the window ends."""
        return max(0.0, self._seconds - self._waited)

    def note(self, seconds: float, count: int) -> None:
        """Note how long so many bytes were waited for."""
        self._waited += seconds
        self._count += count
        if self._waited < self._seconds:
            return
        if self._count < LEAST_RATE * self._seconds:
            raise Interrupted(
                f"less than {LEAST_RATE} bytes a second came for {self._seconds:g} s"
            )
        self.begin()


def _next(came: _Queue, pace: Pace) -> Answer | bytes | None:
    """Return the next item; None at the end."""
    while True:
        started = time.monotonic()
        try:
            item = came.get(timeout=pace.left)
        except queue.Empty:
            pace.note(pace.left, 0)
            continue
        if isinstance(item, Exception):
            raise item
        if isinstance(item, bytes):
            pace.note(time.monotonic() - started, len(item))
        else:
            pace.begin()
        return item


def _read(
    blocks: Generator[Answer | bytes],
    came: _Queue,
    left: threading.Event,
) -> None:
    """Hand over all blocks and then None, or the error; stop once nobody waits."""
    try:
        for block in blocks:
            _hand_over(block, came, left)
            if left.is_set():
                return
        _hand_over(None, came, left)
    except (DownloadError, Interrupted) as error:
        _hand_over(error, came, left)
    except Exception as error:  # noqa: BLE001 - libraries raise any of an odd answer
        why = f"{type(error).__name__}: {error}"
        odd = DownloadError(f"the server's answer cannot be understood ({why})")
        odd.__cause__ = error
        _hand_over(odd, came, left)
    finally:
        blocks.close()


def _hand_over(
    item: Answer | bytes | Exception | None,
    came: _Queue,
    left: threading.Event,
) -> None:
    while not left.is_set():
        try:
            came.put(item, timeout=0.1)
        except queue.Full:
            continue
        return


def _said(
    url: str, headers: Mapping[str, str], patience: Patience
) -> Generator[Answer | bytes]:
    """Yield the answer of a server: first its head, then blocks of bytes."""
    import requests

    with requests.Session() as session:
        try:
            response, hops = _followed(session, url, headers, patience)
        except requests.exceptions.SSLError as error:
            raise DownloadError(
                f"the server's certificate was not accepted ({_plain(error)}); "
                f"where an organisation signs its own, name the file with its "
                f"certificate in the environment variable REQUESTS_CA_BUNDLE"
            ) from error
        except (requests.ConnectionError, requests.Timeout) as error:
            raise Interrupted(f"no connection ({_plain(error)})") from error
        except (requests.RequestException, OSError) as error:
            # requests raises a bare OSError where REQUESTS_CA_BUNDLE names no file.
            raise DownloadError(_plain(error)) from error
        with response:
            yield Answer(
                response.status_code,
                str(response.reason),
                response.headers,
                hops,
                lambda: _shut(response),
            )
            try:
                yield from response.iter_content(_BLOCK_BYTES)
            except requests.RequestException as error:
                raise Interrupted(f"the connection broke ({_plain(error)})") from error


def _followed(
    session: requests.Session,
    url: str,
    headers: Mapping[str, str],
    patience: Patience,
) -> tuple[requests.Response, list[str]]:
    """Follow redirects here: requests would read what they bring, however much."""
    target_of = session.get_redirect_target
    session.get_redirect_target = lambda _: None  # type: ignore[method-assign, assignment]
    hops = [url]
    while len(hops) <= _REDIRECTS:
        response = session.get(
            hops[-1],
            headers=dict(headers),
            stream=True,
            timeout=(patience.connect_seconds, patience.read_seconds),
            allow_redirects=False,
        )
        target = target_of(response)
        if target is None:
            return response, hops
        response.close()
        try:
            hops.append(urljoin(hops[-1], target))
        except ValueError as error:
            raise DownloadError(
                f"{hops[-1]} leads to {target!r}, which is no address"
            ) from error
    raise DownloadError(f"there are more than {_REDIRECTS} redirects")


def _shut(response: requests.Response) -> None:
    """Wake a thread that reads what nobody wants any more."""
    with suppress(AttributeError, OSError, RuntimeError, ValueError):
        response.raw.shutdown()  # since urllib3 2.3


def _plain(error: Exception) -> str:
    """Say what went wrong, without the objects that libraries wrap around it."""
    inner = error.args[0] if error.args else None
    said = str(getattr(inner, "reason", None) or error)
    return said.rpartition("): ")[2]
