"""Experiments from recordings to scores: what verify.py does, stage by stage."""

from typing import TYPE_CHECKING

from bob.learn.pytorch._lazy import lazy_names

if TYPE_CHECKING:
    from bob.learn.pytorch.experiment.algorithms import (
        Algorithm,
        PldaAlgorithm,
        Similarity,
    )
    from bob.learn.pytorch.experiment.configuration import ConfigurationError
    from bob.learn.pytorch.experiment.experiment import (
        BadRecordingsError,
        Experiment,
        Outcome,
    )
    from bob.learn.pytorch.experiment.options import Settings
    from bob.learn.pytorch.experiment.run import read_settings, run_experiment
    from bob.learn.pytorch.experiment.stored_scores import (
        Scored,
        Scores,
        score,
        score_everything,
    )
    from bob.learn.pytorch.experiment.stored_trials import StoredTrials

__all__ = [
    "Algorithm",
    "BadRecordingsError",
    "ConfigurationError",
    "Experiment",
    "Outcome",
    "PldaAlgorithm",
    "Scored",
    "Scores",
    "Settings",
    "Similarity",
    "StoredTrials",
    "read_settings",
    "run_experiment",
    "score",
    "score_everything",
]

_PLACES = {
    "algorithms": "Algorithm Similarity PldaAlgorithm",
    "configuration": "ConfigurationError",
    "experiment": "BadRecordingsError Experiment Outcome",
    "options": "Settings",
    "run": "read_settings run_experiment",
    "stored_scores": "Scored Scores score score_everything",
    "stored_trials": "StoredTrials",
}

__getattr__, __dir__ = lazy_names(__name__, _PLACES)
