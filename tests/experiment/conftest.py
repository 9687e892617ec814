import importlib.util
import os
import shutil
import sys
from pathlib import Path

import pytest

from bob.learn.pytorch.experiment.algorithms import NAMED
from bob.learn.pytorch.experiment.components import Extraction, Preprocessing
from bob.learn.pytorch.experiment.experiment import Experiment, lay_out

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


@pytest.fixture
def experiment(tmp_path, toys):
    database = toys.Speakers(toys.corpus(tmp_path / "recordings"))
    return Experiment(
        database=database,
        preprocessing=Preprocessing(toys.Bands(), database),
        extraction=Extraction(toys.Same()),
        algorithm=NAMED["cosine"],
        layout=lay_out(
            tmp_path / "temp", tmp_path / "results", sub_directory="s", protocol="all"
        ),
    )


@pytest.fixture
def damaged(experiment):
    """take1 of speaker 0 and take2 of speaker 1 cannot be read; speaker 3 is gone."""
    folder = experiment.database.folder
    (folder / "speaker0" / "take1.wav").write_bytes(b"not audio")
    os.truncate(folder / "speaker1" / "take2.wav", 20)
    shutil.rmtree(folder / "speaker3")
    return experiment
