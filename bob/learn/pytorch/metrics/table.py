"""Scores with the names that belong to them, and which trials have none.

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
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bob.learn.pytorch.metrics.curve import ErrorCurve, FloatArray, MetricError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bob.learn.pytorch.metrics.curve import OperatingPoint

Codes: TypeAlias = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Names:
    """A column of names in which each distinct name is stored once.

    Attributes
    ----------
    distinct
        The names, in any order, without repetition.
    codes
        ``(trials,)``, positions in ``distinct``.
    """

    distinct: tuple[str, ...]
    codes: Codes

    @classmethod
    def of(cls, names: Iterable[str]) -> Names:
        """Encode a column of names.

        Examples
        --------
        >>> Names.of(["ann", "bob", "ann"]).codes.tolist()
        [0, 1, 0]
        """
        column = list(names)
        code = {name: code for code, name in enumerate(dict.fromkeys(column))}
        codes = np.fromiter(map(code.__getitem__, column), np.int32, len(column))
        return cls(tuple(code), codes)

    def tolist(self) -> list[str]:
        """Return every name of the column, in order."""
        return [self.distinct[code] for code in self.codes.tolist()]

    def take(self, index: ArrayLike) -> Names:
        """Return the names at positions (n,), or where a mask (names,) is true."""
        return Names(self.distinct, self.codes[_places(index)])

    def __len__(self) -> int:
        return self.codes.size


@dataclass(frozen=True, eq=False)
class ScoreTable:
    """Trials with their scores; all columns have the length ``(trials,)``.

    Attributes
    ----------
    claimed
        Subject of the reference.
    real
        Subject of the probe.
    probe
        The probe: in score files of verify.py its path without extension.
    score
        Higher means more alike; NaN where a recording could not be used.
    model
        The reference, where the table knows it.
    """

    claimed: Names
    real: Names
    probe: Names
    score: FloatArray
    model: Names | None = None

    def __post_init__(self) -> None:
        columns = {"claimed": self.claimed, "real": self.real, "probe": self.probe}
        if self.model is not None:
            columns["model"] = self.model
        lengths = {name: len(column) for name, column in columns.items()}
        if self.score.ndim != 1 or set(lengths.values()) != {self.score.size}:
            raise ValueError(
                f"the columns {lengths} and scores of shape {self.score.shape} do not "
                f"make a table; give one name of each kind and one score per trial"
            )

    @classmethod
    def from_trials(
        cls,
        scores: ArrayLike,
        *,
        trials: tuple[ArrayLike, ArrayLike],
        references: Sequence[str],
        reference_subjects: Sequence[str],
        probes: Sequence[str],
        probe_subjects: Sequence[str],
    ) -> ScoreTable:
        """Name the trials of a list.

        Parameters
        ----------
        scores
            ``(trials,)``.
        trials
            Positions in ``references`` and in ``probes``, ``(trials,)`` each.

        Raises
        ------
        ValueError
            A position is out of range, or there are not as many subjects as names.
        """
        reference, probe = (np.asarray(index, dtype=np.int64) for index in trials)
        _check_named("references", references, reference_subjects, reference)
        _check_named("probes", probes, probe_subjects, probe)
        return cls(
            claimed=Names.of(reference_subjects).take(reference),
            real=Names.of(probe_subjects).take(probe),
            probe=Names.of(probes).take(probe),
            score=np.asarray(scores, dtype=np.float64),
            model=Names.of(references).take(reference),
        )

    @classmethod
    def from_matrix(
        cls,
        scores: ArrayLike,
        *,
        references: Sequence[str],
        reference_subjects: Sequence[str],
        probes: Sequence[str],
        probe_subjects: Sequence[str],
    ) -> ScoreTable:
        """Name the trials of a matrix ``(references, probes)``, row after row.

        Raises
        ------
        ValueError
            There are not as many names as rows and columns.
        """
        matrix = np.asarray(scores, dtype=np.float64)
        if matrix.shape != (len(references), len(probes)):
            raise ValueError(
                f"scores of shape {matrix.shape} came with {len(references)} "
                f"references and {len(probes)} probes; the shape must be "
                f"(references, probes)"
            )
        return cls.from_trials(
            matrix.ravel(),
            trials=(
                np.repeat(np.arange(len(references)), len(probes)),
                np.tile(np.arange(len(probes)), len(references)),
            ),
            references=references,
            reference_subjects=reference_subjects,
            probes=probes,
            probe_subjects=probe_subjects,
        )

    def __len__(self) -> int:
        return self.score.size

    def take(self, index: ArrayLike) -> ScoreTable:
        """Return the trials at positions (n,), or where a mask (trials,) is true."""
        chosen = _places(index)
        return ScoreTable(
            claimed=self.claimed.take(chosen),
            real=self.real.take(chosen),
            probe=self.probe.take(chosen),
            score=self.score[chosen],
            model=None if self.model is None else self.model.take(chosen),
        )

    def check_column(self, column: Names) -> None:
        """Refuse a column of names that has more or fewer trials (`MetricError`)."""
        if len(column) != len(self):
            raise MetricError(
                f"the condition names {len(column)} trials and the table has "
                f"{len(self)}; give one name per trial"
            )

    @cached_property
    def subjects(self) -> tuple[tuple[str, ...], Codes, Codes]:
        """All subjects, and those of the reference and of the probe of each trial.

        The codes are ``(trials,)`` each, positions in the subjects.
        """
        names = dict.fromkeys(self.claimed.distinct + self.real.distinct)
        code = {name: code for code, name in enumerate(names)}
        claimed, real = (
            np.array([code[name] for name in column.distinct], dtype=np.int32)
            for column in (self.claimed, self.real)
        )
        return tuple(code), claimed[self.claimed.codes], real[self.real.codes]

    @cached_property
    def speakers(self) -> int:
        """Count of subjects on either side of its trials."""
        _, claimed, real = self.subjects
        return int(np.unique(np.concatenate([claimed, real])).size)

    @property
    def is_target(self) -> NDArray[np.bool_]:
        """``(trials,)``: reference and probe are of the same subject."""
        _, claimed, real = self.subjects
        return np.equal(claimed, real)

    @property
    def targets(self) -> FloatArray:
        """Scores of trials of one subject, (targets,), NaN included."""
        return self.score[self.is_target]

    @property
    def non_targets(self) -> FloatArray:
        """Scores of the other trials, (non_targets,), NaN included."""
        return self.score[~self.is_target]

    @property
    def failures(self) -> int:
        """Count of trials without a score."""
        return int(np.count_nonzero(np.isnan(self.score)))

    def curve(self) -> ErrorCurve:
        """Return the errors at every decision."""
        return ErrorCurve.from_scores(self.targets, self.non_targets)


def _places(index: ArrayLike) -> NDArray[Any]:
    """Positions or a mask; no position at all is an array of no kind."""
    places = np.asarray(index)
    return places if places.size else places.astype(np.intp)


def _check_named(
    kind: str, names: Sequence[str], subjects: Sequence[str], index: NDArray[np.int64]
) -> None:
    if len(names) != len(subjects):
        raise ValueError(
            f"{len(names)} {kind} came with {len(subjects)} subjects; give one each"
        )
    if index.size and not 0 <= index.min() <= index.max() < len(names):
        raise ValueError(
            f"the trials name {kind} at positions {index.min()} to {index.max()}, and "
            f"there are {len(names)}; positions count from 0"
        )


@dataclass(frozen=True)
class Share:
    """A number that failed, of all."""

    failed: int
    total: int

    @property
    def rate(self) -> float:
        """Fraction that failed; NaN of nothing."""
        return self.failed / self.total if self.total else float("nan")


@dataclass(frozen=True)
class Failures:
    """Trials and recordings without a score.

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
