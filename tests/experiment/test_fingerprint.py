import collections
import decimal
import functools
import importlib
import operator
import os
import re
import subprocess
import sys
import time
import types

import numpy as np
import pandas
import pytest
import torch
from sklearn.tree import DecisionTreeRegressor

from bob.learn.pytorch.experiment.fingerprint import (
    digest,
    former_name,
    of_component,
)
from bob.learn.pytorch.preprocessor.audio import DltResNetExtractor


class Scaler:
    def __init__(self, **attributes):
        vars(self).update(attributes)


def same(first, second):
    return digest(of_component(first)) == digest(of_component(second))


def test_equal_components_have_equal_fingerprints():
    one = Scaler(factor=2.0, bands=[1, 2], table={"a": np.arange(3)}, name=None)
    other = Scaler(factor=2.0, bands=[1, 2], table={"a": np.arange(3)}, name=None)

    assert same(one, other)


@pytest.mark.parametrize(
    "changed",
    [
        {"factor": 2.5},
        {"bands": [1, 3]},
        {"table": {"a": np.arange(4)}},
        {"table": {"a": np.arange(3.0)}},
        {"name": "x"},
        {"inner": Scaler(depth=3)},
        {"call": lambda x: x + 2},
        {"chosen": {1, 3}},
    ],
)
def test_any_changed_attribute_changes_the_fingerprint(changed):
    plain = {
        "factor": 2.0,
        "bands": [1, 2],
        "table": {"a": np.arange(3)},
        "name": None,
        "inner": Scaler(depth=2),
        "call": lambda x: x + 1,
        "chosen": {1, 2},
    }

    assert same(Scaler(**plain), Scaler(**plain))
    assert not same(Scaler(**plain), Scaler(**{**plain, **changed}))


def test_what_a_function_encloses_counts():
    def times(factor):
        return lambda x: x * factor

    assert same(times(2), times(2))
    assert not same(times(2), times(3))


def scaled(x, factor=2):
    return x * factor


class Holder:
    def __init__(self, factor):
        self.factor = factor

    def scale(self, x):
        return x * self.factor


def network(seed):
    torch.manual_seed(seed)
    return torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.ReLU())


@pytest.mark.parametrize(
    ("make", "one", "other"),
    [
        (lambda n: Scaler(_factor=n, public=0), 1, 2),
        (lambda n: Scaler(call=functools.partial(scaled, factor=n)), 1, 2),
        (lambda n: Scaler(call=Holder(n).scale), 1, 2),
        (lambda n: Scaler(weights=torch.full((2,), n)), 1.0, 2.0),
        (lambda n: Scaler(network=network(n)), 1, 2),
        (lambda n: Scaler(kind=type("Kind", (), {"factor": n})()), 1, 2),
        (lambda n: Scaler(steps=[("first", Knowing(n))]), "a", "b"),
        (lambda n: Scaler(call=lambda x, y=n: x + y), 1, 2),
    ],
    ids=[
        "private attribute",
        "partial",
        "bound method",
        "tensor",
        "network weights",
        "class attribute",
        "a part that knows",
        "default argument",
    ],
)
def test_what_determines_results_counts_wherever_it_is(make, one, other):
    assert same(make(one), make(one))
    assert not same(make(one), make(other))


class Knowing:
    def __init__(self, weights):
        self.weights = weights

    def fingerprint(self):
        return {"weights": self.weights}


def test_what_a_derived_class_replaces_counts_beside_what_its_parent_knows():
    class Derived(Knowing):
        def __call__(self, x):
            return x + 1

    class Other(Knowing):
        def __call__(self, x):
            return x + 2

    Other.__qualname__ = Derived.__qualname__

    assert same(Derived("a"), Derived("a"))
    assert not same(Derived("a"), Derived("b"))
    assert not same(Derived("a"), Other("a"))


def test_an_extractor_is_the_same_before_and_after_it_was_used():
    extractor = DltResNetExtractor(test=True)
    before = digest(of_component(extractor))

    with pytest.warns(UserWarning, match="random weights"):
        extractor.prepare()

    assert digest(of_component(extractor)) == before


def test_a_component_that_refers_to_itself_is_described_all_the_same():
    circle = Scaler(factor=1)
    circle.itself = circle

    assert len(digest(of_component(circle))) == 32


@pytest.mark.parametrize("name", ["weights.pt", "./weights.pt"])
def test_a_file_that_is_named_counts_with_its_content(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "weights.pt"

    def described(content):
        path.write_bytes(content)
        os.utime(path, ns=(0, 10**18))
        return digest(of_component(Scaler(weights=name)))

    first = described(b"1234")

    assert described(b"5678") != first
    assert described(b"1234") == first
    path.unlink()
    assert digest(of_component(Scaler(weights=name))) != first


def test_a_changed_method_changes_the_fingerprint_and_a_moved_one_does_not():
    def component(text):
        names = {"__name__": "user_config"}
        exec(text, names)
        return names["Component"]()

    text = (
        "factor = 2\nclass Component:\n    def __call__(self, x):\n        return {}\n"
    )

    before = component(text.format("x * factor"))

    assert same(before, component("\n\n" + text.format("x * factor")))
    assert not same(before, component(text.format("x + factor")))
    assert not same(before, component(text.format("[x * 3 for x in x]")))
    assert not same(before, component(text.format("x * factor").replace("= 2", "= 5")))


COMPONENT = """
class Component:
    def __call__(self, x):
        return use(x)
"""

USING = {
    "class": """
class H:
    def f(self, x):
        return x + {n}
use = lambda x: H().f(x)
""",
    "tensor": """
weights = torch.full((2,), {n}.)
use = lambda x: x + weights
""",
    "object": """
class O: pass
o = O()
o.factor = {n}
use = lambda x: x + o.factor
""",
    "network": """
net = torch.nn.Linear(1, 1, bias=False)
net.weight.data.fill_({n}.)
use = lambda x: net(x)
""",
    "table": """
table = dict(a={n})
def use(x):
    return table['a']
""",
}


def component_using(text):
    names = {"__name__": "user_config", "torch": torch}
    exec(text + COMPONENT, names)
    return names["Component"]()


@pytest.mark.parametrize("text", USING.values(), ids=list(USING))
def test_what_a_function_takes_from_its_module_counts(text):
    one, again = (component_using(text.format(n=1)) for _ in range(2))

    assert same(one, again)
    assert not same(one, component_using(text.format(n=2)))


def test_a_module_of_the_users_counts_by_its_content(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    path = tmp_path / "helping_module.py"
    digests = []
    for n in (1, 1, 2):
        path.write_text(f"def f(x):\n    return x + {n}\n")
        sys.modules.pop("helping_module", None)
        importlib.invalidate_caches()
        helping = importlib.import_module("helping_module")
        use = functools.partial(lambda module, x: module.f(x), helping)
        digests.append(digest(of_component(Scaler(use=use))))

    assert digests[0] == digests[1] != digests[2]


def test_a_file_that_an_attribute_names_counts(tmp_path):
    path = tmp_path / "statistics.npy"
    path.write_bytes(b"1")
    before = digest(of_component(Scaler(file=str(path))))
    path.write_bytes(b"12")

    assert digest(of_component(Scaler(file=str(path)))) != before


def trained_tree(n):
    tree = DecisionTreeRegressor(max_depth=2, random_state=0)
    return tree.fit(np.arange(8.0)[:, None], np.arange(8.0) * n)


@pytest.mark.parametrize(
    "make",
    [
        lambda n: pandas.DataFrame({"gain": [float(n)]}),
        lambda n: re.compile("a" * n),
        complex,
        decimal.Decimal,
        range,
        slice,
        lambda n: collections.deque([n]),
        lambda n: bytearray([n]),
        lambda n: np.ma.masked_array([1, 2], mask=[n == 1, n == 2]),
        np.random.default_rng,
        np.random.RandomState,
        lambda n: [np.sin, np.cos][n - 1],
        lambda n: [torch.float32, torch.float64][n - 1],
        lambda n: torch.device("cpu", n),
        lambda n: torch.full((2,), n, dtype=torch.bfloat16),
        lambda n: torch.full((2, 2), float(n)).to_sparse(),
        operator.itemgetter,
        lambda n: functools.lru_cache([abs, len][n - 1]),
        lambda n: [1, 2, 3].index if n == 1 else [1, 2, 4].index,
        trained_tree,
        lambda n: {frozenset({"a", "b", "c"}): n},
    ],
)
def test_what_python_cannot_look_into_counts_all_the_same(make):
    assert same(Scaler(held=make(1)), Scaler(held=make(1)))
    assert not same(Scaler(held=make(1)), Scaler(held=make(2)))


def test_functions_that_all_call_each_other_are_described_in_no_time():
    text = "".join(
        f"def f{n}(x):\n    return {' + '.join(f'f{m}(x)' for m in range(n)) or 'x'}\n"
        for n in range(40)
    )
    started = time.monotonic()

    digest(of_component(component_using(text + "use = f39\n")))

    assert time.monotonic() - started < 5


@pytest.mark.parametrize("seed", ["1", "2", "3"])
def test_the_order_of_sets_does_not_change_the_fingerprint(seed):
    program = (
        "from bob.learn.pytorch.experiment.fingerprint import digest, of_component\n"
        "class C: pass\n"
        "c = C()\n"
        "c.held = {frozenset('abcdef'): {'x', 'y', 'z'}, (1, 'a'): {1.5, 'b'}}\n"
        "c.call = lambda x: x in {'p', 'q', 'r'}\n"
        "print(digest(of_component(c)))\n"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": value},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for value in ("0", seed)
    ]

    assert runs[0] == runs[1]


# Documented names of old -> the names that fingerprints were stored with.
FORMER = {
    "architectures:CAMPPlus": "architectures.campplus.CAMPPlus",
    "architectures:dlt_resnet34": "architectures.dlt_resnet.dlt_resnet34",
    "architectures.folded:fold": "architectures.folded.fold",
    "audio:RecordingError": "audio.recording.RecordingError",
    "audio:as_waveform": "audio.waveform.as_waveform",
    "audio:check_usable": "audio.waveform.check_usable",
    "embedder:SpeakerEmbedder": "embedder.SpeakerEmbedder",
    "extraction.chunks:embed_chunks": "extraction.chunks.embed_chunks",
    "extraction.comparison:compare": "extraction.comparison.compare",
    "extraction.extract:extract": "extraction.extract.extract",
    "extraction.long:embed_long": "extraction.long.embed_long",
    "extraction.memory:check_fits": "extraction.memory.check_fits",
    "extraction.memory:needed_mb": "extraction.memory.needed_mb",
    "extractor:CallableExtractor": "extractor.callable.CallableExtractor",
    "features:KaldiFbank": "features.mel.KaldiFbank",
    "features:Spectrogram": "features.spectrogram.Spectrogram",
    "hashes:source_of": "hashes.source_of",
    "preprocessor.audio:DltResNetExtractor": (
        "preprocessor.audio.dlt_resnet.DltResNetExtractor"
    ),
    "preprocessor.audio:EmbeddingExtractor": (
        "preprocessor.audio.embedding.EmbeddingExtractor"
    ),
    "preprocessor.audio:ResNetExtractor": (
        "preprocessor.audio.dlt_resnet.ResNetExtractor"
    ),
    "preprocessor.audio:TemplateExtractor": (
        "preprocessor.audio.template.TemplateExtractor"
    ),
    "protocols.database:Probe": "protocols.database.Probe",
    "protocols.database:Recording": "protocols.database.Recording",
    "protocols.database:Reference": "protocols.database.Reference",
    "protocols.database:Trials": "protocols.database.Trials",
    "protocols.database:WithoutExtras": "protocols.database.WithoutExtras",
    "scoring:cosine": "scoring.similarity.cosine",
    "scoring:unit_length": "scoring.similarity.unit_length",
    "storage.store:EmbeddingStore": "storage.store.EmbeddingStore",
    "storage.store:Record": "storage.records.Record",
    "storage.store:StoreError": "storage.records.StoreError",
    "storage.store:StoredEmbeddings": "storage.reading.StoredEmbeddings",
    "storage.store:Summary": "storage.reading.Summary",
    "storage.store:summarise": "storage.reading.summarise",
    "verification.algorithms:Similarity": "verification.algorithms.Similarity",
    "weights:catalogue": "weights.catalogue",
    "weights.store:read_weights": "weights.checkpoint.read_weights",
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("documented", FORMER)
def test_what_has_moved_keeps_its_name(documented):
    module, name = f"bob.learn.pytorch.{documented}".split(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except AttributeError:
        found = importlib.import_module(f"{module}.{name}")
    today = getattr(found, "__name__", "")
    if not isinstance(found, types.ModuleType):
        today = f"{found.__module__}.{found.__qualname__}"

    assert former_name(today) == f"bob.learn.pytorch.{FORMER[documented]}"


def test_a_module_below_a_package_of_the_users_counts(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    package = tmp_path / "helping_package"
    package.mkdir()
    (package / "__init__.py").touch()
    digests = []
    for n in (1, 1, 2):
        (package / "inner.py").write_text(f"def g(x):\n    return x + {n}\n")
        for name in [name for name in sys.modules if name.startswith("helping_pack")]:
            del sys.modules[name]
        importlib.invalidate_caches()
        text = "def use(x):\n    from helping_package.inner import g\n    return g(x)\n"
        digests.append(digest(of_component(component_using(text))))

    assert digests[0] == digests[1] != digests[2]
