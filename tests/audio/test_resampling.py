"""Blocks at another rate are the whole recording at another rate."""

import numpy as np
import pytest

from bob.learn.pytorch.audio import Waveform, arrays, as_blocks, waveform

AFTER = 16_000


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(arrays, "BLOCK_SAMPLES", 10_007)
    monkeypatch.setattr(waveform, "LONGEST_MARGIN_SECONDS", 2)
    monkeypatch.setattr(waveform, "LONGEST_MIDDLE_SECONDS", 1)


def resampled(samples, rate):
    parts = as_blocks(samples, rate=rate).resampled(AFTER, samples=len(samples))
    first, again = list(parts), list(parts)
    assert len(first) > 1
    assert parts.sample_rate == AFTER
    np.testing.assert_array_equal(np.concatenate(first), np.concatenate(again))
    return np.concatenate(first)


def whole(samples, rate):
    return Waveform(samples, rate).resampled(AFTER, method="fft").samples


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000])
@pytest.mark.parametrize("odd", [0, 1, 37])
def test_tones_come_out_as_from_one_transform(rate, odd):
    """Also with an offset, and a length that is no whole number of samples after."""
    time = np.arange(11 * rate - odd) / rate
    tones = 0.1 + 0.2 * np.sin(2 * np.pi * 440.3 * time)
    tones += 0.2 * np.sin(2 * np.pi * 0.8 * min(rate, AFTER) / 2 * time + 1)

    np.testing.assert_allclose(
        resampled(tones, rate), whole(tones, rate), rtol=0, atol=2e-4
    )


@pytest.mark.parametrize("rate", [8_000, 44_100])
def test_noise_comes_out_as_from_one_transform(rate):
    """Of the energy of noise, a part of 1 / margin / bandwidth is at the edge."""
    noise = 0.2 * np.random.default_rng(0).standard_normal(20 * rate + 123)

    error = resampled(noise, rate) - whole(noise, rate)

    assert np.sqrt(np.mean(error**2)) < 0.2 * np.sqrt(1 / 2 / 8000)


def test_a_recording_shorter_than_a_margin():
    noise = 0.2 * np.random.default_rng(0).standard_normal(56_789)

    error = resampled(noise, 44_100) - whole(noise, 44_100)

    assert np.abs(error).max() < 0.01


def test_at_the_same_rate_nothing_happens():
    parts = as_blocks(np.zeros(20_000), rate=AFTER)

    assert parts.resampled(AFTER, samples=20_000) is parts
