"""Mean and deviation of blocks are those of the whole."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bob.learn.pytorch.inference.long import _Moments


@given(
    sizes=st.lists(st.integers(1, 50), min_size=1, max_size=9),
    offset=st.sampled_from([0.0, 1e6]),
    correction=st.sampled_from([0, 1]),
)
@settings(max_examples=30)
def test_blocks_have_the_moments_of_the_whole(sizes, offset, correction):
    whole = offset + np.random.default_rng(0).standard_normal((3, sum(sizes) + 1))
    moments = _Moments()

    for part in np.split(whole, np.cumsum(sizes), axis=1):
        moments.add(torch.from_numpy(part))

    assert moments.count == whole.shape[1]
    np.testing.assert_allclose(moments.mean, whole.mean(axis=1), rtol=1e-14, atol=1e-14)
    np.testing.assert_allclose(
        moments.deviation(correction=correction),
        whole.std(axis=1, ddof=correction),
        rtol=1e-9,
    )


def test_sums_are_in_float64():
    """A million ones and a hundred million: float32 would lose the ones."""
    moments = _Moments()

    for _ in range(10):
        moments.add(torch.ones(1, 100_000))
    moments.add(torch.full((1, 1), 1e8))

    assert moments.mean.item() == pytest.approx(101e6 / 1_000_001, rel=1e-14)
