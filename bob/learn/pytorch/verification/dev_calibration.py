"""The stage that makes log-likelihood ratios of scores, by a calibration from dev."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from bob.learn.pytorch.metrics import ScoreTable
from bob.learn.pytorch.scoring import (
    CalibrationError,
    LinearCalibration,
    fit_calibration,
    save_calibration,
)
from bob.learn.pytorch.verification.algorithms import Similarity
from bob.learn.pytorch.verification.configuration import ConfigurationError
from bob.learn.pytorch.verification.score_writing import sha256_of
from bob.learn.pytorch.verification.scorefiles import (
    Form,
    read_scores,
    write_scores,
)

if TYPE_CHECKING:
    import types
    from collections.abc import Mapping
    from pathlib import Path

    from bob.learn.pytorch.verification.experiment import Experiment

#: The group that calibrations are trained on.
TRAINED_ON = "dev"


@dataclass(frozen=True)
class DevCalibration:
    """How a calibration is trained; see `bob.learn.pytorch.scoring.fit_calibration`."""

    p_target: float
    penalty: float

    def __str__(self) -> str:
        return (
            f"linear, trained on {TRAINED_ON}, P_target {self.p_target:g}, penalty "
            f"{self.penalty:g}"
        )


def calibration_of(settled: types.SimpleNamespace) -> DevCalibration | None:
    """The calibration that was asked for, None if none was.

    Raises
    ------
    ConfigurationError
        There is no group to train it on, or a number is none for it.
    """
    if not settled.calibrate_scores:
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
    if not 0 <= settled.calibration_penalty < float("inf"):
        raise ConfigurationError(
            f"calibration_penalty is {settled.calibration_penalty:g}; it is 0 or more"
        )
    return DevCalibration(settled.calibration_p_target, settled.calibration_penalty)


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
        There are no scores of dev.
    CalibrationError
        They do not determine a calibration.
    """
    layout = experiment.layout
    if TRAINED_ON not in score_files:
        raise ConfigurationError(
            f"there are no scores of {TRAINED_ON} in {layout.scores} to train a "
            "calibration on; compute them first"
        )
    tables = {group: read_scores(path) for group, path in score_files.items()}
    dev, path = tables[TRAINED_ON], score_files[TRAINED_ON]
    try:
        calibration = fit_calibration(
            dev.targets,
            dev.non_targets,
            p_target=how.p_target,
            penalty=how.penalty,
            provenance=_provenance(experiment, path, dev, how),
        )
    except CalibrationError as error:
        raise CalibrationError(f"{path} gives no calibration: {error}") from error
    for group, table in tables.items():
        ratios = calibration(table.score)
        calibrated = ScoreTable(
            table.claimed, table.real, table.probe, ratios, table.model
        )
        form: Form = "four" if table.model is None else "five"
        write_scores(layout.calibrated_scores(group), calibrated, form=form)
    save_calibration(calibration, layout.calibration())
    return calibration


def _provenance(
    experiment: Experiment, path: Path, table: ScoreTable, how: DevCalibration
) -> dict[str, str]:
    """Where a calibration comes from, so that nobody applies it to other scores."""
    database = experiment.database
    references = database.trials(TRAINED_ON).references
    counts = {len(reference.recordings) for reference in references}
    several = sorted({min(counts), max(counts)})
    return {
        **_of_model(experiment.preprocessing.component),
        "measure": _measure_of(experiment.algorithm),
        "normalisation": str(experiment.normalisation or "none"),
        "enrolment recordings": " to ".join(map(str, several)),
        "database": database.name,
        "protocol": str(database.protocol),
        "group": TRAINED_ON,
        "speakers": str(_speakers(table)),
        "scores": str(path),
        "sha256": sha256_of(path),
        "penalty": f"{how.penalty:g}",
        "bob.learn.pytorch": version("bob.learn.pytorch"),
    }


def _of_model(component: Any) -> dict[str, str]:  # noqa: ANN401 - the user's own
    if getattr(component, "embeds_in_batches", False):
        made_by = component.fingerprint()
        if "model" in made_by:
            names = ("model", "weights")
            return {name: str(made_by[name]) for name in names if name in made_by}
    return {"model": str(component)}


def _measure_of(algorithm: Any) -> str:  # noqa: ANN401 - the user's own
    """The name of a plain cosine, which other commands compute as well."""
    plain = (
        isinstance(algorithm, Similarity)
        and algorithm.measure == "cosine"
        and (algorithm.scale, algorithm.offset) == (1.0, 0.0)
    )
    return "cosine" if plain else repr(algorithm)


def _speakers(table: ScoreTable) -> int:
    _, claimed, real = table.subjects
    return len({*claimed.tolist(), *real.tolist()})
