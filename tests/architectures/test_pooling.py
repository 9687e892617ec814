"""Statistics pooling by hand."""

import torch

from bob.learn.pytorch.architectures.blocks import StatisticsPooling


def test_means_first_then_deviations_divided_by_frames_less_one():
    """1, 2, 3, 6 have mean 3 and squares 4 + 1 + 0 + 9 = 14 about it."""
    frames = torch.tensor([[[1.0, 2.0, 3.0, 6.0], [5.0, 5.0, 5.0, 5.0]]])

    pooled = StatisticsPooling()(frames)

    expected = torch.tensor([[3.0, 5.0, (14 / 3) ** 0.5, 0.0]])
    torch.testing.assert_close(pooled, expected)


def test_a_channel_that_never_changes_does_not_break_training():
    """The slope of a square root at 0 is infinite."""
    frames = torch.ones(1, 2, 5, requires_grad=True)

    StatisticsPooling()(frames).sum().backward()

    torch.testing.assert_close(frames.grad, torch.full((1, 2, 5), 0.2))
