"""A table once, written for people, for LaTeX and for programs."""

from __future__ import annotations

import math
import textwrap
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bob.learn.pytorch import printing
from bob.learn.pytorch.printing import aligned, inert, printable

if TYPE_CHECKING:
    from collections.abc import Collection

    from bob.learn.pytorch.metrics import Interval

NOTHING = "-"
#: Behind figures that a note explains.
DAGGER = "†"


@dataclass(frozen=True)
class Column:
    """A heading, its name in a CSV, its meaning, and whether cells have intervals."""

    title: str
    key: str
    meaning: str = ""
    numeric: bool = True
    interval: bool = False


@dataclass(frozen=True)
class Cell:
    """Text for people, and the number behind it (None where there is none)."""

    text: str
    value: float | str | None
    low: float | None = None
    high: float | None = None
    interval: str = ""


@dataclass(frozen=True)
class Table:
    """Rows of cells below columns; users ask for it by its key."""

    key: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()

    def without(self, keys: Collection[str]) -> Table:
        """Return the same less the columns of these keys."""
        kept = [place for place, one in enumerate(self.columns) if one.key not in keys]
        return replace(
            self,
            columns=tuple(self.columns[place] for place in kept),
            rows=tuple(tuple(row[place] for place in kept) for row in self.rows),
        )


def words(text: str) -> Cell:
    """Return a cell of text."""
    return Cell(text, text)


def count(number: int) -> Cell:
    """Return a cell with a whole number."""
    return Cell(f"{number:,}", number)


def percent(rate: float, interval: Interval | None = None, *, mark: str = "") -> Cell:
    """Return a cell with a rate, in percent for people and a fraction for programs."""
    return _figure(rate, interval, factor=100, digits=2, mark=mark)


def cost(value: float, interval: Interval | None = None, *, mark: str = "") -> Cell:
    """Return a cell with a cost."""
    return _figure(value, interval, factor=1, digits=3, mark=mark)


def number(value: float, digits: int = 4) -> Cell:
    """Return a cell with any number, such as a threshold."""
    return Cell(_digits(value, f".{digits}g"), _finite(value))


def _figure(
    value: float, interval: Interval | None, *, factor: int, digits: int, mark: str
) -> Cell:
    text = _digits(factor * value, f".{digits}f")
    if mark and text != NOTHING:
        text += mark
    if interval is None or not interval.says_something:
        return Cell(text, _finite(value))
    ends = [
        _digits(factor * end, f".{digits}f") for end in (interval.low, interval.high)
    ]
    return Cell(
        text,
        _finite(value),
        _finite(interval.low),
        _finite(interval.high),
        f"{ends[0]} to {ends[1]}",
    )


def _digits(value: float, form: str) -> str:
    if math.isnan(value):
        return NOTHING
    if math.isinf(value):
        return "infinite" if value > 0 else "-infinite"
    text = format(value, form)
    # A difference of -0.00 is none.
    return text.lstrip("-") if not text.strip("-0.") else text


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def as_text(table: Table) -> str:
    """Return a table for the terminal; intervals stand in brackets."""
    heads = [printable(column.title) for column in table.columns]
    lines = [heads, *([_plain(cell) for cell in row] for row in table.rows)]
    sides = "".join(">" if column.numeric else "<" for column in table.columns)
    notes = (
        textwrap.fill(f"Note: {printable(note)}", width=79, subsequent_indent="      ")
        for note in table.notes
    )
    title = printable(table.title)
    return "\n".join(
        [title, "", *aligned(lines, sides), *(["", *notes] if table.notes else ())]
    )


def _plain(cell: Cell) -> str:
    text = printable(cell.text)
    return f"{text} [{cell.interval}]" if cell.interval else text


def as_csv(table: Table) -> str:
    """Return numbers in full and rates as fractions; missing values are empty.

    A text that a spreadsheet would evaluate has an apostrophe before it.
    """
    heads: list[str] = []
    for column in table.columns:
        heads.append(column.key)
        if column.interval:
            heads += [f"{column.key}_low", f"{column.key}_high"]
    lines = [list(map(inert, heads))]
    for row in table.rows:
        fields: list[str] = []
        for column, cell in zip(table.columns, row, strict=True):
            fields.append(_number(cell.value))
            if column.interval:
                fields += [_number(cell.low), _number(cell.high)]
        lines.append(fields)
    return printing.as_csv(lines)


def _number(value: float | str | None) -> str:
    if value is None:
        return ""
    return f"{value:.10g}" if isinstance(value, float) else inert(str(value))


def as_latex(table: Table) -> str:
    r"""Return a ``tabular`` for ``\usepackage{booktabs}``; intervals stand in brackets.

    Notes that explain a mark are printed below the table; others are comments.
    """
    sides = "".join("r" if column.numeric else "l" for column in table.columns)
    heads = " & ".join(_latex(column.title) for column in table.columns)
    rows = [" & ".join(_latex_cell(cell) for cell in row) for row in table.rows]
    lines = [
        _latex_comment(table.title),
        rf"\begin{{tabular}}{{{sides}}}",
        r"\toprule",
        rf"{heads} \\",
        r"\midrule",
        *(rf"{row} \\" for row in rows),
        r"\bottomrule",
        r"\end{tabular}",
        *(_latex_note(note) for note in table.notes),
    ]
    return "\n".join(lines)


def _latex_cell(cell: Cell) -> str:
    text = _latex(cell.text)
    if cell.interval:
        text += rf" {{\footnotesize [{_latex(cell.interval).replace(' to ', ', ')}]}}"
    return text


def _latex_comment(text: str) -> str:
    """Return a comment, which a line break would end."""
    return f"% {_in_a_line(text)}"


def _latex_note(note: str) -> str:
    if DAGGER not in note:
        return _latex_comment(note)
    return rf"\par\smallskip{{\footnotesize {_latex(note)}\par}}"


_SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "†": r"\textsuperscript{\dag}",
    "Δ": r"$\Delta$",
    "<": "$<$",
    ">": "$>$",
    "|": r"\textbar{}",
    # After the end of a row they would be its arguments.
    "[": "{[}",
    "*": "{*}",
} | {character: f"\\{character}" for character in "&%$#_{}"}


def _latex(text: str) -> str:
    return "".join(_SPECIAL.get(letter, letter) for letter in _in_a_line(text))


def _in_a_line(text: str) -> str:
    """Replace what ends a line, or what TeX refuses to read, by blanks."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
