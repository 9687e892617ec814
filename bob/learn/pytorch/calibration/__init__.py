"""Scores -> log-likelihood ratios and decisions."""

from bob.learn.pytorch.calibration.decision import (
    Decision,
    Threshold,
    bayes_threshold,
    cautions,
    decide,
    refuse_other_scores,
    threshold_for,
)
from bob.learn.pytorch.calibration.file import load_calibration, save_calibration
from bob.learn.pytorch.calibration.isotonic import IsotonicCalibration, fit_isotonic
from bob.learn.pytorch.calibration.linear import (
    LinearCalibration,
    TrainingTrials,
    fit_calibration,
    fit_fusion,
    fused,
)
from bob.learn.pytorch.calibration.logistic import CalibrationError, SeparatedError
from bob.learn.pytorch.calibration.origin import Origin
from bob.learn.pytorch.calibration.quality import measured_columns

__all__ = [
    "LinearCalibration",
    "IsotonicCalibration",
    "TrainingTrials",
    "CalibrationError",
    "SeparatedError",
    "fit_calibration",
    "fit_isotonic",
    "fit_fusion",
    "fused",
    "measured_columns",
    "Decision",
    "Threshold",
    "decide",
    "cautions",
    "refuse_other_scores",
    "bayes_threshold",
    "threshold_for",
    "Origin",
    "save_calibration",
    "load_calibration",
]
