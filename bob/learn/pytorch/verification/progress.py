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


def track(items: Iterable[Item], title: str, *, total: int) -> Iterator[Item]:
    """Yield the items, showing how many are done and how long the rest takes.

    On a terminal a bar, otherwise a log line every few seconds.
    """
    if sys.stderr.isatty():
        from tqdm import tqdm

        yield from tqdm(items, desc=title, total=total, unit="", dynamic_ncols=True)
        return
    started = told = time.monotonic()
    for done, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if now - told >= _QUIET_SECONDS and done < total:
            told = now
            remaining = (now - started) / done * (total - done)
            logger.info("%s: %d of %d, %.0f s remaining", title, done, total, remaining)
