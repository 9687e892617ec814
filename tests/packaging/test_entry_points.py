"""What setup.py offers to Bob and to the command line is there."""

import importlib.util
import runpy
from pathlib import Path

import pytest

from bob.learn.pytorch.weights import catalogue

SETUP = runpy.run_path(str(Path(__file__).resolve().parents[2] / "setup.py"))


def test_every_trained_model_is_offered_to_bob():
    assert set(SETUP["TRAINED_MODELS"]) == {model.name for model in catalogue.MODELS}


@pytest.mark.parametrize("group", SETUP["ENTRY_POINTS"])
def test_entry_points_name_modules_that_exist(group):
    for line in SETUP["ENTRY_POINTS"][group]:
        _, target = line.split(" = ")
        module, _ = target.split(":")
        assert importlib.util.find_spec(module) is not None, line
