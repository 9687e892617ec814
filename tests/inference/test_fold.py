"""A folded network is the same network, faster."""

import numpy as np
import pytest
import torch
from torch import nn

from bob.learn.pytorch.architectures import campplus, dlt_resnet34, resnet34
from bob.learn.pytorch.inference import fold as folding
from bob.learn.pytorch.inference import winograd
from bob.learn.pytorch.inference.fold import _SmallProduct, fold

NETWORKS = {"dltresnet34": dlt_resnet34, "resnet34": resnet34, "campplus": campplus}


@pytest.fixture(params=NETWORKS)
def network(request):
    """A network whose normalisations change what passes them."""
    torch.manual_seed(0)
    network = NETWORKS[request.param]()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.5, 2)
            if module.affine:
                nn.init.normal_(module.bias, 0, 0.2)
                nn.init.uniform_(module.weight, 0.5, 1.5)
    return network.eval()


@pytest.fixture
def batch(network):
    """Features with noise behind the lengths, and the lengths."""
    lengths = torch.tensor([130, 37, 101])
    return 10 * torch.randn(3, network.bins, 140), lengths


@pytest.fixture
def expected(network, batch):
    """In float64, by the network itself."""
    features, lengths = batch
    with torch.inference_mode():
        embedding = network.double()(features.double(), lengths)
    network.float()
    return embedding


def cosines(embedding, expected):
    return torch.cosine_similarity(embedding.double(), expected).numpy()


@pytest.mark.parametrize("how", ["kernel", "packed", "plain"])
def test_embeddings_stay_the_same(network, batch, expected, how, monkeypatch):
    if how == "plain":
        monkeypatch.setattr(folding, "_packed", lambda *_: None)
    kernel = winograd.load() if how == "kernel" else None
    if how == "kernel" and kernel is None:
        pytest.skip("the kernel is not compiled, or not for this processor")

    with torch.inference_mode():
        embedding = fold(network, kernel=kernel)(*batch)

    np.testing.assert_allclose(
        embedding, expected, rtol=0, atol=3e-6 * expected.abs().max()
    )


@pytest.mark.parametrize("packs", [True, False], ids=["packed", "plain"])
def test_half_precision_keeps_directions(network, batch, expected, packs, monkeypatch):
    if not packs:
        monkeypatch.setattr(folding, "_packed", lambda *_: None)
    folded = fold(network, precision=torch.bfloat16)

    with torch.inference_mode():
        embedding = folded(*batch)

    assert embedding.dtype == torch.float32
    assert cosines(embedding, expected).min() >= 0.9999
    # It did compute with eight bits.
    assert cosines(embedding, expected).max() < 1 - 1e-9


def test_every_layer_is_folded(network):
    left = [
        name
        for name, module in fold(network).named_modules()
        if isinstance(module, nn.Conv1d | nn.Conv2d | nn.BatchNorm1d | nn.BatchNorm2d)
    ]

    assert left == []


def test_the_network_itself_stays_as_it_is(network, batch):
    features, lengths = batch
    with torch.inference_mode():
        before = network(features, lengths)
        fold(network, precision=torch.bfloat16)(features, lengths)

        assert torch.equal(network(features, lengths), before)


def test_a_network_in_training_mode_is_refused(network):
    with pytest.raises(ValueError, match=r"call network.eval\(\) before"):
        fold(network.train())


def test_features_are_not_overwritten(network, batch):
    """Sums are made in place, but never in what the caller holds."""
    features, lengths = batch
    before = features.clone()

    with torch.inference_mode():
        fold(network)(features)
        fold(network)(features, lengths)

    assert torch.equal(features, before)


def test_small_products_stay_in_float32():
    """Those of the masks of CAM++; the wide convolutions over a frame are no such."""
    folded = fold(campplus().eval(), precision=torch.bfloat16)

    small = [n for n, m in folded.named_modules() if isinstance(m, _SmallProduct)]

    assert len(small) == 2 * (12 + 24 + 16)
    assert all(".cam_layer.linear" in name for name in small)
    assert all(folded.get_submodule(n).weight.dtype == torch.float32 for n in small)


@pytest.mark.parametrize("relu", [True, False])
@pytest.mark.parametrize("adds", [True, False])
def test_a_small_product_is_the_convolution(relu, adds):
    torch.manual_seed(0)
    convolution = nn.Conv1d(6, 5, 1)
    small = fold(nn.Sequential(convolution).eval())[0]
    image, plus = torch.randn(2, 6, 7), torch.randn(2, 5, 7)

    with torch.inference_mode():
        expected = convolution(image) + (plus if adds else 0)
        made = small(image, plus if adds else None, relu=relu)

    assert isinstance(small, _SmallProduct)
    torch.testing.assert_close(made, expected.relu() if relu else expected)
