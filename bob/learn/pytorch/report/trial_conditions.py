"""Which columns beside the scores are worth a table, and in which classes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from bob.learn.pytorch.metrics import Names, binned, crossed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

#: Classes that a column may have; numbers with more are cut at their quartiles.
MOST_CLASSES = 12
UNKNOWN = "unknown"
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
    if len(present) <= MOST_CLASSES:
        named = Names.of(name.strip() or UNKNOWN for name in column.distinct)
        return Names(named.distinct, named.codes[column.codes])
    if not by_name and _TOLD_APART.fullmatch(_without_side(title)):
        return None
    return _ranges(column, present, counts, zeros=by_name)


def _ranges(
    column: Names, present: Sequence[str], counts: NDArray[np.intp], *, zeros: bool
) -> Names | None:
    """Cut numbers into classes; None if a name that is present is no number.

    Parameters
    ----------
    counts
        Trials of each name that is present.
    zeros
        Take ``0012`` for a number, too.
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
    return binned(column, numbers, edges=edges, missing=UNKNOWN) if edges else None


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if np.isfinite(number) else None


def _quartiles(numbers: Mapping[str, float], trials: Mapping[str, int]) -> list[float]:
    """Where classes begin: at the values that part the trials nearest to quarters."""
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
    """The number above one and up to the other that takes the fewest digits."""
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
        if len(pairs.distinct) <= MOST_CLASSES:
            found[f"{word}, reference / probe"] = pairs
        else:
            found[title] = column
    return found
