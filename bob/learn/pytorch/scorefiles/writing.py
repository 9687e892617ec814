"""Write score files in the forms of `forms`."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bob.learn.pytorch._moved import moved_names
from bob.learn.pytorch.files import beside
from bob.learn.pytorch.metrics import Names
from bob.learn.pytorch.scorefiles.forms import (
    COLUMNS,
    CSV_COLUMNS,
    ScoreFileError,
)

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Mapping

    from bob.learn.pytorch.metrics import ScoreTable

# Written at a time, in trials.
BLOCK_TRIALS = 1 << 16

__getattr__ = moved_names(__name__)


def write_scores(
    path: str | os.PathLike[str], table: ScoreTable, *, form: str = "four"
) -> Path:
    """Write a table of scores; the file appears at once and complete, or not at all.

    Missing folders are made.

    Parameters
    ----------
    form
        One of the forms of `forms`.

    Raises
    ------
    ScoreFileError
        The form is unknown, it needs the name of the reference and the table has none,
        or a name with a space would become two columns.
    """
    return write_blocks(path, [(table, {})], form=form)


def write_blocks(
    path: str | os.PathLike[str],
    blocks: Iterable[tuple[ScoreTable, Mapping[str, Names]]],
    *,
    form: str,
) -> Path:
    """Write tables of scores, one after the other, into one file; see `write_scores`.

    Parameters
    ----------
    path
        The file appears at once and complete, or not at all.
    blocks
        Tables of some trials; with the form ``csv``, other facts about each trial, by
        title, the same titles in each block.
    """
    path = Path(path)
    with (
        beside(path) as place,
        place.open("x", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        for number, (table, metadata) in enumerate(blocks):
            lines = _lines(table, form=form, metadata=metadata)
            # The headline stands once, as the first piece of the first block.
            file.writelines(islice(lines, int(form == "csv" and number > 0), None))
    return path


def _lines(
    table: ScoreTable, *, form: str, metadata: Mapping[str, Names]
) -> Iterator[str]:
    """Yield the text of a score file in pieces of many lines."""
    if form not in COLUMNS:
        raise ScoreFileError(
            f"scores cannot be written in the form {form!r}; choose one of "
            f"{', '.join(COLUMNS)}"
        )
    others = metadata if form == "csv" else {}
    if form == "csv":
        titles = list(CSV_COLUMNS.values())
        titles[-1:-1] = map(_quoted, others)
        yield ",".join(titles) + "\n"
    columns, place = _columns(table, form, others)
    texts = [_escaped(column, form=form) for column in columns]
    separator, number = (",", "%r") if form == "csv" else (" ", "%.8f")
    for start in range(0, len(table), BLOCK_TRIALS):
        part = slice(start, start + BLOCK_TRIALS)
        fields = [
            [distinct[code] for code in column.codes[part].tolist()]
            for distinct, column in zip(texts, columns, strict=True)
        ]
        if "pair" in COLUMNS[form]:
            fields[:2] = [list(map("*".join, zip(*fields[:2], strict=True)))]
        scores = table.score[part].tolist()
        fields.insert(place, [number] * len(scores))
        template = "\n".join(map(separator.join, zip(*fields, strict=True)))
        yield template % tuple(scores) + "\n"


def _columns(
    table: ScoreTable, form: str, others: Mapping[str, Names]
) -> tuple[list[Names], int]:
    """Return the columns of a form but the scores, and the place of these."""
    columns: list[Names] = []
    for name in COLUMNS[form]:
        if name == "pair":
            columns += [_names(table, side, form=form) for side in ("model", "probe")]
        elif name == "model" and others and table.model is None:
            columns.append(table.claimed)
        elif name != "score":
            columns.append(_names(table, name, form=form))
    columns += others.values()
    place = COLUMNS[form].index("score")
    return columns, len(columns) if form == "csv" else place


def _names(table: ScoreTable, column: str, *, form: str) -> Names:
    if column == "label":
        words = ("nontarget", "target") if form == "wespeaker" else ("0", "1")
        return Names(words, table.is_target.astype(np.int32))
    names: Names | None = getattr(table, column)
    if names is None:
        raise ScoreFileError(
            "this table of scores does not name its references, which all forms but "
            "four columns need; give model= to the table or write four columns"
        )
    return names


def _escaped(names: Names, *, form: str) -> list[str]:
    """Return distinct names as they stand in the file, safe in a % template."""
    if form == "csv":
        return [_quoted(name).replace("%", "%%") for name in names.distinct]
    for name in names.distinct:
        if len(name.split()) != 1 or name.strip() != name:
            raise ScoreFileError(
                f"{name!r} cannot stand in a score file whose columns are parted by "
                f"spaces; rename it, or write the scores as CSV"
            )
        if "pair" in COLUMNS[form] and "*" in name:
            raise ScoreFileError(
                f"{name!r} cannot stand in a score file of ESPnet, where a * parts "
                "both names; rename it, or choose another form"
            )
    return [name.replace("%", "%%") for name in names.distinct]


def _quoted(name: str) -> str:
    if any(character in name for character in ',"\r\n'):
        return '"' + name.replace('"', '""') + '"'
    return name
