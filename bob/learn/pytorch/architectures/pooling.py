"""Any number of frames to one vector."""

import torch
from torch import Tensor, nn

from bob.learn.pytorch.lengths import mean_and_deviation


class StatisticsPooling(nn.Module):
    """Mean and unbiased standard deviation of every channel over time.

    The variance is divided by frames - 1, and nothing is added to it; with one frame
    it does not exist, so the networks refuse recordings that would leave only one.

    References
    ----------
    Snyder et al., "X-vectors: robust DNN embeddings for speaker recognition",
    ICASSP 2018, section 2.1.

    Examples
    --------
    >>> StatisticsPooling()(torch.zeros(4, 512, 300)).shape
    torch.Size([4, 1024])
    """

    def forward(self, frames: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(batch, channels, frames) -> (batch, 2 * channels), the means first.

        Frames behind the lengths do not count, whatever stands there. Sums are taken in
        float32 at least.
        """
        frames = frames.to(torch.promote_types(frames.dtype, torch.float32))
        statistics = mean_and_deviation(frames, lengths, correction=1)
        return torch.cat(statistics, dim=1).squeeze(-1)
