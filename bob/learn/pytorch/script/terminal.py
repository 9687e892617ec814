"""Terminals: names on them do no more than be read, and Ctrl-C ends a command."""

from __future__ import annotations

import logging
import os
import re
import signal
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import click

from bob.learn.pytorch.printing import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import TextIO

#: The exit status of a process that Ctrl-C ended.
INTERRUPTED = 130


class _Escaping:
    """A stream that escapes what is written to it; the rest is the stream's."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write all but control characters; a bar may begin at the line's start."""
        start = "\r" if text.startswith("\r") else ""
        shown = printable(text[len(start) :], keep="\r\n\t")
        self._stream.write(start + re.sub(r"\r(?!\n)", r"\\r", shown))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write one after the other."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - of the stream
        return getattr(self._stream, name)


class EscapingFormatter(logging.Formatter):
    """Let no name in a message break its line; some errors take more than one."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the message, with names as they may be shown."""
        if isinstance(record.args, tuple):
            record.args = tuple(map(_in_a_log, record.args))
        return super().format(record)


def _in_a_log(item: object) -> object:
    if isinstance(item, BaseException):
        return told(item)
    return printable(item) if isinstance(item, str | os.PathLike) else item


def escape_streams() -> None:
    """Let whatever is printed from now on, tracebacks and logs included, be harmless.

    A name may hold what moves the cursor, sets a title or types a command.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is not None and not isinstance(stream, _Escaping):
            setattr(sys, name, cast("TextIO", _Escaping(stream)))


def told(error: BaseException) -> str:
    """Return what an error says, on one line unless it is of those that take more."""
    from bob.learn.pytorch.experiment.experiment import BadRecordingsError
    from bob.learn.pytorch.models.errors import WeightsError
    from bob.learn.pytorch.templates.format.errors import TemplateError

    of_lines = isinstance(error, BadRecordingsError | TemplateError | WeightsError)
    return printable(str(error), keep="\n" if of_lines else "")


@contextmanager
def lines_kept() -> Iterator[None]:
    """Let no name in an error of a command make a line of its own."""
    try:
        yield
    except click.ClickException as error:
        cause = error.__cause__
        is_whole = cause is not None and str(cause) == error.message
        said = told(cause) if cause and is_whole else printable(error.message)
        vars(error).update(message=said)
        raise


def take_back_interrupts() -> None:
    """Let Ctrl-C raise KeyboardInterrupt, and a termination end the process.

    dask_jobqueue, which Bob imports, makes both end it with the status 0, as if all
    were done.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
