"""Tied scores: the order of lines in a file must not change a figure.

NIST's script sorts scores and counts one trial after the other, so that a threshold may
lie between trials of equal score (`robust` ROC, copied into WeSpeaker). Where the file
has non-targets first, they are rejected before the targets of the same score.
"""

import json

import numpy as np
import pytest
from commands import done

from bob.learn.pytorch import metrics
from bob.learn.pytorch.metrics import ErrorCurve, ScoreStream, find_costs

PRIOR = 0.05


@pytest.fixture(scope="module")
def tied():
    """300 target and 3,000 non-target scores by formula, rounded to halves."""
    found = []
    for number, place, width in ((300, 2.5, 1.25), (3000, -2, 1)):
        share = (np.arange(number) * 7919 % number + 0.5) / number
        scores = place + width * np.log(share / (1 - share))
        found.append(np.floor(2 * scores) / 2)
    return tuple(found)


def one_after_the_other(scores, is_target):
    """EER and minDCF with a decision after every line of the sorted file."""
    order = np.argsort(scores, kind="stable")
    misses = np.cumsum(is_target[order]) / is_target.sum()
    accepted = 1 - np.cumsum(~is_target[order]) / (~is_target).sum()
    nearest = np.argmin(np.abs(misses - accepted))
    cost = misses + (1 - PRIOR) / PRIOR * accepted
    return (misses[nearest] + accepted[nearest]) / 2, cost.min()


def by_threshold(targets, non_targets):
    """The same with a decision for every score: equal scores, equal decision."""
    thresholds = np.append(np.unique(np.concatenate([targets, non_targets])), np.inf)
    misses = np.array([np.mean(targets < t) for t in thresholds])
    accepted = np.array([np.mean(non_targets >= t) for t in thresholds])
    after = int(np.argmax(misses >= accepted))
    low, high = (misses - accepted)[[after - 1, after]]
    share = low / (low - high)
    eer = misses[after - 1] + (misses[after] - misses[after - 1]) * share
    cost = misses + (1 - PRIOR) / PRIOR * accepted
    return eer, cost.min()


def test_in_file_order_the_figures_come_out_too_low(tied):
    targets, non_targets = tied
    is_target = np.repeat([False, True], [non_targets.size, targets.size])
    scores = np.concatenate([non_targets, targets])

    flattering = one_after_the_other(scores, is_target)
    harsh = one_after_the_other(scores[::-1], is_target[::-1])

    right = by_threshold(targets, non_targets)
    assert (flattering[1], right[1]) == pytest.approx((0.609, 0.709), abs=1e-12)
    assert flattering[0] < right[0] < harsh[0]
    assert metrics.equal_error_rate(*tied) == pytest.approx(right[0], abs=1e-12)
    found = metrics.min_dcf(*tied, p_target=PRIOR)
    assert found == pytest.approx(right[1], abs=1e-12)


@pytest.mark.parametrize("first", ["targets", "non-targets", "mixed"])
@pytest.mark.parametrize("stream", [False, True])
def test_the_command_gives_the_right_figures_in_any_order(
    tied, tmp_path, first, stream
):
    lines = [
        f"{claimed} a {claimed}{number} {score}\n"
        for claimed, scores in zip("ab", tied, strict=True)
        for number, score in enumerate(scores)
    ]
    if first == "non-targets":
        lines.reverse()
    elif first == "mixed":
        np.random.default_rng(0).shuffle(lines)
    path = tmp_path / "scores"
    path.write_text("".join(lines))
    options = ["--cost", str(PRIOR), *(["--stream"] if stream else ["--resamples", 0])]

    output = done("metrics", path, "--json", *map(str, options))

    found = json.loads(output)
    right = by_threshold(*tied)
    assert (found["eer"], found["min_dcf"]) == pytest.approx(right, abs=1e-12)
    assert found["min_cllr"] == pytest.approx(metrics.min_cllr(*tied), abs=1e-12)


def test_every_way_to_the_figures_is_right(tied):
    eer, cost = by_threshold(*tied)
    function = find_costs(str(PRIOR))
    curve = ErrorCurve.from_scores(*tied)
    with ScoreStream(memory=0) as stream:
        for part in range(7):
            stream.add(tied[0][part::7], tied[1][part::7])
        streamed = stream.figures(cost=function)

    costs = [
        function.minimum(curve),
        function.minimum(curve.corners()),
        function.minimum(curve.hull()),
        metrics.figures(*tied, cost=function).min_dcf,
        streamed.min_dcf,
        metrics.bayes_error_rates(
            *tied, log_odds=[np.log(PRIOR / (1 - PRIOR))]
        ).minimum[0],
    ]

    assert costs == pytest.approx([cost] * len(costs), abs=1e-12)
    assert streamed.eer == pytest.approx(eer, abs=1e-12)
