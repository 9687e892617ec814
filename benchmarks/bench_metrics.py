"""Intervals and paired differences, for which speakers are drawn again and again."""

import numpy as np
import pytest

from bob.learn.pytorch.metrics import (
    CLLR,
    ErrorCurve,
    Names,
    ScoreTable,
    confidence_intervals,
    paired_differences,
)


def vox_like(seed):
    """580,000 trials of 1,251 speakers, half of them targets."""
    random = np.random.default_rng(0)
    claimed = random.integers(1251, size=580_000)
    real = np.where(
        random.random(580_000) < 0.5, claimed, random.integers(1251, size=580_000)
    )
    names = tuple(f"speaker{i}" for i in range(1251))
    own = np.random.default_rng(seed).normal(size=580_000)
    return ScoreTable(
        claimed=Names(names, claimed.astype(np.int32)),
        real=Names(names, real.astype(np.int32)),
        probe=Names.of(map(str, range(580_000))),
        score=own + 3 * (claimed == real),
    )


@pytest.mark.parametrize("what", ["intervals", "paired"])
def bench_speakers_drawn_a_thousand_times(benchmark, what):
    """EER, minDCF and Cllr on 1,000 draws of the speakers of 580,000 trials."""
    first, second = vox_like(1), vox_like(2)
    measures = {
        "eer": ErrorCurve.equal_error_rate,
        "min_dcf": ErrorCurve.min_dcf,
        "cllr": CLLR,
    }

    def work():
        if what == "paired":
            return paired_differences(first, second, measures)
        return confidence_intervals(first, measures)

    found = benchmark.pedantic(work, rounds=1, iterations=1)

    assert set(found) == set(measures)
