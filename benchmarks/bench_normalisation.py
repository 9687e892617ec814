"""Scoring of trial lists, normalisation and calibration at the sizes of VoxCeleb.

Embeddings are random: nothing here depends on what they are of. Files are not read.
"""

import time

import numpy as np
import pytest
from scipy.spatial.distance import cosine as distance

from bob.learn.pytorch.scoring import (
    against_cohort,
    cosine,
    cosine_of_pairs,
    fit_calibration,
    fit_isotonic,
    s_norm,
    score_into_file,
    train_plda,
)

DIMENSIONS = 192
TRIALS = 580_000
# VoxCeleb1-E: 145,160 recordings; VoxCeleb1-O: 4,708; VoxCeleb2 dev: 5,994 speakers.
RECORDINGS, SIDES, COHORT, TOP = 145_160, 4_708, 5_994, 300


def rows(count, seed=0):
    random = np.random.default_rng(seed)
    return random.normal(size=(count, DIMENSIONS)).astype(np.float32)


def listed(count, trials=TRIALS):
    random = np.random.default_rng(1)
    return random.integers(0, count, trials), random.integers(0, count, trials)


def per_trial(embeddings, pairs, *, seconds=2.0):
    """Seconds that all trials would take one by one, from as many as fit into a few."""
    started, done = time.perf_counter(), 0
    for first, second in zip(*pairs, strict=True):
        distance(embeddings[first], embeddings[second])
        done += 1
        if done % 100 == 0 and time.perf_counter() - started > seconds:
            break
    return (time.perf_counter() - started) / done * len(pairs[0])


def bench_listed_trials(benchmark):
    """580,000 trials of 145,160 recordings by their cosine."""
    embeddings, pairs = rows(RECORDINGS), listed(RECORDINGS)

    benchmark.pedantic(
        cosine_of_pairs, (embeddings, embeddings), {"pairs": pairs}, rounds=3
    )

    median = benchmark.stats.stats.median
    benchmark.extra_info["times a loop"] = per_trial(embeddings, pairs) / median


def bench_listed_trials_by_plda(benchmark):
    """The same trials by PLDA of 128 dimensions."""
    random = np.random.default_rng(2)
    speakers = np.repeat(np.arange(1000), 10)
    train = random.normal(size=(1000, DIMENSIONS))[speakers] + rows(10_000)
    backend = train_plda(train, speakers, dimensions=128)
    embeddings, pairs = rows(RECORDINGS), listed(RECORDINGS)

    def score():
        projected = backend.project(embeddings)
        return backend.score_pairs(projected, projected, pairs=pairs)

    benchmark.pedantic(score, rounds=3)


def by_sorting(embeddings, cohort):
    """(mean, deviation) as a straightforward script has them: whole matrix, sorted."""
    scores = np.sort(cosine(embeddings, cohort), axis=1)[:, -TOP:]
    return scores.mean(axis=1), scores.std(axis=1)


def bench_adaptive_s_norm(benchmark):
    """4,708 recordings, a cohort of 5,994 speakers, the top 300, 37,611 trials."""
    embeddings, cohort = rows(SIDES), rows(COHORT, seed=3)
    pairs = listed(SIDES, 37_611)
    raw = cosine_of_pairs(embeddings, embeddings, pairs=pairs)

    def normalise():
        stats = against_cohort(embeddings, cohort, top=TOP)
        return s_norm(raw, references=stats, probes=stats, pairs=pairs)

    benchmark.pedantic(normalise, rounds=5)

    started = time.perf_counter()
    mean, deviation = by_sorting(embeddings, cohort)
    seconds = time.perf_counter() - started
    benchmark.extra_info["times sorting"] = seconds / benchmark.stats.stats.median
    stats = against_cohort(embeddings, cohort, top=TOP)
    np.testing.assert_allclose(stats.mean, mean, rtol=0, atol=1e-12)
    np.testing.assert_allclose(stats.deviation, deviation, rtol=0, atol=1e-12)


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
