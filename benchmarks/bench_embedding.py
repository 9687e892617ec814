"""How much speech a second of computing embeds, on one thread."""

import time

import numpy as np
import pytest
import torch

from bob.learn.pytorch.features.spectrogram import Spectrogram
from bob.learn.pytorch.models import catalogue
from bob.learn.pytorch.models.embedder import SpeakerEmbedder


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("model", catalogue.MODELS, ids=lambda model: model.name)
@pytest.mark.parametrize("seconds", [1, 10])
def bench_embed(benchmark, model, seconds):
    torch.manual_seed(0)
    embedder = SpeakerEmbedder(
        model.features(), model.network(), sample_rate=model.sample_rate
    ).eval()
    waveform = 0.1 * torch.randn(1, seconds * model.sample_rate, dtype=torch.float64)

    with torch.inference_mode():
        benchmark(embedder, waveform)

    benchmark.extra_info["times real time"] = seconds / benchmark.stats.stats.median


def frame_by_frame(samples):
    """The recipe of `Spectrogram` as a loop: (frames, 257), normalised by bin."""
    window = 0.54 - 0.46 * np.cos(2 * np.pi * np.arange(400) / 399)
    rows, carried = [], 0.0
    for start in range(0, samples.size - 399, 160):
        frame = samples[start : start + 400]
        frame = frame - frame.sum() / 512
        emphasised = frame - 0.97 * np.concatenate([[carried], frame[:-1]])
        carried = frame[159]
        rows.append(np.abs(np.fft.rfft(emphasised * window, 512)))
    spectrogram = np.array(rows)
    return (spectrogram - spectrogram.mean(0)) / (spectrogram.std(0) + 1e-7)


def bench_spectrogram(benchmark):
    """Ten seconds, in float64; the ratio is to the loop over frames."""
    samples = 1000 * np.random.default_rng(0).normal(size=160_000)
    waveform = torch.from_numpy(samples)[None]
    front_end = Spectrogram()
    loops = []
    for _ in range(5):
        started = time.perf_counter()
        expected = frame_by_frame(samples)
        loops.append(time.perf_counter() - started)

    with torch.inference_mode():
        features = benchmark(front_end, waveform)

    np.testing.assert_allclose(features[0].T.numpy(), expected, atol=1e-9)
    ratio = np.median(loops) / benchmark.stats.stats.median
    benchmark.extra_info["times the loop"] = float(ratio)
