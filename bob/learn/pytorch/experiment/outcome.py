"""What an experiment leaves behind, the recordings that failed included."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bob.learn.pytorch.errors import UserError
from bob.learn.pytorch.printing import printable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bob.learn.pytorch.experiment.experiment import Experiment
    from bob.learn.pytorch.scorefiles.failures import Failure


@dataclass
class Outcome:
    """The result of a run.

    Attributes
    ----------
    failures
        By the key of the recording.
    score_files
        Group -> concatenated score file.
    normalised_files
        The same of normalised scores.
    weakened
        References enrolled from fewer recordings than their protocol names:
        ``group/id`` -> (used, named).
    notes
        What else a reader of the figures has to know of the recordings.
    computed, reused, outdated
        Number of files by stage; an outdated file was made by another model,
        recording or setting, and is computed anew.
    """

    failures: dict[str, Failure] = field(default_factory=dict)
    score_files: dict[str, Path] = field(default_factory=dict)
    normalised_files: dict[str, Path] = field(default_factory=dict)
    weakened: dict[str, tuple[int, int]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    computed: dict[str, int] = field(default_factory=dict)
    reused: dict[str, int] = field(default_factory=dict)
    outdated: dict[str, int] = field(default_factory=dict)

    def files_of(self, kind: Experiment) -> dict[str, Path]:
        """Group -> score file of a kind of scores; see `scores.kinds`."""
        raw = kind.normalisation is None
        return self.score_files if raw else self.normalised_files

    def add(self, other: Outcome) -> None:
        """Take in the features that were made, or not, of other recordings."""
        self.failures.update(other.failures)
        for own, more in (
            (self.computed, other.computed),
            (self.reused, other.reused),
            (self.outdated, other.outdated),
        ):
            for stage, count in more.items():
                own[stage] = own.get(stage, 0) + count


class BadRecordingsError(UserError, RuntimeError):
    """Recordings that cannot be used stop a run that does not allow them."""

    def __init__(
        self, failures: Sequence[Failure], listed_in: Path, *, total: int
    ) -> None:
        self.failures = tuple(failures)
        go_on = (
            "; or go on without them: --allow-missing-files gives their trials the "
            "score nan"
        )
        super().__init__(
            f"{len(failures)} of {total} recordings cannot be used, so nothing was "
            "scored:\n"
            + "\n".join(f"  {failure}" for failure in failures)
            + f"\nThe list is also in {printable(listed_in)}. Repair or remove them "
            "and start again: finished work is kept"
            + (go_on if len(failures) < total else "")
        )
