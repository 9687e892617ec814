"""What is drawn: DET curves, Bayes error rates, histograms, intervals."""

import numpy as np
import pytest

from bob.learn.pytorch.metrics import ScoreTable
from bob.learn.pytorch.report import plots
from bob.learn.pytorch.report.systems import System, evaluate_systems


def test_the_det_curve_of_normal_scores_is_a_straight_line():
    """Targets N(2, 1) and non-targets N(0, 1): the sum of both deviates is -2."""
    grid = (np.arange(4000) + 0.5) / 4000
    from scipy.special import ndtri

    normal = ndtri(grid)
    names = ["t", "o"]
    scores = np.concatenate([normal + 2, normal])
    trials = ScoreTable.from_trials(
        scores,
        trials=(np.zeros(8000), np.repeat([0, 1], 4000)),
        references=["t"],
        reference_subjects=["t"],
        probes=names,
        probe_subjects=names,
    )

    plot = plots.det_plot(evaluate_systems([System("normal", trials)], resamples=0))

    line = next(line for line in plot.lines if line.look == 0)
    inner = (np.abs(line.x) < 2.5) & (np.abs(line.y) < 2.5)
    assert inner.sum() > 100
    np.testing.assert_allclose((line.x + line.y)[inner], -2, atol=0.03)


def test_histograms_have_area_one_each(two):
    for plot in plots.histogram_plots(two):
        for line in plot.lines:
            if line.filled:
                area = np.sum(np.diff(line.x) * (line.y[1:] + line.y[:-1]) / 2)
                assert area == pytest.approx(1)


def test_least_costs_are_thin_and_of_many_systems_left_out(system):
    """Dashes tell systems apart in every picture, as the legend has them."""
    few = plots.bayes_plot(evaluate_systems([system("a")], resamples=0))
    many = plots.bayes_plot(
        evaluate_systems([system(f"s{number}") for number in range(7)], resamples=0)
    )

    assert [line.stroke for line in few.lines if line.look == 0] == ["thin", "own"]
    assert {line.stroke for line in many.lines if line.look >= 0} == {"own"}
    assert "Thin" in few.notes[0]
    assert "Thin" not in many.notes[0]


def test_systems_without_a_rate_or_an_interval_are_named_below(system, table):
    perfect = system("perfect", noise=0.1)
    trials = table()
    nothing = System("nothing", trials.take(~trials.is_target))

    plot = plots.interval_plot(
        evaluate_systems([system(), perfect, nothing], resamples=10)
    )

    assert plot.notes == (
        "No interval, for lack of errors or speakers: 2.",
        "No rate, for lack of trials: 3.",
    )
    assert {line.look for line in plot.lines} == {0}
    assert {mark.look for mark in plot.marks} == {0, 1}


def test_the_threshold_of_dev_is_drawn_dashed_and_the_own_one_solid(two):
    guides = [line for line in plots.histogram_plots(two)[0].lines if line.look < 0]

    assert {line.name: line.stroke for line in guides} == {
        "EER threshold": "solid",
        "EER threshold of dev": "dashed",
    }


def test_a_histogram_of_no_score_says_so(table):
    trials = table()
    trials.score[:] = np.nan

    (plot,) = plots.histogram_plots(
        evaluate_systems([System("none", trials)], resamples=0)
    )

    assert plot.notes == ("No trial has a score that could be shown.",)
