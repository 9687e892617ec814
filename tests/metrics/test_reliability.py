"""Rules of thumb against the binomial distribution they stand for."""

import numpy as np
import pytest
from scipy.stats import binom

from bob.learn.pytorch.metrics import (
    ErrorCurve,
    MetricError,
    errors_needed,
    few_errors,
    reliability_warnings,
    rule_of_three,
)


@pytest.mark.parametrize(
    ("nearness", "errors", "between"), [(0.3, 30, (20, 39)), (0.1, 271, (243, 297))]
)
def test_so_many_errors_are_as_near_nine_times_in_ten(nearness, errors, between):
    """Of rates of 1 %, with a hundred times as many trials as errors."""
    low, high = binom.cdf(between, 100 * errors, 0.01)

    assert high - low == pytest.approx(0.9, abs=0.1 * nearness)
    assert errors_needed(nearness) == errors


def test_no_error_in_n_trials_leaves_three_in_n():
    """A rate of 3/n makes no error with a probability of 5 %."""
    assert binom.pmf(0, 1000, rule_of_three(1000)) == pytest.approx(0.05, abs=0.001)
    assert rule_of_three(2) == 1


def test_few_is_less_than_thirty():
    assert few_errors({"a": 29.4, "b": 29.5, "c": 30}) == {"a": 29}


def test_warnings_name_the_point_and_the_kind():
    random = np.random.default_rng(0)
    curve = ErrorCurve.from_scores(random.normal(3, 1, 400), random.normal(0, 1, 4000))
    strict = curve.fnmr_at_fmr(0.001)

    (text,) = reliability_warnings(curve, {"FMR 0.1 %": strict})

    assert (
        f"{round(curve.equal_error_rate() * 400)} x false non-match at the EER" in text
    )
    assert "4 x false match at FMR 0.1 %" in text
    assert "rule of 30" in text


def test_enough_errors_need_no_warning():
    random = np.random.default_rng(0)
    curve = ErrorCurve.from_scores(random.normal(1, 1, 4000), random.normal(0, 1, 4000))

    assert reliability_warnings(curve, {"minDCF": curve.equal_error_point()}) == []


def test_no_error_at_all_brings_the_rule_of_three():
    (text,) = reliability_warnings(ErrorCurve.from_scores([2, 3], [0, 1, 1]), {})

    assert "may be up to 100.000 % (rule of 3" in text


def test_questions_without_an_answer_are_refused():
    with pytest.raises(MetricError, match=r"such as 0\.3"):
        errors_needed(0)
    with pytest.raises(MetricError, match="without a trial"):
        rule_of_three(0)
