"""Resampled speakers against trials written out as often as they count."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bob.learn.pytorch.metrics import (
    CLLR,
    ErrorCurve,
    MetricError,
    ScoreTable,
    TrialMean,
    resampled_curves,
)
from bob.learn.pytorch.metrics.bootstrap import measured, resampled_values

SPEAKERS = ["ann", "bob", "cleo", "dan"]
SCORE = st.sampled_from([-np.inf, -1.0, 0.0, 0.0, 0.5, 2.0, np.inf, np.nan])
TRIALS = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 3), SCORE), min_size=1, max_size=30
)
CURVE_AND_MEAN = {
    "eer": ErrorCurve.equal_error_rate,
    "fmr": TrialMean.at(0.5, false_match=1.0),
}


def table_of(trials):
    claimed, real, scores = zip(*trials, strict=True)
    return ScoreTable.from_trials(
        scores,
        trials=(claimed, real),
        references=SPEAKERS,
        reference_subjects=SPEAKERS,
        probes=SPEAKERS,
        probe_subjects=SPEAKERS,
    )


def draws(table, *, resamples, seed):
    """Trials written out, draw after draw; speakers are those with a scored trial."""
    scored = ~np.isnan(table.score)
    names, claimed, real = table.subjects
    present = [
        code
        for code in range(len(names))
        if code in claimed[scored] or code in real[scored]
    ]
    random = np.random.default_rng(seed)
    for _ in range(resamples):
        drawn = [present[i] for i in random.integers(len(present), size=len(present))]
        targets, non_targets = [], []
        for one, other, score in zip(claimed, real, table.score, strict=True):
            if math.isnan(score):
                continue
            if one == other:
                targets += [score] * drawn.count(one)
            else:
                non_targets += [score] * (drawn.count(one) * drawn.count(other))
        yield targets, non_targets


@given(TRIALS)
def test_every_decision_of_a_resample_is_that_of_its_trials(trials):
    table = table_of(trials)
    if (
        not (table.is_target & ~np.isnan(table.score)).any()
        or not (~table.is_target & ~np.isnan(table.score)).any()
    ):
        with pytest.raises(MetricError, match="at least one of each"):
            next(resampled_curves(table, resamples=1))
        return
    written = [both for both in draws(table, resamples=5, seed=3) if all(both)]

    curves = list(resampled_curves(table, resamples=5, seed=3))

    assert len(curves) == len(written)
    for curve, both in zip(curves, written, strict=True):
        expected = ErrorCurve.from_scores(*both)
        assert (curve.targets, curve.non_targets) == tuple(map(len, both))
        found, wanted = curve.corners(), expected.corners()
        np.testing.assert_array_equal(found.misses, wanted.misses)
        np.testing.assert_array_equal(found.false_matches, wanted.false_matches)
        assert curve.equal_error_rate() == expected.equal_error_rate()
        assert curve.min_cllr() == pytest.approx(expected.min_cllr(), abs=1e-12)


@given(TRIALS)
def test_a_draw_that_does_not_allow_a_figure_is_nan(trials):
    table = table_of(trials)
    if np.isnan(table.score).all():
        return
    values = resampled_values(
        table, {"fmr": TrialMean.at(0.5, false_match=1.0)}, resamples=5, seed=1
    )["fmr"]

    for value, (_, non_targets) in zip(
        values, draws(table, resamples=5, seed=1), strict=True
    ):
        expected = np.mean(np.array(non_targets) >= 0.5) if non_targets else np.nan
        np.testing.assert_allclose(value, expected, rtol=1e-12)


def test_tables_of_the_same_trials_meet_the_same_draws():
    trials = [(a, b, float(a - b)) for a in range(4) for b in range(4)]
    moved = [(a, b, 3 * score + 7) for a, b, score in trials]
    measure = {"eer": ErrorCurve.equal_error_rate}

    one, other = (
        resampled_values(table_of(some), measure, resamples=30, seed=2)["eer"]
        for some in (trials, moved)
    )

    np.testing.assert_array_equal(one, other)


def test_figures_of_all_trials_are_nan_where_there_is_none():
    """Two impostor trials, one of them accepted at 0.5."""
    table = table_of([(0, 1, 1.0), (1, 2, 0.0)])

    found = measured(table, CURVE_AND_MEAN | {"cllr": CLLR})

    assert found["fmr"] == 0.5
    assert np.isnan([found["eer"], found["cllr"]]).all()


def test_a_negative_number_of_resamples_is_refused():
    with pytest.raises(MetricError, match="resamples is -1; give 0 for none"):
        resampled_values(table_of([(0, 1, 1.0)]), {}, resamples=-1, seed=0)
