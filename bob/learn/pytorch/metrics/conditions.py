"""Figures by condition: gender, duration, session, or whatever is known of a trial.

A condition is a column of the table, one name per trial (`Names`), made from what is
known of recordings or subjects: `described` looks it up, `binned` cuts numbers into
ranges, `crossed` joins the condition of the reference with that of the probe, `alike`
says whether they agree.

>>> from bob.learn.pytorch.metrics import Names
>>> probes = Names.of(["p1", "p2", "p1"])
>>> described(probes, {"p1": "f", "p2": "m"}).tolist()
['f', 'm', 'f']
>>> binned(probes, {"p1": 1.5, "p2": 30.0}, edges=[2, 10], unit="s").tolist()
['below 2 s', '10 s and more', 'below 2 s']
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from bob.learn.pytorch.metrics.bootstrap import Interval, confidence_intervals
from bob.learn.pytorch.metrics.curve import FloatArray, MetricError, acquired
from bob.learn.pytorch.metrics.resampled import measured
from bob.learn.pytorch.metrics.table import Names, ScoreTable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bob.learn.pytorch.metrics.costs import CostFunction
    from bob.learn.pytorch.metrics.resampled import Measure


@dataclass(frozen=True)
class Condition:
    """Trials of one condition and their figures.

    Attributes
    ----------
    targets, non_targets
        Trials with a score.
    failures
        Trials without one.
    speakers
        Subjects of references and of probes.
    figures
        By name of the measure; NaN where these trials do not allow it.
    intervals
        Speaker-level, of the figures that there are; empty if none were asked for.
    """

    name: str
    targets: int
    non_targets: int
    failures: int
    speakers: int
    figures: dict[str, float]
    intervals: dict[str, Interval]


def breakdown(
    table: ScoreTable,
    condition: Names,
    measures: Mapping[str, Measure],
    *,
    level: float = 0.95,
    resamples: int = 0,
    seed: int = 0,
) -> list[Condition]:
    """Figures of each condition, in the order of its first trial.

    Thresholds are those of the condition itself, so that it looks its best; for one
    threshold that all share, give a `TrialMean`, such as `fnmr_mean`.

    Parameters
    ----------
    condition
        ``(trials,)``.
    resamples
        Of the speakers of each condition, for intervals; 0 for none.

    Raises
    ------
    MetricError
        The condition names more or fewer trials than the table has.
    """
    _check_condition(table, condition)
    if not len(table):
        return []
    codes, first = np.unique(condition.codes, return_index=True)
    # One stable sort instead of one mask over all trials for each condition.
    order = np.argsort(condition.codes, kind="stable")
    ends = np.searchsorted(condition.codes[order], codes, side="right")
    rows = dict(zip(codes.tolist(), np.split(order, ends[:-1]), strict=True))
    found = []
    for code in codes[np.argsort(first)].tolist():
        part = table.take(rows[code])
        figures = measured(part, measures)
        allowed = {
            name: measures[name]
            for name, figure in figures.items()
            if not np.isnan(figure)
        }
        intervals = (
            confidence_intervals(
                part, allowed, level=level, resamples=resamples, seed=seed
            )
            if resamples and allowed
            else {}
        )
        found.append(_condition(condition.distinct[code], part, figures, intervals))
    return found


def described(
    column: Names, values: Mapping[str, str], *, missing: str | None = None
) -> Names:
    """Look up each name of a column, such as the gender of every probe.

    Parameters
    ----------
    values
        Name -> condition.
    missing
        Condition of names that have no value; None refuses them.

    Raises
    ------
    MetricError
        A name has no value and ``missing`` is None.
    """
    unknown = [name for name in column.distinct if name not in values]
    if unknown and missing is None:
        present = set(np.unique(column.codes).tolist())
        unknown = [
            name
            for code, name in enumerate(column.distinct)
            if code in present and name not in values
        ]
        if unknown:
            raise MetricError(
                f"{len(unknown)} names of the trials have no value, such as "
                f"{unknown[0]!r}; complete the metadata, or say how such trials shall "
                f"be called (missing='unknown')"
            )
    named = Names.of(values.get(name, missing or "") for name in column.distinct)
    return Names(named.distinct, named.codes[column.codes])


def binned(
    column: Names,
    values: Mapping[str, float],
    *,
    edges: Sequence[float],
    unit: str = "",
    missing: str | None = None,
) -> Names:
    """Look up a number for each name and say in which range it lies.

    Parameters
    ----------
    edges
        Ascending; a range has its lower edge and not its upper one.
    missing
        Condition of names that have no value, or NaN; None refuses them.

    Raises
    ------
    MetricError
        The edges do not ascend, or a name has no value and ``missing`` is None.
    """
    if not len(edges) or np.isnan(edges).any() or (np.diff(edges) <= 0).any():
        raise MetricError(f"the edges {list(edges)} do not ascend; give them in order")
    unit = f" {unit}" if unit else ""
    shown = [f"{edge:g}" for edge in edges]
    if len(set(shown)) < len(shown):  # six digits do not tell the edges apart
        shown = [repr(float(edge)) for edge in edges]
    labels = [
        f"below {shown[0]}{unit}",
        *(f"{low} to {high}{unit}" for low, high in pairwise(shown)),
        f"{shown[-1]}{unit} and more",
    ]
    named = {
        name: labels[int(np.searchsorted(edges, value, side="right"))]
        for name, value in values.items()
        if not np.isnan(value)
    }
    return described(column, named, missing=missing)


def crossed(reference: Names, probe: Names, *, ordered: bool = True) -> Names:
    """Join two conditions of each trial, as "f / m".

    Parameters
    ----------
    ordered
        Whether "f / m" and "m / f" are two conditions.
    """
    _check_lengths(reference, probe)
    count = len(probe.distinct)
    pairs, codes = np.unique(
        reference.codes.astype(np.int64) * count + probe.codes, return_inverse=True
    )
    names = []
    for pair in pairs.tolist():
        both = [reference.distinct[pair // count], probe.distinct[pair % count]]
        names.append(" / ".join(both if ordered else sorted(both)))
    merged = Names.of(names)
    return Names(merged.distinct, merged.codes[codes])


def alike(
    reference: Names, probe: Names, *, same: str = "same", different: str = "different"
) -> Names:
    """Whether both conditions of each trial agree, such as both sessions."""
    _check_lengths(reference, probe)
    code = {name: code for code, name in enumerate(probe.distinct)}
    place = np.array(
        [code.get(name, -1) for name in reference.distinct], dtype=np.int64
    )
    return Names(
        (same, different), (place[reference.codes] != probe.codes).astype(np.int32)
    )


def equalised_costs(
    table: ScoreTable, partition: Names, cost: CostFunction
) -> tuple[float, float]:
    """Return minDCF and actDCF in which every partition counts alike.

    Both rates are means over the partitions that have trials of the kind, at thresholds
    that all share. So NIST does since SRE 2016, for gender, language and the like.

    Raises
    ------
    MetricError
        No target or no non-target trial has a score, or the partition names more or
        fewer trials than the table has.

    References
    ----------
    NIST 2016 Speaker Recognition Evaluation Plan, section 3.
    """
    _check_condition(table, partition)
    table.curve()  # refuses what has no figure
    parts = [table.take(partition.codes == code) for code in np.unique(partition.codes)]
    distinct = np.unique(acquired(table.score)[0])
    fnmr = _mean_share_below([part.targets for part in parts], distinct)
    fmr = 1 - _mean_share_below([part.non_targets for part in parts], distinct)
    minimum, actual = [], []
    for one in cost.costs:
        miss, false_match = one.weights
        costs = miss * fnmr + false_match * fmr
        minimum.append(costs.min())
        # Bayes' threshold makes the decision of the next score that is not below it.
        actual.append(costs[np.searchsorted(distinct, one.threshold)])
    return float(np.mean(minimum)), float(np.mean(actual))


def _mean_share_below(parts: list[FloatArray], distinct: FloatArray) -> FloatArray:
    """Share of scores that each of ``(scores + 1,)`` decisions rejects."""
    shares = []
    for part in parts:
        scores = np.sort(acquired(part)[0])
        if scores.size:
            below = np.searchsorted(scores, distinct)
            shares.append(np.append(below, scores.size) / scores.size)
    mean: FloatArray = np.mean(shares, axis=0)
    return mean


def _condition(
    name: str,
    table: ScoreTable,
    figures: dict[str, float],
    intervals: dict[str, Interval],
) -> Condition:
    scored = ~np.isnan(table.score)
    return Condition(
        name=name,
        targets=int(np.count_nonzero(scored & table.is_target)),
        non_targets=int(np.count_nonzero(scored & ~table.is_target)),
        failures=table.failures,
        speakers=table.speakers,
        figures=figures,
        intervals=intervals,
    )


def _check_condition(table: ScoreTable, condition: Names) -> None:
    if len(condition) != len(table):
        raise MetricError(
            f"the condition names {len(condition)} trials and the table has "
            f"{len(table)}; give one name per trial"
        )


def _check_lengths(reference: Names, probe: Names) -> None:
    if len(reference) != len(probe):
        raise MetricError(
            f"conditions of {len(reference)} references came with those of "
            f"{len(probe)} probes; give one of each per trial"
        )
