"""What libraries log while something starts, told afterwards or dropped."""

import asyncio
import gc
import logging
from contextlib import ExitStack, contextmanager

import pytest

from bob.learn.pytorch.parallel.dask_client import _held_back


@contextmanager
def told_to(name):
    """What comes through a handler of one logger."""
    texts = []
    handler = logging.Handler()
    handler.emit = lambda record: texts.append(record.getMessage())
    logging.getLogger(name).addHandler(handler)
    yield texts
    logging.getLogger(name).removeHandler(handler)


@pytest.fixture
def library(monkeypatch):
    """What is told to a library that has a handler of its own, as distributed has."""
    monkeypatch.setattr(logging.getLogger("library.part"), "propagate", False)
    with told_to("library.part") as texts:
        yield texts


@pytest.fixture
def root():
    """What is told to everybody."""
    with told_to(None) as texts:
        yield texts


def refuse(name, start=None):
    """What fails to start, and logs a traceback before."""
    with _held_back("library", "asyncio"):
        logging.getLogger(name).error("a traceback of 60 lines")
        if start is not None:
            asyncio.run(start())
        raise OSError("no qsub")


def test_it_is_told_after_a_good_start(library, root):
    with _held_back("library", "asyncio"):
        logging.getLogger("library.part").error("no such queue")
        logging.getLogger("library.other").error("new inside")
        assert (library, root) == ([], [])

    assert library == ["no such queue"]
    assert root == ["new inside"]


def test_it_is_dropped_where_an_error_tells(library, root):
    for name in ("library.part", "library.other", "library"):
        with pytest.raises(OSError, match="no qsub"):
            refuse(name)

    assert (library, root) == ([], [])


def test_nothing_later_and_nobody_else_is_held_back(library, root):
    with pytest.raises(OSError, match="no qsub"):
        refuse("library_of_others")
    logging.getLogger("library.part").error("later")
    logging.getLogger("library").error("later too")

    assert library == ["later"]
    assert root == ["a traceback of 60 lines", "later too"]


def test_a_handler_that_is_added_inside_stays(root):
    with ExitStack() as stack:
        with _held_back("library"):
            texts = stack.enter_context(told_to("library"))
        logging.getLogger("library").error("later")

        assert texts == root == ["later"]


def test_tasks_whose_error_nobody_asked_for_are_silent_too(root):
    """Their loop logs it when they are collected, which may be at the very end."""

    async def fail():
        raise FileNotFoundError("qsub")

    async def start():
        task = asyncio.ensure_future(fail())
        task.keeps_itself = [task]
        for _ in range(2):
            await asyncio.sleep(0)

    with pytest.raises(OSError, match="no qsub"):
        refuse("asyncio", start)
    gc.collect()

    assert root == []
