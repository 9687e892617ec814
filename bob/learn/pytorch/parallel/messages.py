"""What libraries log while something starts, kept until it shows whether it counts."""

from __future__ import annotations

import gc
import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

logger = logging.getLogger(__name__)


class _Kept(logging.Handler):
    """Keeps what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@contextmanager
def held_back(*names: str) -> Iterator[None]:
    """Hold back what loggers of these names, and those below them, are told inside.

    It is logged after all where the block ends well. Where it raises, the error tells
    what is wrong, and what else was said goes to our own log at the level DEBUG.

    Parameters
    ----------
    names
        Of loggers, such as "asyncio".
    """
    kept = _Kept()
    before = [(each, each.handlers[:], each.propagate) for each in _loggers(names)]
    for each, _, _ in before:
        each.handlers[:] = [kept]
        each.propagate = False
    try:
        yield
    except BaseException:
        for record in kept.records:
            logger.debug("%s: %s", record.name, record.getMessage())
        kept.records.clear()
        # Tasks whose error nobody asked for log it when they go: they go now.
        gc.collect()
        kept.records.clear()
        raise
    finally:
        for each, handlers, propagate in before:
            added = [handler for handler in each.handlers if handler is not kept]
            each.handlers[:] = [*handlers, *added]
            each.propagate = propagate
        for record in kept.records:
            logging.getLogger(record.name).handle(record)


def _loggers(names: tuple[str, ...]) -> list[logging.Logger]:
    """Those of the names, and those below that have handlers of their own."""
    below = tuple(f"{name}." for name in names)
    known = list(logging.root.manager.loggerDict.items())
    return [logging.getLogger(name) for name in names] + [
        found
        for name, found in known
        if name.startswith(below)
        and isinstance(found, logging.Logger)
        and (found.handlers or not found.propagate)
    ]
