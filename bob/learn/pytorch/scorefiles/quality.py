"""The two sides of trials: names of the references, and quality measures of both."""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias, TypeVar

import numpy as np

from bob.learn.pytorch import printing
from bob.learn.pytorch.errors import ScoringError
from bob.learn.pytorch.files import write_text
from bob.learn.pytorch.metrics import Names
from bob.learn.pytorch.protocols.columns import is_number
from bob.learn.pytorch.scoring import magnitudes

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from bob.learn.pytorch.metrics import ScoreTable
    from bob.learn.pytorch.protocols.trials import Probe, Recording, Reference, Trials
    from bob.learn.pytorch.scorefiles.reading import ScoreFile

    FloatArray: TypeAlias = NDArray[np.float64]

_REFERENCE, _PROBE = "reference", "probe"

Key = TypeVar("Key")
_KeyIn = TypeVar("_KeyIn", contravariant=True)


class _Table(Protocol[_KeyIn]):
    """A number for each key: a mapping, or a list."""

    def __getitem__(self, key: _KeyIn, /) -> float: ...


@dataclass(frozen=True, eq=False)
class Measured:
    """Quality measures of both sides of a group.

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
        For each its usable recordings; NaN is measured where there is none.
    seconds, lengths
        Duration, and length of the embedding, of each recording.
    means
        Mean cohort score of each.

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
    write_text(path, printing.as_csv(rows))


def as_text(number: float) -> str:
    """Write a measure with six digits, and NaN as nothing."""
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


def measure(
    trials: Trials,
    measures: Sequence[str],
    *,
    vectors: Mapping[str, FloatArray],
    seconds: Mapping[str, float],
    means: tuple[FloatArray, FloatArray] | None = None,
) -> Measured:
    """Measure the references and probes of trials as `measured_sides` does.

    Parameters
    ----------
    vectors, seconds
        Embeddings ``(vectors, dimensions)`` and durations, by key of the recording;
        those of recordings that cannot be used are absent.
    means
        Mean cohort score of each reference, and of each probe, ``(count,)`` each.

    Raises
    ------
    ScoringError
        The duration of a recording that is used is not known.
    """

    def side(
        items: Sequence[Reference | Probe], mean: FloatArray | None
    ) -> dict[str, dict[str, float]]:
        used = [[r for r in item.recordings if r.key in vectors] for item in items]
        if "duration" in measures:
            _require_durations([r for part in used for r in part], seconds)
        keys = [[recording.key for recording in part] for part in used]
        lengths = {}
        if "magnitude" in measures:
            lengths = {
                key: float(magnitudes(vectors[key]).mean())
                for part in keys
                for key in part
            }
        columns = measured_sides(
            measures, keys, seconds=seconds, lengths=lengths, means=mean
        )
        ids = [item.id for item in items]
        return {
            name: dict(zip(ids, column, strict=True))
            for name, column in columns.items()
        }

    of_references, of_probes = means or (None, None)
    return Measured(side(trials.references, of_references),
                    side(trials.probes, of_probes))  # fmt: skip


def _require_durations(used: Sequence[Recording], seconds: Mapping[str, float]) -> None:
    unknown = [recording for recording in used if recording.key not in seconds]
    if unknown:
        first = unknown[0]
        raise ScoringError(
            f"the duration of {len(unknown)} of the recordings is not known, such as "
            f"{first.path or first.key}; leave duration out of calibration_quality"
        )


def of_trials(
    found: Measured, table: ScoreTable, trials: Trials, *, path: Path
) -> dict[str, tuple[FloatArray, FloatArray]]:
    """Return measures of both sides of each line of a score file, ``(trials,)`` each.

    Its trials are sorted by the ids of references, and for each of these in the order
    of its probes; the path is for messages.

    Raises
    ------
    ScoringError
        The measures, or the score file, are of other trials.
    """
    ids = [item.id for item in trials.probes]
    first, second = _positions(trials)
    if not _are_probes(table, ids, second):
        raise ScoringError(
            f"{path} is not of the trials of the database, so it cannot be told which "
            "recordings its scores are of; run without --skip-concatenation"
        )
    references = [item.id for item in trials.references]
    try:
        return {
            name: (
                np.array([found.references[name][item] for item in references])[first],
                np.array([found.probes[name][item] for item in ids])[second],
            )
            for name in found.references
        }
    except KeyError as error:
        raise ScoringError(
            f"of {error} in {path} there are no quality measures; run without "
            "--skip-score-computation"
        ) from error


def _positions(trials: Trials) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """Return positions of both sides of each trial, as score files are sorted."""
    names = [item.id for item in trials.references]
    order = sorted(range(len(names)), key=names.__getitem__)
    everyone = np.arange(len(trials.probes), dtype=np.int64)
    chosen = [everyone if trials.pairs is None else trials.pairs[at] for at in order]
    counts = [len(part) for part in chosen]
    return np.repeat(np.array(order, dtype=np.intp), counts), np.concatenate(chosen)


def _are_probes(table: ScoreTable, ids: list[str], second: NDArray[np.int64]) -> bool:
    if len(table) != second.size:
        return False
    code = {name: at for at, name in enumerate(dict.fromkeys(ids))}
    expected = np.array([code[name] for name in ids])[second]
    there = np.array([code.get(name, -1) for name in table.probe.distinct])
    return bool((there[table.probe.codes] == expected).all())


def _unfit(path: Path, what: str) -> ScoringError:
    return ScoringError(
        f"{path} {what}, which calibration_quality asks for; run without "
        "--skip-score-computation"
    )


class _ReferenceFile(NamedTuple):
    """File of one reference, with its name and count of trials."""

    name: str
    path: Path
    trials: int


def reference_files(path: Path, *, group: str) -> list[_ReferenceFile]:
    """Return the files of each reference that make up a score file, in its order.

    verify.py writes them into the folder of the group; one after the other they are the
    score file. Others below that folder, such as a report, are left aside; where those
    that are left do not make up the score file, there are none.
    """
    folder = path.parent / group
    named = {
        file.relative_to(folder).with_suffix("").as_posix(): file
        for file in folder.rglob("*.txt")
    }
    if not named:
        return []
    found, whole, start = [], path.read_bytes(), 0
    for name, file in sorted(named.items()):
        part = file.read_bytes()
        if part and whole.startswith(part, start):
            found.append(_ReferenceFile(name, file, part.count(b"\n")))
            start += len(part)
    return found if start == len(whole) else []


def with_references(table: ScoreTable, path: Path, *, group: str) -> ScoreTable:
    """Name the references of a file of four columns, which does not.

    Where the files of each reference do not make up the score file, the table stays as
    it is.
    """
    if table.model is not None:
        return table
    files = reference_files(path, group=group)
    trials = np.array([file.trials for file in files], dtype=np.int64)
    codes = np.repeat(np.arange(len(files), dtype=np.int32), trials)
    if codes.size != len(table):
        return table
    return replace(table, model=Names(tuple(file.name for file in files), codes))


def measured(file: ScoreFile, name: str) -> tuple[FloatArray, FloatArray]:
    """Return a measure of the reference and of the probe of each trial, ``(trials,)``.

    It stands in columns of the file, or of the list of its trials, or in the file
    ``quality-<group>.csv`` that verify.py writes beside.
    """
    if name in file.measures:
        return file.measures[name]
    columns = f"bio_ref_{name}", f"probe_{name}"
    group = file.path.name.removeprefix("scores-")
    # Where verify.py with calibration_quality keeps those of its scores.
    beside = file.path.with_name(f"quality-{group}.csv")
    if set(columns) & set(file.metadata) or not beside.is_file():
        return _numbers(file, columns[0]), _numbers(file, columns[1])
    found = read_measures(beside, (name,))
    sides = (
        (
            _references(file, group, found.references[name], beside),
            found.references[name],
        ),
        (file.table.probe, found.probes[name]),
    )
    for names, numbers in sides:
        unknown = [one for one in names.distinct if one not in numbers]
        if unknown:
            raise ScoringError(
                f"{beside} knows no {name} of {unknown[0]} in {file.path}; score the "
                "trials with `bob pytorch score … -o scores.csv --quality …` instead"
            )
    one, other = (
        np.array([numbers[one] for one in names.distinct])[names.codes]
        for names, numbers in sides
    )
    return one, other


def _references(
    file: ScoreFile, group: str, known: Collection[str], beside: Path
) -> Names:
    """Return the reference of each trial, by the name that its measures have."""
    table = with_references(file.table, file.path, group=group)
    if table.model is not None:
        return table.model
    # Each subject has the one reference that is called like it.
    if set(known) == set(table.claimed.distinct):
        return table.claimed
    raise ScoringError(
        f"{file.path} has four columns, which name subjects, and {beside} has measures "
        f"of references; which reference each score is of is not told by the files in "
        f"{file.path.with_name(group)} either: run verify.py again with "
        "--write-five-column-score-files, or score the trials with `bob pytorch score "
        "… -o scores.csv --quality …`"
    )


def _numbers(file: ScoreFile, title: str) -> FloatArray:
    """Return a column of numbers, ``(trials,)``; NaN where it is empty."""
    if title not in file.metadata:
        raise ScoringError(
            f"{file.path} has no column {title}; it has "
            f"{', '.join(file.metadata) or 'no other columns'}. Write such columns "
            "with `bob pytorch score … -o scores.csv --quality …`, or give a protocol "
            "that has them as the list of trials"
        )
    column = file.metadata[title]
    numbers = np.array([_number(text) for text in column.distinct])
    wrong = np.isinf(numbers)[column.codes]
    if wrong.any():
        at = int(wrong.argmax())
        raise ScoringError(
            f"{file.path}, trial {at + 1}: {column.distinct[column.codes[at]]!r} in "
            f"the column {title} is no number"
        )
    return numbers[column.codes]


def _number(text: str) -> float:
    """NaN of nothing, and infinite where it is no number."""
    if not text.strip():
        return np.nan
    return float(text) if is_number(text) else np.inf
