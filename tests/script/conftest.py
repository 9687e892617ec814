"""Templates for the command line that need nothing but NumPy."""

import json
from pathlib import Path

import pytest
from template_files import content

from bob.learn.pytorch.templates.format import template as templates
from bob.learn.pytorch.templates.install import trust
from bob.learn.pytorch.templates.run import checking, runner

NAMED = {"name": "A model of nothing", "references": ["B, C 2020"], "licence": "MIT"}
CONTENT = content(**NAMED, embedding_size=4)
TRACE = Path("/tmp/never-by-a-test")  # noqa: S108


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path, monkeypatch):
    """Every command runs in an empty folder of its own."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def nothing_runs_untrusted():
    """What runs of a template that must not run leaves a trace."""
    yield
    assert not TRACE.exists()


@pytest.fixture
def unless_run():
    """Keys of a template that leaves that trace."""
    return {"import_cmds": [f"open({str(TRACE)!r}, 'x')", "raise SystemExit(9)"]}


@pytest.fixture
def template_content():
    """What is in the templates of these tests unless they say other."""
    return CONTENT


@pytest.fixture
def template_file():
    """`template_file(**keys)`: a template in the working directory."""

    def write(name="mine.json", **keys):
        Path(name).write_text(json.dumps({**CONTENT, **keys}))
        return name

    return write


@pytest.fixture
def template_backbones(tmp_path, monkeypatch):
    """`template_backbones(**entries)`: templates in place of the shipped ones."""
    folder = tmp_path / "backbones"
    monkeypatch.setattr(templates, "BACKBONES", folder)
    folder.mkdir()

    def write(**entries):
        for name, keys in entries.items():
            path = folder / "speech" / f"{name}.json"
            path.parent.mkdir(exist_ok=True)
            path.write_text(json.dumps({**CONTENT, **keys}))
        trust.write_shipped_hashes()

    return write


@pytest.fixture
def templates_installed(environment, monkeypatch):
    """Every template is installed already, in the environment of the tests."""
    asked = []

    def install(template, *, trusted=False, progress=False):
        if not trusted:
            trust.require(template)
        asked.append(template.name)
        return environment, {}

    monkeypatch.setattr(runner, "install", install)
    monkeypatch.setattr(checking, "install", install)
    return asked
