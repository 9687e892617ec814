"""What every test may ask for."""

import gc
import importlib
import os
import sys
import warnings
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import settings

# The same examples at every run, however busy the machine is; others are looked for
# with `pytest --hypothesis-profile=random`.
settings.register_profile("same", deadline=None, derandomize=True, database=None)
settings.register_profile("random", deadline=None)
settings.load_profile("same")

CHECKOUT = Path(__file__).resolve().parents[1]


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """What is imported stays to the end, so nobody looks there for what may go.

    Of half a million objects, each look would take a fifth of a second.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.collect()
        gc.freeze()


def pytest_terminal_summary(terminalreporter):
    """Say at the end what tests have recorded as `said`, wherever they ran."""
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, value in getattr(report, "user_properties", ()):
                if name == "said" and report.when == "call":
                    terminalreporter.write_line(value)


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real recordings beside the checkout; without them, tests of theirs skip."""
    folder = Path(os.environ.get("BOB_PYTORCH_SHARED", CHECKOUT.parent / "shared"))
    if not (folder / "data").is_dir():
        pytest.skip(f"no real recordings in {folder} (see BOB_PYTORCH_SHARED)")
    return folder


@pytest.fixture(scope="session")
def golden() -> Path:
    """Reference outputs on waveforms made by formula."""
    return CHECKOUT / "tests" / "golden"


@pytest.fixture
def folder(request, golden):
    """Golden data carried along, or those on real speech beside the checkout."""
    if request.param == "synthetic":
        return golden / "synthetic"
    return request.getfixturevalue("shared") / "golden" / request.param


@pytest.fixture(scope="session")
def bob_is_loaded() -> None:
    """Bob, loaded; what it imports warns of its own future."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        importlib.import_module("bob.bio.base.pipelines")
        importlib.import_module("bob.bio.base.transformers")


@pytest.fixture(scope="session")
def golden_weights() -> ModuleType:
    """The module of that name: weights by formula, `golden_weights.fill(network)`."""
    return importlib.import_module("golden_weights")


@pytest.fixture(scope="session")
def textbook() -> ModuleType:
    """The module of that name: `textbook.normalised(method, compare, ...)`."""
    return importlib.import_module("textbook")


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory, golden_weights):
    """`checkpoint("dltresnet34")`: a file as the original published them."""
    import torch

    from bob.learn.pytorch.architectures.resnet import dlt_resnet34, resnet34

    folder = tmp_path_factory.mktemp("checkpoints")
    published = {
        "dltresnet34": (dlt_resnet34, "drn34.pth.tar"),
        "resnet34": (resnet34, "rn34.pth.tar"),
    }

    @cache
    def make(name):
        factory, file_name = published[name]
        weights = golden_weights.fill(factory()).state_dict()
        path = folder / file_name
        named = {f"module.{key}": value for key, value in weights.items()}
        torch.save({"state_dict": named, "epoch": 3}, path)
        return path

    return make


@pytest.fixture(scope="session")
def weights(checkpoint) -> Path:
    """A checkpoint of DltResNet as the original wrote it, filled by formula."""
    return checkpoint("dltresnet34")


@pytest.fixture
def lists_are_closed():
    """Closed behind a test: CSVDatabase opens its lists, and its caches keep them."""
    yield
    from bob.bio.base.database import CSVDatabase

    for method in vars(CSVDatabase).values():
        if hasattr(method, "cache_clear"):
            method.cache_clear()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture(scope="module")
def _kept() -> dict:
    """Networks that were loaded for a test of a module, and what runs them."""
    return {}


@pytest.fixture
def networks_are_kept(monkeypatch, _kept):
    """A network that one command has loaded serves the next of the same module.

    To load it takes half a second, and each hash of its file, of which a command needs
    up to six, a twentieth. A file that has changed is hashed and loaded again.
    """
    from bob.learn.pytorch.inference import engine
    from bob.learn.pytorch.models import store

    hash_file, load, make = store.file_sha256, store.load_embedder, engine.make

    def hash_once(path):
        status = Path(path).stat()
        key = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
        if key not in _kept:
            _kept[key] = hash_file(path)
        return _kept[key]

    def load_once(model, *, path=None, precision="float32", device="cpu", **options):
        file = store.fetch(model, path=path, **options)
        kind = (model.name, model.embedding_size, precision, device)
        key = (*kind, hash_once(file))
        if key not in _kept:
            _kept[key] = load(
                model, path=path, precision=precision, device=device, **options
            )
        return _kept[key]

    def make_once(embedder, *, cache, **options):
        key = (embedder, *options.items())
        if key not in _kept:
            _kept[key] = make(embedder, cache=cache, **options)
        return _kept[key]

    monkeypatch.setattr(store, "file_sha256", hash_once)
    monkeypatch.setattr(store, "load_embedder", load_once)
    monkeypatch.setattr(engine, "make", make_once)


@pytest.fixture
def environment(tmp_path):
    """The environment of a template which holds what the tests have."""
    from bob.learn.pytorch.templates.install.environment import Environment

    for folder in ("work", "home"):
        (tmp_path / folder).mkdir()
    return Environment(
        key="0" * 16,
        folder=tmp_path,
        python=Path(sys.executable),
        work=tmp_path / "work",
        home=tmp_path / "home",
        lock_sha256="1" * 64,
    )
