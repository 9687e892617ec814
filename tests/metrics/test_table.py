"""Scores with their names."""

import numpy as np
import pytest

from bob.learn.pytorch.metrics import Names, ScoreTable

NAMED = {
    "references": ["ann-1", "bob-1"],
    "reference_subjects": ["ann", "bob"],
    "probes": ["p", "q", "r"],
    "probe_subjects": ["bob", "ann", "cleo"],
}


def rows(table):
    columns = (table.claimed, table.model, table.real, table.probe)
    return list(zip(*(names.tolist() for names in columns), table.score, strict=True))


def test_a_matrix_becomes_one_row_per_cell():
    table = ScoreTable.from_matrix([[1, 2, 3], [4, 5, 6]], **NAMED)

    assert rows(table) == [
        ("ann", "ann-1", "bob", "p", 1),
        ("ann", "ann-1", "ann", "q", 2),
        ("ann", "ann-1", "cleo", "r", 3),
        ("bob", "bob-1", "bob", "p", 4),
        ("bob", "bob-1", "ann", "q", 5),
        ("bob", "bob-1", "cleo", "r", 6),
    ]


def test_a_list_of_trials_becomes_its_rows():
    table = ScoreTable.from_trials([5, 3], trials=([1, 0], [1, 2]), **NAMED)

    assert rows(table) == [
        ("bob", "bob-1", "ann", "q", 5),
        ("ann", "ann-1", "cleo", "r", 3),
    ]


def test_targets_are_trials_of_one_subject():
    table = ScoreTable.from_matrix([[1, 2, np.nan], [4, 5, 6]], **NAMED)

    assert table.targets.tolist() == [2, 4]
    np.testing.assert_array_equal(table.non_targets, [1, np.nan, 5, 6])
    assert table.failures == 1
    assert table.curve().failures == 1


def test_subjects_are_numbered_alike_in_both_columns():
    subjects, claimed, real = ScoreTable.from_matrix(np.zeros((2, 3)), **NAMED).subjects

    assert [subjects[code] for code in claimed] == ["ann"] * 3 + ["bob"] * 3
    assert [subjects[code] for code in real] == ["bob", "ann", "cleo"] * 2


def test_names_repeat_without_being_stored_again():
    names = Names.of(["b", "a", "b", "b"])

    assert names.distinct == ("b", "a")
    assert names.tolist() == ["b", "a", "b", "b"]
    assert names.take([True, False, False, True]).tolist() == ["b", "b"]
    assert len(names) == 4


def test_no_trial_may_be_taken():
    """An empty list is an array of doubles, which are no positions."""
    table = ScoreTable.from_matrix(np.zeros((2, 3)), **NAMED)

    assert len(table.take([])) == 0
    assert table.take([]).probe.tolist() == []
    assert len(table.take([True] + 5 * [False])) == 1


def test_columns_of_different_length_are_refused():
    two, three = Names.of("ab"), Names.of("abc")

    with pytest.raises(ValueError, match="one name of each kind and one score per"):
        ScoreTable(claimed=two, real=two, probe=three, score=np.zeros(2))


def test_a_matrix_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"\(3, 2\) came with 2 references and 3"):
        ScoreTable.from_matrix(np.zeros((3, 2)), **NAMED)


@pytest.mark.parametrize("position", [-1, 2])
def test_a_trial_of_what_is_not_there_is_refused(position):
    """Position -1 would be the last reference."""
    with pytest.raises(ValueError, match=r"references at positions .* there are 2;"):
        ScoreTable.from_trials([5, 3], trials=([1, position], [1, 2]), **NAMED)


def test_a_subject_for_each_name_is_needed():
    named = NAMED | {"probe_subjects": ["bob", "ann", "cleo", "dan"]}

    with pytest.raises(ValueError, match="3 probes came with 4 subjects"):
        ScoreTable.from_trials([5], trials=([1], [1]), **named)
