"""One table as text, CSV and LaTeX."""

import csv
import io
import math
from dataclasses import replace

from bob.learn.pytorch.metrics import Interval
from bob.learn.pytorch.report import tables
from bob.learn.pytorch.report.tables import Column, Table, as_csv, as_latex, as_text

SMALL = Table(
    "small",
    "Small",
    (
        Column("System", "system", numeric=False),
        Column("EER %", "eer", interval=True),
        Column("p", "p"),
    ),
    (
        (
            tables.words("a_b & 5%"),
            tables.percent(0.0286, Interval(0.01, 0.05, 0.95, 100)),
            tables.number(0.5),
        ),
        (tables.words("c"), tables.percent(math.nan), tables.number(math.inf)),
    ),
    ("a note",),
)


def test_text_has_figures_below_their_headings_and_notes_below():
    title, _, heads, first, second, _, note = as_text(SMALL).splitlines()

    assert title == "Small"
    assert heads.index("EER %") + len("EER %") == first.index("]") + 1
    assert "2.86 [1.00 to 5.00]" in first
    assert second.split() == ["c", "-", "infinite"]
    assert note == "Note: a note"


def test_csv_has_fractions_in_full_and_nothing_for_what_there_is_not():
    first, second = csv.DictReader(io.StringIO(as_csv(SMALL)))

    assert float(first["eer"]) == 0.0286
    assert (float(first["eer_low"]), float(first["eer_high"])) == (0.01, 0.05)
    assert second == {"system": "c", "eer": "", "eer_low": "", "eer_high": "", "p": ""}


def test_latex_is_escaped_and_has_a_column_for_each():
    text = as_latex(SMALL)

    assert r"\begin{tabular}{lrr}" in text
    assert r"a\_b \& 5\% & 2.86 {\footnotesize [1.00, 5.00]} & 0.5 \\" in text
    assert r"System & EER \% & p \\" in text


def test_latex_prints_the_notes_that_explain_a_mark():
    marked = replace(SMALL, notes=("a_b: not calibrated (†), < 1.", "another"))

    below = as_latex(marked).split("\\end{tabular}\n")[1].splitlines()

    note = r"a\_b: not calibrated (\textsuperscript{\dag}), $<$ 1."
    assert below == [rf"\par\smallskip{{\footnotesize {note}\par}}", "% another"]


def test_an_interval_of_no_error_at_all_is_not_shown():
    assert tables.percent(0.0, Interval(0.0, 0.0, 0.95, 100)).interval == ""


def test_minus_zero_is_zero():
    assert tables.percent(-0.00001).text == "0.00"


def test_a_table_can_be_had_without_some_columns():
    less = SMALL.without({"eer", "other"})

    assert [column.key for column in less.columns] == ["system", "p"]
    assert [[cell.text for cell in row] for row in less.rows] == [
        ["a_b & 5%", "0.5"],
        ["c", "infinite"],
    ]
    assert less.notes == SMALL.notes
