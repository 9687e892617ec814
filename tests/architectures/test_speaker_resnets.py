"""DltResNet and ResNet against the published classes, and their heads by definition."""

import warnings
import zlib

import numpy as np
import pytest
import torch
from files import from_json
from golden_cases import CASES

from bob.learn.pytorch.architectures import dlt_resnet34, resnet34
from bob.learn.pytorch.inference import winograd
from bob.learn.pytorch.inference.fold import fold

NETWORKS = {"dltresnet34": dlt_resnet34, "resnet34": resnet34}


@pytest.fixture(scope="module", params=NETWORKS)
def name(request):
    return request.param


@pytest.fixture
def features():
    """Two recordings that differ."""
    return torch.randn(2, 257, 69, generator=torch.Generator().manual_seed(0))


def golden_features(folder, case):
    """Stored magnitudes, normalised here: nothing of our front end takes part."""
    magnitude = np.load(folder / "spectrograms.npz")[case]
    features = (magnitude - magnitude.mean(axis=0)) / (magnitude.std(axis=0) + 1e-7)
    return torch.from_numpy(features.T.copy())[None]


@pytest.mark.parametrize(("folder", "case"), CASES, indirect=["folder"])
def test_embeddings_of_the_published_class(name, filled, folder, case):
    features = golden_features(folder, case).float()
    stored = np.load(folder / "embeddings.npz")

    with torch.inference_mode():
        embedding = filled(features)[0].numpy()

    assert embedding.dtype == np.float32
    for precision in ("f32", "f64"):
        expected = stored[f"{case}__{name}__{precision}"]
        np.testing.assert_allclose(embedding, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize(("folder", "case"), CASES, indirect=["folder"])
def test_embeddings_in_double_precision(name, in_double, folder, case):
    features = golden_features(folder, case)
    expected = np.load(folder / "embeddings.npz")[f"{case}__{name}__f64"]

    with torch.inference_mode():
        embedding = in_double(features)[0].numpy()

    np.testing.assert_allclose(embedding, expected, atol=1e-10, rtol=0)


@pytest.fixture(scope="module", params=["bfloat16", "bfloat16, kernel", "float16"])
def in_half(request, filled):
    """What runs on a CPU with our kernel, on one without, and on a GPU."""
    precision, *with_kernel = request.param.split(", ")
    kernel = winograd.load() if with_kernel else None
    if with_kernel and kernel is None:
        pytest.skip("the kernel is not compiled, or not for this processor")
    return fold(filled, precision=getattr(torch, precision), kernel=kernel)


@pytest.mark.parametrize(("folder", "case"), CASES, indirect=["folder"])
def test_embeddings_in_half_precision(name, in_half, folder, case):
    features = golden_features(folder, case).float()
    expected = np.load(folder / "embeddings.npz")[f"{case}__{name}__f64"]

    with torch.inference_mode():
        embedding = in_half(features)[0].double().numpy()

    assert embedding @ expected / np.linalg.norm(embedding) >= 0.9999


@pytest.mark.parametrize("folder", ["synthetic", "speech"], indirect=True)
def test_means_and_deviations_before_the_last_layer(name, in_double, folder):
    stored = np.load(folder / "embeddings.npz")
    suffix = f"__{name}__pooled_f64"
    cases = [key.removesuffix(suffix) for key in stored.files if key.endswith(suffix)]

    assert len(cases) == 2
    for case in cases:
        with torch.inference_mode():
            pooled = in_double.pool(golden_features(folder, case))[0].numpy()
        np.testing.assert_allclose(pooled, stored[case + suffix], atol=1e-9, rtol=0)


def test_state_dictionary_has_the_published_names_shapes_and_order(name, golden):
    published = from_json(golden / "synthetic" / f"keys_{name}.json")

    state = NETWORKS[name]().state_dict()

    assert {key: list(value.shape) for key, value in state.items()} == published
    assert list(state) == list(published)


def test_weights_by_formula_are_those_of_the_golden_data(name, golden, golden_weights):
    """So that a difference in an embedding is the network's."""
    folder = golden / "synthetic"
    published = from_json(folder / f"weights_crc32_{name}.json")

    state = golden_weights.state(from_json(folder / f"keys_{name}.json"))

    crcs = {key: zlib.crc32(value.numpy().tobytes()) for key, value in state.items()}
    assert crcs == {key: int(crc, 16) for key, crc in published.items()}


def test_the_embedding_reads_exactly_these_entries(name, golden_weights):
    """172 and 162 by count; the rest may hold anything."""
    network = NETWORKS[name]()
    read = network.embedding_keys()
    features = torch.randn(1, 257, 37)
    expected = golden_weights.fill(network)(features)

    for key, value in network.state_dict().items():
        if key not in read:
            value.fill_(float("nan") if value.is_floating_point() else 77)

    assert len(read) == {"dltresnet34": 172, "resnet34": 162}[name]
    assert torch.equal(network(features), expected)


def test_rows_of_a_batch_are_single_runs(filled, features):
    together = filled(features)

    for row, single in zip(together, features, strict=True):
        torch.testing.assert_close(row, filled(single[None])[0], atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("frames", "pooled"), [(37, 2), (68, 2), (69, 3), (100, 3), (198, 7), (512, 16)]
)
def test_frames_left_to_pool(name, frames, pooled):
    network = NETWORKS[name](num_classes=2).eval()
    seen = []
    network.pooling.register_forward_hook(lambda _, given, __: seen.append(given[0]))

    with torch.inference_mode():
        network(torch.randn(1, 257, frames))

    assert seen[0].shape == (1, 512, pooled)


@pytest.mark.parametrize("frames", [0, 1, 4, 36])
def test_too_few_frames_are_refused_by_number(filled, frames):
    """The published classes answer NaN, or fail in the max pool, or divide by zero."""
    with pytest.raises(ValueError, match=rf"^{frames} frames .* 37 or more"):
        filled(torch.zeros(1, 257, frames))


@pytest.mark.parametrize("shape", [(1, 80, 100), (257, 100), (1, 1, 100, 257)])
def test_other_features_are_refused_by_shape(filled, shape):
    with pytest.raises(ValueError, match=r"\(batch, 257, frames\); got \("):
        filled(torch.zeros(shape))


def test_the_shortest_input_and_silence_are_finite_and_of_length_one(filled):
    for features in (torch.randn(2, 257, 37), torch.zeros(1, 257, 37)):
        length = filled(features).square().sum(dim=-1).sqrt()

        torch.testing.assert_close(length, torch.ones_like(length))


def test_sizes_of_classes_and_embedding():
    for name, make in NETWORKS.items():
        network = make(7, 64).eval()
        features = torch.randn(2, 257, 37)

        assert network.embedding_size == 64
        assert network(features).shape == (2, 64)
        assert network.embed2(features).shape == (
            (2, 128) if name == "dltresnet34" else (2, 1024)
        )
        assert network.logits(features).shape == (2, 7)
        assert network.logits2(features).shape == (2, 7)


def test_the_heads_are_layers_on_the_pooled_vector(name, golden_weights, features):
    network = NETWORKS[name](num_classes=5)
    state = network.state_dict()
    network.load_state_dict(
        golden_weights.state({key: value.shape for key, value in state.items()})
    )
    network.eval()

    def linear(layer, vector):
        return vector @ state[f"{layer}.weight"].T + state[f"{layer}.bias"]

    def unit(vector):
        return vector / vector.square().sum(dim=-1, keepdim=True).sqrt()

    with torch.inference_mode():
        pooled = network.pool(features)
        embedding = linear("em", pooled)
        second = linear("em2", embedding) if name == "dltresnet34" else pooled
        expected = {
            network.forward: unit(embedding),
            network.embed2: unit(second),
            network.logits: linear("fc", pooled),
            network.logits2: linear("fc1", embedding),
        }

        for head, values in expected.items():
            torch.testing.assert_close(head(features), values, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("head", "layers"), [("logits", {"fc"}), ("logits2", {"fc1", "em"})]
)
def test_a_classifier_trains_the_trunk_and_its_own_layers(name, head, layers, features):
    torch.manual_seed(0)
    network = NETWORKS[name](num_classes=2).train()

    logits = getattr(network, head)(features)
    torch.nn.functional.cross_entropy(logits, torch.tensor([0, 1])).backward()

    trained = {
        key.split(".")[0]
        for key, parameter in network.named_parameters()
        if parameter.grad is not None and parameter.grad.isfinite().all()
    }
    stem = {"conv1", "bn1"}
    if name == "dltresnet34":
        stem |= {"conv2", "bn2", "conv3", "bn3"}
    trunk = {"layer1", "layer2", "layer3", "conv4", "bn4", "conv5", "bn5"}
    assert trained == stem | trunk | layers


@pytest.mark.parametrize("head", ["logits", "logits2"])
def test_a_fifth_is_dropped_out_in_training_only(name, head):
    network = NETWORKS[name](num_classes=2).eval()
    dropped = []
    network.dropout.register_forward_hook(
        lambda _, __, answer: dropped.append((answer == 0).float().mean().item())
    )
    vectors = torch.ones(500, 1024)
    network.pool = lambda *_: vectors

    getattr(network, head)(None)
    assert not any(dropped)

    dropped.clear()
    getattr(network.train(), head)(None)
    assert dropped == pytest.approx([0.2] * (1 if head == "logits" else 2), abs=0.01)


def test_a_traced_network_takes_any_length(filled):
    """What is exported later must not remember the length it was shown."""
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.filterwarnings(
            "ignore", message=".*torch.jit", category=DeprecationWarning
        )
        traced = torch.jit.trace(filled, torch.randn(1, 257, 64), check_trace=False)
        features = torch.randn(2, 257, 101)

        torch.testing.assert_close(traced(features), filled(features))
