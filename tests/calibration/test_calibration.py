"""Log-likelihood ratios by logistic regression, against scikit-learn and by hand."""

import math

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from bob.learn.pytorch.calibration import (
    CalibrationError,
    LinearCalibration,
    SeparatedError,
    TrainingTrials,
    bayes_threshold,
    fit_calibration,
    load_calibration,
    logistic,
    save_calibration,
    threshold_for,
)
from bob.learn.pytorch.calibration.quality import doubtful_weights, log_durations
from bob.learn.pytorch.scoring import magnitudes


def normal(seed=0, targets=300, non_targets=2000):
    """Scores whose exact log-likelihood ratio is 4 s: N(1, 1/2) against N(-1, 1/2)."""
    random = np.random.default_rng(seed)
    deviation = math.sqrt(0.5)
    return (
        random.normal(1, deviation, targets),
        random.normal(-1, deviation, non_targets),
    )


def by_scikit_learn(targets, non_targets, p_target):
    """(weights, offset) of the same cost."""
    columns = np.concatenate([targets, non_targets])
    columns = columns.reshape(len(columns), -1)
    label = np.arange(len(columns)) < len(targets)
    weight = np.where(label, p_target / len(targets), (1 - p_target) / len(non_targets))
    fit = LogisticRegression(
        penalty=None, solver="newton-cholesky", tol=1e-12, max_iter=1000
    ).fit(columns, label, sample_weight=weight)
    return fit.coef_[0], fit.intercept_[0] - math.log(p_target / (1 - p_target))


@pytest.mark.parametrize("p_target", [0.5, 0.01, 0.9])
def test_the_optimum_is_that_of_scikit_learn(p_target):
    targets, non_targets = normal()
    weights, offset = by_scikit_learn(targets, non_targets, p_target)

    found = fit_calibration(targets, non_targets, p_target=p_target)

    assert found.weights[0] == pytest.approx(weights[0], rel=1e-5)
    assert found.offset == pytest.approx(offset, abs=1e-5)
    assert found.trained_on == TrainingTrials(300, 2000)


def test_further_columns_are_weighted_as_by_scikit_learn():
    random = np.random.default_rng(1)
    targets, non_targets = (
        np.stack([s, random.normal(50, 9, len(s)), s + random.normal(size=len(s))], 1)
        for s in normal()
    )
    weights, offset = by_scikit_learn(targets, non_targets, 0.2)

    found = fit_calibration(
        targets, non_targets, columns=("score", "a", "b"), p_target=0.2
    )

    np.testing.assert_allclose(found.weights, weights, atol=1e-4)
    expected = targets @ weights + offset
    np.testing.assert_allclose(found(targets), expected, atol=1e-3)


def test_a_penalty_is_half_of_the_squared_weights():
    """Against a minimiser that knows only the cost."""
    targets, non_targets = [1.0, 2.0, 3.0], [-1.0, 0.0]
    scale = np.std([*targets, *non_targets])

    def cost(theta):
        slope, offset = theta
        return (
            np.mean([np.logaddexp(0, -(slope * s + offset)) for s in targets]) / 2
            + np.mean([np.logaddexp(0, slope * s + offset) for s in non_targets]) / 2
            + 0.05 * (slope * scale) ** 2
        )

    expected = minimize(cost, [1, 0], tol=1e-12).x

    found = fit_calibration(targets, non_targets, penalty=0.1)

    np.testing.assert_allclose([*found.weights, found.offset], expected, atol=1e-5)


def test_scores_that_are_ratios_already_stay_as_they_are():
    targets, non_targets = normal(targets=100_000, non_targets=100_000)

    found = fit_calibration(targets, non_targets)

    assert found.weights[0] == pytest.approx(4, rel=0.03)
    assert found.offset == pytest.approx(0, abs=0.05)


def test_any_scale_and_shift_of_the_scores_gives_the_same_ratios():
    targets, non_targets = normal()
    plain = fit_calibration(targets, non_targets)(targets)

    for scale, shift in ((1e-6, 0), (1e6, -1e7), (1, 1e5)):
        changed = [scale * side + shift for side in (targets, non_targets)]
        np.testing.assert_allclose(
            fit_calibration(*changed)(changed[0]), plain, rtol=0, atol=1e-7
        )


@pytest.mark.parametrize("trials", [1, 7, 400])
def test_parts_of_any_size_give_the_same(trials, monkeypatch):
    random = np.random.default_rng(8)
    sides = random.normal(1, 1, (60, 2)), random.normal(0, 1, (400, 2))
    columns = ("score", "b")
    whole = fit_calibration(*sides, columns=columns, p_target=0.05)
    monkeypatch.setattr(logistic, "BLOCK_TRIALS", trials)

    found = fit_calibration(*sides, columns=columns, p_target=0.05)

    assert found.weights == pytest.approx(whole.weights, rel=1e-12)
    assert found.offset == pytest.approx(whole.offset, rel=1e-12)


def test_trials_repeated_change_nothing():
    """The cost is of means, so counts of targets and non-targets do not matter."""
    targets, non_targets = normal()
    once, often = (fit_calibration(np.tile(targets, n), non_targets) for n in (1, 5))

    np.testing.assert_allclose(
        [*often.weights, often.offset], [*once.weights, once.offset], atol=1e-9
    )


def test_failed_trials_are_left_out_and_counted():
    targets, non_targets = normal()
    clean = fit_calibration(targets, non_targets)

    found = fit_calibration([*targets, np.nan], [np.nan, *non_targets, np.nan])

    assert found.trained_on == TrainingTrials(300, 2000, 3)
    assert (found.weights, found.offset) == (clean.weights, clean.offset)
    assert np.isnan(found([np.nan, 0.0])).tolist() == [True, False]
    assert found([np.inf, -np.inf]).tolist() == [np.inf, -np.inf]


@pytest.mark.parametrize(
    ("targets", "non_targets"),
    [
        ([1.0, 2.0], [0.0, -1.0]),
        ([1.0], [0.0]),
        ([1.0, 1.0, 2.0], [1.0, 0.0]),  # they only touch: infinite as well
        (np.linspace(1, 2, 500), np.linspace(-2, 0.999, 900)),
    ],
)
def test_trials_that_separate_perfectly_get_a_penalty_unless_it_is_set(
    targets, non_targets, tmp_path
):
    with pytest.raises(SeparatedError, match="separate perfectly"):
        fit_calibration(targets, non_targets, penalty=0.0)

    found = fit_calibration(targets, non_targets)
    asked = fit_calibration(targets, non_targets, penalty=1e-3)

    assert found.weights == asked.weights > (0,)
    assert (found.offset, found.penalty) == (asked.offset, asked.penalty)
    assert (found.penalty, found.separated, asked.separated) == (1e-3, True, False)
    (note,) = doubtful_weights(found)
    assert "separate perfectly" in note
    assert "the penalty 0.001" in note
    assert doubtful_weights(asked) == []
    save_calibration(found, tmp_path / "c.json")
    assert load_calibration(tmp_path / "c.json") == found


def test_trials_that_overlap_get_no_penalty():
    trials = normal()
    plain = fit_calibration(*trials)

    assert plain == fit_calibration(*trials, penalty=0.0)
    assert (plain.penalty, plain.separated) == (0.0, False)
    assert plain.provenance == {}


@pytest.mark.parametrize("dependence", [0, 1e-4])
def test_columns_that_together_separate_perfectly_are_found(dependence):
    random = np.random.default_rng(0)
    rows = random.normal(size=(400, 2))
    same = rows @ [1, 0.3] > 0
    if dependence:
        rows[:, 1] = rows[:, 0] + dependence * rows[:, 1]
    with pytest.raises(SeparatedError, match="separate perfectly"):
        fit_calibration(rows[same], rows[~same], columns=("score", "b"), penalty=0.0)

    found = fit_calibration(rows[same], rows[~same], columns=("score", "b"))
    assert (found.penalty, found.separated) == (1e-3, True)


@pytest.mark.parametrize(
    ("draw", "p_target", "seeds"),
    [
        ("normal", 0.5, range(60)),
        ("normal", 0.01, [1238, 1631, 2001]),
        ("normal", 1e-5, [212, 796, 2270]),
        ("standard_cauchy", 0.5, [114, 122, 456]),
        ("standard_cauchy", 0.01, [630, 709, 878]),
        ("standard_cauchy", 1e-5, [333, 630, 987]),
    ],
)
def test_the_gradient_is_zero_at_the_optimum_of_small_sets(draw, p_target, seeds):
    """Of some (the seeds) rounding hides the last steps, or scores lie far outside."""
    for seed in seeds:
        random = np.random.default_rng(seed)
        counts = random.integers(5, 60, 2)
        targets, non_targets = (getattr(random, draw)(size=n) for n in counts)
        targets += 2.5
        if targets.min() >= non_targets.max():
            continue

        fit = fit_calibration(targets, non_targets, p_target=p_target)

        prior = math.log(p_target / (1 - p_target))
        misses = p_target * expit(-fit(targets) - prior) / targets.size
        alarms = (1 - p_target) * expit(fit(non_targets) + prior) / non_targets.size
        scores = np.concatenate([targets, non_targets])
        scores = (scores - scores.mean()) / scores.std()
        wrong = np.concatenate([-misses, alarms])
        slopes = np.array([wrong.sum(), wrong @ scores]) / np.abs(wrong).sum()
        np.testing.assert_allclose(slopes, 0, atol=1e-9)


@pytest.mark.parametrize(
    ("targets", "non_targets", "options", "why"),
    [
        ([0.0, 2.0], [1.0, 3.0], {}, "check the labels"),
        ([np.nan], [1.0, 3.0], {}, "none of 1 trials"),
        ([], [1.0, 3.0], {}, "none of 0 trials"),
        ([1.0, np.inf], [0.0], {}, "1 of 2 trials have infinite"),
        ([1.0, 1.0], [1.0], {}, "score has one value in all 3 trials"),
        ([[1.0, 2.0]], [[1.0, 2.0]], {}, "do not have the columns score"),
        ([1.0, 0.0], [0.5], {"p_target": 1.0}, "p_target is 1.0"),
        ([1.0, 0.0], [0.5], {"penalty": -1.0}, "penalty is -1.0"),
        (
            [[1.0, 2.0], [0.0, 0.0], [3.0, 6.0]],
            [[1.0, 2.0], [2.0, 4.0]],
            {"columns": ("score", "twice")},
            "one of score, twice follows from the others",
        ),
    ],
)
def test_what_does_not_determine_a_calibration_is_refused(
    targets, non_targets, options, why
):
    with pytest.raises(CalibrationError, match=why):
        fit_calibration(targets, non_targets, **options)


def test_a_calibration_takes_a_matrix_of_scores_or_rows_of_columns():
    trained_on = TrainingTrials(1, 1)
    one = LinearCalibration(("score",), (2.0,), 1.0, 0.5, trained_on)
    two = LinearCalibration(("score", "b"), (2.0, -1.0), 1.0, 0.5, trained_on)

    assert one([[0.0, 1.0], [2.0, 3.0]]).tolist() == [[1, 3], [5, 7]]
    assert two([[0.0, 1.0], [2.0, 3.0]]).tolist() == [0, 2]
    with pytest.raises(CalibrationError, match="columns score, b"):
        two([1.0, 2.0, 3.0])
    with pytest.raises(CalibrationError, match="one each"):
        LinearCalibration(("score",), (2.0, 1.0), 1.0, 0.5, trained_on)
    with pytest.raises(CalibrationError, match="finite"):
        LinearCalibration(("score",), (np.inf,), 1.0, 0.5, trained_on)


def test_accepting_at_the_threshold_costs_least():
    """Of ratios r a share of exp(r) / (1 + exp(r)) are targets at even odds."""
    for p_target, c_miss, c_fa in ((0.5, 1, 1), (0.01, 1, 1), (0.05, 10, 2)):
        ratio = bayes_threshold(p_target=p_target, c_miss=c_miss, c_fa=c_fa)
        odds = math.exp(ratio) * p_target / (1 - p_target)
        miss, false_match = c_miss * odds / (1 + odds), c_fa / (1 + odds)
        assert miss == pytest.approx(false_match)
    with pytest.raises(CalibrationError, match="positive"):
        bayes_threshold(p_target=0.5, c_miss=0)


def test_a_threshold_knows_its_raw_score_and_where_it_comes_from():
    calibration = fit_calibration(*normal(), provenance={"protocol": "dev of x"})

    found = threshold_for(calibration, p_target=0.05)

    assert found.log_likelihood_ratio == pytest.approx(math.log(19))
    assert calibration([found.score])[0] == pytest.approx(math.log(19))
    assert found.provenance == {"protocol": "dev of x"}
    two = LinearCalibration(("score", "b"), (2.0, 1.0), 0.0, 0.5, TrainingTrials(1, 1))
    assert threshold_for(two, p_target=0.05).score is None


def test_a_quality_measure_that_tells_how_noisy_a_score_is_lowers_the_cost():
    """Short recordings score lower: with durations the shift is undone."""
    random = np.random.default_rng(3)
    durations = random.uniform(1, 20, (2, 4000))
    shift = np.log(durations.min(axis=0))
    trials = [
        np.stack([s + shift, shift], axis=1)
        for s, shift in zip(normal(4, 4000, 4000), (shift, shift), strict=True)
    ]

    plain = fit_calibration(trials[0][:, 0], trials[1][:, 0])
    aware = fit_calibration(*trials, columns=("score", "smaller log duration"))

    def cost(calibration, *sides):
        targets, non_targets = map(calibration, sides)
        return np.logaddexp(0, -targets).mean() + np.logaddexp(0, non_targets).mean()

    before = cost(plain, trials[0][:, 0], trials[1][:, 0])
    assert cost(aware, *trials) < 0.8 * before
    assert aware.weights[1] == pytest.approx(-aware.weights[0], rel=0.1)


def test_measures_of_recordings():
    np.testing.assert_allclose(log_durations([1.0, math.e, np.nan]), [0, 1, np.nan])
    for wrong in (0.0, -1.0, np.inf):
        with pytest.raises(ValueError, match=f"{wrong} is no duration"):
            log_durations([1.0, wrong])
    np.testing.assert_allclose(magnitudes([[3, 4], [0, 1]], mean=[0, 1]), [18**0.5, 0])
