"""What setup.py offers to Bob and to the command line is there."""

import importlib.util
import runpy
from pathlib import Path

import pytest

from bob.learn.pytorch.config import templates
from bob.learn.pytorch.models import catalogue
from bob.learn.pytorch.templates.format.template import shipped

SETUP = runpy.run_path(str(Path(__file__).resolve().parents[2] / "setup.py"))


def test_every_trained_model_is_offered_to_bob():
    assert set(SETUP["TRAINED_MODELS"]) == {model.name for model in catalogue.MODELS}


def test_every_shipped_template_is_offered_to_bob():
    """By a name without a slash, which old Bob's tools would take for a path."""
    names = {name.replace("/", "-").replace("_", "-") for name in shipped()}

    assert set(SETUP["TEMPLATES"]) == names


def test_a_template_is_made_when_its_entry_point_is_asked_for():
    extractor = templates.preprocessor_speech_ecapa_tdnn

    assert extractor.model.name == "speech/ecapa_tdnn"
    with pytest.raises(AttributeError, match="no attribute 'preprocessor_speech_none'"):
        templates.preprocessor_speech_none  # noqa: B018


@pytest.mark.parametrize("group", SETUP["ENTRY_POINTS"])
def test_entry_points_name_modules_that_exist(group):
    for line in SETUP["ENTRY_POINTS"][group]:
        _, target = line.split(" = ")
        module, _ = target.split(":")
        assert importlib.util.find_spec(module) is not None, line
