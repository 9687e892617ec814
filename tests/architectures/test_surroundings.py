"""What surrounds a frame in CAM++: its segment, and the whole recording."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bob.learn.pytorch.masking import (
    surroundings,
    surroundings_of_means,
    weights_of_segments,
)


def test_surroundings_by_hand():
    """Segments of 3 of five frames and of two: the mean of each, and of all."""
    frames = torch.tensor([[[1.0, 2, 3, 4, 6]], [[5.0, 7, 0, 0, 0]]])

    means = surroundings(frames, torch.tensor([5, 2]), size=3)

    torch.testing.assert_close(means[0, 0, :2], torch.tensor([2 + 3.2, 5 + 3.2]))
    assert means[1, 0, 0] == 6 + 6


def means_of_segments(frames, lengths):
    """By way of pooling, as folded networks have them."""
    pooled = torch.nn.functional.avg_pool1d(frames, 3, ceil_mode=True)
    weights = weights_of_segments(lengths, time=frames.shape[-1], size=3, like=frames)
    return surroundings_of_means(pooled, weights)


def test_surroundings_of_means_by_hand():
    """As above; pooling divided the last segment by two, and the zeros by three."""
    frames = torch.tensor([[[1.0, 2, 3, 4, 6]], [[5.0, 7, 0, 0, 0]]])

    means = means_of_segments(frames, torch.tensor([5, 2]))

    torch.testing.assert_close(means[0, 0], torch.tensor([2 + 3.2, 5 + 3.2]))
    torch.testing.assert_close(means[1, 0, 0], torch.tensor(6.0 + 6))


@pytest.mark.parametrize("time", range(1, 8))
def test_surroundings_of_means_where_all_fill_the_batch(time):
    frames = torch.randn(2, 4, time, dtype=torch.float64)

    means = means_of_segments(frames, None)

    lengths = torch.tensor([time, time])
    expected = surroundings(frames, lengths, size=3)[..., : means.shape[-1]]
    assert means.shape[-1] == -(-time // 3)
    torch.testing.assert_close(means, expected)


@settings(max_examples=50)
@given(lengths=st.lists(st.integers(1, 14), min_size=1), extra=st.integers(0, 4))
def test_surroundings_are_those_that_an_item_has_alone(lengths, extra):
    """By both ways; nothing is asked of segments behind an item."""
    size = (len(lengths), 2, max(lengths) + extra)
    generator = torch.Generator().manual_seed(sum(lengths))
    frames = torch.randn(size, dtype=torch.float64, generator=generator)
    for item, end in zip(frames, lengths, strict=True):
        item[:, end:] = 0
    ends = torch.tensor(lengths)

    summed, pooled = surroundings(frames, ends, size=3), means_of_segments(frames, ends)

    for i, end in enumerate(lengths):
        alone = frames[i, :, :end]
        whole = alone.mean(dim=-1)
        own = torch.stack([part.mean(-1) + whole for part in alone.split(3, -1)], -1)
        segments = own.shape[-1]
        torch.testing.assert_close(summed[i, :, :segments], own)
        torch.testing.assert_close(pooled[i, :, :segments], own)
