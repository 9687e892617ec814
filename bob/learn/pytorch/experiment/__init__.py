"""Experiments from recordings to scores: what verify.py does, stage by stage."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bob.learn.pytorch.experiment.configuration import ConfigurationError
    from bob.learn.pytorch.experiment.experiment import (
        BadRecordingsError,
        Experiment,
        Outcome,
    )
    from bob.learn.pytorch.experiment.options import Settings
    from bob.learn.pytorch.experiment.run import read_settings, run_experiment

__all__ = [
    "run_experiment",
    "read_settings",
    "Settings",
    "Experiment",
    "Outcome",
    "BadRecordingsError",
    "ConfigurationError",
]

_PLACES = {
    "run_experiment": "run",
    "read_settings": "run",
    "Settings": "options",
    "ConfigurationError": "configuration",
}


def __getattr__(name: str) -> object:
    """Import a name of this room when it is first used, so that ``--help`` is fast."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(f"{__name__}.{_PLACES.get(name, 'experiment')}")
    found: object = getattr(module, name)
    return found
