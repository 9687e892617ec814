from pathlib import Path

import pytest

from bob.learn.pytorch.experiment.configuration import ConfigurationError
from bob.learn.pytorch.experiment.experiment import lay_out


def test_the_folders_are_those_of_old():
    layout = lay_out("temp", "results", sub_directory="drn", protocol="male")

    assert layout.stored(layout.preprocessed, "ann/a1") == Path(
        "temp/drn/preprocessed/ann/a1.hdf5"
    )
    assert layout.model("dev", "ann") == Path("temp/drn/male/models/dev/ann.hdf5")
    assert layout.model_scores("dev", "ann") == Path(
        "results/drn/male/nonorm/dev/ann.txt"
    )
    assert layout.group_scores("dev") == Path("results/drn/male/nonorm/scores-dev")


def test_without_a_protocol_the_result_folder_is_called_none():
    layout = lay_out("temp", "results", sub_directory="drn", protocol=None)

    assert layout.results == Path("results/drn/None")
    assert layout.model("dev", "ann") == Path("temp/drn/models/dev/ann.hdf5")


def test_an_absolute_directory_stands_for_itself(tmp_path):
    layout = lay_out(
        "temp", "results", sub_directory="s", protocol=None, extracted=str(tmp_path)
    )

    assert layout.extracted == tmp_path


def test_a_dot_in_a_name_is_no_suffix():
    layout = lay_out("temp", "results", sub_directory="s", protocol=None)

    assert layout.stored(layout.extracted, "a.b").name == "a.b.hdf5"


@pytest.mark.parametrize("key", ["/etc/passwd", "../a", "a/../../b", ""])
def test_a_name_that_leaves_the_experiment_is_refused(key):
    layout = lay_out("temp", "results", sub_directory="s", protocol=None)

    with pytest.raises(ConfigurationError, match="outside"):
        layout.stored(layout.extracted, key)
