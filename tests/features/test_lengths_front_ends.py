"""Features of a padded batch are those of its waveforms one by one."""

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bob.learn.pytorch.features import KaldiFbank, Spectrogram

FILLERS = [float("nan"), float("inf"), -1e30, 1.0, 0.0]
# A window is 400 samples, a hop 160.
SAMPLES = st.one_of(
    st.integers(400, 24_000), st.sampled_from([400, 559, 560, 561, 719, 720])
)
MIXTURES = st.tuples(
    st.lists(SAMPLES, min_size=1, max_size=5),
    st.sampled_from(FILLERS),
    st.integers(0, 2_000),
)


@pytest.fixture(params=[Spectrogram, KaldiFbank], scope="module")
def front_end(request):
    return request.param()


def noise(lengths):
    """Waveforms from a whisper to what goes over the full scale."""
    generator = torch.Generator().manual_seed(sum(lengths))
    return [
        torch.randn(samples, generator=generator, dtype=torch.float64) * 0.001 * 6**i
        for i, samples in enumerate(lengths)
    ]


def largest_difference(front_end, waveforms, filler, extra):
    lengths = torch.tensor([len(waveform) for waveform in waveforms])
    size = (len(waveforms), int(lengths.max()) + extra)
    batch = waveforms[0].new_full(size, filler)
    for row, waveform in zip(batch, waveforms, strict=True):
        row[: len(waveform)] = waveform

    together = front_end(batch, lengths)

    differences = []
    ends = front_end.lengths(lengths).tolist()
    for features, waveform, frames in zip(together, waveforms, ends, strict=True):
        alone = front_end(waveform[None])[0]
        assert alone.shape[-1] == frames
        assert not features[:, frames:].any()
        differences.append((features[:, :frames] - alone).abs().max().item())
    return max(differences)


@settings(max_examples=25)
@given(mixture=MIXTURES)
@example(mixture=([400, 24_000], float("nan"), 0))
def test_any_batch_is_its_waveforms_one_by_one(front_end, mixture):
    lengths, filler, extra = mixture

    assert largest_difference(front_end, noise(lengths), filler, extra) < 1e-9


@settings(max_examples=10)
@given(mixture=MIXTURES)
def test_in_single_precision_rounding_is_left(front_end, mixture):
    lengths, filler, extra = mixture
    waveforms = [waveform.float() for waveform in noise(lengths)]

    assert largest_difference(front_end, waveforms, filler, extra) < 2e-5


@pytest.mark.parametrize("hertz", [0, 440.3, 1000])
def test_where_nothing_varies_a_batch_is_exact_in_double_precision(front_end, hertz):
    """A constant, or a tone: the spectrogram divides by a deviation near nothing."""
    seconds = torch.arange(16_000, dtype=torch.float64) / 16_000
    tone = 0.5 * torch.sin(2 * torch.pi * hertz * seconds)

    difference = largest_difference(
        front_end, [tone, tone[:7_777], tone[:560]], float("nan"), 100
    )

    assert difference < 1e-9


def test_a_peak_behind_an_item_does_not_scale_it():
    """The spectrogram multiplies by 32768 what stays below 1, of the item alone."""
    waveform = 0.001 * torch.randn(1, 4_000, generator=torch.Generator().manual_seed(0))
    batch = torch.cat([waveform, torch.full((1, 400), 7.0)], dim=1)

    features = Spectrogram()(batch, torch.tensor([4_000]))

    alone = Spectrogram()(waveform)
    torch.testing.assert_close(features[..., : alone.shape[-1]], alone)


def test_means_over_the_padding_change_features(front_end):
    """What the lengths are for."""
    waveforms = noise([8_000, 16_000])
    batch = torch.zeros(2, 16_000, dtype=torch.float64)
    batch[0, :8_000], batch[1] = waveforms

    frames = front_end.frames(8_000)
    difference = (
        front_end(batch)[0] - front_end(batch, torch.tensor([8_000, 16_000]))[0]
    )

    assert difference[:, :frames].abs().max() > 1e-2
