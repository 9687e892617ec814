from pathlib import Path

import pytest

from bob.learn.pytorch.experiment.configuration import ConfigurationError
from bob.learn.pytorch.experiment.resources import resolve


def test_an_object_comes_back_as_it_is():
    component = object()

    assert resolve("extractor", component) is component


def test_a_file_gives_its_variable_of_that_kind(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("extractor = 'not this'\npreprocessor = [1, 2]\n")

    assert resolve("preprocessor", str(path)) == [1, 2]


def test_a_file_without_such_a_variable_is_named(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("extractor = 1\n")

    with pytest.raises(ConfigurationError, match=r"mine\.py defines no variable 'alg"):
        resolve("algorithm", str(path))


def test_an_expression_is_evaluated_with_the_imports():
    assert resolve("extractor", "math.sqrt", imports=["math"])(9) == 3


def test_an_expression_that_gives_a_text_is_resolved_again(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("extractor = 5\n")

    assert resolve("extractor", repr(str(path)), imports=[]) == 5


@pytest.mark.parametrize("text", ["no_such_name", "1 +", "math.absent"])
def test_what_is_nothing_of_all_that_is_refused_with_the_reasons(text):
    with pytest.raises(ConfigurationError) as caught:
        resolve("extractor", text, imports=["math"])

    assert repr(text) in str(caught.value)
    assert "bob.bio.extractor" in str(caught.value)


def test_a_known_text_goes_before_everything_else_at_every_step(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("algorithm = 'cosine'\n")

    found = resolve("algorithm", str(path), known={"cosine": 7}.get, imports=[])

    assert found == 7


def test_a_file_that_names_itself_is_refused(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(f"extractor = {str(path)!r}\n")

    with pytest.raises(ConfigurationError, match="may not name itself"):
        resolve("extractor", str(path))


def test_a_misspelt_database_is_said_to_be_looked_for_as_a_path():
    with pytest.raises(ConfigurationError) as caught:
        resolve("database", "recordigs", imports=[])

    assert "a folder of speakers, a trial list" in str(caught.value)
    assert str(Path("recordigs").absolute()) in str(caught.value)
