"""The spectrogram against the C++ of bob.ap and against a slow loop."""

import math

import numpy as np
import pytest
import scipy.signal
import torch
from files import from_json
from golden_cases import CASES as WITHOUT_CONSTANT

from bob.learn.pytorch.features import Spectrogram

CONSTANT = [(folder, "const_int16") for folder in ("synthetic", "speech")]
CASES = [*WITHOUT_CONSTANT, *CONSTANT]


def waveform_at_16_khz(folder, case):
    waveform = np.load(folder / "waveforms.npz")[case].astype(np.float64)
    rate = from_json(folder / "meta.json")[case]["rate"]
    if rate != 16_000:
        length = round(len(waveform) * 16_000 / rate)
        waveform = scipy.signal.resample(waveform, length)
    return torch.from_numpy(waveform)[None]


@pytest.mark.parametrize(("folder", "case"), CASES, indirect=["folder"])
def test_magnitudes_are_those_of_bob(folder, case):
    waveform = waveform_at_16_khz(folder, case)
    expected = np.load(folder / "spectrograms.npz")[case]

    magnitude = Spectrogram().magnitude(waveform)[0].T.numpy()

    largest = expected.max()
    np.testing.assert_allclose(magnitude, expected, rtol=1e-7, atol=1e-9 * largest)


@pytest.mark.parametrize(("folder", "case"), CASES, indirect=["folder"])
def test_magnitudes_in_float32(folder, case):
    waveform = waveform_at_16_khz(folder, case).float()
    expected = np.load(folder / "spectrograms.npz")[case]

    magnitude = Spectrogram().magnitude(waveform)[0].T.numpy()

    assert magnitude.dtype == np.float32
    np.testing.assert_allclose(magnitude, expected, atol=2e-6 * expected.max(), rtol=0)


def slow_magnitude(samples):
    """The recipe of bob.ap, one sample after the other."""
    rows = []
    last_of_hop = 0.0
    for start in range(0, len(samples) - 399, 160):
        frame = list(samples[start : start + 400])
        mean = sum(frame) / 512
        frame = [sample - mean for sample in frame]
        previous = [last_of_hop, *frame[:-1]]
        last_of_hop = frame[159]
        emphasised = [
            sample - 0.97 * before
            for sample, before in zip(frame, previous, strict=True)
        ]
        windowed = [
            sample * (0.54 - 0.46 * math.cos(2 * math.pi * n / 399))
            for n, sample in enumerate(emphasised)
        ]
        rows.append(
            [
                math.hypot(
                    sum(
                        sample * math.cos(2 * math.pi * bin_ * n / 512)
                        for n, sample in enumerate(windowed)
                    ),
                    sum(
                        sample * math.sin(2 * math.pi * bin_ * n / 512)
                        for n, sample in enumerate(windowed)
                    ),
                )
                for bin_ in range(257)
            ]
        )
    return np.array(rows)


def test_a_tone_on_an_offset_by_a_slow_loop():
    """1 kHz stands in bin 32 of 31.25 Hz; the offset makes the frame means count."""
    samples = [
        100 + 1_000 * math.sin(2 * math.pi * 1_000 * n / 16_000 + 0.3)
        for n in range(800)
    ]
    expected = slow_magnitude(samples)

    waveform = torch.tensor([samples], dtype=torch.float64)
    magnitude = Spectrogram().magnitude(waveform)[0].T.numpy()

    assert magnitude.shape == (3, 257)
    assert (magnitude.argmax(axis=1) == 32).all()
    np.testing.assert_allclose(
        magnitude, expected, rtol=1e-7, atol=1e-9 * expected.max()
    )


def test_floats_below_one_are_scaled_to_16_bit_each_row_by_itself():
    torch.manual_seed(0)
    noise = torch.rand(800, dtype=torch.float64) - 0.5
    quiet = noise / noise.abs().max() * 0.999
    full = noise / noise.abs().max()

    magnitude = Spectrogram().magnitude(torch.stack([quiet, full]))

    unscaled = Spectrogram().magnitude(full[None])[0]
    torch.testing.assert_close(magnitude[0], 32_768 * 0.999 * unscaled)
    torch.testing.assert_close(magnitude[1], unscaled)


@pytest.mark.parametrize("loudness", [1.0, 1e-12])
def test_every_bin_is_normalised_over_time_by_the_biased_deviation(loudness):
    """At 1e-12 the deviation is about as large as the 1e-7 that is added to it."""
    torch.manual_seed(0)
    waveform = loudness * torch.rand(1, 1_200, dtype=torch.float64)
    front_end = Spectrogram()
    magnitude = front_end.magnitude(waveform)[0].numpy()

    features = front_end(waveform)[0].numpy()

    mean = magnitude.mean(axis=1, keepdims=True)
    deviation = np.sqrt(((magnitude - mean) ** 2).mean(axis=1, keepdims=True))
    np.testing.assert_allclose(features, (magnitude - mean) / (deviation + 1e-7))


def test_silence_becomes_zeros():
    assert not Spectrogram()(torch.zeros(2, 16_000, dtype=torch.float64)).any()


def test_silence_has_a_finite_gradient():
    waveform = torch.zeros(1, 800, requires_grad=True)

    Spectrogram()(waveform).square().sum().backward()

    assert waveform.grad.isfinite().all()
