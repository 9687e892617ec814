"""Scores -> equal error rate, detection costs, DET points and their intervals."""

from bob.learn.pytorch.metrics.bootstrap import (
    Interval,
    confidence_intervals,
    resampled_curves,
)
from bob.learn.pytorch.metrics.curve import ErrorCurve, MetricError, OperatingPoint
from bob.learn.pytorch.metrics.rates import (
    act_dcf,
    det_points,
    equal_error_rate,
    equal_error_threshold,
    failure_to_acquire,
    false_match_rate,
    false_non_match_rate,
    half_total_error_rate,
    min_dcf,
    min_dcf_point,
    rocch_equal_error_rate,
)
from bob.learn.pytorch.metrics.table import Names, ScoreTable

__all__ = [
    "ScoreTable",
    "Names",
    "equal_error_rate",
    "equal_error_threshold",
    "rocch_equal_error_rate",
    "min_dcf",
    "min_dcf_point",
    "act_dcf",
    "false_match_rate",
    "false_non_match_rate",
    "half_total_error_rate",
    "failure_to_acquire",
    "det_points",
    "ErrorCurve",
    "OperatingPoint",
    "MetricError",
    "Interval",
    "confidence_intervals",
    "resampled_curves",
]
