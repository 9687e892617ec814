"""Quality measures of the two sides of trials, and the file that keeps them."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeVar

import numpy as np

from bob.learn.pytorch import csv_rows
from bob.learn.pytorch.errors import ScoringError
from bob.learn.pytorch.files import write_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    FloatArray: TypeAlias = NDArray[np.float64]

_REFERENCE, _PROBE = "reference", "probe"

Key = TypeVar("Key")
_KeyIn = TypeVar("_KeyIn", contravariant=True)


class _Table(Protocol[_KeyIn]):
    """A number for each key: a mapping, or a list."""

    def __getitem__(self, key: _KeyIn, /) -> float: ...


@dataclass(frozen=True, eq=False)
class Measured:
    """Measures of both sides of a group.

    Attributes
    ----------
    references, probes
        Measure -> numbers by id; NaN where no recording could be used.
    """

    references: Mapping[str, Mapping[str, float]]
    probes: Mapping[str, Mapping[str, float]]


def measured_sides(
    measures: Sequence[str],
    recordings: Sequence[Sequence[Key]],
    *,
    seconds: _Table[Key],
    lengths: _Table[Key],
    means: FloatArray | None,
) -> dict[str, list[float]]:
    """Measure references, or probes, of which each has some recordings.

    Parameters
    ----------
    measures
        ``duration`` in seconds (all recordings together), ``magnitude`` of the
        embedding (mean of several), ``cohort_mean``.
    recordings
        For each those that can be used; NaN is measured where there is none.
    seconds, lengths
        Duration, and length of the embedding, of each recording.
    means
        What each scores against the cohort on average.

    Returns
    -------
    dict
        Measure -> one number each; without ``cohort_mean`` where there are no means.
    """
    columns: dict[str, list[float]] = {}
    for name in measures:
        if name == "duration":
            columns[name] = [
                sum(seconds[key] for key in some) if some else np.nan
                for some in recordings
            ]
        elif name == "magnitude":
            columns[name] = [
                sum(lengths[key] for key in some) / len(some) if some else np.nan
                for some in recordings
            ]
        elif means is not None:
            columns[name] = means.tolist()
    return columns


def write_measures(found: Measured, path: Path) -> None:
    """Write CSV: ``side``, which is reference or probe, ``id``, and the measures.

    Numbers are as in the columns of score files.
    """
    rows = [["side", "id", *found.references]]
    for name, columns in ((_REFERENCE, found.references), (_PROBE, found.probes)):
        for item in dict.fromkeys(key for column in columns.values() for key in column):
            cells = (as_text(column[item]) for column in columns.values())
            rows.append([name, item, *cells])
    write_text(path, csv_rows.as_text(rows))


def as_text(number: float) -> str:
    """A measure as files have it: six digits, and nothing for NaN."""
    return "" if np.isnan(number) else f"{number:.6g}"


def read_measures(path: Path, measures: Sequence[str]) -> Measured:
    """Read some of the measures of a file of `write_measures`.

    Raises
    ------
    ScoringError
        It is not there, lacks a measure, or is something else.
    """
    try:
        with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
            rows = csv.DictReader(file)
            lacking = [name for name in measures if name not in (rows.fieldnames or ())]
            if lacking:
                raise _unfit(path, f"does not tell {lacking[0]}")
            sides: dict[str, dict[str, dict[str, float]]] = {
                side: {name: {} for name in measures} for side in (_REFERENCE, _PROBE)
            }
            for row in rows:
                for name in measures:
                    sides[row["side"]][name][row["id"]] = float(row[name] or "nan")
    except FileNotFoundError:
        raise _unfit(path, "is not there") from None
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, ScoringError):
            raise
        raise _unfit(path, f"is no file of measures ({error!r})") from error
    return Measured(sides[_REFERENCE], sides[_PROBE])


def _unfit(path: Path, what: str) -> ScoringError:
    return ScoringError(
        f"{path} {what}, which calibration_quality asks for; run without "
        "--skip-score-computation"
    )
