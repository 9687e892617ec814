"""Waveform to embedding, against the published systems."""

import copy

import numpy as np
import pytest
import torch
from systems import SYSTEMS

from bob.learn.pytorch.architectures import resnet34
from bob.learn.pytorch.features import Spectrogram
from bob.learn.pytorch.models.embedder import SpeakerEmbedder


@pytest.fixture(scope="module", params=SYSTEMS)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def network(name, golden_weights):
    return golden_weights.fill(SYSTEMS[name][1]())


@pytest.fixture
def embedder(name, network):
    """Its network is its own: tests change the precision."""
    front_end = SYSTEMS[name][0]()
    return SpeakerEmbedder(front_end, copy.deepcopy(network), sample_rate=16_000).eval()


@pytest.fixture(params=["voice16k_int16", "voice16k_float"])
def voice(request, name, golden):
    """A waveform in [-1, 1], and what the published system answers to it."""
    if name == "campplus":
        folder, suffix = golden / "campplus", "formula"
    else:
        folder, suffix = golden / "synthetic", name
    waveform = np.load(folder / "waveforms.npz")[request.param]
    if waveform.dtype == np.int16:
        waveform = waveform / 32_768
    expected = np.load(folder / "embeddings.npz")
    return (
        torch.from_numpy(waveform)[None],
        expected[f"{request.param}__{suffix}__f32"],
        expected[f"{request.param}__{suffix}__f64"],
    )


def test_embeddings_of_the_published_systems(embedder, name, voice):
    waveform, expected, _ = voice

    with torch.inference_mode():
        embedding = embedder(waveform)[0].numpy()

    assert embedding.dtype == np.float32
    tolerance = 2e-4 if name == "campplus" else 1e-6
    np.testing.assert_allclose(embedding, expected, atol=tolerance, rtol=0)


def test_embeddings_in_double_precision(embedder, voice):
    waveform, _, expected = voice
    embedder.network.double()

    with torch.inference_mode():
        embedding = embedder(waveform)[0].numpy()

    np.testing.assert_allclose(embedding, expected, atol=1e-9, rtol=0)


def test_features_in_the_precision_of_the_waveform(embedder, voice):
    """Float32 from the start: the embedding turns by less than any decision needs."""
    waveform, expected, _ = voice

    with torch.inference_mode():
        embedding = embedder(waveform.float())[0].numpy()

    np.testing.assert_allclose(embedding, expected, atol=2e-4, rtol=0)


def test_the_least_that_gives_an_embedding(embedder, name):
    """0.385 s for 37 frames, 0.045 s for 3."""
    samples, seconds = {"campplus": (720, 0.045)}.get(name, (6_160, 0.385))
    waveform = torch.randn(1, samples)

    assert embedder.minimum_samples == samples
    assert embedder.minimum_seconds == seconds
    assert embedder(waveform).isfinite().all()
    with pytest.raises(ValueError, match="frames are too few"):
        embedder(waveform[:, 1:])


def test_size_and_rate(embedder, name):
    assert embedder.embedding_size == (192 if name == "campplus" else 128)
    assert embedder.sample_rate == 16_000
    assert embedder(torch.randn(3, 8_000)).shape == (3, embedder.embedding_size)


def test_another_rate_than_the_front_ends():
    with pytest.raises(ValueError, match=r"Spectrogram takes 16000 Hz, not 8000 Hz"):
        SpeakerEmbedder(Spectrogram(), resnet34(), sample_rate=8_000)


def test_the_state_dictionary_is_that_of_the_network(embedder):
    expected = {f"network.{key}" for key in embedder.network.state_dict()}

    assert set(embedder.state_dict()) == expected


@pytest.mark.gpu
def test_a_graphics_card_agrees_with_the_processor(embedder, voice):
    waveform, _, expected = voice
    embedder.network.double()

    with torch.inference_mode():
        embedding = embedder.to("cuda")(waveform.cuda())[0].cpu().numpy()

    np.testing.assert_allclose(embedding, expected, atol=1e-9, rtol=0)
