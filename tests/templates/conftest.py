"""Templates that need nothing but NumPy, run by the Python of the tests."""

import numpy as np
import pytest

from bob.learn.pytorch.templates import loading
from bob.learn.pytorch.templates.runner import TemplateEmbedder
from bob.learn.pytorch.templates.template import from_content
from bob.learn.pytorch.templates.worker import Worker

RATE = 16_000


def content(**keys):
    """The JSON of a model that gives the first four samples."""
    return {
        "authors": ["A"],
        "references": [],
        "downstream_tasks": [],
        "import_cmds": ["import numpy as np"],
        "model_init": ["model = 1"],
        "embed_fwd": ["y = x[:, :4]"],
        "sample_rate": RATE,
        "in_shape": 2,
        "in_type": "numpy",
        **keys,
    }


@pytest.fixture(scope="session")
def toy():
    """`toy(name, **keys)`: a template, its keys in place of the usual ones."""
    return lambda name="toy", **keys: from_content(content(**keys), name=name)


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
    monkeypatch.setattr(loading, "install", lambda *_, **__: (environment, {}))
    return environment


@pytest.fixture
def noise():
    """`noise(seconds)`: what no check of recordings refuses."""

    def make(seconds=0.1, seed=0):
        random = np.random.default_rng(seed)
        return random.normal(0, 0.1, round(seconds * RATE)).astype(np.float32)

    return make
