"""Scores -> log-likelihood ratios and decisions."""

from bob.learn.pytorch.calibration.file import load_calibration, save_calibration
from bob.learn.pytorch.calibration.fusion import fit_fusion, fused
from bob.learn.pytorch.calibration.isotonic import IsotonicCalibration, fit_isotonic
from bob.learn.pytorch.calibration.linear import (
    LinearCalibration,
    Threshold,
    TrainingTrials,
    bayes_threshold,
    fit_calibration,
    threshold_for,
)
from bob.learn.pytorch.calibration.logistic import CalibrationError
from bob.learn.pytorch.calibration.quality import measured_columns

__all__ = [
    "LinearCalibration",
    "IsotonicCalibration",
    "TrainingTrials",
    "Threshold",
    "CalibrationError",
    "fit_calibration",
    "fit_isotonic",
    "fit_fusion",
    "fused",
    "bayes_threshold",
    "threshold_for",
    "save_calibration",
    "load_calibration",
    "measured_columns",
]
