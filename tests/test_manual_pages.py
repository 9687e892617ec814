"""The manual: what its pages name exists, and what they show is what runs."""

import importlib.util
import re
import runpy
import shlex
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from commands import run

from bob.learn.pytorch.experiment import options
from bob.learn.pytorch.models import catalogue
from bob.learn.pytorch.script.pytorch import pytorch
from bob.learn.pytorch.script.verify import main

DOC = Path(__file__).resolve().parents[1] / "doc"
PAGES = sorted(DOC.rglob("*.rst"))
README = DOC.with_name("README.md")
EXAMPLES = DOC / "examples"


def commands_in(text):
    """Commands of one text: what follows a prompt, or an indented known name."""
    joined = re.sub(r"\\\n\s*", " ", text)
    prompted = re.findall(r"^ +\$ (.+)$", joined, flags=re.MULTILINE)
    known = r"^    ((?:\w+=\S+ )?(?:verify\.py|bob|make) .+)$"
    return prompted + re.findall(known, joined, flags=re.MULTILINE)


COMMANDS = [
    pytest.param(command, id=f"{page.stem}: {command}")
    for page in [*PAGES, README]
    for command in commands_in(page.read_text())
]


def words_of(command):
    """A command without its settings (NAME=value) and its comment."""
    words = shlex.split(command, comments=True)
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        del words[0]
    return words


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_manual_is_understood(command):
    """With --help behind it, a command parses all that stands before and stops."""
    words = words_of(command)

    if words[0].endswith("verify.py"):
        # Of an option that it does not know, argparse would complain only later.
        long = {word.split("=")[0] for word in words if word.startswith("--")}
        short = {word[:2] for word in words if re.match("-[a-zA-Z]", word)}
        assert long | short <= own_options()
        with pytest.raises(SystemExit) as stopped:
            main([*words[1:], "--help"])
        assert stopped.value.code == 0
    elif words[:2] == ["bob", "pytorch"]:
        assert run(*words[2:], "--help").exit_code == 0
    elif words[0] == "make":
        targets = [word for word in words[1:] if "=" not in word]
        makefile = DOC.with_name("Makefile").read_text()
        assert all(f"\n{target}:" in makefile for target in targets)
    else:
        assert words[0] in {".", "bob", "mkdir", "pip", "python"}


@pytest.mark.slow
def test_commands_of_bob_in_the_manual_are_understood():
    import importlib.metadata

    group = importlib.metadata.entry_points(group="bob.bio.pipeline.cli")
    simple = group["simple"].load()
    commands = [words_of(parameter.values[0]) for parameter in COMMANDS]
    chosen = [w[4:] for w in commands if w[:4] == ["bob", "bio", "pipeline", "simple"]]

    assert chosen
    for arguments in chosen:
        result = CliRunner().invoke(simple, [*arguments, "--help"])
        assert result.exit_code == 0, result.output


def own_options():
    """Every option of verify.py and of `bob pytorch`."""
    found = {"--help", "--create-configuration-file", "-H"}
    offered = [option for option, _ in options.NOT_OFFERED.values()]
    for option in (
        *options.OPTIONS,
        *options.IGNORED,
        *offered,
    ):
        found |= set(option.flags)
    groups = [pytorch]
    while groups:
        command = groups.pop()
        found |= {flag for item in command.params for flag in item.opts}
        names = getattr(command, "list_commands", lambda _: ())(None)
        groups += [command.get_command(None, name) for name in names]
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_an_option_named_on_a_page_exists(page):
    named = set(re.findall(r"``(--?[a-zA-Z][a-z-]*)", page.read_text()))

    assert {name for name in named if not re.match("-v+$", name)} <= own_options()


def tables():
    specification = importlib.util.spec_from_file_location(
        "manual_tables", DOC / "tables.py"
    )
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module.MADE


def test_the_tables_of_options_name_every_option_once():
    text = tables()["options"]() + tables()["ignored_options"]() + tables()["stages"]()

    for option in (*options.OPTIONS, *options.IGNORED):
        for flag in option.flags:
            assert text.count(f"``{flag}``") == 1, flag


def test_the_table_of_trained_models_is_the_catalogue():
    text = tables()["trained_models"]()

    for model in catalogue.MODELS:
        for said in (model.name, model.licence, model.setting, model.weights.file_name):
            assert said in text


def test_every_page_is_reached_and_every_table_is_made():
    pages = {page.relative_to(DOC).with_suffix("").as_posix(): page
             for page in PAGES}  # fmt: skip
    listed = {"index"}
    for name, page in pages.items():
        parts = page.read_text().split(".. toctree::")[1:]
        entries = re.findall(r"^   ([\w/]+)$", "\n".join(parts), flags=re.MULTILINE)
        listed |= {(Path(name).parent / entry).as_posix() for entry in entries}
    asked = re.findall(
        r"^\.\. generated:: (\w+)$",
        "\n".join(page.read_text() for page in PAGES),
        flags=re.MULTILINE,
    )

    assert set(pages) == listed
    assert sorted(asked) == sorted(tables())


def example(name):
    return str(EXAMPLES / name)


def test_the_guide_of_old_is_word_for_word(shared):
    guide = (shared / "seeds" / "bob_audio_extractor.txt").read_text()
    blocks = re.findall(r"\.\. code:: python\n\n((?:  .*\n|\n)+)", guide)
    told = [line[2:] for block in blocks for line in block.splitlines() if line.strip()]

    shown = Path(example("guide.py")).read_text().splitlines()

    assert [line for line in shown if line.strip()] == told


def test_the_six_functions(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    shutil.copy(example("smallest.json"), "smallest.json")
    told = []
    monkeypatch.setattr(
        "subprocess.run", lambda command, **_: told.append(command) or Done
    )

    runpy.run_path(example("six_functions.py"))

    assert capfd.readouterr().out.strip() == "(1, 201)"
    assert told[0].endswith("-m pip install numpy==1.26.4")


class Done:
    returncode = 0


def test_every_example_is_shown_on_a_page_and_run():
    pages = "\n".join(page.read_text() for page in PAGES)
    shown = set(re.findall(r"literalinclude:: (?:\.\./)?examples/(\S+)", pages))
    here = Path(__file__)
    tests = here.read_text() + here.with_name("test_manual.py").read_text()
    run = set(re.findall(r'example\("(\S+?)"\)', tests))

    there = {path.name for path in EXAMPLES.glob("*.[jp]*")}

    assert there == shown
    assert there <= run


def test_the_configuration_in_the_readme_is_the_first_of_the_manual():
    def statements(text):
        return re.findall(r"^\w[^#\n]*[^#\s]", text, flags=re.MULTILINE)

    shown = re.search(r"```python\n(.*?)```", README.read_text(), flags=re.S)[1]

    first = Path(example("first.py")).read_text()
    assert statements(shown) == statements(first)
