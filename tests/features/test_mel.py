"""The filter bank against torchaudio, stored and live, and against a slow loop."""

import math

import numpy as np
import pytest
import torch
from golden_cases import CAMPPLUS as CASES

from bob.learn.pytorch.features import KaldiFbank

LIBRISPEECH = ["1688/1688-142285-0000", "3005/3005-163389-0005"]


@pytest.fixture(scope="module")
def waveforms(golden):
    stored = np.load(golden / "campplus" / "waveforms.npz")
    first = stored["voice16k_int16"] / 32_768
    second = stored["voice16k_float"]
    return {
        "voice16k_int16": first,
        "voice16k_float": second,
        "voice16k_concat": np.concatenate([first, second, first]),
        "short3_int16": first[6_000:6_720],
        "short30_int16": first[6_000:11_040],
    }


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("case", CASES)
def test_the_features_that_campplus_was_published_with(golden, waveforms, case, dtype):
    """Torchaudio's, in float32; 2.3e-4 apart where the energy is near nothing."""
    stored = np.load(golden / "campplus" / "fbank.npz")
    waveform = torch.from_numpy(waveforms[case])[None].to(dtype)
    front_end = KaldiFbank()

    features = front_end(waveform)[0].T.numpy()
    mean = front_end.log_mel(waveform)[0].mean(dim=-1).numpy()

    difference = np.abs(features - stored[case])
    assert difference.max() < 5e-4
    assert difference.mean() < 2e-5
    np.testing.assert_allclose(mean, stored[f"{case}__mean"], atol=3e-4, rtol=0)


@pytest.mark.parametrize("case", LIBRISPEECH)
def test_the_features_of_real_speech(shared, case):
    soundfile = pytest.importorskip("soundfile")
    stored = np.load(shared / "golden" / "campplus" / "fbank.npz")
    recording = shared / "data" / "librispeech" / "test-other" / f"{case}.flac"
    waveform = torch.from_numpy(soundfile.read(recording)[0]).float()[None]
    front_end = KaldiFbank()

    features = front_end(waveform)[0].T.numpy()
    mean = front_end.log_mel(waveform)[0].mean(dim=-1).numpy()

    difference = np.abs(features[:300] - stored[case])
    assert difference.max() < 5e-3
    assert difference.mean() < 5e-5
    np.testing.assert_allclose(mean, stored[f"{case}__mean"], atol=3e-4, rtol=0)


def test_torchaudio_in_float64_with_its_own_filters(waveforms):
    """Its filters are made in float32; put into ours, all else agrees to 1e-9."""
    kaldi = pytest.importorskip("torchaudio.compliance.kaldi")
    waveform = torch.from_numpy(waveforms["voice16k_float"])[None]
    expected = kaldi.fbank(waveform, num_mel_bins=80, dither=0, sample_frequency=16_000)
    filters, _ = kaldi.get_mel_banks(80, 512, 16_000.0, 20.0, 0.0, 100.0, -500.0, 1.0)
    front_end = KaldiFbank()
    front_end.filters.copy_(filters)

    log_mel = front_end.log_mel(waveform)[0].T

    assert expected.dtype == torch.float64
    torch.testing.assert_close(log_mel, expected, atol=1e-9, rtol=0)


def test_one_frame_by_a_slow_loop(waveforms):
    samples = [float(sample) for sample in waveforms["voice16k_float"][3_000:3_400]]

    log_mel = KaldiFbank().log_mel(torch.tensor([samples], dtype=torch.float64))

    np.testing.assert_allclose(log_mel[0, :, 0].numpy(), slow_log_mel(samples))


def slow_log_mel(samples):
    """Kaldi's recipe for one frame, one number after the other."""
    mean = sum(samples) / 400
    centred = [sample - mean for sample in samples]
    windowed = [
        (centred[n] - 0.97 * centred[max(n - 1, 0)])
        * (0.5 - 0.5 * math.cos(2 * math.pi * n / 399)) ** 0.85
        for n in range(400)
    ]
    power = [
        abs(
            sum(y * np.exp(-2j * math.pi * k * n / 512) for n, y in enumerate(windowed))
        )
        ** 2
        for k in range(256)
    ]

    def mel(frequency):
        return 1127 * math.log(1 + frequency / 700)

    edges = np.linspace(mel(20), mel(8_000), 82)
    return [
        math.log(
            max(
                2**-23,
                sum(
                    power[k]
                    * max(
                        0, min((m - left) / (mid - left), (right - m) / (right - mid))
                    )
                    for k, m in ((k, mel(31.25 * k)) for k in range(256))
                ),
            )
        )
        for left, mid, right in zip(edges, edges[1:], edges[2:], strict=False)
    ]


def test_loudness_counts_only_at_the_floor_of_the_logarithm(waveforms):
    """Four times the samples add log 16; what was at the floor rises by less."""
    front_end = KaldiFbank()
    waveform = torch.from_numpy(waveforms["voice16k_float"])[None]

    rise = front_end.log_mel(4 * waveform) - front_end.log_mel(waveform)

    at_floor = front_end.log_mel(waveform) == math.log(2**-23)
    assert at_floor.any()
    assert (rise[at_floor] < math.log(16)).all()
    expected = torch.tensor(math.log(16)).double().expand_as(rise)[~at_floor]
    torch.testing.assert_close(rise[~at_floor], expected)


@pytest.mark.parametrize("level", [0.0, 0.25])
def test_silence_and_constants_lie_on_the_floor_and_become_zeros(level):
    waveform = torch.full((1, 16_000), level)

    log_mel = KaldiFbank().log_mel(waveform)

    torch.testing.assert_close(log_mel, torch.full_like(log_mel, math.log(2**-23)))
    assert not KaldiFbank()(waveform).abs().gt(1e-5).any()
