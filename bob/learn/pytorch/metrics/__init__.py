"""Scores -> error rates, detection costs, Cllr, DET points and their intervals."""

from bob.learn.pytorch.metrics.bootstrap import Interval, confidence_intervals
from bob.learn.pytorch.metrics.conditions import (
    Condition,
    alike,
    binned,
    breakdown,
    crossed,
    described,
    equalised_costs,
)
from bob.learn.pytorch.metrics.costs import (
    PRESETS,
    BayesErrorRates,
    CostFunction,
    DetectionCost,
    bayes_error_rates,
    find_costs,
)
from bob.learn.pytorch.metrics.curve import ErrorCurve, MetricError, OperatingPoint
from bob.learn.pytorch.metrics.failed import Failures, Share, failures
from bob.learn.pytorch.metrics.information import cllr, min_cllr
from bob.learn.pytorch.metrics.means import (
    TrialMean,
    act_dcf_mean,
    cllr_mean,
    fmr_mean,
    fnmr_mean,
    hter_mean,
)
from bob.learn.pytorch.metrics.overview import CostFigures, Figures, figures
from bob.learn.pytorch.metrics.paired import (
    Difference,
    McNemar,
    mcnemar,
    paired_differences,
    paired_tables,
)
from bob.learn.pytorch.metrics.rates import (
    act_dcf,
    det_points,
    equal_error_rate,
    equal_error_threshold,
    failure_to_acquire,
    false_match_rate,
    false_non_match_rate,
    fmr_at_fnmr,
    fnmr_at_fmr,
    half_total_error_rate,
    min_dcf,
    min_dcf_point,
    operating_point,
    rocch_equal_error_rate,
)
from bob.learn.pytorch.metrics.reliability import (
    RULE_OF_THIRTY,
    errors_needed,
    few_errors,
    reliability_warnings,
    rule_of_three,
)
from bob.learn.pytorch.metrics.resampled import resampled_curves
from bob.learn.pytorch.metrics.streaming import ScoreStream
from bob.learn.pytorch.metrics.table import Names, ScoreTable

__all__ = [
    "ScoreTable",
    "Names",
    "figures",
    "Figures",
    "CostFigures",
    "equal_error_rate",
    "equal_error_threshold",
    "rocch_equal_error_rate",
    "min_dcf",
    "min_dcf_point",
    "act_dcf",
    "cllr",
    "min_cllr",
    "false_match_rate",
    "false_non_match_rate",
    "fnmr_at_fmr",
    "fmr_at_fnmr",
    "half_total_error_rate",
    "operating_point",
    "failure_to_acquire",
    "failures",
    "Failures",
    "Share",
    "det_points",
    "ErrorCurve",
    "OperatingPoint",
    "MetricError",
    "PRESETS",
    "find_costs",
    "CostFunction",
    "DetectionCost",
    "bayes_error_rates",
    "BayesErrorRates",
    "Interval",
    "confidence_intervals",
    "resampled_curves",
    "TrialMean",
    "cllr_mean",
    "act_dcf_mean",
    "hter_mean",
    "fnmr_mean",
    "fmr_mean",
    "paired_differences",
    "paired_tables",
    "Difference",
    "mcnemar",
    "McNemar",
    "breakdown",
    "Condition",
    "described",
    "binned",
    "crossed",
    "alike",
    "equalised_costs",
    "RULE_OF_THIRTY",
    "errors_needed",
    "few_errors",
    "rule_of_three",
    "reliability_warnings",
    "ScoreStream",
]
