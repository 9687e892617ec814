"""setup.py says what is needed; conda, buildout and the constraints follow it."""

import configparser
import runpy
from pathlib import Path

import jinja2
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

CHECKOUT = Path(__file__).resolve().parents[2]
CALLED_BY_CONDA = {
    "pytorch": "torch",
    "pysoundfile": "soundfile",
    "soxr-python": "soxr",
}


@pytest.fixture(scope="module")
def setup():
    return runpy.run_path(str(CHECKOUT / "setup.py"))


@pytest.fixture
def required(setup):
    """{name: versions} of what setup.py requires."""
    return versions(setup["REQUIRED"])


def versions(requirements):
    parsed = [Requirement(text) for text in requirements]
    return {canonicalize_name(each.name): each.specifier for each in parsed}


def test_conda_runs_with_what_setup_requires(required):
    template = jinja2.Template((CHECKOUT / "conda" / "meta.yaml").read_text())
    recipe = yaml.safe_load(
        template.render(
            load_setup_py_data=lambda **_: {"version": "1"},
            python="3.11",
            compiler=lambda language: f"{language}-compiler",
        )
    )

    in_conda = dict(line.split(" ", 1) for line in recipe["requirements"]["run"])
    python = in_conda.pop("python")

    assert python == ">=3.10,<3.13"
    assert required == versions(
        f"{CALLED_BY_CONDA.get(name, name)} {version}"
        for name, version in in_conda.items()
    )


def test_buildout_asks_for_what_setup_requires(required):
    buildout = configparser.ConfigParser(interpolation=None)
    buildout.read(CHECKOUT / "buildout.cfg")

    eggs = buildout["buildout"]["eggs"].split("\n")
    package, *dependencies = [line for line in eggs if line]

    assert package == "bob.learn.pytorch"
    assert required == versions(dependencies)


def test_constraints_pin_everything_that_setup_asks_for(setup):
    lines = (CHECKOUT / "constraints.txt").read_text().splitlines()
    pins = [Requirement(line) for line in lines if not line.startswith("#")]

    for asked in [setup["REQUIRED"], *setup["EXTRAS"].values()]:
        for name, allowed in versions(asked).items():
            pinned = [pin for pin in pins if canonicalize_name(pin.name) == name]
            assert pinned, f"{name} has no pin; `make constraints` adds it"
            for pin in pinned:
                (version,) = [each.version for each in pin.specifier]
                assert version in allowed, f"{pin} is not {name}{allowed}"
