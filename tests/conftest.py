"""What every test may ask for."""

import importlib.util
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
        pytest.skip(f"no real recordings in {folder} (see BOB_PYTORCH_SHARED)")
    return folder


@pytest.fixture(scope="session")
def golden() -> Path:
    """Reference outputs on waveforms made by formula."""
    return CHECKOUT / "tests" / "golden"


@pytest.fixture(scope="session")
def golden_weights() -> ModuleType:
    """The module of that name: weights by formula, `golden_weights.fill(network)`."""
    path = Path(__file__).with_name("golden_weights.py")
    spec = importlib.util.spec_from_file_location("golden_weights", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
