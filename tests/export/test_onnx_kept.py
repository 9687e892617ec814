"""The network for ONNX Runtime is kept between runs, and made again where it has to."""

import importlib.metadata
import logging
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from bob.learn.pytorch import architectures
from bob.learn.pytorch.export import onnx as exporter
from bob.learn.pytorch.export.onnx import ExportError
from bob.learn.pytorch.inference import engine
from bob.learn.pytorch.inference import onnxruntime as module
from bob.learn.pytorch.models.checkpoint import file_sha256, record_path, record_sha256
from bob.learn.pytorch.preprocessor.audio import DltResNetExtractor

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")


@pytest.fixture
def exports(monkeypatch):
    """Places that were exported to; the network is a sum, made in no time."""
    from onnx import TensorProto, helper, save

    shape = ("batch", "frames")
    graph = helper.make_graph(
        [helper.make_node("Add", ["features", "features"], ["embedding"])],
        "sum",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, shape)],
    )
    opset = [helper.make_opsetid("", exporter.OPSET)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=8)
    places = []

    def export(network, place):
        assert network is None
        places.append(place)
        place.parent.mkdir(exist_ok=True)
        save(model, place)

    monkeypatch.setattr(module, "export_network", export)
    return places


def twice(session):
    (embedding,) = session.run(None, {"features": np.ones((1, 2), np.float32)})
    return embedding.tolist()


def test_it_is_exported_once(tmp_path, exports):
    place = tmp_path / "new" / "sum.onnx"

    for _ in range(2):
        session = module.kept_session(None, place, threads=1)
        assert twice(session) == [[2, 2]]

    assert exports == [place]


@pytest.mark.parametrize("changed", ["network", "record", "no record"])
def test_one_that_is_another_by_now_is_exported_again(
    tmp_path, exports, caplog, changed
):
    from onnx import load, save

    place = tmp_path / "sum.onnx"
    module.kept_session(None, place, threads=1)
    whole = place.read_bytes()
    if changed == "network":
        network = load(place)
        network.graph.node[0].op_type = "Sub"
        save(network, place)
    elif changed == "record":
        record_path(place).write_text("0")
    else:
        record_path(place).unlink()

    session = module.kept_session(None, place, threads=1)

    assert twice(session) == [[2, 2]]
    assert place.read_bytes() == whole
    assert len(exports) == 2
    assert "it is exported again" in caplog.text


def test_one_that_cannot_be_opened_is_exported_again_and_that_is_said(
    tmp_path, exports, caplog
):
    place = tmp_path / "sum.onnx"
    module.kept_session(None, place, threads=1)
    whole = place.read_bytes()
    place.write_bytes(whole[: len(whole) // 2])
    record_sha256(place, file_sha256(place))

    session = module.kept_session(None, place, threads=1)

    assert twice(session) == [[2, 2]]
    assert place.read_bytes() == whole
    assert len(exports) == 2
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    said = record.getMessage()
    assert said.startswith(f"ONNX Runtime cannot open the network in {place} (")
    assert said.endswith("; it is exported again")


@pytest.mark.parametrize("before", [None, b"half a netw"])
def test_one_that_cannot_be_opened_even_so_is_an_error(tmp_path, monkeypatch, before):
    place = tmp_path / "sum.onnx"
    exported = []

    def export(network, place):
        exported.append(network)
        place.write_bytes(b"of another time")

    monkeypatch.setattr(module, "export_network", export)
    if before is not None:
        place.write_bytes(before)

    with pytest.raises(ExportError, match=r"exported there just now; .*engine='torch'"):
        module.kept_session(None, place, threads=1)

    assert exported == [None]


def test_a_folder_that_cannot_be_made_is_told_with_the_next_step():
    place = Path("/proc/nope/onnx/sum.onnx")
    says = (
        r"kept in /proc/nope/onnx \(/proc/nope: .*\); choose .*bob config set .*torch"
    )

    with pytest.raises(ExportError, match=says):
        module.kept_session(*_network(), place, threads=1)


def _network():
    from bob.learn.pytorch.architectures import dlt_resnet34

    return (dlt_resnet34().eval(),)


def test_without_onnx_runtime_nothing_is_exported(tmp_path, exports, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)

    with pytest.raises(ExportError, match="needs onnxruntime, which is not installed"):
        module.kept_session(None, tmp_path / "sum.onnx", threads=1)

    assert exports == []


def test_the_place_depends_on_all_that_shapes_the_graph(checkpoint, monkeypatch):
    path = checkpoint("dltresnet34")
    extractor = DltResNetExtractor(path, engine="onnxruntime")
    place = extractor._export_place

    def another(package):
        version = importlib.metadata.version
        with monkeypatch.context() as patch:
            patch.setattr(
                exporter,
                "version",
                lambda name: "9" if name == package else version(name),
            )
            return place()

    places = [place(), *map(another, ("torch", "onnxscript", "bob.learn.pytorch"))]

    assert len(set(places)) == 4
    assert place() == places[0]
    smaller = DltResNetExtractor(test=True, bn_dim=64)._export_place()
    assert smaller != DltResNetExtractor(test=True)._export_place()


def test_a_mended_architecture_is_exported_anew(tmp_path, monkeypatch):
    before = exporter.exporter_sha256()
    for source in Path(architectures.__file__).parent.glob("*.py"):
        (tmp_path / source.name).write_bytes(source.read_bytes())
    monkeypatch.setattr(architectures, "__path__", [str(tmp_path)])
    assert exporter.exporter_sha256() == before

    with (tmp_path / "pooling.py").open("a") as file:
        file.write("\n# mended\n")

    assert exporter.exporter_sha256() != before


def test_the_engine_moves_what_is_elsewhere(exports, tmp_path, monkeypatch):
    """ONNX Runtime runs on the CPU; a GPU may be where random weights were made."""
    moved = []

    class Embedder(torch.nn.Module):
        features = network = None

        def cpu(self):
            moved.append(self)
            return self

    monkeypatch.setattr(engine.CPUEngine, "__init__", lambda *_, **__: None)
    embedder = Embedder()

    engine.ONNXEngine(embedder, tmp_path / "sum.onnx")

    assert moved == [embedder]
