"""Mean and deviation of what comes in blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


class Moments:
    """Mean and deviation over the last axis of blocks, as if they were one.

    Everything is summed in float64.

    Attributes
    ----------
    count
        How many columns there were.

    References
    ----------
    Chan, Golub and LeVeque, "Algorithms for computing the sample variance", The
    American Statistician 37(3), 1983, equation 2.1.

    Examples
    --------
    >>> import torch
    >>> moments = Moments()
    >>> moments.add(torch.tensor([[1.0, 2.0]]))
    >>> moments.add(torch.tensor([[6.0]]))
    >>> moments.mean, moments.deviation(correction=1)
    (tensor([3.], dtype=torch.float64), tensor([2.6458], dtype=torch.float64))
    """

    mean: Tensor
    _squares: Tensor

    def __init__(self) -> None:
        self.count = 0

    def add(self, block: Tensor) -> None:
        """Count in (…, columns), at least one column."""
        import torch

        count = block.shape[-1]
        variance, mean = torch.var_mean(block.double(), dim=-1, correction=0)
        if not self.count:
            self.count, self.mean, self._squares = count, mean, variance * count
            return
        total = self.count + count
        shift = mean - self.mean
        self._squares += variance * count + shift.square() * self.count * count / total
        self.mean += shift * count / total
        self.count = total

    def deviation(self, *, correction: int) -> Tensor:
        """Standard deviation, (…); `correction` is taken off the count."""
        return (self._squares / (self.count - correction)).sqrt()
