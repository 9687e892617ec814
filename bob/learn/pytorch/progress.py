"""Progress of long loops: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import logging
import sys
import time
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tqdm import tqdm

logger = logging.getLogger(__name__)

Item = TypeVar("Item")

#: Seconds between two plain lines.
_QUIET_SECONDS = 5.0


def say(text: str) -> None:
    """Log what everyone should see without asking."""
    logger.info("%s", text)


def bar(
    items: Iterable[Any] | None = None,
    *,
    title: str = "",
    total: int | None,
    done: int = 0,
    unit: str = "",
    shown: bool = True,
    delay: float = 0,
) -> tqdm[Any]:
    """Return a progress bar on the terminal, a `tqdm.tqdm`.

    Parameters
    ----------
    items
        Loop over the bar to go through them. Without, call ``update(count)``, and close
        it in the end.
    done
        Count at the start, such as of an earlier download.
    unit
        Name of one item; with "B", counts are bytes.
    shown
        False hides it. It is hidden in any case where stderr is no terminal.
    delay
        Seconds before it shows.
    """
    from tqdm import tqdm

    return tqdm(
        items,
        desc=title,
        total=total,
        initial=done,
        unit=unit,
        unit_scale=unit == "B",
        unit_divisor=1024 if unit == "B" else 1000,
        disable=None if shown else True,  # None: unless on a terminal
        delay=delay,
        dynamic_ncols=True,
    )


def track(items: Iterable[Item], title: str, *, total: int) -> Iterator[Item]:
    """Yield the items, showing how many are done and how long the rest takes.

    On a terminal a bar, otherwise a log line every few seconds.
    """
    if sys.stderr.isatty():
        yield from bar(items, title=title, total=total)
        return
    started = told = time.monotonic()
    for done, item in enumerate(items):
        yield item
        now = time.monotonic()
        if done == 0:
            started = now  # the first waits for what is loaded, and tells nothing
        if now - told >= _QUIET_SECONDS and done + 1 < total:
            told = now
            left = (now - started) / done * (total - done - 1) if done else None
            rest = "" if left is None else f", {left:.0f} s remaining"
            logger.info("%s: %d of %d%s", title, done + 1, total, rest)
