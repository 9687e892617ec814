"""Trials without a score: what failed, and rates that count failures as rejections.

A trial fails when its reference or its probe does. The score tells which: where every
trial of a probe failed, the probe was not acquired; where every trial of a reference
failed, the reference was not enrolled. A single failed recording takes many trials
along, so the shares of recordings say more than the share of trials.

References
----------
ISO/IEC 19795-1, "Biometric performance testing and reporting": failure to enrol,
failure to acquire; false accept and false reject rate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bob.learn.pytorch.metrics.curve import MetricError

if TYPE_CHECKING:
    from bob.learn.pytorch.metrics.curve import OperatingPoint
    from bob.learn.pytorch.metrics.table import Names, ScoreTable


@dataclass(frozen=True)
class Share:
    """Some of all."""

    failed: int
    total: int

    @property
    def rate(self) -> float:
        """As a fraction; NaN of nothing."""
        return self.failed / self.total if self.total else float("nan")


@dataclass(frozen=True)
class Failures:
    """What has no score.

    Attributes
    ----------
    targets, non_targets
        Trials without a score.
    probes, references
        Those of which no trial has a score; references go by subject where the table
        does not name them.
    """

    targets: Share
    non_targets: Share
    probes: Share
    references: Share

    def rates(self, point: OperatingPoint) -> tuple[float, float]:
        """FMR and FNMR of a decision -> false accept and false reject rate of all.

        A trial without a score is rejected.
        """
        return (
            point.false_match_rate * (1 - self.non_targets.rate),
            1 - (1 - point.false_non_match_rate) * (1 - self.targets.rate),
        )


def failures(table: ScoreTable) -> Failures:
    """Count what failed.

    Raises
    ------
    MetricError
        The table is empty.
    """
    if not len(table):
        raise MetricError("there is no trial; check that the score file is not empty")
    failed, is_target = np.isnan(table.score), table.is_target
    targets = int(np.count_nonzero(is_target))
    without = int(np.count_nonzero(failed & is_target))
    references = table.claimed if table.model is None else table.model
    return Failures(
        targets=Share(without, targets),
        non_targets=Share(table.failures - without, len(table) - targets),
        probes=_share(table, table.probe),
        references=_share(table, references),
    )


def _share(table: ScoreTable, names: Names) -> Share:
    present = np.zeros(len(names.distinct), dtype=bool)
    usable = present.copy()
    present[names.codes] = True
    usable[names.codes[~np.isnan(table.score)]] = True
    return Share(int(np.count_nonzero(present & ~usable)), int(present.sum()))
