"""Protocols: recordings, references, probes and trials, read, checked and written."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bob.learn.pytorch.protocols.checking import check
    from bob.learn.pytorch.protocols.cohorts import read_cohort
    from bob.learn.pytorch.protocols.formats.bob_csv import write_csv_protocol
    from bob.learn.pytorch.protocols.formats.folder import FolderDatabase
    from bob.learn.pytorch.protocols.formats.trial_list import TrialListDatabase
    from bob.learn.pytorch.protocols.opening import as_database, convert, read_protocol
    from bob.learn.pytorch.protocols.speakers import SpeakerRule
    from bob.learn.pytorch.protocols.trials import (
        Database,
        DatabaseError,
        Probe,
        Recording,
        Reference,
        Trials,
        WithoutExtras,
    )

__all__ = [
    "Database",
    "DatabaseError",
    "FolderDatabase",
    "Probe",
    "Recording",
    "Reference",
    "SpeakerRule",
    "TrialListDatabase",
    "Trials",
    "WithoutExtras",
    "as_database",
    "check",
    "convert",
    "read_cohort",
    "read_protocol",
    "write_csv_protocol",
]

_PLACES = {
    "checking": ("check",),
    "cohorts": ("read_cohort",),
    "formats.bob_csv": ("write_csv_protocol",),
    "formats.folder": ("FolderDatabase",),
    "formats.trial_list": ("TrialListDatabase",),
    "opening": ("as_database", "convert", "read_protocol"),
    "speakers": ("SpeakerRule",),
}


def __getattr__(name: str) -> object:
    # Commands print their help without NumPy.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = (module for module, names in _PLACES.items() if name in names)
    return getattr(import_module(f"{__name__}.{next(found, 'trials')}"), name)
