"""Score files in blocks: by Arrow where that is sure, else line by line."""

from __future__ import annotations

import csv
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from bob.learn.pytorch.metrics import Names
from bob.learn.pytorch.protocols.columns import (
    Block,
    Layout,
    Unsure,
    fast_blocks,
    is_number,
)
from bob.learn.pytorch.protocols.listed import LABELS
from bob.learn.pytorch.scorefiles.label_columns import (
    LABELLED,
    AmbiguousError,
    labelled_form,
)
from bob.learn.pytorch.scorefiles.layouts import (
    Found,
    ScoreFileError,
    decimal_comma,
    find_layout,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

# Read at a time, line by line. Larger blocks outgrow the processor's cache.
BLOCK_CHARACTERS = 1 << 22
BLOCK_ROWS = 8192


def score_layout(path: Path, *, metadata: bool = False) -> Found:
    """Return the form of a score file, reading lines until labels are sure.

    Parameters
    ----------
    metadata : bool
        See `find_layout`.

    Raises
    ------
    ScoreFileError
        As `find_layout` does; or the columns may be Bob's as well as those of another
        form with a label, which is said.
    """
    found = find_layout(path, metadata=metadata)
    if found.form not in ("four", "five") or not LABELS.keys() & set(found.first):
        return found
    columns = tuple(map(str, range(len(found.first))))
    layout = Layout(columns, found.layout.separator, number=None)
    try:
        form = labelled_form(found.first, score_blocks(path, Found("", layout)))
    except AmbiguousError as error:
        raise ScoreFileError(f"{path}: {error}") from error
    if form is None:
        return found
    return Found(form, replace(found.layout, columns=LABELLED[form]), found.first)


def score_blocks(path: Path, found: Found) -> Iterator[Block]:
    """The lines of a score file, in bounded memory.

    Raises
    ------
    ScoreFileError
        A line does not fit: the message has its number.
    """
    done = 0
    try:
        for block in fast_blocks(path, found.layout):
            yield block
            done += len(block)
    except Unsure:
        yield from _from(done, _carefully(path, found))


def _from(line: int, blocks: Iterator[Block]) -> Iterator[Block]:
    """Blocks less the first lines, which are known already."""
    for block in blocks:
        known = min(line, len(block))
        line -= known
        if known < len(block):
            yield block.after(known)


def _carefully(path: Path, found: Found) -> Iterator[Block]:
    if found.form == "csv":
        return _csv_blocks(path, found.layout)
    return _text_blocks(path, found.layout)


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
    """Columns of a block of lines; ValueError where a line has another width."""
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
    """Columns of text -> names and numbers; ValueError where a score is none."""
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
