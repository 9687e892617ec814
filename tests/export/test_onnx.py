"""Exported networks give any batch of any lengths the embeddings of its items alone."""

import logging
import sys
from functools import cache
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch

from bob.learn.pytorch.architectures import campplus, dlt_resnet34, resnet34
from bob.learn.pytorch.export.onnx import ExportError, export_network, graph_of

NETWORKS = {"dltresnet34": dlt_resnet34, "resnet34": resnet34, "campplus": campplus}
NAN = float("nan")


@pytest.fixture(scope="module")
def networks(golden_weights):
    """`networks(name)`: in float32, with the weights by formula; not to be changed."""
    return cache(lambda name: golden_weights.fill(NETWORKS[name]()))


@pytest.fixture(params=NETWORKS)
def network(request, networks):
    return networks(request.param)


@pytest.fixture(scope="module")
def exported(networks, tmp_path_factory):
    """`exported(name)`: the ONNX file."""

    @cache
    def make(name):
        path = tmp_path_factory.mktemp("onnx") / "made" / f"{name}.onnx"
        export_network(networks(name), path)
        return path

    return make


def mixtures(network, *, number):
    """Batches of items that no exporter has seen, and their embeddings one by one."""
    random = np.random.default_rng(number)
    fewest = network.minimum_frames
    lengths = [[fewest], [fewest] * 3, [200, 201, 199], [fewest, 1_203]]
    while len(lengths) < number:
        items = random.integers(1, 7)
        lengths.append(
            random.integers(fewest, random.integers(60, 500), items).tolist()
        )
    generator = torch.Generator().manual_seed(number)
    for frames in lengths:
        batch = torch.full((len(frames), network.bins, max(frames)), NAN)
        alone = []
        for row, size in zip(batch, frames, strict=True):
            row[:, :size] = torch.randn(network.bins, size, generator=generator)
            with torch.inference_mode():
                alone.append(network(row[None, :, :size]))
        yield batch, torch.tensor(frames), torch.cat(alone).numpy()


def assert_the_same(embeddings, alone):
    np.testing.assert_allclose(embeddings, alone, atol=1e-5, rtol=0)
    lengths = np.linalg.norm(embeddings, axis=1) * np.linalg.norm(alone, axis=1)
    cosines = (embeddings.astype(np.float64) * alone).sum(axis=1) / lengths
    assert cosines.min() > 1 - 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_onnx_runtime_agrees_on_any_batch(networks, exported, name, capfd, caplog):
    onnxruntime = pytest.importorskip("onnxruntime")
    network, path = networks(name), exported(name)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options)

    for batch, lengths, alone in mixtures(network, number=12):
        (embeddings,) = session.run(
            ["embedding"], {"features": batch.numpy(), "lengths": lengths.numpy()}
        )

        assert_the_same(embeddings, alone)
    assert capfd.readouterr() == ("", "")
    assert not [said for said in caplog.records if said.levelno > logging.INFO]


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_the_file_tells_what_it_takes(networks, exported, name):
    onnx = pytest.importorskip("onnx")
    network, path = networks(name), exported(name)

    model = onnx.load(path)

    inputs = {
        value.name: [
            size.dim_param or size.dim_value
            for size in value.type.tensor_type.shape.dim
        ]
        for value in model.graph.input
    }
    assert inputs == {
        "features": ["batch", network.bins, "frames"],
        "lengths": ["batch"],
    }
    assert [value.name for value in model.graph.output] == ["embedding"]
    assert {entry.key: entry.value for entry in model.metadata_props} == {
        "bins": str(network.bins),
        "minimum_frames": str(network.minimum_frames),
        "embedding_size": str(network.embedding_size),
    }
    assert model.opset_import[0].version == 18
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


@pytest.mark.slow
def test_the_graph_of_torch_export_agrees_on_any_batch(network):
    graph = graph_of(network).module()

    for batch, lengths, alone in mixtures(network, number=10):
        with torch.inference_mode():
            assert_the_same(graph(batch, lengths).numpy(), alone)


def test_a_network_in_training_is_refused(tmp_path):
    with pytest.raises(ExportError, match=r"ResNet is in training mode.* eval\(\)"):
        export_network(resnet34().train(), tmp_path / "resnet.onnx")

    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("package", ["onnx", "onnxscript"])
def test_without_its_packages_the_extra_is_named(tmp_path, monkeypatch, package):
    # The other one is there, whatever is installed.
    for name in ("onnx", "onnxscript"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, package, None)

    with pytest.raises(ExportError, match=rf"needs {package}, .*pytorch\[onnx\]'"):
        export_network(resnet34().eval(), tmp_path / "resnet.onnx")


def test_nothing_is_left_where_the_check_fails(tmp_path, monkeypatch):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxscript")
    program = SimpleNamespace(
        model=SimpleNamespace(metadata_props={}),
        save=lambda place, **_: place.write_bytes(b"no network"),
    )
    module = sys.modules[export_network.__module__]
    monkeypatch.setattr(module, "_program", lambda *_, **__: program)
    path = tmp_path / "resnet.onnx"
    path.write_bytes(b"the one before")

    with pytest.raises(onnx.checker.ValidationError):
        export_network(resnet34().eval(), path)

    assert path.read_bytes() == b"the one before"
    assert [entry.name for entry in tmp_path.iterdir()] == ["resnet.onnx"]
