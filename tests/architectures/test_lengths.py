"""Every batch of any lengths gives the embeddings of its items one by one."""

import copy
import importlib
import warnings

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bob.learn.pytorch import masking as masks
from bob.learn.pytorch.architectures import campplus, dlt_resnet34, resnet34
from bob.learn.pytorch.architectures.resnet import _unit_length
from bob.learn.pytorch.inference import fold as folding
from bob.learn.pytorch.inference import winograd
from bob.learn.pytorch.masking import after, surroundings

NETWORKS = {"dltresnet34": dlt_resnet34, "resnet34": resnet34, "campplus": campplus}
# Of CAM++, whose segments of 100 frames are 200 of the features.
AROUND_SEGMENTS = [199, 200, 201, 202, 399, 400, 401]
FILLERS = [float("nan"), float("inf"), 1e30, -1e30, 1.0, 0.0]
# What runs where: on a CPU the folded network, by the fastest there is; on a GPU
# another, whose masks are those of exported networks.
WAYS = ["published", "exported", "kernel", "packed", "plain", "of a GPU"]
MASKS_OF_GRAPHS = ["exported", "of a GPU"]


@pytest.fixture(scope="module", params=NETWORKS)
def name(request):
    return request.param


@pytest.fixture(scope="module", params=WAYS)
def way(request):
    if request.param == "kernel" and winograd.load() is None:
        pytest.skip("the kernel is not compiled, or not for this processor")
    return request.param


def on_its_way(network, way):
    """The network as it runs there."""
    if way in ("published", "exported"):
        return network
    with pytest.MonkeyPatch.context() as patch:
        if way in ("plain", "of a GPU"):
            patch.setattr(folding, "_packed", lambda *_: None)
        if way == "of a GPU":
            patch.setattr(folding, "SMALL_PRODUCT", 0)
        return folding.fold(
            network, kernel=winograd.load() if way == "kernel" else None
        )


@st.composite
def mixtures(draw, items=4, longest=260):
    """How many frames above the fewest, what stands behind them, and how much of it."""
    around = [frames for frames in AROUND_SEGMENTS if frames <= longest]
    frames = st.one_of(
        st.integers(0, 8), st.integers(0, longest), st.sampled_from(around)
    )
    above = draw(st.lists(frames, min_size=1, max_size=items))
    return above, draw(st.sampled_from(FILLERS)), draw(st.integers(0, 40))


def recordings(network, lengths, *, dtype=torch.float32):
    """Features of recordings that differ in loudness, as those of a room do."""
    generator = torch.Generator().manual_seed(sum(lengths))
    return [
        torch.randn(network.bins, frames, generator=generator, dtype=dtype) * (1 + i)
        for i, frames in enumerate(lengths)
    ]


def padded(items, *, filler=float("nan"), extra=0):
    lengths = [item.shape[-1] for item in items]
    size = (len(items), items[0].shape[0], max(lengths) + extra)
    batch = items[0].new_full(size, filler)
    for row, item, frames in zip(batch, items, lengths, strict=True):
        row[:, :frames] = item
    return batch, torch.tensor(lengths)


@pytest.fixture(scope="module")
def difference_on_the_way(filled, way):
    network = on_its_way(filled, way)

    def of(mixture):
        with pytest.MonkeyPatch.context() as patch:
            if way in MASKS_OF_GRAPHS:
                patch.setattr(masks, "unchecked", lambda: True)
            return largest_difference(network, mixture)

    return of


@pytest.fixture(scope="module", params=["published", "folded"])
def difference_on_a_graphics_card(request, filled):
    network = copy.deepcopy(filled).to("cuda")
    if request.param == "folded":
        network = folding.fold(network)
    return lambda mixture: largest_difference(network, mixture, device="cuda")


def largest_difference(network, mixture, *, device="cpu", dtype=torch.float32):
    above, filler, extra = mixture
    lengths = [max(frames, network.minimum_frames) for frames in above]
    items = recordings(network, lengths, dtype=dtype)
    items = [item.to(device) for item in items]
    batch, lengths = padded(items, filler=filler, extra=extra)
    with torch.inference_mode():
        together = network(batch, lengths.to(device))
        alone = torch.cat([network(item[None]) for item in items])
    # Of length 1, as scoring sees them: that of CAM++ grows with the features, and
    # float32 rounds embeddings of length 25 by 5e-5 however they are computed.
    difference = _unit_length(together) - _unit_length(alone)
    return difference.abs().max().item()


@settings(max_examples=2)
@given(mixture=mixtures(items=3, longest=401))
@example(mixture=([58, 330, 0, 201], float("nan"), 3))
def test_any_batch_is_its_items_one_by_one(difference_on_the_way, mixture):
    assert difference_on_the_way(mixture) < 1e-5


@settings(max_examples=2)
@given(mixture=mixtures(items=2, longest=210))
@example(mixture=([201, 21], float("nan"), 3))
def test_in_double_precision_only_rounding_is_left(in_double, mixture):
    assert largest_difference(in_double, mixture, dtype=torch.float64) < 1e-12


@pytest.mark.slow
@settings(max_examples=20)
@given(mixture=mixtures(items=7, longest=900))
def test_any_batch_is_its_items_one_by_one_at_length(difference_on_the_way, mixture):
    assert difference_on_the_way(mixture) < 1e-5


@pytest.mark.gpu
@settings(max_examples=20)
@given(mixture=mixtures(items=7, longest=900))
def test_any_batch_is_its_items_one_by_one_on_a_graphics_card(
    difference_on_a_graphics_card, mixture
):
    """In float32: the 10 bits of TensorFloat-32, PyTorch's default, are not enough."""
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        assert difference_on_a_graphics_card(mixture) < 1e-5


def test_the_order_of_a_batch_is_that_of_its_embeddings(filled):
    batch, lengths = padded(recordings(filled, [60, 41, 75]))
    order = torch.tensor([2, 0, 1])

    with torch.inference_mode():
        expected = filled(batch, lengths)[order]
        embeddings = filled(batch[order], lengths[order])

    torch.testing.assert_close(embeddings, expected, atol=1e-5, rtol=0)


def test_without_lengths_a_padded_batch_is_another(filled):
    """What the lengths are for."""
    batch, lengths = padded(recordings(filled, [60, 120]), filler=0.0)

    with torch.inference_mode():
        difference = (filled(batch) - filled(batch, lengths)).abs().amax(dim=1)

    assert difference[0] > 1e-2
    assert difference[1] < 1e-5


@pytest.fixture
def uneven(filled):
    """A batch whose items end at frames that are even and odd at every stride."""
    items = recordings(filled, [57, 58, 61, 73, 130])
    return padded(items, filler=1.0)


def module(name):
    return importlib.import_module(f"bob.learn.pytorch.architectures.{name}")


def split(mask):
    """ "resnet.keep" -> the module resnet, "keep"."""
    where, function = mask.split(".")
    return module(where), function


# How often a network calls which function of which module.
MASKS = [
    ("dltresnet34", "resnet.keep", 1),
    ("dltresnet34", "resnet.cut", 3),
    ("dltresnet34", "blocks.cut", 26),
    ("resnet34", "resnet.keep", 1),
    ("resnet34", "resnet.cut", 1),
    ("resnet34", "blocks.cut", 26),
    ("campplus", "campplus.keep", 1),
    ("campplus", "campplus.cut", 54),
    ("campplus", "blocks.cut", 8),
]
# Behind the last block, nothing looks over the end of an item before it is pooled.
NOT_NEEDED = {("dltresnet34", "blocks.cut"): [25], ("resnet34", "blocks.cut"): [25]}


@pytest.mark.parametrize(("name", "mask", "count"), MASKS, indirect=["name"])
def test_without_the_masks_of_a_module_embeddings_change(
    name, filled, uneven, monkeypatch, mask, count
):
    with torch.inference_mode():
        expected = filled(*uneven)
        monkeypatch.setattr(*split(mask), lambda image, *_, **__: image)
        difference = filled(*uneven) - expected

    assert difference.abs().max() > 1e-4


@pytest.mark.slow
@pytest.mark.parametrize(("name", "mask", "count"), MASKS, indirect=["name"])
def test_every_single_mask_is_needed(name, filled, uneven, monkeypatch, mask, count):
    keep, calls, left_out = getattr(*split(mask)), [], None

    def all_but_one(image, *lengths, **axis):
        calls.append(image)
        return image if len(calls) - 1 == left_out else keep(image, *lengths, **axis)

    monkeypatch.setattr(*split(mask), all_but_one)
    with torch.inference_mode():
        expected = filled(*uneven)
        assert len(calls) == count
        changed = []
        for number in range(count):
            calls.clear()
            left_out = number
            difference = filled(*uneven) - expected
            changed.append(difference.abs().max().item() > 1e-4)

    needed = [i not in NOT_NEEDED.get((name, mask), []) for i in range(count)]
    assert changed == needed


def test_pooling_over_the_padding_changes_embeddings(filled, uneven, monkeypatch):
    pooling = module("blocks")
    statistics = pooling.mean_and_deviation
    with torch.inference_mode():
        expected = filled(*uneven)
        monkeypatch.setattr(
            pooling,
            "mean_and_deviation",
            lambda frames, _, **options: statistics(frames, None, **options),
        )
        difference = filled(*uneven) - expected

    assert difference.abs().max() > 1e-4


def test_surroundings_over_the_padding_change_embeddings(golden_weights, monkeypatch):
    network = golden_weights.fill(campplus())
    batch = padded(recordings(network, [57, 250]), filler=0.0)
    with torch.inference_mode():
        expected = network(*batch)
        monkeypatch.setattr(
            module("campplus"),
            "surroundings",
            lambda frames, lengths, size: surroundings(
                frames, torch.full_like(lengths, frames.shape[-1]), size=size
            ),
        )
        difference = network(*batch) - expected

    assert difference.abs().max() > 1e-4


@pytest.mark.parametrize("frames", range(3, 12))
@pytest.mark.parametrize(
    "layer",
    [
        {"kernel": 5, "stride": 2, "padding": 2},
        {"kernel": 3, "stride": 2},
        {"kernel": 3, "padding": 2, "dilation": 2},
    ],
)
def test_lengths_behind_a_layer_are_those_of_torch(layer, frames):
    size = layer["kernel"]
    options = {key: value for key, value in layer.items() if key != "kernel"}
    ends = torch.nn.Conv1d(1, 1, size, **options)(torch.zeros(1, 1, frames)).shape[-1]

    assert after(torch.tensor([frames]), **layer).tolist() == [ends]


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        (torch.tensor([50.0, 60.0]), r"one whole number for each of the 2 items, got"),
        (
            torch.tensor([50]),
            r"for each of the 2 items, got torch.int64 of shape \(1,\)",
        ),
        (torch.tensor([1, 60]), r"from 1 to 60, but this batch needs \d+ or more"),
        (torch.tensor([50, 61]), r"from 50 to 61, .* and holds 60"),
    ],
)
def test_lengths_of_another_batch_are_refused(filled, lengths, message):
    with pytest.raises(ValueError, match=message):
        filled(torch.zeros(2, filled.bins, 60), lengths)


@pytest.mark.slow
def test_a_traced_network_takes_any_lengths(filled):
    traced_with = padded(recordings(filled, [64, 300]), filler=0.0)
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.filterwarnings(
            "ignore", message=".*torch.jit", category=DeprecationWarning
        )
        traced = torch.jit.trace(filled, traced_with, check_trace=False)
        for lengths in ([filled.minimum_frames], [201, 37, 90], [700, 400]):
            items = recordings(filled, lengths)
            alone = torch.cat([filled(item[None]) for item in items])

            together = traced(*padded(items))

            torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)
