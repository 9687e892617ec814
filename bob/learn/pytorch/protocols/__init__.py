"""Protocols: recordings, references, probes and trials, read, checked and written."""

from typing import TYPE_CHECKING

from bob.learn.pytorch._lazy import lazy_names

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
    "checking": "check",
    "cohorts": "read_cohort",
    "formats.bob_csv": "write_csv_protocol",
    "formats.folder": "FolderDatabase",
    "formats.trial_list": "TrialListDatabase",
    "opening": "as_database convert read_protocol",
    "speakers": "SpeakerRule",
    "trials": "Database DatabaseError Probe Recording Reference Trials WithoutExtras",
}

__getattr__, __dir__ = lazy_names(__name__, _PLACES)
