"""Rules of thumb against the binomial distribution they stand for."""

import numpy as np
import pytest
from scipy.stats import binom

from bob.learn.pytorch.metrics import (
    RULE_OF_THIRTY,
    ErrorCurve,
    OperatingPoint,
    reliability_warnings,
)


@pytest.mark.parametrize(
    ("nearness", "errors", "between"),
    [(0.3, RULE_OF_THIRTY, (20, 39)), (0.1, 271, (243, 297))],
)
def test_so_many_errors_are_as_near_nine_times_in_ten(nearness, errors, between):
    """Of rates of 1 %, with a hundred times as many trials as errors."""
    low, high = binom.cdf(between, 100 * errors, 0.01)

    assert high - low == pytest.approx(0.9, abs=0.1 * nearness)


def test_no_error_in_n_trials_leaves_three_in_n():
    """A rate of 3/n makes no error with a probability of 5 %."""
    curve = ErrorCurve.from_scores(np.ones(1000), np.zeros(2000))

    (text,) = reliability_warnings(curve, {})

    assert binom.pmf(0, 1000, 3 / 1000) == pytest.approx(0.05, abs=0.001)
    assert "may be up to 0.300 % (rule of 3" in text


def test_few_is_less_than_thirty():
    random = np.random.default_rng(0)
    curve = ErrorCurve.from_scores(random.normal(1, 1, 1000), random.normal(0, 1, 1000))
    rates = {"a": 0.0294, "b": 0.0295, "c": 0.03}
    points = {name: OperatingPoint(0, 0.5, rate) for name, rate in rates.items()}

    (text,) = reliability_warnings(curve, points)

    assert text.startswith("few errors were observed: 29 x false non-match at a. To be")


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
