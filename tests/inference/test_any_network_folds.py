"""Any network folds to the same network, or is refused with the layer's name."""

import copy

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import nn

from bob.learn.pytorch.architectures.convolution import ConvNorm
from bob.learn.pytorch.inference.fold import fold

CHANNELS = 4
# Names of a convolution and its normalisation, as networks of others have them, and
# pairs that look like those of another layer.
NAMES = st.sampled_from(
    [
        ("conv", "norm"),
        ("stem", "stem_bn"),
        ("conv1", "bn1"),
        ("conv1", "bn2"),
        ("bn1", "conv1"),
        ("linear", "nonlinear"),
        ("linear1", "nonlinear2"),
        ("0", "1"),
        ("1", "0"),
        ("proj", "batchnorm"),
    ]
)
NORMS = st.sampled_from(["batch", "plain batch", "group", "instance", "none"])
CALLS = st.sampled_from(
    ["block", "block", "by hand", "in turn", "norm first", "relu between"]
)
LAYERS = st.tuples(NAMES, NORMS, CALLS, st.booleans(), st.booleans())


def norm_of(kind, dimensions):
    batch = (nn.BatchNorm1d, nn.BatchNorm2d)[dimensions - 1]
    instance = (nn.InstanceNorm1d, nn.InstanceNorm2d)[dimensions - 1]
    return {
        "batch": lambda: batch(CHANNELS),
        "plain batch": lambda: batch(CHANNELS, affine=False),
        "group": lambda: nn.GroupNorm(2, CHANNELS),
        "instance": lambda: instance(CHANNELS, affine=True),
        "none": nn.Identity,
    }[kind]()


class RandomLayer(nn.Module):
    """A convolution and a norm under any names, called in any way."""

    def __init__(self, dimensions, names, norm, call, residual, bias):
        super().__init__()
        made = (nn.Conv1d, nn.Conv2d)[dimensions - 1]
        self.names, self.call, self.residual = names, call, residual
        layers = (
            made(CHANNELS, CHANNELS, 3, padding=1, bias=bias),
            norm_of(norm, dimensions),
        )
        if call == "in turn":
            self.block = nn.Sequential(*layers)
            return
        # Layers stand in the order in which they run, as one writes them.
        for name, layer in list(zip(names, layers, strict=True))[
            :: -1 if call == "norm first" else 1
        ]:
            setattr(self, name, layer)
        if call == "block":
            self.both = ConvNorm(*layers)

    def forward(self, image):
        plus = image.clone() if self.residual else None
        if self.call == "in turn":
            made = self.block(image)
        elif self.call == "block":
            return self.both(image, plus)
        else:
            convolution, norm = (getattr(self, name) for name in self.names)
            if self.call == "by hand":
                made = norm(convolution(image))
            elif self.call == "norm first":
                made = convolution(norm(image).relu())
            else:
                made = norm(convolution(image).relu())
        return (made if plus is None else made + plus).relu()


def network_of(dimensions, layers):
    torch.manual_seed(len(layers))
    network = nn.Sequential(*(RandomLayer(dimensions, *layer) for layer in layers))
    for module in network.modules():
        if getattr(module, "running_mean", None) is not None:
            module.running_mean.normal_(0, 0.5)
            module.running_var.uniform_(0.5, 2)
        if getattr(module, "affine", False):
            nn.init.normal_(module.bias, 0, 0.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
    return network.eval()


def check(dimensions, layers):
    """Fold, and return why that was refused; a silent difference fails."""
    network = network_of(dimensions, layers)
    image = torch.randn(2, CHANNELS, *[8] * dimensions)
    try:
        made = fold(network)(image)
    except ValueError as error:
        return str(error)
    torch.testing.assert_close(made, network(image), rtol=1e-5, atol=1e-5)
    return None


@torch.inference_mode()
@settings(max_examples=150)
@given(st.integers(1, 2), st.lists(LAYERS, min_size=1, max_size=3))
@example(1, [(("conv", "norm"), "batch", "block", False, False)])
@example(2, [(("stem", "stem_bn"), "batch", "block", True, False)])
def test_a_random_network_folds_to_the_same_outputs_or_is_refused(dimensions, layers):
    refused = check(dimensions, layers)

    names = [name for name, _ in network_of(dimensions, layers).named_modules()]
    assert refused is None or any(f"{name!r}" in refused for name in names)


@pytest.mark.parametrize("names", [("conv", "norm"), ("stem", "stem_bn"), ("0", "1")])
@pytest.mark.parametrize("norm", ["batch", "plain batch", "group", "instance"])
@pytest.mark.parametrize("dimensions", [1, 2])
def test_what_is_called_with_its_norm_is_never_refused(dimensions, names, norm):
    """Before, the first two lost their normalisation, and outputs were off by 1."""
    assert check(dimensions, [(names, norm, "block", True, True)]) is None


def test_neighbours_in_a_sequence_fold_at_every_place():
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(1, 3, 3),
        nn.BatchNorm2d(3),
        nn.ReLU(),
        nn.Conv2d(3, 2, 3),
        nn.BatchNorm2d(2),
        nn.BatchNorm2d(2),
    ).eval()
    network[4].running_mean.fill_(3)
    network[5].running_var.fill_(5)
    image = torch.randn(2, 1, 9, 9)

    folded = fold(network)

    torch.testing.assert_close(folded(image), network(image), rtol=1e-5, atol=1e-5)
    assert isinstance(folded[4], nn.Identity)


def hooked(layer):
    layer.register_forward_hook(lambda layer, given, made: made + 1)
    return layer


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv1d(4, 4, 3, groups=2),
        nn.Conv1d(4, 4, 3, padding=1, padding_mode="reflect"),
        nn.Conv1d(4, 4, 3, padding="same"),
        type("Scaled", (nn.Conv1d,), {"forward": lambda self, x: x})(4, 4, 3),
        hooked(nn.Conv1d(4, 4, 3)),
    ],
    ids=["groups", "padding mode", "padding", "own forward", "hooks"],
)
def test_a_convolution_that_would_lose_something_is_refused(layer):
    network = nn.ModuleDict({"odd": layer}).eval()

    with pytest.raises(ValueError, match="the convolution 'odd' has"):
        fold(network)


def test_a_norm_of_the_batch_is_refused_by_name():
    network = nn.Sequential(nn.Conv1d(4, 4, 3), nn.BatchNorm1d(4)).eval()
    network[1].running_mean = network[1].running_var = None

    with pytest.raises(ValueError, match="'1' has no running statistics"):
        fold(network)


class NormOfSomeone(nn.Module):
    def forward(self, image):
        return image - image.mean()


@pytest.mark.parametrize(
    "norm",
    [
        NormOfSomeone(),
        type("OwnBatchNorm", (nn.BatchNorm1d,), {"forward": lambda self, x: x})(4),
        nn.SyncBatchNorm(4),
        hooked(nn.BatchNorm1d(4)),
    ],
    ids=["own", "own forward", "sync", "hooks"],
)
def test_a_block_refuses_a_norm_that_it_does_not_know_by_name(norm):
    network = nn.ModuleDict({"stem": nn.Conv1d(4, 4, 3), "stem_bn": norm})
    network["both"] = ConvNorm(network["stem"], network["stem_bn"])

    kind = type(norm).__name__
    with pytest.raises(ValueError, match=f"normalisation 'stem_bn' is a {kind}"):
        fold(network.eval())


def test_a_layer_of_a_folded_block_is_not_called_alone():
    network = nn.ModuleDict({"stem": nn.Conv1d(4, 4, 3), "bn": nn.BatchNorm1d(4)})
    network["both"] = ConvNorm(network["stem"], network["bn"])
    folded = fold(network.eval())

    for name in ("stem", "bn"):
        with pytest.raises(ValueError, match=f"the layer '{name}' was folded"):
            folded[name](torch.zeros(1, 4, 5))


def test_a_block_adds_nothing_to_a_state_dict_and_follows_a_copy():
    network = nn.ModuleDict({"stem": nn.Conv1d(4, 4, 3), "bn": nn.BatchNorm1d(4)})
    names = list(network.state_dict())
    network["both"] = ConvNorm(network["stem"], network["bn"])

    copied = copy.deepcopy(network)

    assert list(network.state_dict()) == names
    assert copied["both"].layers == (copied["stem"], copied["bn"])
    assert copied["both"].layers != network["both"].layers
