"""Systems and their evaluations side by side: the content of a report."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import TYPE_CHECKING

from bob.learn.pytorch.metrics import (
    Comparison,
    CostFunction,
    Doubt,
    Evaluation,
    MetricError,
    evaluate,
    reliability_warnings,
    trial_conditions,
)
from bob.learn.pytorch.metrics.bootstrap import usual_resamples
from bob.learn.pytorch.metrics.overview import all_costs
from bob.learn.pytorch.metrics.paired import compare

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bob.learn.pytorch.metrics import Names, ScoreTable
    from bob.learn.pytorch.metrics.overview import Costs
    from bob.learn.pytorch.scorefiles.failures import Failure

#: Up to so many systems, all pairs are compared; of more, each with the first.
MOST_IN_PAIRS = 4
#: Doubts in the words of a report, whose tables mark such figures.
_MARKED = {
    "cosines": "all scores lie between -1 and 1, as cosines do; actDCF and Cllr (†) "
    "read scores as log-likelihood ratios and say nothing of uncalibrated ones",
    "uncalibrated": "the scores were not calibrated; actDCF and Cllr (†) read them as "
    "log-likelihood ratios, which they need not be",
}


@dataclass(frozen=True, eq=False)
class System:
    """One system on one set of trials.

    Attributes
    ----------
    name
        Name of the system in the report.
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
    failures: tuple[Failure, ...] = ()
    provenance: tuple[tuple[str, str], ...] = ()
    scores: str = ""
    calibrated: bool | None = None
    notes: tuple[str, ...] = ()
    by_name: bool = False
    dev_name: str = ""
    dev_trials: str = ""


@dataclass(frozen=True, eq=False)
class Evaluated:
    """A system with its figures."""

    system: System
    figures: Evaluation

    @property
    def name(self) -> str:
        """Name of the system in the report."""
        return self.system.name

    @property
    def doubts(self) -> tuple[Doubt, ...]:
        """Doubts in the words of a report, dev first, then notes on the scores."""
        own = [one for one in self.figures.doubts if one.kind != "dev"]
        dev = [one for one in self.figures.doubts if one.kind == "dev"]
        notes = [Doubt("note", text) for text in self.system.notes]
        return (*dev, *notes, *(doubt for one in own for doubt in self._worded(one)))

    def _worded(self, doubt: Doubt) -> list[Doubt]:
        curve = self.figures.curve
        if doubt.kind == "few errors" and curve is not None:
            minima = {
                one.name: one.point
                for one in self.figures.decisions
                if one.kind == "minimum"
            }
            texts = reliability_warnings(curve, minima)
        else:
            texts = [_MARKED.get(doubt.kind, doubt.text)]
        return [replace(doubt, text=text) for text in texts]


@dataclass(frozen=True)
class Pair:
    """Two systems compared on the same trials."""

    first: str
    second: str
    compared: Comparison


@dataclass(frozen=True)
class Report:
    """Figures of systems, of their pairs (or why there are none), and their costs."""

    systems: tuple[Evaluated, ...]
    pairs: tuple[Pair, ...]
    uncompared: tuple[str, ...]
    cost: CostFunction
    level: float = 0.95
    others_at: tuple[CostFunction, ...] = ()


def evaluate_systems(
    systems: Sequence[System],
    *,
    cost: Costs = None,
    resamples: int | None = None,
    seed: int = 0,
    tell: Callable[[str], None] = lambda _: None,
) -> Report:
    """Evaluate systems, and compare them.

    Parameters
    ----------
    cost
        Of minDCF and actDCF, or several: the first is that of comparisons and
        conditions. By default P_target 0.01.
    resamples
        Draws of the speakers, for intervals and comparisons; 0 for none. By default
        1,000, or 200 for tables of more than a million trials.
    tell
        Called with the name of each system before its turn.
    """
    first, *others_at = all_costs(cost)
    found = []
    for system in systems:
        tell(system.name)
        figures = evaluate(
            system.table,
            dev=system.dev,
            cost=(first, *others_at),
            conditions=trial_conditions(system.metadata, by_name=system.by_name),
            calibrated=system.calibrated,
            resamples=resamples,
            seed=seed,
        )
        found.append(Evaluated(system, figures))
    pairs, uncompared = _pairs(found, first, resamples, seed)
    return Report(tuple(found), pairs, uncompared, first, others_at=tuple(others_at))


def _pairs(
    found: Sequence[Evaluated], cost: CostFunction, resamples: int | None, seed: int
) -> tuple[tuple[Pair, ...], tuple[str, ...]]:
    """Compare systems; return the reasons, too, where they do not compare."""
    together = list(combinations(found, 2))
    if len(found) > MOST_IN_PAIRS:
        together = [(found[0], other) for other in found[1:]]
    pairs = []
    reasons: dict[str, list[str]] = {}
    for one, other in together:
        draws = resamples
        if draws is None:
            draws = usual_resamples(len(one.system.table))
        try:
            compared = compare(
                (one.system.table, other.system.table),
                cost=cost,
                uncalibrated=one.figures.uncalibrated or other.figures.uncalibrated,
                resamples=max(1, draws),
                seed=seed,
            )
        except MetricError as error:
            reasons.setdefault(str(error), []).append(f"{one.name} and {other.name}")
        else:
            pairs.append(Pair(one.name, other.name, compared))
    return tuple(pairs), tuple(f"{_first(who)}: {why}" for why, who in reasons.items())


def _first(pairs: list[str], most: int = 3) -> str:
    more = f" and {len(pairs) - most} more" if len(pairs) > most else ""
    return ", ".join(pairs[:most]) + more
