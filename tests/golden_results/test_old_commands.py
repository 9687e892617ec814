"""What the manual told before the redesign is still understood."""

import contextlib
import importlib
import json
import re
import runpy
import shlex
import warnings
from pathlib import Path

import pytest
from click.testing import CliRunner

from bob.learn.pytorch.script.pytorch import pytorch
from bob.learn.pytorch.script.verify import main

HERE = Path(__file__).parent
DOCUMENTED = json.loads((HERE / "documented.json").read_text())
IMPORTS = json.loads((HERE / "documented_imports.json").read_text())
SETUP = runpy.run_path(str(HERE.parents[1] / "setup.py"))
VALUES = {
    "component": "'cosine'",
    "text": "'x'",
    "words": "['x']",
    "count": "1",
    "number": "1",
    "real": "0.5",
    "flag": "False",
}

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

LINES = [
    pytest.param(line, id=f"{page}: {line}")
    for page, lines in DOCUMENTED["lines"].items()
    for line in lines
]


@pytest.fixture(autouse=True)
def _an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def words_of(line):
    words = shlex.split(line, comments=True)
    while re.fullmatch(r"[A-Z_]+=.*", words[0]):
        del words[0]
    return words


def helped(*words):
    """Whether `bob pytorch WORDS --help` gives help, for which the words must parse."""
    result = CliRunner().invoke(pytorch, [*words, "--help"])
    return result.exit_code == 0 and "Usage:" in result.output, result.output


@pytest.mark.parametrize("line", LINES)
def test_a_line_of_the_old_manual_is_understood(line, capsys):
    words = words_of(line)
    if words[0] != "verify.py":
        start = {"bob": 2, "python": 3}[words[0]]
        rest = words[start:]
        understood, output = helped(*rest)
        if not understood and rest and rest[-1].startswith("-"):  # told without a value
            understood, output = helped(*rest, "1")
        assert understood, output
        return
    assert not refused_by_verify(words[1:], capsys)


def refused_by_verify(words, capsys):
    """What argparse says of words that it does not know; nothing is run."""
    with pytest.raises(SystemExit) as stopped:
        main([*words, "--help"])
    if stopped.value.code == 0:
        known = set(DOCUMENTED["verify.py"])
        long = {word.split("=")[0] for word in words if word.startswith("--")}
        short = {word[:2] for word in words if re.match("-[a-zA-Z]", word)}
        return (long | short) - known
    said = capsys.readouterr().err
    return "" if "expected" in said else said  # of an option told without its value


@pytest.mark.parametrize("command", DOCUMENTED["bob pytorch"])
def test_every_option_of_a_command_is_accepted(command):
    words = command.split()

    assert helped(*words)[0]
    for option in DOCUMENTED["bob pytorch"][command]:
        # Enough for options that take a value, and for those that take none.
        understood, output = helped(*words, option, "x")
        assert understood, output


def test_a_wrong_option_would_be_seen(capsys):
    assert "No such option" in helped("score", "--not-an-option", "x")[1]
    assert main_says(["--not-an-option"], capsys)


def main_says(words, capsys):
    """Whether verify.py calls the words unknown."""
    with contextlib.suppress(SystemExit):
        main(words)
    return "unrecognized arguments" in capsys.readouterr().err


@pytest.mark.parametrize("option", DOCUMENTED["verify.py"])
def test_every_option_of_verify_is_accepted(option, capsys):
    assert not main_says([option], capsys)


@pytest.mark.parametrize("name", DOCUMENTED["configuration"])
def test_every_variable_of_a_configuration_is_known(name, capsys):
    required = ("database", "preprocessor", "extractor", "algorithm", "sub_directory")
    lines = [f"{variable} = 'x'" for variable in required if variable != name]
    value = VALUES[DOCUMENTED["configuration"][name]]
    lines.append(f"{name} = {value}\ndry_run = True")
    Path("config.py").write_text("\n".join(lines) + "\n_unknown = 1\nunknown_1 = 1\n")

    assert main(["config.py"]) == 1  # of components that are none

    said = capsys.readouterr().err
    assert f"variable '{name}'" not in said
    is_refused = re.match(rf"verify\.py: .*{name}", said, flags=re.DOTALL)
    assert "variable 'unknown_1'" in said or is_refused


@pytest.mark.parametrize("group", DOCUMENTED["entry points"])
def test_every_entry_point_is_there(group):
    offered = {line.split(" = ")[0] for line in SETUP["ENTRY_POINTS"][group]}

    for line in DOCUMENTED["entry points"][group]:
        name, target = line.split(" = ")
        assert name in offered
        module, _ = target.split(":")
        # Installed commands of before, until they are installed anew.
        assert importlib.util.find_spec(module) is not None, line


@pytest.mark.parametrize("module", IMPORTS)
def test_what_the_old_manual_imports_is_still_there(module):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        loaded = importlib.import_module(module)
        for name in IMPORTS[module]:
            if not hasattr(loaded, name):
                importlib.import_module(f"{module}.{name}")
