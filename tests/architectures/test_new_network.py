"""A new network is one class and one entry: everything else reads what it declares."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from bob.learn.pytorch.architectures.blocks import (
    Cost,
    SpeakerNetwork,
    StatisticsPooling,
)
from bob.learn.pytorch.architectures.convolution import ConvNorm
from bob.learn.pytorch.audio import TooLongRecording
from bob.learn.pytorch.inference import RecordingEmbedder
from bob.learn.pytorch.inference.engine import CPUEngine
from bob.learn.pytorch.masking import after, keep
from bob.learn.pytorch.models import find
from bob.learn.pytorch.models.embedder import SpeakerEmbedder

RATE = 16_000


class Tiny(SpeakerNetwork):
    """A convolution and pooling, under names of its own."""

    bins = 80
    minimum_frames = 6
    embedding_size = 32
    frames_at_once = 300
    mb_a_second = Cost(float32=100, float64=200, onnxruntime=300)
    unused = ("classifier.",)

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv1d(self.bins, 16, 5)
        self.stem_bn = nn.BatchNorm1d(16)
        self.both = ConvNorm(self.stem, self.stem_bn)
        self.pooling = StatisticsPooling()
        self.classifier = nn.Linear(32, 7)

    def forward(self, features, lengths=None):
        self.check(features, lengths)
        frames = self.both(keep(features, lengths))
        return self.pooling(frames, after(lengths, kernel=5))

    @property
    def in_full(self):
        return (self.both, self.stem)


@pytest.fixture
def network():
    torch.manual_seed(0)
    network = Tiny()
    network.stem_bn.running_mean.normal_()
    network.stem_bn.running_var.uniform_(0.5, 2)
    return network.eval()


@pytest.fixture
def runner(network):
    entry = replace(
        find("campplus-zh-en"), name="tiny", network=Tiny, embedding_size=32
    )

    def make(precision):
        kind = torch.float64 if precision == "float64" else torch.float32
        cast = deepcopy(network).to(kind)
        embedder = SpeakerEmbedder(entry.features(), cast, sample_rate=RATE)
        engine = CPUEngine(embedder, precision=precision)
        return RecordingEmbedder(engine, model=entry, channel=None, memory_mb=4096)

    return make


def embedded(runner, *recordings):
    return runner.start_batch([runner.load(one) for one in recordings])()


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_it_folds_and_keeps_its_embeddings(network, runner, precision):
    """In bfloat16 too, as it declares that its only convolution stays in float32."""
    random = np.random.default_rng(0)
    recordings = [(RATE, random.uniform(-0.1, 0.1, n)) for n in (9_000, 16_000)]

    made = embedded(runner(precision), *recordings)

    exact = embedded(runner("float64"), *recordings)
    np.testing.assert_allclose(made, exact, atol=1e-5)


def test_its_cost_decides_about_batches_and_long_recordings(runner):
    some = runner("float32")

    assert some.frames_at_once == 300
    with pytest.raises(TooLongRecording, match=r"for which Tiny needs about 6 GB"):
        some.load((RATE, np.random.default_rng(0).uniform(-0.1, 0.1, 60 * RATE)))


def test_it_refuses_features_of_another_kind(network):
    with pytest.raises(ValueError, match=r"shape \(batch, 80, frames\); got"):
        network(torch.zeros(1, 257, 100))
    with pytest.raises(ValueError, match=r"5 frames are too few .* needs 6 or more"):
        network(torch.zeros(1, 80, 5))


def test_its_entries_are_those_that_an_embedding_depends_on(network):
    assert network.embedding_keys() == {
        "stem.weight",
        "stem.bias",
        "stem_bn.weight",
        "stem_bn.bias",
        "stem_bn.running_mean",
        "stem_bn.running_var",
    }
