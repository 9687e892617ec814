"""How near half precision stays to exact embeddings: `python tables.py half`.

The golden data of the tests: seven recordings, weights by formula. Winograd's products
in bfloat16, which nothing here computes with, are computed in float32 of operands that
are rounded to bfloat16 first, as a processor's instruction for them would.
"""

import sys
from functools import partial
from pathlib import Path
from unittest import mock

import numpy as np
import torch
import torch.nn.functional as F

from bob.learn.pytorch.architectures import dlt_resnet34, resnet34
from bob.learn.pytorch.architectures.convolution import OneStep
from bob.learn.pytorch.inference import fold as folding
from bob.learn.pytorch.inference import winograd
from bob.learn.pytorch.inference.fold import FoldedConvolution, fold

TESTS = Path(__file__).parents[1] / "tests"
sys.path.insert(0, str(TESTS / "support"))
import golden_weights  # noqa: E402 - stands in tests/support

NETWORKS = {"dltresnet34": dlt_resnet34, "resnet34": resnet34}
SQUARE = winograd.Geometry((3, 3), (1, 1), (1, 1))
# Where along an axis the polynomials are looked at, for so many outputs of a tile;
# those for 4 are better conditioned than the usual 0, 1, -1, 2, -2.
PLACES = {2: (0, 1, -1), 4: (0, 2 / 3, -2 / 3, 4 / 3, -4 / 3)}


def rounded(numbers):
    """To bfloat16, and as float32 again."""
    return numbers.bfloat16().float()


def transforms(outputs, taps=3):
    """Of outputs, filters and inputs, for one axis: Toom and Cook, one at infinity."""
    places = np.array(PLACES[outputs], float)
    points = len(places) + 1
    of_outputs, of_filters = np.zeros((outputs, points)), np.zeros((points, taps))
    of_outputs[:, :-1] = places ** np.arange(outputs)[:, None]
    distances = places[:, None] - places + np.eye(points - 1)
    of_filters[:-1] = places[:, None] ** np.arange(taps) / distances.prod(1)[:, None]
    of_outputs[-1, -1] = of_filters[-1, -1] = 1
    # That of inputs makes correlations of both: output k is the sum of tap a times
    # input k + a.
    both = (of_outputs[:, None] * of_filters.T).reshape(-1, points)
    wanted = [np.eye(points)[k + a] for k in range(outputs) for a in range(taps)]
    of_inputs = np.linalg.lstsq(both, np.array(wanted), rcond=None)[0]
    return [torch.tensor(one).float() for one in (of_outputs, of_filters, of_inputs)]


def minimal_filtering(image, filters, tile):
    """A 3x3 convolution with padding 1, its products of numbers in bfloat16."""
    high, wide = tile
    down, across = transforms(high), transforms(wide)
    height, width = image.shape[2:]
    rows, columns = -(-height // high), -(-width // wide)
    behind = (1, columns * wide + 1 - width, 1, rows * high + 1 - height)
    patches = F.pad(image, behind).unfold(2, high + 2, high).unfold(3, wide + 2, wide)
    v = torch.einsum("ia,bcxyad,jd->ijbxyc", down[2], patches, across[2])
    u = torch.einsum("ia,ocad,jd->ijco", down[1], filters, across[1])
    m = torch.einsum("ijbxyc,ijco->ijbxyo", rounded(v), rounded(u))
    made = torch.einsum("ki,ijbxyo,lj->boxkyl", down[0], m, across[0])
    return made.flatten(4, 5).flatten(2, 3)[:, :, :height, :width]


class InBfloat16(OneStep):
    """A convolution of rounded numbers, summed in float32; the result is rounded."""

    def __init__(self, folded, tile):
        super().__init__()
        self.folded, self.tile = folded, tile

    def forward(self, image, plus=None, *, relu=False):
        """Convolve, add and cut below zero."""
        filters, geometry = self.folded.weight, self.folded.layer.geometry
        if self.tile and winograd.Geometry(filters.shape[2:], *geometry) == SQUARE:
            made = minimal_filtering(image, filters, self.tile)
        else:
            made = F.conv2d(rounded(image), rounded(filters), None, *geometry)
        made = made + self.folded.bias[:, None, None]
        made = made if plus is None else made + plus
        return rounded(made.relu() if relu else made)


def in_bfloat16(network, tile=None):
    """Every convolution in bfloat16, those of 3x3 in tiles of so many outputs."""
    with mock.patch.object(folding, "_packed", return_value=None):
        folded = fold(network)
    for parent in list(folded.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, FoldedConvolution):
                setattr(parent, name, InBfloat16(child, tile))
    return folded


def recordings(name):
    """Features of every recording, and its exact embedding."""
    folder = TESTS / "golden" / "synthetic"
    exact = np.load(folder / "embeddings.npz")
    for case, magnitude in np.load(folder / "spectrograms.npz").items():
        if f"{case}__{name}__f64" in exact:
            centred = magnitude - magnitude.mean(axis=0)
            features = centred / (magnitude.std(axis=0) + 1e-7)
            yield torch.tensor(features.T[None]).float(), exact[f"{case}__{name}__f64"]


@torch.inference_mode()
def farthest(network, name):
    """The largest 1 - cosine of any recording."""
    found = []
    for features, exact in recordings(name):
        embedding = network(features)[0].double().numpy()
        found.append(1 - embedding @ exact / np.linalg.norm(embedding))
    return max(found)


def main():
    """Print a line for every way to compute in half precision."""
    kernel = winograd.load()
    ways = {
        "float32, our kernel": lambda net: fold(net, kernel=kernel),
        "float16": lambda net: fold(net, precision=torch.float16),
        "bfloat16, with our kernel": lambda net: fold(
            net, precision=torch.bfloat16, kernel=kernel
        ),
        "bfloat16, without it": lambda net: fold(net, precision=torch.bfloat16),
        "bfloat16 throughout": in_bfloat16,
    }
    for tile in ((2, 2), (2, 4), (4, 4)):
        label = f"the same, minimal filtering {tile[0]} x {tile[1]}"
        ways[label] = partial(in_bfloat16, tile=tile)
    sys.stdout.write(
        f"\n{'largest 1 - cosine':36} {'DltResNet34':>12} {'ResNet34':>9}\n"
    )
    filled = {name: golden_weights.fill(make()) for name, make in NETWORKS.items()}
    for label, way in ways.items():
        some = [farthest(way(net), name) for name, net in filled.items()]
        sys.stdout.write(f"  {label:34} {some[0]:12.1e} {some[1]:9.1e}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
