"""A recording in blocks has the embedding that it has as a whole."""

import subprocess
import sys

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bob.learn.pytorch.architectures.campplus import campplus
from bob.learn.pytorch.architectures.resnet import Reach, dlt_resnet34, resnet34
from bob.learn.pytorch.audio import (
    SilentRecording,
    TooShortRecording,
    UnreadableRecording,
    Waveform,
    arrays,
    waveform,
)
from bob.learn.pytorch.features import KaldiFbank, Spectrogram
from bob.learn.pytorch.inference.fold import fold
from bob.learn.pytorch.inference.long import _LongFeatures, embed_long, windows
from bob.learn.pytorch.models.embedder import SpeakerEmbedder

RATE = 16_000


@pytest.fixture(scope="module", params=[dlt_resnet34, resnet34])
def embedder(request, golden_weights):
    return with_network(golden_weights.fill(request.param()))


def with_network(network):
    return SpeakerEmbedder(Spectrogram(), network, sample_rate=RATE).eval()


def speech_like(seconds, rate=RATE, seed=0):
    """Noise whose loudness and colour change, so that no two blocks are alike."""
    random = np.random.default_rng(seed)
    count = round(seconds * rate)
    white = random.standard_normal(count + 1)
    time = np.arange(count) / rate
    tone = np.sin(2 * np.pi * (200 + 20 * time) * time)
    loudness = 0.02 + 0.2 * np.sin(1.7 * time) ** 2 * np.exp(-time / seconds)
    return loudness * (0.3 * white[1:] - 0.25 * white[:-1] + tone)


def embed_whole(embedder, samples):
    with torch.inference_mode():
        return embedder(torch.from_numpy(samples).unsqueeze(0))[0].float().numpy()


@given(
    frames=st.integers(37, 3000),
    stride=st.sampled_from([1, 2, 32]),
    before=st.integers(0, 600),
    behind=st.integers(0, 600),
    block_frames=st.integers(1, 900),
)
@settings(max_examples=200)
def test_each_frame_comes_out_once_from_a_block_that_holds_all_it_sees(
    frames, stride, before, behind, block_frames
):
    cut = list(
        windows(frames, Reach(stride, before, behind), block_frames=block_frames)
    )

    done = 0
    for window in cut:
        assert window.start % stride == 0
        assert window.start // stride + window.first == done
        assert window.start == 0 or window.start <= done * stride - before
        if window.last is not None:
            done = window.start // stride + window.last
            assert window.stop > (done - 1) * stride + behind
    assert cut[-1].stop == frames
    assert [window.last for window in cut].index(None) == len(cut) - 1


@given(
    samples=st.integers(RATE, 13 * RATE),
    block_frames=st.integers(1, 20).map(lambda count: 40 * count),
    block_samples=st.sampled_from([399, 16_001, 100_000]),
)
@settings(max_examples=6)
def test_any_length_in_any_blocks(embedder, samples, block_frames, block_samples):
    samples = speech_like(13)[:samples]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(arrays, "BLOCK_SAMPLES", block_samples)

        embedding = embed_long(embedder, samples, rate=RATE, block_frames=block_frames)

    np.testing.assert_allclose(
        embedding, embed_whole(embedder, samples), rtol=0, atol=1e-6
    )


@pytest.mark.parametrize(
    "frames",
    [
        pytest.param(800, marks=pytest.mark.slow),
        831,
        832,
        pytest.param(833, marks=pytest.mark.slow),
    ],
)
def test_in_float64_nothing_is_left_but_rounding(golden_weights, frames):
    embedder = with_network(golden_weights.fill(dlt_resnet34()).double())
    samples = speech_like(9)[: embedder.features.samples(frames)]

    embedding = embed_long(embedder, samples, rate=RATE, block_frames=256)

    whole = embed_whole(embedder, samples)
    assert embedding.dtype == np.float32
    np.testing.assert_allclose(embedding, whole, rtol=0, atol=6e-8)


def test_a_halo_too_short_would_show(embedder, monkeypatch):
    """The check that the others can fail: blocks that see 128 frames around."""
    samples = speech_like(20)
    monkeypatch.setattr(
        type(embedder.network), "reach", lambda self: Reach(32, 128, 128)
    )

    embedding = embed_long(embedder, samples, rate=RATE, block_frames=256)

    assert np.abs(embedding - embed_whole(embedder, samples)).max() > 1e-4


def test_a_folded_network_embeds_long_recordings_too(golden_weights):
    network = golden_weights.fill(dlt_resnet34())
    samples = speech_like(20)

    embedding = embed_long(
        with_network(fold(network)), samples, rate=RATE, block_frames=512
    )

    np.testing.assert_allclose(
        embedding, embed_whole(with_network(network), samples), rtol=0, atol=1e-5
    )


@pytest.mark.parametrize("peak", [0.5, 1.0, 1.9])
@pytest.mark.parametrize("loudest_at", [0.1, 0.9])
def test_features_are_scaled_by_the_peak_of_the_whole(peak, loudest_at):
    """In a recording that reaches 1, also its quiet blocks stay as they are."""
    samples = speech_like(3)
    samples[int(loudest_at * len(samples))] = peak
    parts = np.array_split(samples, 7)

    features = _LongFeatures(Spectrogram(), parts, device=torch.device("cpu"))

    normalised = torch.cat(list(features.blocks(torch.float64)), dim=-1)
    whole = Spectrogram()(torch.from_numpy(samples).unsqueeze(0))[0]
    assert features.frames == whole.shape[-1]
    torch.testing.assert_close(normalised, whole, rtol=0, atol=1e-9)


@pytest.mark.parametrize("channel", [0, "mix"])
def test_a_file_of_two_channels(tmp_path, embedder, channel):
    both = np.stack([speech_like(12), speech_like(12, seed=1)], axis=1)
    path = tmp_path / "a.wav"
    soundfile.write(path, both, RATE, subtype="DOUBLE")

    embedding = embed_long(embedder, path, channel=channel, block_frames=256)

    samples = both[:, 0] if channel == 0 else both.mean(axis=1)
    np.testing.assert_allclose(
        embedding, embed_whole(embedder, samples), rtol=0, atol=1e-6
    )


def test_another_rate(embedder, monkeypatch):
    """Half a minute in transforms of five seconds; hours are closer, in longer ones."""
    monkeypatch.setattr(waveform, "LONGEST_MARGIN_SECONDS", 2)
    samples = speech_like(30.3, 44_100)

    embedding = embed_long(embedder, samples, rate=44_100)

    whole = Waveform(samples, 44_100).resampled(RATE, method="fft").samples
    np.testing.assert_allclose(
        embedding, embed_whole(embedder, whole), rtol=0, atol=3e-4
    )


@pytest.mark.slow
@pytest.mark.parametrize("rate", [8_000, 44_100])
def test_six_minutes_at_another_rate(embedder, rate):
    """Noise up to the end of the band is the worst that can come."""
    samples = speech_like(360.0013, rate)

    embedding = embed_long(embedder, samples, rate=rate)

    whole = Waveform(samples, rate).resampled(RATE, method="fft").samples
    expected = embed_whole(embedder, whole)
    np.testing.assert_allclose(embedding, expected, rtol=0, atol=1e-4)


def test_bad_recordings_are_refused_as_when_they_are_short(embedder):
    with pytest.raises(SilentRecording, match=r"in 3\.00 s nothing is louder"):
        embed_long(embedder, np.zeros(3 * RATE), rate=RATE)
    with pytest.raises(TooShortRecording, match=r"at least 0\.385 s are needed"):
        embed_long(embedder, speech_like(0.38), rate=RATE)


def test_other_networks_are_refused(golden_weights):
    embedder = SpeakerEmbedder(
        KaldiFbank(), golden_weights.fill(campplus()), sample_rate=RATE
    )

    with pytest.raises(TypeError, match="CAMPPlus looks at whole recordings"):
        embed_long(embedder, speech_like(3), rate=RATE)


def test_a_file_that_shrinks_while_it_is_read(tmp_path, embedder, monkeypatch):
    path = tmp_path / "a.wav"
    soundfile.write(path, speech_like(12), RATE)
    normalised = _LongFeatures.blocks

    def shrink(self, precision):
        soundfile.write(path, speech_like(3), RATE)
        return normalised(self, precision)

    monkeypatch.setattr(_LongFeatures, "blocks", shrink)

    with pytest.raises(UnreadableRecording, match="shorter while it was read"):
        embed_long(embedder, path)


MEASURE = """
import re, sys
from pathlib import Path
import torch
from bob.learn.pytorch.architectures import dlt_resnet34, resnet34
from bob.learn.pytorch.models.embedder import SpeakerEmbedder
from bob.learn.pytorch.inference.long import embed_long
from bob.learn.pytorch.features import Spectrogram

network = {"dlt_resnet34": dlt_resnet34, "resnet34": resnet34}[sys.argv[1]]()
embedder = SpeakerEmbedder(Spectrogram(), network, sample_rate=16_000).eval()
embed_long(embedder, sys.argv[2])
# Not ru_maxrss: Linux counts the parent's peak there too, until the child's exec.
status = Path("/proc/self/status").read_text()
print(int(re.search(r"VmHWM:\\s+(\\d+)", status)[1]) / 1024)
"""


@pytest.mark.slow
@pytest.mark.parametrize("network", ["dlt_resnet34", "resnet34"])
def test_half_an_hour_takes_no_more_than_two_gigabytes(tmp_path, network):
    """As a whole it would take 5 GB or more, three hours in blocks what this takes."""
    minute = speech_like(60)
    path = tmp_path / "long.wav"
    with soundfile.SoundFile(path, "w", RATE, 1) as file:
        for _ in range(30):
            file.write(minute)

    answer = subprocess.run(
        [sys.executable, "-c", MEASURE, network, path],
        check=True,
        capture_output=True,
        text=True,
    )

    assert float(answer.stdout) < 2000
