"""The mean embedding of chunks."""

import numpy as np
import pytest
import torch

from bob.learn.pytorch.architectures.campplus import campplus
from bob.learn.pytorch.audio import Waveform, arrays
from bob.learn.pytorch.audio.recording import ConstantRecording
from bob.learn.pytorch.features import KaldiFbank
from bob.learn.pytorch.inference.long import embed_chunks
from bob.learn.pytorch.models.embedder import SpeakerEmbedder

RATE = 16_000


@pytest.fixture(scope="module")
def embedder(golden_weights):
    network = golden_weights.fill(campplus())
    return SpeakerEmbedder(KaldiFbank(), network, sample_rate=RATE).eval()


@pytest.fixture(scope="module")
def noise():
    """2 s each of white, blue and brown noise."""
    colours = 0.1 * np.random.default_rng(0).standard_normal((3, 2 * RATE))
    brown = 0.01 * colours[2].cumsum()
    return np.concatenate([colours[0], np.diff(colours[1], prepend=0), brown])


def embed(embedder, samples):
    with torch.inference_mode():
        return embedder(torch.from_numpy(samples).unsqueeze(0))[0].numpy()


@pytest.mark.parametrize("block_samples", [777, 10**6])
def test_three_chunks(embedder, noise, monkeypatch, block_samples):
    """6 s less one sample in chunks of 1.8 s: three, of 31999, 32000 and 32000."""
    monkeypatch.setattr(arrays, "BLOCK_SAMPLES", block_samples)
    noise = noise[: 6 * RATE - 1]

    embedding = embed_chunks(
        embedder, noise, rate=RATE, chunk_seconds=1.8, resampler="soxr"
    )

    parts = [noise[:31_999], noise[31_999:63_999], noise[63_999:]]
    expected = np.mean([embed(embedder, part) for part in parts], axis=0)
    assert embedding.dtype == np.float32
    np.testing.assert_allclose(embedding, expected, rtol=0, atol=1e-5)


def test_less_than_two_chunks_are_the_whole_recording(embedder, noise):
    embedding = embed_chunks(
        embedder, noise, rate=RATE, chunk_seconds=3.1, resampler="soxr"
    )

    np.testing.assert_allclose(embedding, embed(embedder, noise), rtol=0, atol=1e-5)


def test_chunks_without_sound_are_left_out(embedder, noise):
    half = noise[: 2 * RATE]
    padded = np.concatenate([half, np.zeros(len(half)), np.full(len(half), 0.25)])

    embedding = embed_chunks(
        embedder, padded, rate=RATE, chunk_seconds=2, resampler="soxr"
    )

    np.testing.assert_allclose(embedding, embed(embedder, half), rtol=0, atol=1e-5)


def test_no_sound_in_any_chunk(embedder):
    steps = np.repeat([0.1, 0.2], 2 * RATE)

    with pytest.raises(ConstantRecording, match="no sound in any of its 2 chunks"):
        embed_chunks(embedder, steps, rate=RATE, chunk_seconds=2, resampler="soxr")


def test_each_chunk_is_resampled(embedder, noise):
    embedding = embed_chunks(
        embedder, noise, rate=48_000, chunk_seconds=1, resampler="soxr"
    )

    parts = [
        Waveform(part, 48_000).resampled(RATE, method="soxr").samples
        for part in np.split(noise, 2)
    ]
    expected = np.mean([embed(embedder, part) for part in parts], axis=0)
    np.testing.assert_allclose(embedding, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("seconds", [0.01, 0, -1, float("nan")])
def test_a_chunk_too_short_for_the_network(embedder, noise, seconds):
    with pytest.raises(ValueError, match=r"needs 0\.045 s or more"):
        embed_chunks(
            embedder, noise, rate=RATE, chunk_seconds=seconds, resampler="soxr"
        )
