import importlib.util
import sys
from pathlib import Path

import pytest

# The import mode importlib keeps test folders off sys.path; this one module of
# helpers is loaded by its place.
_specification = importlib.util.spec_from_file_location(
    "verification_toys", Path(__file__).with_name("toys.py")
)
_toys = importlib.util.module_from_spec(_specification)
sys.modules["verification_toys"] = _toys
_specification.loader.exec_module(_toys)


@pytest.fixture
def toys():
    """Tones as recordings, and components that are easy to check by hand."""
    return _toys
