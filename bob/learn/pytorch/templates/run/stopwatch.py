"""Computing time of a template's process, whatever else the machine does.

On a busy machine a process waits for its turn, and that is no fault of the model. What
counts is the processor time of its busiest thread: alone on a machine, nothing that
computes takes less time than that.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# So many times as long as it may compute, a process may take, asleep or not.
LONGEST = 10.0
SEEN_AFTER = 0.5
# Where in what follows the name of a process in its file stat: its own time, and that
# of the children that it has waited for; each in user mode and in the system.
_OWN, _CHILDREN = slice(11, 13), slice(13, 15)


class Stopwatch:
    """Counts from when it is made.

    Parameters
    ----------
    process
        The one whose descendants count too.
    seconds
        How long it may compute.
    longest
        So many times as long it may take at all.
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
