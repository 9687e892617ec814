"""The process of a template, watched: descriptors, output, answers, time, leftovers."""

from __future__ import annotations

import contextlib
import fcntl
import math
import os
import signal
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bob.learn.pytorch.templates.guest.bob_template_model import DTYPES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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
        """Return the end that reads, and the one that writes."""
        reads, writes = map(self._kept_apart, os.pipe())
        return reads, writes

    def memory(self) -> int:
        """Make a file without a name, in memory where the system has such.

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
        """Move a descriptor away from the number of a closed standard stream."""
        if descriptor <= LAST_STANDARD:
            low = descriptor
            descriptor = fcntl.fcntl(low, fcntl.F_DUPFD_CLOEXEC, LAST_STANDARD + 1)
            os.close(low)
        self._open.append(descriptor)
        return descriptor

    def keep(self, *descriptors: int) -> None:
        """Leave these open."""
        self._open = [one for one in self._open if one not in descriptors]


# Limit of the oldest NumPy.
MOST_AXES = 32
# No seconds and no megabytes are more, and some integers are too large for a float.
MOST = 1e18


def checked(answer: object, request: str, *, most_bytes: int) -> dict[str, Any] | None:
    """Return an answer if it is one to that request; else None."""
    if not isinstance(answer, dict):
        return None
    if answer.get("ok") is not True:
        good = _is_failure(answer)
    elif not all(_is_amount(answer.get(name)) for name in ("seconds", "cpu_seconds")):
        good = False
    elif request == "embed":
        good = _is_array(answer, most_bytes)
    elif request == "load":
        good = _is_about_a_model(answer)
    else:
        good = request != "measure" or _is_amount(answer.get("peak_mb"))
    return answer if good else None


def _is_failure(answer: Mapping[str, Any]) -> bool:
    item = answer.get("item", "")
    texts = ("stage", "code", "error", "traceback")
    return (
        answer.get("ok") is False
        and all(isinstance(answer.get(name), str) for name in texts)
        and (item is None or _is_count(item))
    )


def _is_array(answer: Mapping[str, Any], most_bytes: int) -> bool:
    shape, dtype = answer.get("shape"), answer.get("dtype")
    if not (isinstance(shape, list) and isinstance(dtype, str) and dtype in DTYPES):
        return False
    return (
        len(shape) <= MOST_AXES
        and all(_is_count(length) for length in shape)
        and math.prod(shape) * DTYPES[dtype] <= most_bytes
    )


def _is_about_a_model(answer: Mapping[str, Any]) -> bool:
    parameters, isolation = answer.get("parameters", ""), answer.get("isolation")
    return (
        (parameters is None or _is_count(parameters))
        and isinstance(isolation, list)
        and all(isinstance(one, str) for one in isolation)
    )


def _is_count(value: object) -> bool:
    return type(value) is int and value >= 0


def _is_amount(value: object) -> bool:
    return isinstance(value, int | float) and 0 <= value <= MOST


# So many times as long as it may compute, a process may take, asleep or not.
LONGEST = 10.0
SEEN_AFTER = 0.5
# Where in what follows the name of a process in its file stat: its own time, and that
# of the children that it has waited for; each in user mode and in the system.
_OWN, _CHILDREN = slice(11, 13), slice(13, 15)


class Stopwatch:
    """Counts the computing time of a process and its descendants, from now on.

    ``seconds`` is its limit; ``longest`` times as long it may take at all.
    """

    def __init__(self, process: int, seconds: float, *, longest: float) -> None:
        self.seconds = seconds
        self.longest = longest * seconds
        self._process = process
        self._started = time.monotonic()
        # Most answers come before it costs anything to look; until then all counts.
        self._unseen = min(SEEN_AFTER, seconds / 10)
        self._before: dict[str, float] | None = None

    def left(self) -> float:
        """Return for how many seconds it need not be looked at; 0 if it is over."""
        passed = time.monotonic() - self._started
        if passed < self._unseen:
            return self._unseen - passed
        if self._before is None:
            self._unseen, self._before = passed, dict(_processor_seconds(self._process))
        if passed < self.seconds:
            return self.seconds - passed
        if passed >= self.longest:
            return 0.0
        return max(0.0, min(self.seconds - self._computed(), self.longest - passed))

    def __str__(self) -> str:
        passed = time.monotonic() - self._started
        if passed < self.longest or self.longest <= self.seconds:
            return (
                f"took longer than the {self.seconds:g} s that it may take (limits), "
                "and was ended"
            )
        return (
            f"gave no answer in {self.longest:g} s, in which it computed for "
            f"{self._computed():.3g} of the {self.seconds:g} s that it may (limits), "
            "and was ended"
        )

    def _computed(self) -> float:
        """Return processor seconds of the busiest thread, or all seconds if unknown."""
        before = self._before
        passed = time.monotonic() - self._started
        if not before:
            return passed
        now = _processor_seconds(self._process)
        found = [seconds - before.get(name, 0.0) for name, seconds in now]
        return min(passed, self._unseen + max(found, default=0.0))


def _processor_seconds(process: int) -> Iterator[tuple[str, float]]:
    """Yield the seconds of threads of a process and its descendants, and of waits."""
    tick = os.sysconf("SC_CLK_TCK")
    waiting = [process]
    while waiting:
        one = waiting.pop()
        for task in Path("/proc", str(one), "task").glob("*"):
            try:
                times = (task / "stat").read_text("ascii", "replace")
                children = (task / "children").read_text("ascii")
            except OSError:  # it has ended meanwhile
                continue
            fields = times.rpartition(")")[2].split()
            yield str(task), sum(map(int, fields[_OWN])) / tick
            yield f"{one} waited", sum(map(int, fields[_CHILDREN])) / tick
            waiting += map(int, children.split())


# Looks for what was forked while others were ended.
MOST_LOOKS = 20


def end_leftovers(folder: Path) -> None:
    """End every process whose folder for temporary files is that of a worker.

    Its name is the worker's alone, and what the worker starts inherits it. Only Linux
    shows the environment of a process; elsewhere nothing is done.
    """
    mark = os.fsencode(f"TMPDIR={folder}")
    for _ in range(MOST_LOOKS):
        found = False
        for place in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it has ended, or is another user's
                if mark in (place / "environ").read_bytes().split(b"\0"):
                    os.kill(int(place.name), signal.SIGKILL)
                    found = True
        if not found:
            return
