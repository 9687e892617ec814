"""A table of scores -> the text of a score file, in the forms of `reading`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from bob.learn.pytorch.files import beside
from bob.learn.pytorch.metrics import Names, ScoreTable
from bob.learn.pytorch.scorefiles.label_columns import LABELLED
from bob.learn.pytorch.scorefiles.layouts import (
    CSV_COLUMNS,
    TEXT_COLUMNS,
    ScoreFileError,
)

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

Form: TypeAlias = Literal[
    "four", "five", "csv", "voxsrc", "kaldi", "wespeaker", "espnet",
    "espnet, no labels", "label a b score", "a b label score", "a b score label",
    "label score a b", "score label a b", "score a b label",
]  # fmt: skip

# Here a trial has one name, of two parts.
_ESPNET = ("espnet", "espnet, no labels")

# Written at a time, in trials.
BLOCK_TRIALS = 1 << 16


def write_scores(
    path: str | os.PathLike[str], table: ScoreTable, *, form: Form = "four"
) -> Path:
    """Write a table of scores; the file appears at once and complete, or not at all.

    Missing folders are made.

    Raises
    ------
    ScoreFileError
        The form needs the name of the reference and the table has none, or a name
        with a space would become two columns.
    """
    path = Path(path)
    with (
        beside(path) as place,
        place.open("x", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        file.writelines(score_lines(table, form=form))
    return path


def score_lines(table: ScoreTable, *, form: Form = "four") -> Iterator[str]:
    """Yield the text of a score file in pieces of many lines.

    Raises
    ------
    ScoreFileError
        As `write_scores` does.
    """
    columns, separator, number = _layout(form)
    if form == "csv":
        yield ",".join(CSV_COLUMNS.values()) + "\n"
    names = [
        _names(table, column, form=form) for column in columns if column != "score"
    ]
    texts = [_escaped(column, form=form) for column in names]
    place = columns.index("score")
    for start in range(0, len(table), BLOCK_TRIALS):
        part = slice(start, start + BLOCK_TRIALS)
        fields = [
            [distinct[code] for code in column.codes[part].tolist()]
            for distinct, column in zip(texts, names, strict=True)
        ]
        scores = table.score[part].tolist()
        fields.insert(place, [number] * len(scores))
        if form in _ESPNET:
            fields[:2] = [list(map("*".join, zip(*fields[:2], strict=True)))]
        template = "\n".join(map(separator.join, zip(*fields, strict=True)))
        yield template % tuple(scores) + "\n"


def _layout(form: str) -> tuple[tuple[str, ...], str, str]:
    """Columns, what stands between them, and how a score is written."""
    layouts = {
        "four": (TEXT_COLUMNS["four"], " ", "%3.8f"),
        "five": (TEXT_COLUMNS["five"], " ", "%3.8f"),
        "csv": (tuple(CSV_COLUMNS), ",", "%r"),
        "voxsrc": (TEXT_COLUMNS["voxsrc"], " ", "%.8f"),
        "kaldi": (TEXT_COLUMNS["kaldi"], " ", "%.8f"),
        "wespeaker": (TEXT_COLUMNS["wespeaker"], " ", "%.8f"),
        "espnet": (TEXT_COLUMNS["wespeaker"], " ", "%.8f"),
        "espnet, no labels": (TEXT_COLUMNS["kaldi"], " ", "%.8f"),
        **{name: (columns, " ", "%.8f") for name, columns in LABELLED.items()},
    }
    if form not in layouts:
        raise ScoreFileError(
            f"scores cannot be written in the form {form!r}; choose one of "
            f"{', '.join(layouts)}"
        )
    return layouts[form]


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
    """Distinct names as they stand in the file, safe in a % template."""
    if form == "csv":
        return [_quoted(name).replace("%", "%%") for name in names.distinct]
    for name in names.distinct:
        if len(name.split()) != 1 or name.strip() != name:
            raise ScoreFileError(
                f"{name!r} cannot stand in a score file whose columns are parted by "
                f"spaces; rename it, or write the scores as CSV"
            )
        if form in _ESPNET and "*" in name:
            raise ScoreFileError(
                f"{name!r} cannot stand in a score file of ESPnet, where a * parts "
                "both names; rename it, or choose another form"
            )
    return [name.replace("%", "%%") for name in names.distinct]


def _quoted(name: str) -> str:
    if any(character in name for character in ',"\r\n'):
        return '"' + name.replace('"', '""') + '"'
    return name
