"""Which columns a score file has, seen from its first line."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bob.learn.pytorch.errors import UserError
from bob.learn.pytorch.protocols.columns import Layout, is_number, one_separator
from bob.learn.pytorch.protocols.lines import refuse_other_files
from bob.learn.pytorch.protocols.listed import LABELS
from bob.learn.pytorch.protocols.trials import DatabaseError
from bob.learn.pytorch.scorefiles.label_columns import LABELLED

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

CSV_COLUMNS = {
    "probe": "probe_template_id",
    "real": "probe_subject_id",
    "model": "bio_ref_template_id",
    "claimed": "bio_ref_subject_id",
    "score": "score",
}
TEXT_COLUMNS: dict[str, tuple[str, ...]] = {
    "four": ("claimed", "real", "probe", "score"),
    "five": ("claimed", "model", "real", "probe", "score"),
    "voxsrc": ("score", "model", "probe"),
    "kaldi": ("model", "probe", "score"),
    "wespeaker": LABELLED["a b score label"],
    "espnet": ("pair", "score", "label"),
    "espnet, no labels": ("pair", "score"),
    **LABELLED,
}

#: Stands before the title of a column that Bob knows nothing of.
METADATA = "metadata:"

_EXPECTED = (
    "a score file has four columns (claimed real probe score), five (claimed model "
    "real probe score), two names with their score before or behind them, perhaps with "
    "a label (1, 0, target, nontarget), ESPnet's a*b score, or is a CSV whose header "
    "has a column score"
)


class ScoreFileError(UserError, ValueError):
    """A score file cannot be read, or scores not be written in that form or place."""


class UnlabelledError(ScoreFileError):
    """Nothing tells which trials of a score file are of one speaker."""


@dataclass(frozen=True)
class Found:
    """The form of a file, where its columns are, and the fields of its first line."""

    form: str
    layout: Layout
    first: tuple[str, ...] = ()


def find_layout(path: Path, *, metadata: bool = False) -> Found:
    """Tell the form from the first line of a score file, which may not be enough.

    See `score_layout`, which looks at further lines for labels.

    Parameters
    ----------
    path : Path
        The file.
    metadata : bool
        Also the other columns of a CSV, as ``metadata:<title>``.

    Raises
    ------
    ScoreFileError
        It is no score file, or it has not the columns that Bob's CSV needs.
    """
    try:
        refuse_other_files(path, expected="a file of scores")
    except DatabaseError as error:
        raise ScoreFileError(str(error)) from error
    skipped = 0
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        first = file.readline()
        while first.isspace():
            skipped += 1
            first = file.readline()
    if not first:
        raise no_trial(path)
    header = next(csv.reader([first]), [])
    if "score" in header:
        return _csv(path, header, skipped, metadata=metadata)
    fields = tuple(first.split())
    form = _form(fields)
    if form is None:
        hint = decimal_comma(fields)
        raise ScoreFileError(
            f"{path} begins with {first.strip()[:80]!r}; {_EXPECTED}{hint}"
        )
    columns = TEXT_COLUMNS[form]
    return Found(form, Layout(columns, one_separator(first, len(columns))), fields)


def no_trial(path: Path) -> ScoreFileError:
    """What is wrong with an empty file."""
    return ScoreFileError(
        f"{path} holds no trial; write it again, a run may have been cut short"
    )


def decimal_comma(fields: Sequence[str]) -> str:
    """Return advice on numbers like 0,5; empty if there are none."""
    found = next((text for text in fields if re.fullmatch(r"-?\d+,\d+", text)), None)
    return f" (write {found} with a point)" if found else ""


def _form(fields: Sequence[str]) -> str | None:
    if len(fields) == 2:
        return _of_two(fields)
    if len(fields) == 3:
        return _of_three(fields)
    if len(fields) == 4:
        return _of_four(fields)
    return "five" if len(fields) == 5 else None


def _of_two(fields: Sequence[str]) -> str | None:
    is_pair = "*" in fields[0] and is_number(fields[1])
    return "espnet, no labels" if is_pair else None


def _of_three(fields: Sequence[str]) -> str | None:
    if "*" in fields[0] and is_number(fields[1]) and fields[2] in LABELS:
        return "espnet"
    front, back = is_number(fields[0]), is_number(fields[2])
    if front and back:
        # Names may be numbers; then only scores have a point.
        front, back = ("." in fields[0]), ("." in fields[2])
    if front == back:
        return None
    return "voxsrc" if front else "kaldi"


def _of_four(fields: Sequence[str]) -> str:
    labelled = fields[3] in LABELS and not is_number(fields[3])
    return "wespeaker" if labelled and is_number(fields[2]) else "four"


def _csv(path: Path, header: Sequence[str], skipped: int, *, metadata: bool) -> Found:
    missing = [
        title
        for column, title in CSV_COLUMNS.items()
        if title not in header and column != "model"
    ]
    if missing:
        raise ScoreFileError(
            f"{path} has no column {', '.join(missing)}; the header of a Bob score "
            f"file has {', '.join(CSV_COLUMNS.values())} and any others"
        )
    needed = header if metadata else CSV_COLUMNS.values()
    twice = next((title for title in needed if header.count(title) > 1), None)
    if twice is not None:
        raise ScoreFileError(
            f"{path} has {header.count(twice)} columns {twice!r}; take out, or rename, "
            "all but one"
        )
    place = {header.index(title): name for name, title in CSV_COLUMNS.items()
             if title in header}  # fmt: skip
    columns = tuple(
        place.get(index, f"{METADATA}{title}" if metadata else None)
        for index, title in enumerate(header)
    )
    return Found("csv", Layout(columns, ",", skipped=skipped + 1))
