"""Read score files: those of verify.py and Bob 8, VoxSRC, Kaldi, WeSpeaker and ESPnet.

A trial without a score has ``nan``. Forms that name recordings and no speakers need a
list of trials, a protocol, labels, or VoxCeleb's names; see `labels`. The forms are
described in `forms`. Lines are read by Arrow where that is sure, else by Python.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np

from bob.learn.pytorch.calibration.origin import Origin, read_provenance
from bob.learn.pytorch.metrics import Figures, Names, ScoreTable, figures
from bob.learn.pytorch.protocols.columns import (
    Block,
    Joined,
    Layout,
    Unsure,
    fast_blocks,
    is_number,
)
from bob.learn.pytorch.protocols.listed import LABELS
from bob.learn.pytorch.protocols.sources import read_trial_source
from bob.learn.pytorch.scorefiles.forms import (
    LABELLED,
    METADATA,
    Blindness,
    Found,
    ScoreFileError,
    UnlabelledError,
    decimal_comma,
    find_layout,
    labelled_form,
    no_trial,
)
from bob.learn.pytorch.scorefiles.labels import (
    Labels,
    sides_of,
    targets_of,
    with_speakers,
    without_speakers,
)

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from bob.learn.pytorch.metrics import CostFunction
    from bob.learn.pytorch.protocols.listed import TrialList

    Source: TypeAlias = TrialList | str | os.PathLike[str] | None
    FloatArray: TypeAlias = NDArray[np.float64]

# Read at a time, line by line. Larger blocks outgrow the processor's cache.
BLOCK_CHARACTERS = 1 << 22
BLOCK_ROWS = 8192
# Facts about the file itself, not about its scores.
_OF_FILE = ("scores", "bob.learn.pytorch")


class ScoredTrials(Protocol):
    """Trials that were scored in memory, as `score` of the face returns them."""

    @property
    def table(self) -> ScoreTable:
        """Return the trials with their scores."""

    @property
    def provenance(self) -> Mapping[str, Any]:
        """Return what made the scores, as JSON values."""


@dataclass(frozen=True, eq=False)
class ScoreFile:
    """A score file as it was read.

    Attributes
    ----------
    path
        The file; for a table in memory what messages call it.
    form
        The form that it will be written in again.
    table
        Its trials.
    metadata
        Other facts about the trials, by title: the other columns of a CSV, and those
        of the list of trials.
    columns
        Those titles that the file itself has.
    is_labelled
        Whether it is known which trials are of one speaker. If not, each name in the
        table is a separate speaker, or speakers are empty, as in the file.
    origin
        What made the scores, if the file beside says so of these very scores.
    names_only
        Whether the file names recordings and no speakers.
    notes
        Sentences of the calibration, or fusion, that made the scores, on these trials.
    in_memory
        Whether there is no such file.
    measures
        Quality measures by name, of the references and of the probes, ``(trials,)``
        each, where they do not stand in ``metadata``.
    """

    path: Path
    form: str
    table: ScoreTable
    metadata: Mapping[str, Names] = field(default_factory=dict)
    columns: tuple[str, ...] = ()
    is_labelled: bool = True
    origin: Origin = field(default_factory=Origin)
    names_only: bool = False
    notes: tuple[str, ...] = ()
    in_memory: bool = False
    measures: Mapping[str, tuple[FloatArray, FloatArray]] = field(default_factory=dict)

    def with_scores(self, scores: FloatArray) -> ScoreFile:
        """Return the same trials with other scores, ``(trials,)``."""
        return replace(self, table=replace(self.table, score=scores))

    def figures(self, cost: CostFunction) -> Figures | None:
        """Return error rates; None without labels."""
        if not self.is_labelled:
            return None
        return figures(self.table.targets, self.table.non_targets, cost=cost)


def read_scores(path: str | os.PathLike[str], *, trials: Source = None) -> ScoreTable:
    """Read a score file of any form; the first line tells which.

    Parameters
    ----------
    path
        The file.
    trials
        A list of the same trials, or a protocol with them, used where the file does
        not say which are of one speaker.

    Raises
    ------
    ScoreFileError
        The file holds no trial, or a line does not fit: the message has its number.
        `UnlabelledError` where nothing tells which trials are of one speaker.
    """
    return _read(Path(path), trials, metadata=False).table


def read_with_metadata(
    path: str | os.PathLike[str], *, trials: Source = None
) -> tuple[ScoreTable, Mapping[str, Names]]:
    """Read a score file as `read_scores` does, and other facts on its trials, by title.

    Those are the other columns of a CSV, and what the list of trials or the protocol
    says of recordings (``bio_ref_gender``, ``probe_gender``) and of trials.
    """
    read = _read(Path(path), trials, metadata=True)
    return read.table, read.metadata


def read_score_file(
    path: str | os.PathLike[str], *, trials: Source = None, unlabelled: bool = False
) -> ScoreFile:
    """Read a score file as `read_scores` does, with all that is in it, and its origin.

    Parameters
    ----------
    trials
        A list of trials, or a protocol, which has the labels.
    unlabelled
        Take files without labels as well: also a CSV whose speakers are empty, and
        where the list of trials is that of another file and knows none of the trials.
        Each name is then a separate speaker, or in CSV speakers stay empty, so that
        nothing can be measured.
    """
    path = Path(path)
    kept = read_provenance(path)
    origin = Origin({name: kept[name] for name in kept if name not in _OF_FILE})
    read = _read(path, trials, metadata=True, unlabelled=unlabelled)
    return replace(read, origin=origin)


def labelled_scores(
    path: str | os.PathLike[str], *, trials: Source = None
) -> Iterator[tuple[FloatArray, NDArray[np.bool_]]]:
    """Read a score file of any length in bounded memory, without its names.

    Yields
    ------
    scores : (lines,) array of float64
        Scores of some lines, in their order; NaN included.
    is_target : (lines,) array of bool
        Whether both are the same speaker.

    Raises
    ------
    ScoreFileError
        As `read_scores` does, but nothing tells whether the list holds more trials.
    """
    path = Path(path)
    found = _layout(path)
    labels = None
    blindness = Blindness(path)
    lines = 0
    for block in _blocks(path, found):
        if len(block):
            scores = block.numbers
            assert scores is not None  # noqa: S101 - every layout has a score
            if not lines:
                _refuse_trial_list(path, found, scores)
            names = dict(block.names)
            if blindness.found(names, first=lines):
                labels = labels or _labels(trials)
                names = without_speakers(path, names, labels)
            yield scores, targets_of(path, names, labels, first=lines)
        lines += len(block)
    if not lines:
        raise no_trial(path)


def _layout(path: Path, *, metadata: bool = False) -> Found:
    """Return the form of a score file, reading lines until labels are sure."""
    found = find_layout(path, metadata=metadata)
    if found.form not in ("four", "five") or not LABELS.keys() & set(found.first):
        return found
    columns = tuple(map(str, range(len(found.first))))
    layout = Layout(columns, found.layout.separator, number=None)
    form = labelled_form(path, found.first, _blocks(path, Found("", layout)))
    if form is None:
        return found
    return Found(form, replace(found.layout, columns=LABELLED[form]), found.first)


def _blocks(path: Path, found: Found) -> Iterator[Block]:
    """Yield the lines of a score file, in bounded memory."""
    done = 0
    try:
        for block in fast_blocks(path, found.layout):
            yield block
            done += len(block)
    except Unsure:
        carefully = _csv_blocks if found.form == "csv" else _text_blocks
        for block in carefully(path, found.layout):
            known = min(done, len(block))
            done -= known
            if known < len(block):
                yield block.after(known)


def _read(
    path: Path, trials: Source, *, metadata: bool, unlabelled: bool = False
) -> ScoreFile:
    found, joined = _layout(path, metadata=metadata), Joined()
    for block in _blocks(path, found):
        joined.add(block)
    names, scores = joined.names, joined.numbers
    if not scores.size:
        raise no_trial(path)
    _refuse_trial_list(path, found, scores)
    others = {
        name.removeprefix(METADATA): names.pop(name)
        for name in list(names)
        if name.startswith(METADATA)
    }
    is_blind, is_labelled = Blindness(path).found(names), True
    labels = _labels(trials) if is_blind or metadata else None
    if is_blind:
        try:
            names = with_speakers(path, names, labels)
        except UnlabelledError:
            # Without references, CSV could not be written again.
            if not unlabelled or ("claimed" in names and "model" not in names):
                raise
            is_labelled, labels = False, None
            if "claimed" not in names:
                sides = sides_of(path, names)
                names = {"claimed": sides["model"], "real": sides["probe"], **sides}
    table = ScoreTable(score=scores, **names)
    columns = tuple(others)
    if metadata and labels is not None:
        others = labels.metadata(table) | others
    return ScoreFile(
        path,
        found.form,
        table,
        others,
        columns,
        is_labelled,
        names_only=is_blind,
    )


def _labels(trials: Source) -> Labels | None:
    return None if trials is None else Labels(read_trial_source(trials))


def _refuse_trial_list(path: Path, found: Found, scores: FloatArray) -> None:
    place = {"voxsrc": "first", "kaldi": "last"}.get(found.form)
    # One trial may score 1 by chance.
    are_labels = ((scores == 0) | (scores == 1)).all()
    if place and are_labels and (place == "first" or np.ptp(scores)):
        raise ScoreFileError(
            f"{path} is a list of trials: its {place} column is always 0 or 1; give "
            "the file of scores, and this as the list of trials"
        )


def _text_blocks(path: Path, layout: Layout) -> Iterator[Block]:
    number = 1
    with path.open(encoding="utf-8-sig", errors="surrogateescape") as file:
        lines: list[str] = []
        try:
            while lines := file.readlines(BLOCK_CHARACTERS):
                fields = _fields(lines, width=len(layout.columns))
                yield _block(fields, layout)
                number += len(lines)
        except ValueError as error:
            raise _misfit(path, map(str.split, lines), layout, first=number) from error


def _fields(lines: list[str], *, width: int) -> list[list[str]]:
    """Return the columns of some lines; ValueError where a line has another width."""
    # One split of the whole block is five times faster than one for each line. The
    # mark between lines, which no text file holds, shows that all have one width.
    tokens = " \0 ".join(lines).split()
    if len(tokens) + 1 != len(lines) * (width + 1):
        lines = [line for line in lines if not line.isspace()]
        tokens = " \0 ".join(lines).split()
    expected = max(0, len(lines) * (width + 1) - 1)
    if len(tokens) != expected or not set(tokens[width :: width + 1]) <= {"\0"}:
        raise ValueError(f"a line does not have {width} columns")
    return [tokens[column :: width + 1] for column in range(width)]


def _csv_blocks(path: Path, layout: Layout) -> Iterator[Block]:
    width = len(layout.columns)
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        reader = csv.reader(file)
        next(row for row in reader if row)
        rows: list[list[str]] = []
        try:
            while rows := list(islice(reader, BLOCK_ROWS)):
                # The first row makes sure of the width even where no other has it.
                fields = zip([""] * width, *filter(None, rows), strict=True)
                yield _block([list(column[1:]) for column in fields], layout)
        except ValueError as error:
            first = reader.line_num - len(rows) + 1
            raise _misfit(path, rows, layout, first=first) from error


def _block(fields: Sequence[Sequence[str]], layout: Layout) -> Block:
    """Return columns of text as names and numbers; ValueError for other scores."""
    named = dict(zip(layout.columns, fields, strict=True))
    names = {
        name: Names.of(column)
        for name, column in named.items()
        if name is not None and name != layout.number
    }
    if layout.number is None:
        return Block(names, None)
    texts = named[layout.number]
    # All at once: a call of is_number for each would take twice as long.
    joined = "".join(texts)
    if "_" in joined or not joined.isascii():
        raise ValueError("a score is not a number")
    return Block(names, np.fromiter(map(float, texts), np.float64, len(texts)))


def _misfit(
    path: Path, rows: Iterable[list[str]], layout: Layout, *, first: int
) -> ScoreFileError:
    """Say which row does not fit."""
    width, numbers = len(layout.columns), layout.number is not None
    score = layout.columns.index(layout.number) if numbers else 0
    number, problem = first, "it cannot be read"
    for number, row in enumerate(rows, start=first):  # noqa: B007
        if row and len(row) != width:
            problem = f"{len(row)} columns where {width} are expected"
            break
        if row and numbers and not is_number(row[score]):
            comma = decimal_comma([row[score]])
            problem = f"the score {row[score]!r} is not a number{comma}"
            break
    return ScoreFileError(
        f"{path}, line {number}: {problem}; repair the line or write the file again"
    )
