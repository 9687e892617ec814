"""Classes of trials, such as by gender, duration or session, and their figures.

A condition is a column of the table, one name per trial (`Names`), made from what is
known of recordings or subjects: `described` looks it up, `binned` cuts numbers into
ranges, `crossed` joins the condition of the reference with that of the probe, `alike`
says whether they agree, and `trial_conditions` chooses among columns of metadata.

>>> from bob.learn.pytorch.metrics import Names
>>> probes = Names.of(["p1", "p2", "p1"])
>>> described(probes, {"p1": "f", "p2": "m"}).tolist()
['f', 'm', 'f']
>>> binned(probes, {"p1": 1.5, "p2": 30.0}, edges=[2, 10], unit="s").tolist()
['below 2 s', '10 s and more', 'below 2 s']
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from bob.learn.pytorch.metrics.bootstrap import (
    Interval,
    TrialMean,
    confidence_intervals,
    measured,
)
from bob.learn.pytorch.metrics.curve import ErrorCurve, MetricError
from bob.learn.pytorch.metrics.table import Names

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from bob.learn.pytorch.metrics.bootstrap import Measure
    from bob.learn.pytorch.metrics.overview import Figures
    from bob.learn.pytorch.metrics.table import ScoreTable

#: Draws for each condition, at most.
_DRAWS_OF_CONDITIONS = 200
#: Classes that a column may have; numbers with more are cut at their quartiles.
_MOST_CLASSES = 12
_UNKNOWN = "unknown"
#: Of a number at least so many digits say where a class ends.
_DIGITS = 3
# Titles of what names a recording or a file, which is no condition.
_NAMING = re.compile(r"(^|_)(id|key|path|file|filename|name|template|line)$", re.I)
# Titles of what may be told by numbers that are no quantities.
_TOLD_APART = re.compile(
    r"(session|chapter|book|meeting|call|conversation|video|recording|utterance"
    r"|segment|speaker|subject|client|person|device|channel|microphone|room)s?",
    re.I,
)
_REFERENCE, _PROBE = "bio_ref_", "probe_"


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
    """Return the figures of each condition, in the order of its first trial.

    Thresholds are those of the condition itself, so that it looks its best; for one
    threshold that all share, give a `TrialMean`, such as `TrialMean.at`.

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
    table.check_column(condition)
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


def all_conditions(
    table: ScoreTable,
    found: Figures,
    conditions: Mapping[str, Names],
    resamples: int,
    seed: int,
) -> dict[str, list[Condition]]:
    """Return the figures of each class; FNMR and FMR at one shared threshold."""
    measures: dict[str, Measure] = {
        "eer": ErrorCurve.equal_error_rate,
        "min_dcf": found.cost_function.minimum,
    }
    if not math.isnan(found.eer_threshold):
        measures["fnmr"] = TrialMean.at(found.eer_threshold, miss=1.0)
        measures["fmr"] = TrialMean.at(found.eer_threshold, false_match=1.0)
    draws = min(resamples, _DRAWS_OF_CONDITIONS)
    return {
        title: sorted(
            breakdown(table, classes, measures, resamples=draws, seed=seed),
            key=lambda condition: _in_order(condition.name),
        )
        for title, classes in conditions.items()
    }


def _in_order(name: str) -> tuple[int, float, str]:
    """Sort ranges by their first number, open ones at the ends; words by letters."""
    if name.startswith("below "):
        return (0, -math.inf, name)
    try:
        return (0, float(name.split()[0]), name)
    except (ValueError, IndexError):
        return (1, 0.0, name)


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
    """Tell whether both conditions of each trial agree, such as both sessions."""
    _check_lengths(reference, probe)
    code = {name: code for code, name in enumerate(probe.distinct)}
    place = np.array(
        [code.get(name, -1) for name in reference.distinct], dtype=np.int64
    )
    return Names(
        (same, different), (place[reference.codes] != probe.codes).astype(np.int32)
    )


def trial_conditions(
    metadata: Mapping[str, Names], *, by_name: bool = False
) -> dict[str, Names]:
    """Choose the conditions among the columns of metadata.

    Left out are names and what is the same everywhere. Numbers of many values are cut
    at the quartiles of the trials, as near to these as trials of one value stay
    together; where they tell sessions, chapters or speakers apart, they are names, and
    so are numbers with a zero in front (``0012``). Of a column for the reference
    (``bio_ref_gender``) and one for the probe (``probe_gender``) come the pairs, in
    either order.

    Parameters
    ----------
    metadata
        Title -> what it says of each trial.
    by_name
        The columns were asked for: whatever their titles are, and whether or not a zero
        stands in front, numbers are quantities and words are classes.

    Returns
    -------
    dict
        What to call the condition -> the class of each trial.
    """
    found: dict[str, Names] = {}
    for title, column in metadata.items():
        if not by_name and _NAMING.search(title):
            continue
        classes = _classes(title, column, by_name=by_name)
        if classes is not None:
            found[title] = classes
    return _paired(found)


def _classes(title: str, column: Names, *, by_name: bool) -> Names | None:
    codes, counts = np.unique(column.codes, return_counts=True)
    present = [column.distinct[code] for code in codes.tolist()]
    if len(present) < 2:
        return None
    if len(present) <= _MOST_CLASSES:
        named = Names.of(name.strip() or _UNKNOWN for name in column.distinct)
        return Names(named.distinct, named.codes[column.codes])
    if not by_name and _TOLD_APART.fullmatch(_without_side(title)):
        return None
    return _ranges(column, present, counts, zeros=by_name)


def _ranges(
    column: Names, present: Sequence[str], counts: NDArray[np.intp], *, zeros: bool
) -> Names | None:
    """Cut numbers into classes; None if a name that is present is no number.

    ``counts`` are trials of each name that is present; ``zeros`` takes ``0012`` for a
    number, too.
    """
    numbers = {
        name: number
        for name in present
        if (number := _number(name)) is not None
        and (zeros or not re.match(r"0\d", name))
    }
    if len(numbers) < len([name for name in present if name.strip()]):
        return None
    edges = _quartiles(numbers, dict(zip(present, counts.tolist(), strict=True)))
    return binned(column, numbers, edges=edges, missing=_UNKNOWN) if edges else None


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if np.isfinite(number) else None


def _quartiles(numbers: Mapping[str, float], trials: Mapping[str, int]) -> list[float]:
    """Return the lower ends of classes that part the trials nearest to quarters."""
    values, place = np.unique(list(numbers.values()), return_inverse=True)
    below = np.cumsum(np.bincount(place, weights=[trials[name] for name in numbers]))
    if values.size < 2:
        return []
    quarters = below[-1] * np.array([0.25, 0.5, 0.75])
    ends = {int(np.abs(below[:-1] - quarter).argmin()) for quarter in quarters}
    return [
        _between(float(values[end]), float(values[end + 1])) for end in sorted(ends)
    ]


def _between(low: float, high: float) -> float:
    """Return the number above ``low`` and up to ``high`` with the fewest digits."""
    rounded = (float(f"{high:.{digits}g}") for digits in range(_DIGITS, 17))
    return next((edge for edge in rounded if low < edge <= high), high)


def _without_side(title: str) -> str:
    return title.removeprefix(_REFERENCE).removeprefix(_PROBE)


def _paired(columns: dict[str, Names]) -> dict[str, Names]:
    found: dict[str, Names] = {}
    for title, column in columns.items():
        word = _without_side(title)
        reference = columns.get(_REFERENCE + word)
        probe = columns.get(_PROBE + word)
        if reference is None or probe is None:
            found[title] = column
            continue
        pairs = crossed(reference, probe, ordered=False)
        if len(pairs.distinct) <= _MOST_CLASSES:
            found[f"{word}, reference / probe"] = pairs
        else:
            found[title] = column
    return found


def _check_lengths(reference: Names, probe: Names) -> None:
    if len(reference) != len(probe):
        raise MetricError(
            f"conditions of {len(reference)} references came with those of "
            f"{len(probe)} probes; give one of each per trial"
        )
