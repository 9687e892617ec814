"""How far the networks see, said by their steps and shown by their frames."""

import pytest
import torch
from torch import nn

from bob.learn.pytorch.architectures.resnet import (
    Reach,
    _Step,
    dlt_resnet34,
    resnet34,
)

FRAMES = 1440


@pytest.fixture(scope="module", params=[dlt_resnet34, resnet34])
def network(request):
    """Every path carries everything: positive weights, and nothing is cut off."""
    network = request.param().double().eval()
    with torch.no_grad():
        for name, weight in network.named_parameters():
            weight.fill_(0 if name.endswith("bias") else 1.0)
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                module.weight /= module.weight[0].numel()
    return network


@pytest.fixture(scope="module")
def seen(network):
    """By frame of maps, the frames of features that it depends on."""
    features = torch.rand(1, 257, FRAMES, dtype=torch.float64).requires_grad_()
    maps, _ = network.maps(features)
    last = maps.shape[-1] - 1
    places = {}
    for frame in (0, 1, last // 2, last - 1, last):
        (gradient,) = torch.autograd.grad(
            maps[..., frame].sum(), features, retain_graph=True
        )
        places[frame] = gradient[0].abs().sum(dim=0).nonzero().flatten().tolist()
    return places


@pytest.mark.slow
def test_no_frame_depends_on_one_beyond_the_reach(network, seen):
    stride, before, behind = network.reach()

    for frame, places in seen.items():
        assert places[0] >= stride * frame - before
        assert places[-1] <= stride * frame + behind


@pytest.mark.slow
def test_the_reach_is_no_longer_than_needed(network, seen):
    """Max pooling takes one of three, so what is seen may end a little earlier."""
    stride, before, behind = network.reach()

    frame, places = list(seen.items())[2]

    assert places[0] <= stride * frame - before + 8
    assert places[-1] >= stride * frame + behind - 8


def test_three_convolutions_of_three_see_three_to_either_side():
    assert Reach.of([_Step(3, padding=1)] * 3) == (1, 3, 3)


def test_a_stride_widens_what_comes_behind_it():
    assert Reach.of([_Step(2, stride=2), _Step(2, stride=2), _Step(3)]) == (4, 0, 11)


def test_dilation_spreads_a_kernel():
    assert Reach.of([_Step(3, padding=3, dilation=3)]) == (1, 3, 3)
