"""What a report is made from: systems, their trials, and where these come from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bob.learn.pytorch.metrics import Names, ScoreTable


@dataclass(frozen=True)
class FailedRecording:
    """A recording that could not be used, at which stage, and why."""

    name: str
    path: str
    stage: str
    reason: str


@dataclass(frozen=True, eq=False)
class System:
    """One system on one set of trials.

    Attributes
    ----------
    name
        What the report calls it.
    table
        The trials that the figures are of.
    group
        Their name, such as eval; may be empty.
    dev
        Trials of the development set, which give a threshold; None without.
    dev_name, dev_trials
        The file of these, such as ``calibrated-dev``, and a text that is the same for
        the same list of trials; may be empty.
    metadata
        Title of a column -> what it says of each trial of ``table``.
    failures
        Recordings that could not be used.
    provenance
        Titles and texts: files with hashes, command line, components, versions.
    scores
        How they were made, in few words, such as ``as-norm, calibrated on dev``.
    calibrated
        Whether a calibration made them; None where nothing tells.
    notes
        What a reader of the figures has to know, without the full stop.
    by_name
        The columns of ``metadata`` were asked for, and are conditions whatever their
        titles are.
    """

    name: str
    table: ScoreTable
    group: str = ""
    dev: ScoreTable | None = None
    metadata: Mapping[str, Names] = field(default_factory=dict)
    failures: tuple[FailedRecording, ...] = ()
    provenance: tuple[tuple[str, str], ...] = ()
    scores: str = ""
    calibrated: bool | None = None
    notes: tuple[str, ...] = ()
    by_name: bool = False
    dev_name: str = ""
    dev_trials: str = ""
