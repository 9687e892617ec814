"""The stage that makes log-likelihood ratios of scores, by a calibration from dev."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from bob.learn.pytorch.calibration import (
    LinearCalibration,
    Origin,
    measured_columns,
    save_calibration,
)
from bob.learn.pytorch.calibration.linear import SCORE
from bob.learn.pytorch.calibration.origin import LOG_LIKELIHOOD_RATIO, write_provenance
from bob.learn.pytorch.calibration.quality import (
    beyond_ranges,
    doubtful_weights,
    separating_columns,
)
from bob.learn.pytorch.experiment.configuration import ConfigurationError
from bob.learn.pytorch.experiment.experiment import TRAINED_ON, DevCalibration
from bob.learn.pytorch.experiment.score_origin import origin
from bob.learn.pytorch.metrics import ScoreTable
from bob.learn.pytorch.scorefiles import ScoreFile, read_scores, write_scores
from bob.learn.pytorch.scorefiles.calibrating import fit_on
from bob.learn.pytorch.scorefiles.quality import of_trials, read_measures

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from bob.learn.pytorch.experiment.experiment import Experiment
    from bob.learn.pytorch.experiment.options import Settings
    from bob.learn.pytorch.protocols.trials import Trials

    FloatArray: TypeAlias = NDArray[np.float64]

logger = logging.getLogger(__name__)


def calibration_of(settled: Settings) -> DevCalibration | None:
    """Return the settings of the calibration; None if none was asked for.

    Raises
    ------
    ConfigurationError
        There is no group to train it on, a number is none for it, or a quality measure
        needs what was not asked for.
    """
    quality = tuple(dict.fromkeys(settled.calibration_quality))
    if not settled.calibrate_scores:
        if quality:
            raise ConfigurationError(
                f"calibration_quality is {', '.join(quality)}, and nothing is "
                "calibrated: set calibrate_scores too, or leave it out"
            )
        return None
    if TRAINED_ON not in settled.groups:
        raise ConfigurationError(
            f"a calibration is trained on {TRAINED_ON}, and the groups are "
            f"{', '.join(settled.groups)}: add {TRAINED_ON}"
        )
    if not 0 < settled.calibration_p_target < 1:
        raise ConfigurationError(
            f"calibration_p_target is {settled.calibration_p_target:g}; it is a "
            "probability between 0 and 1, both excluded"
        )
    penalty = settled.calibration_penalty
    if penalty is not None and not 0 <= penalty < float("inf"):
        raise ConfigurationError(f"calibration_penalty is {penalty:g}; it is 0 or more")
    normalised = settled.zt_norm or settled.score_normalisation is not None
    if "cohort_mean" in quality and not normalised:
        raise ConfigurationError(
            "calibration_quality has cohort_mean, the mean score against a cohort, and "
            "there is none: set score_normalisation, such as as-norm, or leave it out"
        )
    return DevCalibration(settled.calibration_p_target, penalty, quality)


def calibrate_from_dev(
    experiment: Experiment, score_files: Mapping[str, Path], how: DevCalibration
) -> LinearCalibration:
    """Train on dev, apply to every group, and write all of it beside the scores.

    Parameters
    ----------
    experiment
        With the layout of these scores, and the normalisation that made them.
    score_files
        Group -> score file.

    Raises
    ------
    ConfigurationError
        There are no scores of dev, or no quality measures of them.
    CalibrationError
        They do not determine a calibration.
    """
    layout = experiment.layout
    if TRAINED_ON not in score_files:
        raise ConfigurationError(
            f"there are no scores of {TRAINED_ON} in {layout.scores} to train a "
            "calibration on; compute them first"
        )
    groups = {
        group: _Group(group, path, read_scores(path), experiment.database.trials(group))
        for group, path in score_files.items()
    }
    inputs = {
        name: _with_quality(group, how, layout.measures(name))
        for name, group in groups.items()
    }
    dev, (values, columns) = groups[TRAINED_ON], inputs[TRAINED_ON]
    calibration = fit_on(
        _score_file(experiment, dev),
        values,
        columns=columns,
        p_target=how.p_target,
        penalty=how.penalty,
    )
    notes = doubtful_weights(calibration)
    if how.quality:
        notes += separating_columns(values, columns, dev.table.is_target)
    for note in notes:
        logger.warning("%s: %s", layout.calibration(), note)
    for name, group in groups.items():
        _write_calibrated(experiment, group, calibration(inputs[name][0]))
        if how.quality:
            for note in beyond_ranges(calibration, inputs[name][0]):
                logger.warning("%s: %s", layout.calibrated_scores(name), note)
    save_calibration(calibration, layout.calibration())
    return calibration


class _Group(NamedTuple):
    """Scores and trials of a group."""

    name: str
    path: Path
    table: ScoreTable
    trials: Trials


def _with_quality(
    group: _Group, how: DevCalibration, measures: Path
) -> tuple[FloatArray, tuple[str, ...]]:
    """Scores, ``(trials,)`` or ``(trials, columns)`` with measures; and the columns."""
    if not how.quality:
        return group.table.score, (SCORE,)
    found = read_measures(measures, how.quality)
    return measured_columns(
        group.table.score,
        of_trials(found, group.table, group.trials, path=group.path),
    )


def _write_calibrated(
    experiment: Experiment, group: _Group, ratios: FloatArray
) -> None:
    layout, table = experiment.layout, group.table
    path = layout.calibrated_scores(group.name)
    calibrated = ScoreTable(table.claimed, table.real, table.probe, ratios, table.model)
    form = "four" if table.model is None else "five"
    write_scores(path, calibrated, form=form)
    made = origin(experiment, group.name, group.trials)
    made["measure"] = f"{LOG_LIKELIHOOD_RATIO} of {made['measure']}"
    made["calibration"] = layout.calibration().name
    write_provenance(path, made)


def _score_file(experiment: Experiment, group: _Group) -> ScoreFile:
    made = origin(experiment, group.name, group.trials)
    return ScoreFile(group.path, "four", group.table, {}, origin=Origin(made))
