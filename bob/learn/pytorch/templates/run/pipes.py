"""What joins a worker to the process that started it: descriptors, and what it says."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import tempfile
import threading
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import IO

# Of what a model prints, what is kept to be shown when it fails.
KEPT_BYTES = 1 << 16
SHOWN_LINES = 20
LINE = 200
# Seconds that the last of it is waited for.
LAST_WORDS = 0.5
# Of a stack that Python's faulthandler writes, what says nothing about the template.
_OURS = re.compile(
    r'File "(<frozen runpy>|.*/templates/guest/[^"]*)"|^Extension modules: '
)
# Number of standard error.
LAST_STANDARD = 2


class Descriptors:
    """Descriptors that are closed unless they are kept."""

    def __init__(self) -> None:
        self._open: list[int] = []

    def __enter__(self) -> Descriptors:
        return self

    def __exit__(self, *_: object) -> None:
        for descriptor in self._open:
            os.close(descriptor)

    def pipe(self) -> tuple[int, int]:
        """The end that reads, and the one that writes."""
        reads, writes = map(self._kept_apart, os.pipe())
        return reads, writes

    def memory(self) -> int:
        """A file without a name, in memory where the system has such.

        It cannot be made smaller then: who reads what is gone is killed by SIGBUS.
        """
        if hasattr(os, "memfd_create"):
            flags = os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING
            descriptor = os.memfd_create("bob-template", flags)
            seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL
            with contextlib.suppress(OSError):  # a system that only looks like Linux
                fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
        else:
            descriptor, path = tempfile.mkstemp()
            Path(path).unlink()
        return self._kept_apart(descriptor)

    def _kept_apart(self, descriptor: int) -> int:
        """Where standard input or output is closed, others get its number."""
        if descriptor <= LAST_STANDARD:
            low = descriptor
            descriptor = fcntl.fcntl(low, fcntl.F_DUPFD_CLOEXEC, LAST_STANDARD + 1)
            os.close(low)
        self._open.append(descriptor)
        return descriptor

    def keep(self, *descriptors: int) -> None:
        """Leave these open."""
        self._open = [one for one in self._open if one not in descriptors]


class Tail:
    """The end of what a process prints, read by a thread so that it never waits.

    The stream has no buffer: its lock would stay closed for ever in a process that is
    forked off this one.
    """

    def __init__(self, stream: IO[bytes] | None) -> None:
        # None is the type of Popen's without PIPE.
        self._stream = cast("IO[bytes]", stream)
        self._parts: deque[bytes] = deque()
        self._size = 0
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        while part := self._stream.read(KEPT_BYTES):
            self._parts.append(part)
            self._size += len(part)
            while self._size - len(self._parts[0]) > KEPT_BYTES:
                self._size -= len(self._parts.popleft())
        self._stream.close()

    def lines(self) -> Sequence[str]:
        """The last lines."""
        text = b"".join(list(self._parts))[-KEPT_BYTES:].decode(errors="replace")
        lines = [line[:LINE] for line in text.splitlines() if line.strip()]
        return [line for line in lines if not _OURS.search(line)][-SHOWN_LINES:]

    def join(self) -> None:
        """Wait until all is read."""
        self._thread.join(LAST_WORDS)
