"""Two systems on the same trials: is one better, or are these speakers kinder to it?

Both systems meet the same speakers, so their figures rise and fall together; the
difference is far better known than either. Every draw of the bootstrap takes the same
speakers for both.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from bob.learn.pytorch.metrics.bootstrap import (
    Interval,
    TrialMean,
    check_level,
    percentiles,
    resampled_values,
    usual_resamples,
)
from bob.learn.pytorch.metrics.curve import FloatArray, MetricError
from bob.learn.pytorch.metrics.overview import figure_measures, with_hull

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from bob.learn.pytorch.metrics.bootstrap import Measure
    from bob.learn.pytorch.metrics.costs import CostFunction
    from bob.learn.pytorch.metrics.table import Names, ScoreTable

# Above it, numbers of trials would no longer fit into 64 bits.
_LARGEST = 2**62
#: Figures that only log-likelihood ratios have.
_OF_RATIOS = ("act_dcf", "cllr")


@dataclass(frozen=True)
class Difference:
    """First system less second system, on trials that both could score.

    Attributes
    ----------
    interval
        Of the difference, over resampled speakers; below 0 the first is better.
    p_value
        Two-sided: how often resampling turns the sign. Not below 2 / (resamples + 1).
        NaN where no draw allowed the figure.
    """

    first: float
    second: float
    interval: Interval
    p_value: float

    @property
    def difference(self) -> float:
        """Negative where the first system has the smaller figure."""
        return self.first - self.second


@dataclass(frozen=True)
class McNemar:
    """Decisions that only one of two systems got wrong.

    The test takes trials as independent, which those of one speaker are not: a small
    p-value is too small. `paired_differences` of a cost at a threshold is not misled.

    Attributes
    ----------
    first_only, second_only
        Trials that only the first, or only the second, decided wrongly.
    p_value
        Two-sided and exact; 1 where they never differ.
    """

    first_only: int
    second_only: int

    @property
    def p_value(self) -> float:
        """Binomial test of "either is as likely"."""
        from scipy.special import bdtr  # here: it takes a moment to import

        smaller = min(self.first_only, self.second_only)
        trials = self.first_only + self.second_only
        return min(1.0, 2 * float(bdtr(smaller, trials, 0.5)))


@dataclass(frozen=True)
class Comparison:
    """A system against another on the same trials; below 0, the first is better.

    Decisions are those at the EER threshold of each.
    """

    differences: Mapping[str, Difference]
    decisions: McNemar


def paired_differences(
    first: ScoreTable,
    second: ScoreTable,
    measures: Mapping[str, Measure],
    *,
    level: float = 0.95,
    resamples: int | None = None,
    seed: int = 0,
) -> dict[str, Difference]:
    """Compare two systems by each measure, with the bootstrap over speakers.

    Trials that either could not score are left out for both.

    Raises
    ------
    MetricError
        The tables do not hold the same trials, or these do not allow a figure.
    """
    check_level(level)
    tables = paired_tables(first, second)
    if resamples is None:
        resamples = usual_resamples(len(first))
    drawn = [
        resampled_values(table, measures, resamples=resamples, seed=seed)
        for table in tables
    ]
    found = {}
    for name, measure in measures.items():
        one, other = (_figure(table, measure) for table in tables)
        with np.errstate(invalid="ignore"):  # infinite less infinite is NaN
            change = drawn[0][name] - drawn[1][name]
        interval = percentiles(change, level=level)
        found[name] = Difference(one, other, interval, _p_value(change))
    return found


def mcnemar(
    first: ScoreTable, second: ScoreTable, *, thresholds: tuple[float, float]
) -> dict[str, McNemar]:
    """Compare the decisions of two systems, each at its own threshold.

    Returns
    -------
    dict
        ``target``, ``non_target`` and ``all`` trials.

    References
    ----------
    McNemar, "Note on the sampling error of the difference between correlated
    proportions or percentages", Psychometrika 12(2), 1947 (here in its exact form).
    """
    one, other = paired_tables(first, second)
    scored = ~np.isnan(one.score)
    is_target = one.is_target
    wrong = [
        (table.score >= threshold) != is_target
        for table, threshold in zip((one, other), thresholds, strict=True)
    ]
    kinds = {
        "target": scored & is_target,
        "non_target": scored & ~is_target,
        "all": scored,
    }

    def count(only: NDArray[np.bool_], kind: NDArray[np.bool_]) -> int:
        return int(np.count_nonzero(only & kind))

    return {
        name: McNemar(
            count(wrong[0] & ~wrong[1], kind), count(wrong[1] & ~wrong[0], kind)
        )
        for name, kind in kinds.items()
    }


def compare(
    tables: tuple[ScoreTable, ScoreTable],
    *,
    cost: CostFunction,
    uncalibrated: bool,
    resamples: int,
    seed: int = 0,
) -> Comparison:
    """Compare two systems on the same trials, each decision at the EER threshold.

    If the scores of either are no log-likelihood ratios, actDCF and Cllr are left out.

    Raises
    ------
    MetricError
        The systems have different trials, or these do not allow a figure.
    """
    measures = with_hull(figure_measures(cost))
    if uncalibrated:
        measures = {k: one for k, one in measures.items() if k not in _OF_RATIOS}
    differences = paired_differences(*tables, measures, resamples=resamples, seed=seed)
    first, second = (table.curve().equal_error_point().threshold for table in tables)
    decisions = mcnemar(*tables, thresholds=(first, second))["all"]
    return Comparison(differences, decisions)


def paired_tables(
    first: ScoreTable, second: ScoreTable
) -> tuple[ScoreTable, ScoreTable]:
    """Return both with the trials of the first, in its order, NaN where either is.

    Trials are the same where reference and probe are; the reference goes by its
    subject where either table does not name it.

    Raises
    ------
    MetricError
        A trial is there twice, or in one table only, or of other subjects.
    """
    columns = ["claimed", "real", "probe"]
    if first.model is not None and second.model is not None:
        columns.append("model")
    one, other = _keys(first, second, columns)
    named = "model" in columns
    _refuse_repeated("first", first, one, named=named)
    if not np.array_equal(one, other):
        _refuse_repeated("second", second, other, named=named)
    place = _places(first, one, other)
    score = second.score[place]
    failed = np.isnan(first.score) | np.isnan(score)
    return (
        replace(first, score=np.where(failed, np.nan, first.score)),
        replace(first, score=np.where(failed, np.nan, score)),
    )


def _keys(
    first: ScoreTable, second: ScoreTable, columns: list[str]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return one number per trial, ``(trials,)`` each: equal where all names are."""
    keys, radix = np.zeros(len(first) + len(second), dtype=np.int64), 1
    for column in columns:
        count, codes = _common_codes(getattr(first, column), getattr(second, column))
        if radix * count > _LARGEST:
            keys = np.unique(keys, return_inverse=True)[1]
            radix = keys.size
        keys, radix = keys * count + codes, radix * count
    return keys[: len(first)], keys[len(first) :]


def _common_codes(first: Names, second: Names) -> tuple[int, NDArray[np.int64]]:
    """Return the count of names in both columns, and a number for each trial."""
    names = dict.fromkeys(first.distinct + second.distinct)
    code = {name: code for code, name in enumerate(names)}
    return len(code), np.concatenate(
        [
            np.array([code[name] for name in some.distinct], dtype=np.int64)[some.codes]
            for some in (first, second)
        ]
    )


def _refuse_repeated(
    which: str, table: ScoreTable, keys: NDArray[np.int64], *, named: bool
) -> None:
    """Refuse a trial that is there twice; ``named``: references go by their names."""
    if np.unique(keys).size == keys.size:
        return
    first = np.unique(keys, return_index=True)[1]
    again = int(np.setdiff1d(np.arange(keys.size), first)[0])
    row = table.take([again])
    reference = row.model if named and row.model is not None else row.claimed
    step = (
        "take the repetition out of the scores; `bob pytorch protocol check` finds "
        "those of a list of trials"
        if named
        else "if they are of several references of a subject, score files that name "
        "each reference (five columns, CSV) for both systems tell them apart; else "
        "take the repetition out"
    )
    raise MetricError(
        f"the {which} system has a trial more than once, {reference.tolist()[0]} with "
        f"{row.probe.tolist()[0]} (trial {again + 1}): {step}"
    )


def _places(
    table: ScoreTable, first: NDArray[np.int64], second: NDArray[np.int64]
) -> NDArray[np.intp]:
    """Return the place in the second of each trial of the first."""
    if np.array_equal(first, second):
        return np.arange(first.size)
    missing = ~np.isin(first, second)
    if missing.any() or first.size != second.size:
        example = ""
        if missing.any():
            row = table.take([int(np.argmax(missing))])
            reference = row.claimed if row.model is None else row.model
            example = f", such as {reference.tolist()[0]} and {row.probe.tolist()[0]}"
        raise MetricError(
            f"the systems were not run on the same trials: {first.size:,} and "
            f"{second.size:,}, of which {missing.sum():,} are in the first alone"
            f"{example}; score both on one protocol"
        )
    order = np.argsort(second)
    return order[np.searchsorted(second, first, sorter=order)]


def _figure(table: ScoreTable, measure: Measure) -> float:
    if isinstance(measure, TrialMean):
        return measure.of(table.targets, table.non_targets)
    return measure(table.curve())


def _p_value(change: FloatArray) -> float:
    change = change[~np.isnan(change)]
    if not change.size:
        return float("nan")
    sides = np.count_nonzero(change <= 0), np.count_nonzero(change >= 0)
    return min(1.0, 2 * (1 + min(sides)) / (1 + change.size))
