"""The stage that makes log-likelihood ratios of scores, by a calibration from dev."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from bob.learn.pytorch.calibration import Origin, save_calibration
from bob.learn.pytorch.calibration.origin import LOG_LIKELIHOOD_RATIO, write_provenance
from bob.learn.pytorch.calibration.quality import doubtful_weights
from bob.learn.pytorch.experiment.configuration import ConfigurationError
from bob.learn.pytorch.experiment.experiment import TRAINED_ON, DevCalibration
from bob.learn.pytorch.experiment.scores import origin
from bob.learn.pytorch.scorefiles.calibrating import (
    calibrate,
    calibrated,
    separating_measures,
)
from bob.learn.pytorch.scorefiles.quality import of_trials, read_measures
from bob.learn.pytorch.scorefiles.reading import ScoreFile, read_scores
from bob.learn.pytorch.scorefiles.writing import write_scores

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from bob.learn.pytorch.calibration.decision import Calibration
    from bob.learn.pytorch.experiment.experiment import Experiment
    from bob.learn.pytorch.experiment.options import Settings

logger = logging.getLogger(__name__)


def calibration_of(settled: Settings) -> DevCalibration | None:
    """Return the settings of the calibration; None if none was asked for."""
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
) -> Calibration:
    """Train on dev, apply to every group, and write all of it beside the scores.

    The experiment has the layout of these scores, and the normalisation that made them.
    """
    layout = experiment.layout
    if TRAINED_ON not in score_files:
        raise ConfigurationError(
            f"there are no scores of {TRAINED_ON} in {layout.scores} to train a "
            "calibration on; compute them first"
        )
    files = {
        group: _score_file(experiment, group, path, how.quality)
        for group, path in score_files.items()
    }
    dev = files[TRAINED_ON]
    calibration = calibrate(
        dev, quality=how.quality, p_target=how.p_target, penalty=how.penalty
    )
    doubts = doubtful_weights(calibration) + separating_measures(dev, how.quality)
    for doubt in doubts:
        logger.warning("%s: %s", layout.calibration(), doubt)
    for group, file in files.items():
        new = calibrated(calibration, file)
        path = write_scores(layout.calibrated_scores(group), new.table, form=file.form)
        made = file.origin.kept
        measure = f"{LOG_LIKELIHOOD_RATIO} of {made['measure']}"
        name = layout.calibration().name
        write_provenance(path, {**made, "measure": measure, "calibration": name})
        for note in new.notes:
            logger.warning("calibration: %s", note)
    save_calibration(calibration, layout.calibration())
    return calibration


def _score_file(
    experiment: Experiment, group: str, path: Path, quality: Sequence[str]
) -> ScoreFile:
    """Read the scores of a group, with what made them and their quality measures."""
    table, trials = read_scores(path), experiment.database.trials(group)
    measures = {}
    if quality:
        found = read_measures(experiment.layout.measures(group), quality)
        measures = of_trials(found, table, trials, path=path)
    return ScoreFile(
        path,
        "four" if table.model is None else "five",
        table,
        origin=Origin(origin(experiment, group, trials)),
        measures=measures,
    )
