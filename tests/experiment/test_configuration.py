import subprocess
import sys
from pathlib import Path

import pytest

from bob.learn.pytorch.experiment.configuration import (
    ConfigurationError,
    resolve,
    run_files,
)

PROGRAM = """
import sys
from pathlib import Path
from bob.learn.pytorch.experiment.configuration import run_files
from bob.learn.pytorch.extractor import CallableExtractor

OLD = "from bob.bio.base.extractor import CallableExtractor as found, Extractor"
Path("old.py").write_text(OLD)
{before}
{between}
variables = run_files(["old.py"])
assert variables["found"] is CallableExtractor
assert variables["Extractor"].__module__.startswith("bob.bio.base")
assert all("experiment" not in type(hook).__module__ for hook in sys.meta_path)
"""


def test_a_later_file_sees_and_replaces_what_an_earlier_one_set(tmp_path):
    (tmp_path / "a.py").write_text("groups = ['dev']\nbase = 3\n")
    (tmp_path / "b.py").write_text("groups = groups + ['eval']\nbase += 1\n")

    variables = run_files([str(tmp_path / "a.py"), str(tmp_path / "b.py")])

    assert variables == {"groups": ["dev", "eval"], "base": 4}


def test_functions_of_a_configuration_still_find_its_other_names(tmp_path):
    (tmp_path / "a.py").write_text("factor = 2\ndef twice(x):\n    return factor * x\n")

    assert run_files([str(tmp_path / "a.py")])["twice"](4) == 8


def test_a_module_is_as_good_as_a_file(tmp_path, monkeypatch):
    (tmp_path / "my_experiment.py").write_text("sub_directory = 'mine'\n")
    monkeypatch.syspath_prepend(tmp_path)

    assert run_files(["my_experiment"])["sub_directory"] == "mine"


@pytest.mark.parametrize("name", ["absent.py", "no.such.module", "absent"])
def test_a_configuration_that_is_nowhere_is_named(name):
    with pytest.raises(ConfigurationError, match=name):
        run_files([name])


def test_a_syntax_error_names_the_file_and_the_line(tmp_path):
    path = tmp_path / "broken.py"
    path.write_text("groups = [\n'dev'\nalgorithm = 3\n")

    with pytest.raises(ConfigurationError, match=r"broken\.py.*line"):
        run_files([str(path)])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "between"),
    [
        ("", "assert 'bob.bio.base' not in sys.modules"),
        ("import bob.bio.base.extractor", ""),
        ("run_files(['old.py'])", ""),
    ],
)
def test_the_removed_class_is_found_where_it_was(before, between, tmp_path):
    program = PROGRAM.format(before=before, between=between)

    subprocess.run([sys.executable, "-c", program], check=True, cwd=tmp_path)


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
