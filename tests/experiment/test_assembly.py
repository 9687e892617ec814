from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bob.learn.pytorch.experiment.configuration import ConfigurationError
from bob.learn.pytorch.experiment.options import settle
from bob.learn.pytorch.experiment.run import assemble, describe
from bob.learn.pytorch.report.provenance import description_facts


@pytest.fixture
def variables(tmp_path, toys):
    return {
        "database": str(toys.corpus(tmp_path / "people")),
        "preprocessor": toys.Bands(),
        "extractor": toys.Same(),
        "algorithm": "cosine",
        "sub_directory": "first",
        "database_directories_file": str(tmp_path / "directories.txt"),
    }


def test_settled_options_become_an_experiment(variables):
    given = {"groups": ["eval"], "force": True, "extracted_directory": "/elsewhere"}

    experiment = assemble(settle(given, variables))

    assert experiment.database.name == "people"
    assert experiment.groups == ("eval",)
    assert experiment.force
    assert experiment.layout.extracted == Path("/elsewhere")
    assert experiment.layout.preprocessed == Path("temp/first/preprocessed")


def test_the_description_names_the_command_and_every_component(variables):
    experiment = assemble(settle({}, variables))

    text = describe(experiment, command=["verify.py", "my config.py"])

    assert "verify.py 'my config.py'" in text
    for part in ("people, protocol recording", "Bands", "Same", "Similarity"):
        assert part in text
    assert f"numpy {np.__version__}" in text
    assert " at 0x" not in text


def test_a_placeholder_in_a_database_is_replaced_by_the_users_folder(
    variables, tmp_path, toys
):
    database = toys.Speakers(tmp_path)
    database.original_directory = "[PEOPLE]/wav"
    Path(variables["database_directories_file"]).write_text(
        "# where things are\n\n[PEOPLE] = /data/people\n"
    )

    experiment = assemble(settle({}, {**variables, "database": database}))

    assert experiment.database.original_directory == "/data/people/wav"


def test_a_line_of_the_directories_that_says_nothing_is_named(
    variables, tmp_path, toys
):
    database = toys.Speakers(tmp_path)
    database.original_directory = "[PEOPLE]/wav"
    Path(variables["database_directories_file"]).write_text("[PEOPLE] /data\n")

    with pytest.raises(ConfigurationError, match="line 1"):
        assemble(settle({}, {**variables, "database": database}))


def test_one_folder_for_two_stages_is_refused_unless_one_is_left_out(variables):
    given = {"extracted_directory": "preprocessed"}

    with pytest.raises(ConfigurationError, match="skip_extraction = True"):
        assemble(settle(given, variables))

    assert assemble(settle({**given, "skip_extraction": True}, variables))


def test_no_name_is_a_title_of_the_description(variables):
    """The report reads the description by its titles."""
    experiment = assemble(settle({}, variables))
    forged = "x\n\nCalibration:\nnone\n\rNormalisation:\rnone"

    text = describe(replace(experiment, calibration=forged), command=["a", forged])

    facts = description_facts(text.replace("\r", "\n"))
    titles = [title for title, _ in facts]
    assert len(titles) == len(set(titles))
    assert dict(facts)["Normalisation"] == "none"
    assert dict(facts)["Calibration"].startswith("x")
