"""The kernel against convolutions in float64."""

import random

import pytest
import torch
import torch.nn.functional as F

from bob.learn.pytorch.inference import winograd

GUARD = 12345.0
SQUARE = winograd.Geometry((3, 3), padding=(1, 1))
HALVING = winograd.Geometry((3, 3), padding=(1, 1), stride=(2, 2))
ROW = winograd.Geometry((1, 9))
COLUMN3 = winograd.Geometry((3, 1), padding=(3, 0), dilation=(3, 1))
COLUMN5 = winograd.Geometry((5, 1), padding=(4, 0), dilation=(2, 1))


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
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield found
    torch.set_num_threads(threads)
    found.limit(16)


@pytest.fixture(params=winograd.KINDS, ids=lambda kind: f"{kind.size} {kind.stride}")
def geometry(request):
    """Every kind of convolution there is."""
    return request.param


def image(*shape):
    return torch.randn(shape).contiguous(memory_format=torch.channels_last)


def pack(kernel, weight, geometry=SQUARE, **more):
    _, stride, padding, dilation = geometry
    return kernel.packed(
        weight, stride=stride, padding=padding, dilation=dilation, **more
    )


def check(kernel, geometry=SQUARE, *, batch, channels, size, plus, relu):
    in_channels, out_channels = channels
    taps, *rest = geometry
    deviation = (2 / taps[0] / taps[1] / in_channels) ** 0.5
    weight = torch.randn(out_channels, in_channels, *taps) * deviation
    bias, x = torch.randn(out_channels), image(batch, in_channels, *size)
    expected = F.conv2d(x.double(), weight.double(), bias.double(), *rest)
    added = image(*expected.shape) if plus else None
    expected = expected + added.double() if plus else expected
    expected = expected.relu() if relu else expected

    packed = pack(kernel, weight, geometry)
    made = kernel.convolve(x, packed, bias, plus=added, relu=relu)

    assert made.shape == expected.shape
    assert made.is_contiguous(memory_format=torch.channels_last)
    assert (made - expected).abs().max() <= 5e-5 * expected.abs().max().clamp_min(1e-3)
    if plus:
        assert made is added


def test_every_size_of_border_and_tile(kernel, geometry):
    chance = random.Random(0)
    torch.manual_seed(0)
    for height in (1, 2, 3, 4, 5, 6, 7, 8, 9, 17, 33):
        for width in (1, 2, 5, 6, 7, 8, 9, 17, 33, 65):
            if min(geometry.output((height, width))) < 1:
                continue
            check(
                kernel,
                geometry,
                batch=chance.choice((1, 2, 3)),
                channels=(chance.choice((16, 48, 112)), chance.choice((16, 64, 144))),
                size=(height, width),
                plus=chance.random() < 0.5,
                relu=chance.random() < 0.5,
            )


@pytest.mark.parametrize(
    ("geometry", "channels", "size"),
    [
        (SQUARE, (64, 64), (100, 65)),
        (SQUARE, (128, 128), (50, 33)),
        (SQUARE, (256, 256), (25, 17)),
        (HALVING, (64, 64), (99, 129)),
        (HALVING, (64, 128), (50, 65)),
        (HALVING, (128, 256), (25, 33)),
        (ROW, (256, 256), (25, 17)),
        (COLUMN3, (32, 64), (99, 129)),
        (COLUMN5, (16, 32), (200, 129)),
    ],
)
def test_the_convolutions_of_the_networks(kernel, geometry, channels, size):
    torch.manual_seed(0)
    check(kernel, geometry, batch=2, channels=channels, size=size, plus=True, relu=True)


def test_nothing_is_written_beside_the_result(kernel, geometry):
    torch.manual_seed(0)
    height, width = geometry.output((19, 25))
    whole = torch.full((9, height, width, 32), GUARD)
    place = whole[3:6].permute(0, 3, 1, 2)
    place.zero_()
    packed = pack(kernel, torch.randn(32, 16, *geometry.size), geometry)

    made = kernel.convolve(
        image(3, 16, 19, 25), packed, torch.zeros(32), plus=place, relu=False
    )

    assert made.data_ptr() == place.data_ptr()
    assert (whole[:3] == GUARD).all()
    assert (whole[6:] == GUARD).all()
    assert not (whole[3:6] == 0).any()


def test_an_item_is_the_same_bits_in_every_batch_and_padding(kernel, geometry):
    torch.manual_seed(0)
    weight = torch.randn(64, 64, *geometry.size)
    packed, bias = pack(kernel, weight, geometry), torch.randn(64)
    items = image(5, 64, 23, 17)
    behind = F.pad(items, (0, 0, 0, 8)).contiguous(memory_format=torch.channels_last)
    height, _ = geometry.output((23, 17))

    together = kernel.convolve(items, packed, bias, plus=None, relu=True)
    longer = kernel.convolve(behind, packed, bias, plus=None, relu=True)

    assert torch.equal(longer[:, :, :height], together)
    for item, expected in zip(items.split(1), together.split(1), strict=True):
        alone = kernel.convolve(item, packed, bias, plus=None, relu=True)
        assert torch.equal(alone, expected)


@pytest.mark.parametrize("channels", [(16, 24), (8, 16)])
def test_channels_that_do_not_fit_are_left_to_others(kernel, channels):
    assert pack(kernel, torch.zeros(channels[1], channels[0], 3, 3)) is None


@pytest.mark.parametrize(
    "other",
    [
        winograd.Geometry((3, 3)),
        winograd.Geometry((3, 3), padding=(1, 1), stride=(2, 1)),
        winograd.Geometry((3, 1), padding=(1, 0)),
        winograd.Geometry((5, 5), padding=(2, 2)),
    ],
)
def test_other_kinds_are_left_to_others(kernel, other):
    assert pack(kernel, torch.zeros(16, 16, *other.size), other) is None


def test_many_threads_of_another_library_are_faster(kernel):
    weight = torch.zeros(16, 16, 3, 3)

    for threads, kinds in ((1, [SQUARE, HALVING]), (3, [SQUARE]), (4, [])):
        torch.set_num_threads(threads)
        found = [kind for kind in (SQUARE, HALVING) if pack(kernel, weight, kind)]
        assert found == kinds
        assert kernel.serves == bool(kinds)


def test_some_kinds_are_left_to_others_in_bfloat16(kernel):
    some = {"precision": torch.bfloat16}

    found = [
        kind
        for kind in winograd.KINDS
        if pack(kernel, torch.zeros(16, 16, *kind.size), kind, **some)
    ]

    assert found == [SQUARE, ROW]


def test_where_it_is_not_compiled_there_is_none(monkeypatch, tmp_path):
    monkeypatch.setattr(winograd, "__file__", str(tmp_path / "winograd.py"))

    assert winograd.load() is None
