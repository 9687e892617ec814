"""Commands that install what a template needs, each with the time that is left."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from errno import EDQUOT, ENOSPC
from typing import IO, TYPE_CHECKING, cast
from urllib.parse import urlsplit, urlunsplit

from bob.learn.pytorch import settings
from bob.learn.pytorch.templates.format.errors import InstallError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

LAST_LINES = 12
_LAST_WORDS = 2.0  # seconds that the end of an output is waited for
_KEPT_BYTES = 1 << 16
_LINE_LENGTH = 400
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_FULL = re.compile(
    r"no space left on device|disk quota exceeded|os error (?:28|122)\b", re.IGNORECASE
)
_UNREACHABLE = re.compile(
    r"dns error|error resolving|failed to lookup|client error \(connect\)|timed? ?out"
    r"|connection refused|network is unreachable|temporary failure in name resolution"
    r"|could not resolve host|newconnectionerror|name or service not known"
    r"|max retries exceeded|connectionerror|couldn't connect|localentrynotfound"
    r"|nodename nor servname|no address associated|proxyerror|tunnel connection failed",
    re.IGNORECASE,
)


@dataclass
class Installer:
    """Runs the commands of one installation, one after the other."""

    template: str  # its name, for messages
    seconds: float  # time limit of all commands together, from now on
    progress: bool = False  # standard error shows the steps and what the tools say
    _end: float = field(init=False)

    def __post_init__(self) -> None:
        self._end = time.monotonic() + self.seconds

    def run(
        self,
        command: Sequence[str],
        *,
        step: str,
        folder: Path,
        environment: Mapping[str, str],
        advice: str,
        output: IO[bytes] | None = None,
        shown: str = "",
    ) -> None:
        """Run one command in a folder, in a process group of its own.

        Its standard output goes to `output`, if given. `shown` stands for it in
        messages where the command itself would tell little.
        """
        words = shown or shlex.join(command)
        if self.progress:
            sys.stderr.write(f"[{self.template}] {step}\n")
        try:
            reason, said = self._outcome(command, folder, environment, output)
        except OSError as error:
            reason, said = f"it could not be started ({error})", ""
        if reason:
            raise InstallError(
                _explained(self.template, step, words, reason, said, advice), said=said
            )

    def _outcome(
        self,
        command: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        output: IO[bytes] | None,
    ) -> tuple[str, str]:
        """Why the command failed, empty if it did not, and what it said last."""
        left = self._end - time.monotonic()
        process = subprocess.Popen(  # noqa: S603 - what the template's user has trusted
            command,
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output or subprocess.PIPE,
            stderr=subprocess.STDOUT if output is None else subprocess.PIPE,
            start_new_session=True,
        )
        stream = process.stdout if output is None else process.stderr
        tail = Tail(stream, echo=self.progress)
        try:
            code = process.wait(timeout=max(left, 0))
        except subprocess.TimeoutExpired:
            reason = (
                f"it was ended, since the installation took longer than "
                f"limits.install_seconds, {self.seconds:g} s"
            )
        else:
            reason = f"it ended with {how_it_ended(code)}" if code else ""
        finally:
            # Also what a command left in the background, which would hold the pipe.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            tail.join(_LAST_WORDS)
        return reason, tail.last_lines()


class Tail:
    """The end of what a process prints, read by a thread so that it never waits.

    With `echo`, all is written to standard error as well.
    """

    def __init__(self, stream: IO[bytes] | None, *, echo: bool = False) -> None:
        # None is the type of Popen's without PIPE.
        self._stream = cast("IO[bytes]", stream)
        self._echo = echo
        self._parts: deque[bytes] = deque()
        self._size = 0
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        # Without the stream's buffer: its lock would stay closed for ever in a process
        # that is forked off this one.
        while part := os.read(self._stream.fileno(), _KEPT_BYTES):
            self._parts.append(part)
            self._size += len(part)
            while self._size - len(self._parts[0]) > _KEPT_BYTES:
                self._size -= len(self._parts.popleft())
            if self._echo:
                sys.stderr.write(part.decode("utf-8", errors="replace"))
                sys.stderr.flush()
        self._stream.close()

    def last_lines(
        self, count: int = LAST_LINES, *, but: re.Pattern[str] | None = None
    ) -> str:
        """Return the last lines, as `last_lines` does, without those that match."""
        text = b"".join(list(self._parts))[-_KEPT_BYTES:].decode(errors="replace")
        return last_lines(text, count, but=but)

    def join(self, seconds: float) -> None:
        """Wait until all is read."""
        self._thread.join(seconds)


def last_lines(
    text: str, count: int = LAST_LINES, *, but: re.Pattern[str] | None = None
) -> str:
    """Return the last lines of an output, without colours, bars and endless lines."""
    lines = (
        line.rsplit("\r", 1)[-1].rstrip()[:_LINE_LENGTH]
        for line in _ESCAPES.sub("", text).replace("\r\n", "\n").split("\n")
    )
    shown = [
        "".join(letter if letter.isprintable() else "?" for letter in line)
        for line in lines
        if line.strip() and not (but and but.search(line))
    ]
    return "\n".join(shown[-count:])


def _explained(
    template: str, step: str, command: str, reason: str, said: str, advice: str
) -> str:
    """Return the message of an installation that failed."""
    if _FULL.search(said):
        advice = _disk_advice()
    elif settings.offline():
        advice = offline_advice()
    elif is_unreachable(said):
        advice = (
            "check that this machine reaches the package index (proxy: HTTPS_PROXY, "
            "certificates: SSL_CERT_FILE, a mirror: UV_DEFAULT_INDEX or PIP_INDEX_URL)"
        )
    lines = [
        f"template {template} could not be installed",
        f"  step     {step}",
        f"  command  {command}",
        f"  because  {reason}",
    ]
    if said:
        lines.append("  it said last:")
        lines += [f"    {line}" for line in said.splitlines()]
    lines.append(f"  to do    {advice}")
    return "\n".join(lines)


def is_unreachable(said: str) -> bool:
    """Return whether a tool reports that it cannot reach another machine."""
    return _UNREACHABLE.search(said) is not None


def _disk_advice() -> str:
    """Return the next step when a disk is full."""
    return (
        f"free some space on the disk of {settings.templates_folder()} (remove "
        f"environments of templates that are no longer needed), or choose another "
        f"folder: `bob config set {settings.TEMPLATES_FOLDER} <folder>`"
    )


def offline_advice() -> str:
    """Return the next step when downloads are forbidden and something is missing."""
    variable = settings.environment_variable(settings.OFFLINE)
    return (
        f"{settings.OFFLINE} (or the environment variable {variable}) forbids "
        f"downloads, and what was fetched earlier does not suffice: allow them for "
        f"this installation, `{variable}=0`; afterwards none is needed"
    )


@contextmanager
def disk_errors_explained(template: str) -> Iterator[None]:
    """Turn an error of the disk into one that says what to do."""
    try:
        yield
    except OSError as error:
        full = error.errno in (ENOSPC, EDQUOT)
        advice = (
            _disk_advice()
            if full
            else (
                f"give yourself the right to write there, or choose another folder: "
                f"`bob config set {settings.TEMPLATES_FOLDER} <folder>`"
            )
        )
        place = error.filename or settings.templates_folder()
        raise InstallError(
            f"template {template} could not be installed\n"
            f"  because  {place} cannot be written: {error.strerror or error}\n"
            f"  to do    {advice}"
        ) from error


def shell_environment(venv: Path, home: Path) -> dict[str, str]:
    """Return the variables for commands of a template: its Python and home, no secret.

    Package indexes are those of the user, without names and passwords in addresses.
    """
    variables = settings.plain_environment(network=True)
    path = variables.get("PATH", os.defpath)
    return {
        **variables,
        **_pip_variables(settings.installer_environment()),
        **homes(home),
        "PATH": os.pathsep.join([str(venv / "bin"), path]),
        "VIRTUAL_ENV": str(venv),
        "PYTHONNOUSERSITE": "1",
        "PIP_NO_INPUT": "1",
        "PIP_NO_CACHE_DIR": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "GIT_TERMINAL_PROMPT": "0",
    }


def homes(home: Path) -> dict[str, str]:
    """Variables by which libraries find the folders where they keep downloads."""
    cache = home / ".cache"
    return {
        "HOME": str(home),
        "XDG_CACHE_HOME": str(cache),
        "TORCH_HOME": str(cache / "torch"),
        "HF_HOME": str(cache / "huggingface"),
    }


def _pip_variables(uv: Mapping[str, str]) -> dict[str, str]:
    """Return the package indexes of uv as variables of pip."""
    named = (x.partition("=")[2] or x for x in uv.get("UV_INDEX", "").split())
    extra = [*named, *uv.get("UV_EXTRA_INDEX_URL", "").split()]
    main = uv.get("UV_DEFAULT_INDEX") or uv.get("UV_INDEX_URL", "")
    if main:  # uv's last, and to pip all are alike; without, both add PyPI
        main, *extra = [*extra, main]
    links = uv.get("UV_FIND_LINKS", "").split(",")
    found = {
        "PIP_INDEX_URL": _without_password(main),
        "PIP_EXTRA_INDEX_URL": " ".join(map(_without_password, extra)),
        "PIP_FIND_LINKS": " ".join(_without_password(link.strip()) for link in links),
        "PIP_NO_INDEX": uv.get("PIP_NO_INDEX", ""),
        "PIP_TRUSTED_HOST": uv.get("UV_INSECURE_HOST", ""),
        "PIP_DEFAULT_TIMEOUT": uv.get("UV_HTTP_TIMEOUT", ""),
        "PIP_CERT": uv.get("SSL_CERT_FILE", ""),
    }
    return {name: value for name, value in found.items() if value}


def _without_password(address: str) -> str:
    """Return an address without the user's name and password."""
    if "://" not in address:
        return address
    parts = urlsplit(address)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def how_it_ended(status: int) -> str:
    """Describe the exit status of a process, negative for a signal."""
    if status >= 0:
        return f"exit status {status}"
    try:
        name = f"signal {signal.Signals(-status).name}"
    except ValueError:
        name = f"signal {-status}"
    hint = ", as the system sends it when memory runs out"
    return name + hint * (status == -signal.SIGKILL)
