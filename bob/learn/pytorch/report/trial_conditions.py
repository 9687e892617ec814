"""Which columns beside the scores are worth a table, and in which classes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from bob.learn.pytorch.metrics import Names, binned, crossed

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Classes that a column may have; numbers with more are cut at their quartiles.
MOST_CLASSES = 12
UNKNOWN = "unknown"
# Titles of what names a recording or a file, which is no condition.
_NAMING = re.compile(r"(^|_)(id|key|path|file|filename|name|template|line)$", re.I)
_REFERENCE, _PROBE = "bio_ref_", "probe_"


def trial_conditions(metadata: Mapping[str, Names]) -> dict[str, Names]:
    """Choose the conditions among the columns of metadata.

    Left out are names and what is the same everywhere. Numbers of many values are cut
    at their quartiles. Of a column for the reference (``bio_ref_gender``) and one for
    the probe (``probe_gender``) come the pairs, in either order.

    Parameters
    ----------
    metadata
        Title -> what it says of each trial.

    Returns
    -------
    dict
        What to call the condition -> the class of each trial.
    """
    found: dict[str, Names] = {}
    for title, column in metadata.items():
        classes = None if _NAMING.search(title) else _classes(column)
        if classes is not None:
            found[title] = classes
    return _paired(found)


def _classes(column: Names) -> Names | None:
    present = [column.distinct[code] for code in np.unique(column.codes).tolist()]
    if len(present) < 2:
        return None
    if len(present) <= MOST_CLASSES:
        named = Names.of(name.strip() or UNKNOWN for name in column.distinct)
        return Names(named.distinct, named.codes[column.codes])
    numbers = {
        name: number for name in present if (number := _number(name)) is not None
    }
    if len(numbers) < len([name for name in present if name.strip()]):
        return None
    edges = _quartiles(np.array(list(numbers.values())))
    return binned(column, numbers, edges=edges, missing=UNKNOWN) if edges else None


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if np.isfinite(number) else None


def _quartiles(
    numbers: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
) -> list[float]:
    """Three digits of each are enough to say where a class ends."""
    edges = np.quantile(numbers, [0.25, 0.5, 0.75])
    return sorted({float(f"{edge:.3g}") for edge in edges.tolist()})


def _paired(columns: dict[str, Names]) -> dict[str, Names]:
    found: dict[str, Names] = {}
    for title, column in columns.items():
        word = title.removeprefix(_REFERENCE).removeprefix(_PROBE)
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
