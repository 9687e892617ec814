"""One embedder of a template in several threads and processes."""

import os
from functools import partial

import numpy as np
from threads import at_once

from bob.learn.pytorch.inference.batching import embed_many

RATE = 16_000


def one(embedder, waveform):
    (result,) = embed_many(embedder, [("a.wav", (RATE, waveform))], workers=0)
    assert result.error is None
    return result.embedding


def test_two_threads_may_use_one_embedder(embedder, noise):
    runner = embedder()
    found = {}

    def use(seed):
        found[seed] = [one(runner, noise(0.1, seed)) for _ in range(5)]

    at_once(partial(use, seed) for seed in range(3))

    for seed, made in found.items():
        np.testing.assert_array_equal(made, [noise(0.1, seed)[:4]] * 5)


def test_a_process_that_is_forked_off_starts_a_worker_of_its_own(embedder, noise):
    runner = embedder()
    expected = one(runner, noise())
    child = os.fork()
    if child == 0:
        same = (one(runner, noise()) == expected).all()
        runner.close()
        os._exit(int(not same))

    assert os.waitpid(child, 0)[1] == 0
    np.testing.assert_array_equal(one(runner, noise()), expected)
