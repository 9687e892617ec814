"""What every test may ask for."""

import importlib.util
import logging
import os
from pathlib import Path
from types import ModuleType

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real recordings beside the checkout; without them, tests of theirs skip."""
    folder = Path(os.environ.get("BOB_PYTORCH_SHARED", CHECKOUT.parent / "shared"))
    if not (folder / "data").is_dir():
        pytest.skip(f"{folder} with real recordings is not on this machine")
    return folder


@pytest.fixture(scope="session")
def golden() -> Path:
    """Reference outputs on waveforms made by formula."""
    return CHECKOUT / "tests" / "golden"


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


@pytest.fixture(scope="session")
def golden_weights() -> ModuleType:
    """The module of that name: weights by formula, `golden_weights.fill(network)`."""
    path = Path(__file__).with_name("golden_weights.py")
    spec = importlib.util.spec_from_file_location("golden_weights", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def _restored_logging():
    """Commands set logging up for the whole process; no test inherits that."""
    ours = logging.getLogger("bob.learn.pytorch")
    before = ours.handlers[:], ours.level, ours.propagate
    yield
    ours.handlers[:], ours.level, ours.propagate = before
