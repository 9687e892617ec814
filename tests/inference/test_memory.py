"""What goes through the network whole, in blocks or in chunks, or not at all."""

import numpy as np
import pytest

from bob.learn.pytorch.architectures import campplus, dlt_resnet34, resnet34
from bob.learn.pytorch.audio import TooLongRecording, Waveform
from bob.learn.pytorch.features import KaldiFbank, Spectrogram
from bob.learn.pytorch.inference import long
from bob.learn.pytorch.inference.embedding import RecordingEmbedder
from bob.learn.pytorch.inference.engine import CPUEngine
from bob.learn.pytorch.models import catalogue
from bob.learn.pytorch.models.embedder import SpeakerEmbedder

RATE = 16_000
MODELS = {
    "dltresnet34-voxceleb1": (Spectrogram, dlt_resnet34),
    "resnet34-voxceleb1": (Spectrogram, resnet34),
    "campplus-zh-en": (KaldiFbank, campplus),
}


@pytest.fixture(scope="module")
def embedders():
    return {
        name: SpeakerEmbedder(features(), network(), sample_rate=RATE).eval()
        for name, (features, network) in MODELS.items()
    }


@pytest.fixture
def runner(embedders, monkeypatch):
    """What embeds recordings, made for a model; its front end does nothing."""
    monkeypatch.setattr(CPUEngine, "prepared", lambda _, samples: samples)
    monkeypatch.setattr(CPUEngine, "frames", lambda _, samples: len(samples) // 160)

    def make(name="campplus-zh-en", *, way="float32", memory_mb=4096, **options):
        engine = CPUEngine(embedders[name], precision="float64")
        engine.way = way
        model = catalogue.find(name)
        return RecordingEmbedder(
            engine, model=model, channel=None, memory_mb=memory_mb, **options
        )

    return make


def noise(seconds):
    samples = np.random.default_rng(0).uniform(-0.1, 0.1, RATE * seconds)
    return Waveform(samples, RATE, name="long.wav")


def what_runs(loaded):
    """None where it goes into a batch."""
    return getattr(loaded.content, "func", None)


@pytest.mark.parametrize(
    ("name", "way", "whole", "in_blocks"),
    [
        ("dltresnet34-voxceleb1", "float32", 120, 200),
        ("dltresnet34-voxceleb1", "float64", 40, 70),
        ("resnet34-voxceleb1", "float32", 70, 100),
        ("resnet34-voxceleb1", "onnxruntime", 60, 90),
    ],
)
def test_what_would_take_a_process_to_two_gigabytes_goes_in_blocks(
    runner, name, way, whole, in_blocks
):
    some = runner(name, way=way)

    assert what_runs(some.load(noise(whole))) is None
    assert what_runs(some.load(noise(in_blocks))) is long.embed_long


def test_blocks_are_smaller_where_less_is_allowed(runner):
    sizes = [
        runner("resnet34-voxceleb1", memory_mb=memory_mb)
        .load(noise(120))
        .content.keywords["block_frames"]
        for memory_mb in (4096, 300, 10)
    ]

    assert sizes == sorted(sizes, reverse=True)
    assert long.BLOCK_FRAMES >= sizes[0] > sizes[1] > sizes[2]
    assert sizes[2] == long.LEAST_BLOCK_FRAMES


def test_little_memory_does_not_cut_what_a_block_would_hold(runner):
    loaded = runner("dltresnet34-voxceleb1", memory_mb=1).load(noise(10))

    assert what_runs(loaded) is None


@pytest.mark.parametrize("way", ["float32", "float64", "onnxruntime"])
def test_a_network_without_blocks_refuses_what_needs_more(runner, way):
    """Of any length, and before the whole of it is read."""
    with pytest.raises(
        TooLongRecording,
        match=r"long\.wav: lasts 1 min, for which CAMPPlus needs about .*; up to "
        r"0\.1 GB are allowed, .*--memory, --chunks",
    ):
        runner(way=way, memory_mb=100).load(noise(60))


def test_chunks_are_for_what_needs_more_memory_than_allowed(runner):
    """The rest has the embedding that it has without the option."""
    enough = runner(chunk_seconds=10)
    little = runner(chunk_seconds=10, memory_mb=100)

    assert what_runs(enough.load(noise(310))) is None
    assert what_runs(little.load(noise(60))) is long.embed_chunks
    assert what_runs(little.load(noise(20))) is None


@pytest.mark.parametrize(
    ("seconds", "memory_mb", "says"),
    [
        (
            10_800,
            2000,
            r"a\.flac: lasts 3 h 0 min, for which CAMPPlus needs about 29\.2 GB of "
            r"memory; up to 2 GB are allowed, which is enough for 12 min: allow more",
        ),
        (50, 100, r"lasts 50 s.* enough for 37 s"),
    ],
)
def test_what_needs_too_much_memory_is_refused(
    runner, monkeypatch, seconds, memory_mb, says
):
    monkeypatch.setattr(
        "bob.learn.pytorch.audio.files.info", lambda _: (seconds, RATE, 1)
    )

    with pytest.raises(TooLongRecording, match=says):
        runner(memory_mb=memory_mb).load("a.flac")


def test_what_fits_passes(runner):
    assert what_runs(runner(memory_mb=2000).load(noise(600))) is None
