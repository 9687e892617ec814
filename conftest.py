"""For every test, those in docstrings and in the manual included."""

import logging
import os
from pathlib import Path

import pytest

from bob.learn.pytorch.settings import let_idle_threads_sleep

# Before any test imports torch.
let_idle_threads_sleep()


@pytest.fixture(autouse=True)
def isolated_home(tmp_path_factory, monkeypatch) -> Path:
    """No test reads or writes what the user has set or stored."""
    home = tmp_path_factory.mktemp("home")
    for name in [name for name in os.environ if name.startswith("BOB_LEARN")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    for name, folder in (
        ("XDG_CONFIG_HOME", ".config"),
        ("XDG_DATA_HOME", ".local/share"),
        ("XDG_CACHE_HOME", ".cache"),
    ):
        monkeypatch.setenv(name, str(home / folder))
    return home


@pytest.fixture(autouse=True)
def _restored_logging():
    """Commands set logging up for the whole process; no test inherits that."""
    ours = logging.getLogger("bob.learn.pytorch")
    before = ours.handlers[:], ours.level, ours.propagate
    yield
    ours.handlers[:], ours.level, ours.propagate = before
