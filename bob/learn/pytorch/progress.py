"""How far a long loop is: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import logging
import sys
import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

logger = logging.getLogger(__name__)

Item = TypeVar("Item")

#: Seconds between two plain lines.
_QUIET_SECONDS = 5.0


def say(text: str) -> None:
    """Log what everyone should see without asking."""
    logger.info("%s", text)


def track(items: Iterable[Item], title: str, *, total: int) -> Iterator[Item]:
    """Yield the items, showing how many are done and how long the rest takes.

    On a terminal a bar, otherwise a log line every few seconds.
    """
    if sys.stderr.isatty():
        from tqdm import tqdm

        yield from tqdm(items, desc=title, total=total, unit="", dynamic_ncols=True)
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
