"""Which tables a report has, and what they say in words."""

import csv
import io
from dataclasses import replace

import numpy as np

from bob.learn.pytorch.metrics import find_costs
from bob.learn.pytorch.report.figure_tables import (
    all_tables,
    comparisons_table,
    systems_table,
)
from bob.learn.pytorch.report.outputs import TABLES
from bob.learn.pytorch.report.systems import evaluate_systems
from bob.learn.pytorch.report.tables import as_csv, as_latex, as_text


def test_every_table_of_a_report_can_be_written_in_every_form(system):
    evaluation = evaluate_systems([system(), system("b", failed=[3])], resamples=10)

    found = all_tables(evaluation)

    assert list(dict.fromkeys(table.key for table in found)) == list(TABLES)
    for table in found:
        for row in table.rows:
            assert len(row) == len(table.columns)
        rows = list(csv.reader(io.StringIO(as_csv(table))))
        assert len({len(row) for row in rows}) == 1
        assert len(rows) == 1 + len(table.rows)
        assert as_latex(table).count(r"\\") == 1 + len(table.rows)
        assert as_text(table).startswith(table.title)


def test_figures_follow_the_name_and_what_else_there_is_comes_behind(system):
    """So that a phone shows them without scrolling."""
    made = [replace(system(), group="other"), system("b")]

    keys = [c.key for c in systems_table(evaluate_systems(made, resamples=0)).columns]

    assert keys[:3] == ["number", "system", "eer"]
    assert keys.index("group") > keys.index("min_cllr")


def test_what_holds_for_all_systems_is_said_once(system):
    evaluation = evaluate_systems([system(), system("b")], resamples=10)

    notes = systems_table(evaluation).notes

    assert sum("12 speakers" in note for note in notes) == 1
    assert any(note.startswith("All systems: with 12 speakers") for note in notes)


def test_few_errors_of_several_systems_are_one_note(system):
    one = systems_table(evaluate_systems([system(noise=2)], resamples=5)).notes
    systems = [system(name, noise=2, seed=number) for number, name in enumerate("ab")]
    two = systems_table(evaluate_systems(systems, resamples=5)).notes

    assert any(" x false non-match at the EER" in note for note in one)
    (said,) = [note for note in two if "few errors" in note]
    assert said.startswith("All systems: few errors were observed at the EER or at")
    assert said.endswith("takes at least 30 (Doddington's rule of 30).")


def test_the_cost_is_told_first_with_both_errors(system):
    cost = find_costs("10:1:0.02")

    first = systems_table(evaluate_systems([system()], cost=cost, resamples=0)).notes[0]

    assert first.startswith("minDCF and actDCF: P_target 0.02, C_miss 10, C_fa 1;")

    plain = evaluate_systems([system()], cost=find_costs("0.05"), resamples=0)
    assert ": P_target 0.05 (C_miss 1, C_fa 1);" in systems_table(plain).notes[0]


def test_scores_have_a_column_where_it_is_known_how_they_were_made(system):
    plain = systems_table(evaluate_systems([system()], resamples=0))
    made = replace(system(), scores="as-norm", calibrated=False)
    told = systems_table(evaluate_systems([made, system("b")], resamples=0))

    assert "scores" not in [column.key for column in plain.columns]
    place = [column.key for column in told.columns].index("scores")
    assert [row[place].text for row in told.rows] == ["as-norm", "-"]


def test_what_was_not_calibrated_has_a_dagger_and_a_note(system):
    made = [replace(system(name), calibrated=name == "b") for name in "ab"]

    table = systems_table(evaluate_systems(made, resamples=0))

    place = [column.key for column in table.columns].index("cllr")
    first, second = (row[place].text for row in table.rows)
    assert first.endswith("†")
    assert not second.endswith("†")
    assert any(
        note.startswith("a: the scores were not calibrated") for note in table.notes
    )


def test_calibrated_systems_differ_in_actual_costs_too(system):
    ratios = {"act_dcf", "act_dcf_p", "cllr", "cllr_p"}
    made = [
        replace(system(name, seed=at), calibrated=True) for at, name in enumerate("ab")
    ]
    raw = replace(system("c", seed=2), calibrated=False)

    both = evaluate_systems(made, resamples=20)
    mixed = comparisons_table(evaluate_systems([*made, raw], resamples=20))
    without = comparisons_table(evaluate_systems([made[0], raw], resamples=20))

    table = comparisons_table(both)
    keys = [column.key for column in table.columns]
    assert keys.index("min_dcf") < keys.index("act_dcf") < keys.index("min_cllr")
    row = dict(zip(keys, table.rows[0], strict=True))
    first, second = (one.figures for one in both.systems)
    np.testing.assert_allclose(row["act_dcf"].value, first.act_dcf - second.act_dcf)
    np.testing.assert_allclose(row["cllr"].value, first.cllr - second.cllr)
    assert row["cllr"].low < row["cllr"].value < row["cllr"].high
    assert 0 < row["cllr_p"].value <= 1
    assert not ratios & {column.key for column in without.columns}
    place = keys.index("cllr")
    assert [one[place].value is None for one in mixed.rows] == [False, True, True]
    assert any("where the scores of both" in note for note in mixed.notes)
    assert not any("where the scores of both" in note for note in table.notes)
