"""Figures of millions of scores: time, and memory where they do not fit."""

import subprocess
import sys
import time

import numpy as np
import pytest

from bob.learn.pytorch.metrics import (
    ErrorCurve,
    Names,
    ScoreTable,
    cllr_mean,
    confidence_intervals,
    figures,
    paired_differences,
)

MILLION = 1_000_000


def scores(trials, seed=0):
    """(targets, non-targets): one trial in 20 is a target; log-likelihood ratios."""
    random = np.random.default_rng(seed)
    targets = trials // 20
    return random.normal(4, 8**0.5, targets), random.normal(
        -4, 8**0.5, trials - targets
    )


def seconds(work):
    started = time.perf_counter()
    found = work()
    return time.perf_counter() - started, found


def with_scikit_learn(targets, non_targets):
    """EER, minDCF, Cllr and min Cllr as one writes them with what scikit-learn has."""
    from scipy.interpolate import interp1d
    from scipy.optimize import brentq
    from sklearn.isotonic import IsotonicRegression
    from sklearn.metrics import roc_curve

    def cllr(positives, negatives):
        costs = np.logaddexp(0, -positives).mean(), np.logaddexp(0, negatives).mean()
        return sum(costs) / 2 / np.log(2)

    labels = np.repeat([1, 0], [len(targets), len(non_targets)])
    both = np.concatenate([targets, non_targets])
    fmr, tpr, _ = roc_curve(labels, both, drop_intermediate=False)
    eer = brentq(lambda x: 1 - x - interp1d(fmr, tpr)(x), 0, 1)
    cost = np.min(1 - tpr + 99 * fmr)
    posterior = IsotonicRegression().fit_transform(both, labels.astype(float))
    with np.errstate(divide="ignore"):
        odds = np.log(posterior / (1 - posterior))
    odds -= np.log(len(targets) / len(non_targets))
    least = cllr(odds[: len(targets)], odds[len(targets) :])
    return eer, cost, cllr(targets, non_targets), least


def with_bob(targets, non_targets):
    """EER and Cllr of bob.measure; it has no min Cllr."""
    from bob.measure import eer
    from bob.measure.calibration import cllr

    return eer(non_targets, targets), cllr(non_targets, targets)


def bench_five_million(benchmark):
    """EER, hull EER, minDCF, actDCF, Cllr and min Cllr of 5.5 million scores."""
    given = scores(5_500_000)

    found = benchmark.pedantic(figures, given, rounds=5, warmup_rounds=1)

    took, other = seconds(lambda: with_scikit_learn(*given))
    benchmark.extra_info["times scikit-learn"] = took / benchmark.stats.stats.median
    ours = found.eer, found.min_dcf, found.cllr, found.min_cllr
    np.testing.assert_allclose(ours, other, rtol=1e-6)
    assert benchmark.stats.stats.median <= 2


@pytest.mark.filterwarnings("ignore")
def bench_half_a_million_with_bob(benchmark):
    """All figures of 550,000 scores, beside EER and Cllr alone of bob.measure."""
    pytest.importorskip("bob.measure")
    given = scores(550_000)

    found = benchmark.pedantic(figures, given, rounds=5, warmup_rounds=1)

    with_bob(*scores(1000))  # it compiles on first use
    took, (_, cllr) = seconds(lambda: with_bob(*given))
    benchmark.extra_info["times bob.measure"] = took / benchmark.stats.stats.median
    assert found.cllr == pytest.approx(cllr, rel=1e-6)


STREAM = """
import numpy as np
from scipy import optimize  # what every process has, whatever the number of scores
from bob.learn.pytorch.metrics import ScoreStream

def memory(name):
    with open("/proc/self/status") as file:
        found = dict(line.split(":", 1) for line in file)
    return int(found[name].split()[0]) / 1024

random, left, before = np.random.default_rng(0), {trials}, memory("VmRSS")
with ScoreStream(memory={megabytes} * 2**20) as stream:
    while left:
        some = min(left, 1_000_000)
        left -= some
        stream.add(
            random.normal(4, 8**0.5, some // 20),
            random.normal(-4, 8**0.5, some - some // 20),
        )
    found = stream.figures()
print(memory("VmHWM") - before, found.eer, found.min_cllr, found.cllr)
"""


@pytest.mark.parametrize("megabytes", [64, 256])
@pytest.mark.parametrize("millions", [1, 10, 100])
def bench_stream(benchmark, millions, megabytes):
    """All figures of scores that come in blocks of a million, made in between."""
    program = STREAM.format(trials=millions * MILLION, megabytes=megabytes)

    def run():
        return subprocess.run(  # noqa: S603
            [sys.executable, "-c", program], check=True, capture_output=True, text=True
        ).stdout

    added, eer, least, cost = map(
        float, benchmark.pedantic(run, rounds=1, iterations=1).split()
    )

    benchmark.extra_info["memory, MB"] = added
    benchmark.extra_info["us a score"] = benchmark.stats.stats.median / millions
    # Two normal curves, two deviations apart: the rate is Phi(-sqrt(2)).
    assert eer == pytest.approx(0.0786, abs=1e-3)
    assert 0 <= cost - least < 1e-3
    assert added < megabytes + 64


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
        "cllr": cllr_mean(),
    }

    def work():
        if what == "paired":
            return paired_differences(first, second, measures)
        return confidence_intervals(first, measures)

    found = benchmark.pedantic(work, rounds=1, iterations=1)

    assert set(found) == set(measures)
