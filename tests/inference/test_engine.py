"""The same embeddings from every engine, alone and in batches."""

import logging
import pickle

import numpy as np
import pytest

from bob.learn.pytorch.inference import engine as engines
from bob.learn.pytorch.inference import winograd
from bob.learn.pytorch.preprocessor.audio import (
    DltResNetExtractor,
    EmbeddingExtractor,
    ResNetExtractor,
)

RATE = 16_000


def without_kernel(monkeypatch, *, bfloat16):
    """A processor that our kernel is not for, with or without bfloat16."""
    monkeypatch.setattr(winograd, "load", lambda: None)
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(f"torch.cpu.{name}", lambda: bfloat16)


@pytest.fixture(scope="module")
def voices():
    """Recordings of five lengths, at two rates."""
    random = np.random.default_rng(0)
    lengths = (12_345, 16_000, 6_300, 40_000, 16_000)
    noises = [0.1 * random.standard_normal(length) for length in lengths]
    return [(8_000 if i == 2 else RATE, noise) for i, noise in enumerate(noises)]


@pytest.mark.parametrize("network", ["dltresnet34", "resnet34"])
@pytest.mark.parametrize("workers", [0, 1])
def test_a_batch_gives_what_each_recording_gives_alone(
    checkpoint, voices, network, workers
):
    extractor = DltResNetExtractor(checkpoint(network), use_res=network == "resnet34")
    alone = [extractor.embed(voice) for voice in voices]

    many = list(extractor.embed_many(enumerate(voices), workers=workers))

    assert [result.key for result in many] == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(
        [result.embedding for result in many], alone, rtol=0, atol=1e-6
    )
    assert [result.sample_rate for result in many] == [RATE, RATE, 8_000, RATE, RATE]
    assert many[2].seconds == 6_300 / 8_000


@pytest.fixture(scope="module")
def campplus_file(tmp_path_factory):
    """Random weights of CAM++, which folded has no parameters left."""
    import torch

    from bob.learn.pytorch.architectures import campplus
    from bob.learn.pytorch.models.store import save_weights

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "campplus.safetensors"
    save_weights(campplus(), path)
    return path


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_every_precision_of_campplus_is_near_float64(campplus_file, voices, precision):
    exact = EmbeddingExtractor(campplus_file, precision="float64")
    fast = EmbeddingExtractor(campplus_file, precision=precision)

    results = list(fast.embed_many(enumerate(voices)))

    for result, voice in zip(results, voices, strict=True):
        embedding = result.embedding.astype(np.float64)
        expected = exact.embed(voice).astype(np.float64)
        cosine = embedding @ expected / np.linalg.norm(embedding)
        cosine /= np.linalg.norm(expected)
        assert cosine >= (0.9999 if precision == "bfloat16" else 1 - 1e-9)


@pytest.mark.parametrize(
    ("network", "extractor"),
    [("dltresnet34", DltResNetExtractor), ("resnet34", ResNetExtractor)],
)
def test_bfloat16_is_near_float64(checkpoint, voices, network, extractor):
    path = checkpoint(network)
    exact = extractor(path, precision="float64")
    fast = extractor(path, precision="bfloat16")

    cosines = [fast.embed(voice) @ exact.embed(voice) for voice in voices]

    assert min(cosines) >= 0.9999
    assert fast.fingerprint()["precision"] == "bfloat16"


def test_auto_says_what_it_chose(checkpoint, voices, caplog, monkeypatch):
    without_kernel(monkeypatch, bfloat16=True)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    path = checkpoint("dltresnet34")
    extractor = DltResNetExtractor(path, device="auto", precision="auto")

    with caplog.at_level(logging.INFO, "bob.learn.pytorch.preprocessor"):
        extractor.embed(voices[0])

    assert extractor.chosen() == {
        "device": "cpu",
        "precision": "bfloat16",
        "engine": "torch",
    }
    assert caplog.messages == [
        "dltresnet34-voxceleb1 runs on cpu, bfloat16, torch",
    ]
    # Stores do not mix what "auto" means on two machines.
    assert extractor.fingerprint()["precision"] == "bfloat16"


def test_auto_is_float32_where_bfloat16_is_not_faster(monkeypatch):
    without_kernel(monkeypatch, bfloat16=False)

    assert engines.choose("torch", "auto", "cpu")["precision"] == "float32"


def test_auto_is_float32_where_the_kernel_is(monkeypatch):
    without_kernel(monkeypatch, bfloat16=True)
    monkeypatch.setattr(winograd, "load", object)

    assert engines.choose("torch", "auto", "cpu")["precision"] == "float32"


@pytest.mark.parametrize(
    ("capability", "precision"), [((6, 1), "float32"), ((9, 0), "float16")]
)
def test_auto_is_float16_on_a_gpu_with_tensor_cores(monkeypatch, capability, precision):
    monkeypatch.setattr("torch.cuda.get_device_capability", lambda _: capability)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)

    assert engines.choose("torch", "auto", "cuda:0")["precision"] == precision


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"engine": "tensorrt"}, "engine is 'tensorrt'; expected one of torch, onnx"),
        (
            {"engine": "onnxruntime", "precision": "bfloat16"},
            "computes in float32 here",
        ),
        ({"engine": "onnxruntime", "device": "cuda"}, "device is 'cuda', .*on the CPU"),
        ({"precision": "float16"}, "in which a CPU does not compute; use 'bfloat16'"),
    ],
)
def test_what_cannot_be_is_refused_at_once(options, says):
    with pytest.raises(ValueError, match=says):
        EmbeddingExtractor(**options)


@pytest.mark.parametrize(
    ("options", "option"),
    [
        ({"engine": "tensorrt"}, "engine"),
        ({"precision": "half"}, "precision"),
        ({"precision": "float16"}, "precision"),
        ({"engine": "onnxruntime", "precision": "float16"}, "precision"),
        ({"engine": "onnxruntime", "device": "cuda:1"}, "device"),
    ],
)
def test_the_option_to_change_is_told_and_comes_from_workers_too(options, option):
    with pytest.raises(engines.ChoiceError) as refused:
        EmbeddingExtractor(**options)

    assert refused.value.option == option
    assert pickle.loads(pickle.dumps(refused.value)).option == option  # noqa: S301


@pytest.mark.parametrize("device", [None, "cpu", "auto"])
@pytest.mark.parametrize("precision", ["float32", "auto"])
def test_auto_means_for_onnx_runtime_what_it_can(monkeypatch, device, precision):
    without_kernel(monkeypatch, bfloat16=True)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    extractor = EmbeddingExtractor(
        device=device, precision=precision, engine="onnxruntime"
    )

    assert extractor.chosen() == {
        "device": "cpu",
        "precision": "float32",
        "engine": "onnxruntime",
    }


@pytest.mark.parametrize(
    ("device", "count", "says"),
    [
        ("cuda:7", 2, "finds 2 CUDA devices here: use 'cuda:0', 'cuda:1', or 'auto'"),
        ("cuda:1", 1, "finds 1 CUDA device here: use 'cuda:0', or 'auto'"),
        ("cuda:1", 0, "finds no CUDA device here; use device='cpu'"),
    ],
)
def test_a_device_that_is_not_there_is_refused(monkeypatch, device, count, says):
    monkeypatch.setattr("torch.cuda.is_available", lambda: count > 0)
    monkeypatch.setattr("torch.cuda.device_count", lambda: count)

    with pytest.raises(engines.ChoiceError, match=f"device is '{device}', .*{says}"):
        engines.chosen_device(device)


@pytest.mark.parametrize("device", ["cuda", "cuda:0", "cuda:1"])
def test_a_device_that_is_there_is_taken(monkeypatch, device):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)

    assert engines.chosen_device(device) == device


@pytest.mark.slow
def test_onnx_runtime_gives_the_same_and_exports_once(checkpoint, voices):
    for package in ("onnx", "onnxruntime", "onnxscript"):
        pytest.importorskip(package)
    path = checkpoint("dltresnet34")
    expected = [DltResNetExtractor(path).embed(voice) for voice in voices]

    for _ in range(2):
        extractor = DltResNetExtractor(path, engine="onnxruntime")
        results = list(extractor.embed_many(enumerate(voices)))
        np.testing.assert_allclose(
            [result.embedding for result in results], expected, rtol=0, atol=1e-5
        )

    (exported,) = extractor._export_place().parent.glob("*.onnx")
    assert exported == extractor._export_place()


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_a_gpu_gives_the_same(checkpoint, voices, precision):
    path = checkpoint("dltresnet34")
    exact = DltResNetExtractor(path, precision="float64")
    extractor = DltResNetExtractor(path, device="cuda", precision=precision)

    results = list(extractor.embed_many(enumerate(voices)))

    cosines = [
        result.embedding @ exact.embed(voice)
        for result, voice in zip(results, voices, strict=True)
    ]
    assert min(cosines) >= (1 - 1e-5 if precision == "float32" else 0.9999)
