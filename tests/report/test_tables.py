"""One table as text, CSV and LaTeX."""

import csv
import io
import math

from bob.learn.pytorch.metrics import Interval
from bob.learn.pytorch.report import tables
from bob.learn.pytorch.report.evaluation import evaluate
from bob.learn.pytorch.report.figure_tables import KEYS, all_tables, systems_table
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


def test_an_interval_of_no_error_at_all_is_not_shown():
    assert tables.percent(0.0, Interval(0.0, 0.0, 0.95, 100)).interval == ""


def test_minus_zero_is_zero():
    assert tables.percent(-0.00001).text == "0.00"


def test_every_table_of_a_report_can_be_written_in_every_form(system):
    evaluation = evaluate([system(), system("b", failed=[3])], resamples=10)

    found = all_tables(evaluation)

    assert list(dict.fromkeys(table.key for table in found)) == list(KEYS)
    for table in found:
        for row in table.rows:
            assert len(row) == len(table.columns)
        rows = list(csv.reader(io.StringIO(as_csv(table))))
        assert len({len(row) for row in rows}) == 1
        assert len(rows) == 1 + len(table.rows)
        assert as_latex(table).count(r"\\") == 1 + len(table.rows)
        assert as_text(table).startswith(table.title)


def test_what_holds_for_all_systems_is_said_once(system):
    evaluation = evaluate([system(), system("b")], resamples=10)

    notes = systems_table(evaluation).notes

    assert sum("12 speakers" in note for note in notes) == 1
    assert any(note.startswith("All systems: with 12 speakers") for note in notes)
