"""The kernel against convolutions in float64."""

import random

import pytest
import torch
import torch.nn.functional as F

from bob.learn.pytorch.kernels import winograd

GUARD = 12345.0


@pytest.fixture(params=[16, 8, 4])
def kernel(request):
    """The variant for AVX-512, for AVX2, and the portable one."""
    found = winograd.load()
    if found is None:
        pytest.skip("the kernel is not compiled, or not for this processor")
    found.limit(request.param)
    if found.lanes != request.param:
        found.limit(16)
        pytest.skip(f"this processor has no {request.param} lanes")
    yield found
    found.limit(16)


def image(*shape):
    return torch.randn(shape).contiguous(memory_format=torch.channels_last)


def check(kernel, *, batch, channels, size, plus, relu):
    in_channels, out_channels = channels
    weight = torch.randn(out_channels, in_channels, 3, 3) * (2 / 9 / in_channels) ** 0.5
    bias, x = torch.randn(out_channels), image(batch, in_channels, *size)
    added = image(batch, out_channels, *size) if plus else None
    expected = F.conv2d(x.double(), weight.double(), bias.double(), padding=1)
    expected = expected + added.double() if plus else expected
    expected = expected.relu() if relu else expected

    packed = kernel.packed(weight)
    made = kernel.convolve(x, packed, bias, plus=added, relu=relu)

    assert made.is_contiguous(memory_format=torch.channels_last)
    assert (made - expected).abs().max() <= 5e-5 * expected.abs().max().clamp_min(1e-3)
    if plus:
        assert made is added


def test_every_size_of_border_and_tile(kernel):
    chance = random.Random(0)
    torch.manual_seed(0)
    for height in (1, 2, 3, 4, 5, 6, 7, 8, 9, 17, 33):
        for width in (1, 2, 5, 6, 7, 8, 9, 17, 33, 65):
            check(
                kernel,
                batch=chance.choice((1, 2, 3)),
                channels=(chance.choice((16, 48, 112)), chance.choice((16, 64, 144))),
                size=(height, width),
                plus=chance.random() < 0.5,
                relu=chance.random() < 0.5,
            )


@pytest.mark.parametrize(
    ("channels", "size"), [(64, (100, 65)), (128, (50, 33)), (256, (25, 17))]
)
def test_the_convolutions_of_the_networks(kernel, channels, size):
    torch.manual_seed(0)
    check(
        kernel, batch=2, channels=(channels, channels), size=size, plus=True, relu=True
    )


def test_nothing_is_written_beside_the_result(kernel):
    torch.manual_seed(0)
    whole = torch.full((9, 7, 5, 32), GUARD)
    place = whole[3:6].permute(0, 3, 1, 2)
    place.zero_()
    packed = kernel.packed(torch.randn(32, 16, 3, 3))

    made = kernel.convolve(
        image(3, 16, 7, 5), packed, torch.zeros(32), plus=place, relu=False
    )

    assert made.data_ptr() == place.data_ptr()
    assert (whole[:3] == GUARD).all()
    assert (whole[6:] == GUARD).all()
    assert not (whole[3:6] == 0).any()


def test_an_item_is_the_same_bits_in_every_batch(kernel):
    torch.manual_seed(0)
    packed, bias = kernel.packed(torch.randn(64, 64, 3, 3)), torch.randn(64)
    items = image(5, 64, 23, 17)

    together = kernel.convolve(items, packed, bias, plus=None, relu=True)

    for item, expected in zip(items.split(1), together.split(1), strict=True):
        alone = kernel.convolve(item, packed, bias, plus=None, relu=True)
        assert torch.equal(alone, expected)


@pytest.mark.parametrize("channels", [(16, 24), (8, 16)])
def test_channels_that_do_not_fit_are_refused(kernel, channels):
    with pytest.raises(ValueError, match="expected multiples of 16"):
        kernel.packed(torch.zeros(channels[1], channels[0], 3, 3))


def test_where_it_is_not_compiled_there_is_none(monkeypatch, tmp_path):
    monkeypatch.setattr(winograd, "__file__", str(tmp_path / "winograd.py"))

    assert winograd.load() is None
