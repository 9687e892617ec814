"""PLDA, large matrices and calibration at the sizes of VoxCeleb.

Embeddings are random: nothing here depends on what they are of. Files are not read.
Cosines of trial lists and AS-norm stand in `evaluation.py`.
"""

import numpy as np
import pytest

from bob.learn.pytorch.calibration import fit_calibration, fit_isotonic
from bob.learn.pytorch.scoring import score_into_file, train_plda

DIMENSIONS = 192
# VoxCeleb1-E, the longest list.
RECORDINGS, TRIALS = 145_160, 580_000


def rows(count, seed=0):
    random = np.random.default_rng(seed)
    return random.normal(size=(count, DIMENSIONS)).astype(np.float32)


def bench_listed_trials_by_plda(benchmark):
    """580,000 trials of 145,160 recordings by PLDA of 128 dimensions."""
    random = np.random.default_rng(2)
    speakers = np.repeat(np.arange(1000), 10)
    train = random.normal(size=(1000, DIMENSIONS))[speakers] + rows(10_000)
    backend = train_plda(train, speakers, dimensions=128)
    embeddings = rows(RECORDINGS)
    pairs = tuple(random.integers(RECORDINGS, size=(2, TRIALS)))

    def score():
        projected = backend.project(embeddings)
        return backend.score_pairs(projected, projected, pairs=pairs)

    benchmark.pedantic(score, rounds=3)


def bench_all_against_all_into_a_file(benchmark, tmp_path):
    """10,000 x 10,000 cosines into a file of float32 (400 MB)."""
    embeddings = rows(10_000)

    benchmark.pedantic(
        score_into_file,
        (embeddings, embeddings),
        {"path": tmp_path / "scores.npy"},
        rounds=3,
    )

    benchmark.extra_info["million scores a second"] = (
        len(embeddings) ** 2 / 1e6 / benchmark.stats.stats.median
    )


def bench_plda_training(benchmark):
    """60,000 recordings of 6,000 speakers to 128 dimensions, 20 iterations."""
    random = np.random.default_rng(4)
    speakers = np.repeat(np.arange(6000), 10)
    train = random.normal(size=(6000, DIMENSIONS))[speakers] + rows(60_000)

    benchmark.pedantic(train_plda, (train, speakers), {"dimensions": 128}, rounds=1)


@pytest.mark.parametrize("fit", [fit_calibration, fit_isotonic])
@pytest.mark.parametrize("trials", [580_000, 5_500_000])
def bench_calibration(benchmark, fit, trials):
    """One target trial in ten."""
    random = np.random.default_rng(5)
    targets = random.normal(1.5, 1, trials // 10)
    non_targets = random.normal(-1.5, 1, trials - trials // 10)

    benchmark.pedantic(fit, (targets, non_targets), rounds=1)
