"""How the front ends cut a waveform into frames, told on both of them."""

import pytest
import torch

from bob.learn.pytorch.features import KaldiFbank, Spectrogram


@pytest.fixture(params=[Spectrogram, KaldiFbank])
def front_end(request):
    return request.param()


@pytest.mark.parametrize(
    ("samples", "frames"),
    [(0, 0), (399, 0), (400, 1), (559, 1), (560, 2), (6159, 36), (6160, 37)],
)
def test_only_whole_windows_are_frames(front_end, samples, frames):
    assert front_end.frames(samples) == frames
    if frames:
        assert front_end(torch.rand(1, samples)).shape == (1, front_end.bins, frames)


@pytest.mark.parametrize("frames", [0, 1, 2, 3, 37, 1000])
def test_fewest_samples_for_some_frames(front_end, frames):
    samples = front_end.samples(frames)

    assert front_end.frames(samples) == frames
    assert frames == 0 or front_end.frames(samples - 1) == frames - 1


def test_the_tail_that_fills_no_window_changes_nothing(front_end):
    torch.manual_seed(0)
    waveform = torch.rand(1, 16_000, dtype=torch.float64) - 0.5

    assert torch.equal(front_end(waveform), front_end(waveform[:, :15_920]))


def test_rows_of_a_batch_do_not_touch_each_other(front_end):
    """Rows of very different loudness, one of them in the range of 16-bit integers."""
    torch.manual_seed(0)
    waveforms = torch.randn(3, 4_000, dtype=torch.float64)
    waveforms *= torch.tensor([[0.01], [0.2], [3_000.0]])

    together = front_end(waveforms)

    for row, waveform in zip(together, waveforms, strict=True):
        torch.testing.assert_close(row, front_end(waveform[None])[0])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_features_have_the_precision_of_the_waveform(front_end, dtype):
    assert front_end(torch.rand(2, 800, dtype=dtype)).dtype == dtype


@pytest.mark.parametrize(
    ("samples", "said"),
    [(399, r"399 samples .* 400 samples \(25 ms"), (0, "waveform of 0 samples")],
)
def test_too_short_for_one_window(front_end, samples, said):
    with pytest.raises(ValueError, match=said):
        front_end(torch.zeros(1, samples))


@pytest.mark.parametrize(
    "waveform",
    [torch.zeros(16_000), torch.zeros(1, 1, 16_000), torch.zeros(1, 16_000).short()],
)
def test_no_batch_of_floats(front_end, waveform):
    with pytest.raises(
        ValueError, match=r"\(batch, time\); got torch\.(float32|int16)"
    ):
        front_end(waveform)


def test_nothing_to_store_with_the_weights(front_end):
    assert not front_end.state_dict()


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_casting_the_module_leaves_it_exact(front_end, dtype):
    """Somebody calls `embedder.half()`: the window must not lose its digits."""
    torch.manual_seed(0)
    waveform = torch.rand(1, 4_000, dtype=torch.float64)
    expected = front_end(waveform)

    front_end.to(dtype)

    assert torch.equal(front_end(waveform), expected)
