"""Processes of a template that its guard could not end, since it was ended itself."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

# Looks for what was forked while others were ended.
MOST_LOOKS = 20


def end_leftovers(folder: Path) -> None:
    """End every process whose folder for temporary files is that of a worker.

    Its name is the worker's alone, and what the worker starts inherits it. Only Linux
    tells the environment of a process; elsewhere nothing is done.
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
