"""Templates that need nothing but NumPy, and packages that uv installs here."""

import ensurepip
import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest
import template_files

from bob.learn.pytorch import settings
from bob.learn.pytorch.templates.format.errors import InstallError, InvalidTemplate
from bob.learn.pytorch.templates.format.schema import problems
from bob.learn.pytorch.templates.format.template import from_content, load
from bob.learn.pytorch.templates.install.environment import ensure
from bob.learn.pytorch.templates.run import runner
from bob.learn.pytorch.templates.run.runner import TemplateEmbedder
from bob.learn.pytorch.templates.run.worker import Worker

RATE = 16_000


@pytest.fixture
def smallest():
    """The least that a template has to say."""
    return dict(template_files.SMALLEST)


@pytest.fixture
def made(smallest):
    """`made(**changes)`: the smallest template with other keys."""
    return lambda **changes: from_content({**smallest, **changes}, name="mine")


@pytest.fixture
def told(smallest):
    """`told(**changes)`: its problems, one a line."""
    return lambda **changes: "\n".join(map(str, problems({**smallest, **changes})))


@pytest.fixture
def written(tmp_path):
    """`written(raw)`: the path of a file with that text, or those bytes."""

    def write(raw):
        path = tmp_path / "mine.json"
        path.write_bytes(raw.encode() if isinstance(raw, str) else raw)
        return path

    return write


@pytest.fixture
def refusal():
    """`refusal(path)`: why a file is no template."""

    def refuse(path):
        with pytest.raises(InvalidTemplate) as caught:
            load(path)
        assert str(caught.value).startswith(f"{path} is no valid template")
        return str(caught.value)

    return refuse


@pytest.fixture(scope="session")
def toy():
    """`toy(name, **keys)`: a template, its keys in place of the usual ones."""
    return template_files.toy


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """The folder for temporary ones."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


@pytest.fixture
def start(toy, environment, temporary):
    """`start(**keys)`: a worker with the template loaded; closed after the test."""
    started = []

    def make(*, weights=None, load=True, **keys):
        worker = Worker(toy(**keys), environment, weights or {})
        started.append(worker)
        if load:
            worker.load()
        return worker

    yield make
    for worker in started:
        worker.close()


@pytest.fixture
def embedder(toy, environment, temporary):
    """`embedder(**keys)`: what embeds recordings by a template, closed afterwards."""
    made = []

    def make(**keys):
        template = toy(**keys)

        def loaded():
            worker = Worker(template, environment, {})
            made.append(worker)
            worker.load()
            return worker

        return TemplateEmbedder(template, loaded)

    yield make
    for worker in made:
        worker.close()


@pytest.fixture
def installed(environment, temporary, monkeypatch):
    """Every template is installed already: in the environment of the tests."""
    monkeypatch.setattr(runner, "install", lambda *_, **__: (environment, {}))
    return environment


@pytest.fixture
def noise():
    """`noise(seconds)`: what no check of recordings refuses."""

    def make(seconds=0.1, seed=0):
        random = np.random.default_rng(seed)
        return random.normal(0, 0.1, round(seconds * RATE)).astype(np.float32)

    return make


def write_wheel(folder, name, version, requires=()):
    file = f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    needs = "".join(f"Requires-Dist: {need}\n" for need in requires)
    files = {
        f"{name}.py": f"version = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\n"
        f"Version: {version}\n{needs}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\n"
        "Tag: py3-none-any\n",
    }
    record = "".join(f"{path},,\n" for path in files)
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n"
    with zipfile.ZipFile(folder / file, "w") as archive:
        for path, text in files.items():
            archive.writestr(zipfile.ZipInfo(path), text)
    return folder / file


@pytest.fixture(scope="session")
def make_wheel():
    """`make_wheel(folder, name, version)`: a package with a module of that name."""
    return write_wheel


@pytest.fixture(scope="session")
def wheels(tmp_path_factory):
    """The packages a (which needs b) and b 1.0 and 2.0, and pip."""
    folder = tmp_path_factory.mktemp("wheels")
    write_wheel(folder, "tinya", "1.0", ["tinyb>=1"])
    write_wheel(folder, "tinyb", "1.0")
    write_wheel(folder, "tinyb", "2.0")
    for pip in (Path(ensurepip.__file__).parent / "_bundled").glob("pip-*.whl"):
        shutil.copy(pip, folder)
    return folder


@pytest.fixture
def local_index(monkeypatch, wheels):
    """The wheels are all that uv and pip find."""
    for name in [name for name in os.environ if name.startswith(("UV_", "PIP_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    # What uv learns of an interpreter takes it a third of a second.
    monkeypatch.setenv("UV_CACHE_DIR", str(wheels.parent / "uv"))
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS", "never")


@pytest.fixture
def version_of_b():
    """`version_of_b(environment)`: which one its Python imports."""

    def version(environment):
        code = "import tinyb; print(tinyb.version)"
        return subprocess.run(
            [environment.python, "-I", "-c", code],
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()

    return version


@pytest.fixture
def left():
    """`left()`: folders of environments, complete or not."""
    return lambda: list((settings.templates_folder() / "environments").glob("*"))


@pytest.fixture
def failure(left):
    """`failure(template)`: why it cannot be installed; nothing of it remains."""

    def fail(template, **keys):
        with pytest.raises(InstallError) as refused:
            ensure(template, **keys)
        assert not left()
        return str(refused.value)

    return fail
