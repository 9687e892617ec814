"""Which columns beside scores become tables."""

import pytest

from bob.learn.pytorch.metrics import Names
from bob.learn.pytorch.report.trial_conditions import trial_conditions


def classes(title, values):
    found = trial_conditions({title: Names.of(values)})
    return found[title].tolist() if title in found else None


def test_words_are_classes_and_blanks_are_unknown():
    assert classes("room", ["hall", "", "hall"]) == ["hall", "unknown", "hall"]


@pytest.mark.parametrize("title", ["probe_path", "probe_id", "file", "bio_ref_name"])
def test_names_of_files_are_no_condition(title):
    assert classes(title, ["a", "b"]) is None


def test_what_is_the_same_everywhere_is_no_condition():
    assert classes("room", ["hall", "hall"]) is None


def test_numbers_of_many_values_are_cut_at_their_quartiles():
    """Of 1 to 101 these are 26, 51 and 76."""
    found = classes("seconds", [str(number) for number in range(1, 102)])

    assert [found[0], found[25], found[50], found[100]] == [
        "below 26", "26 to 51", "51 to 76", "76 and more",
    ]  # fmt: skip


def test_words_of_many_kinds_are_no_condition():
    assert classes("note", [f"word{number}" for number in range(13)]) is None


def test_a_column_of_both_sides_becomes_pairs_in_either_order():
    found = trial_conditions(
        {"bio_ref_sex": Names.of("fmf"), "probe_sex": Names.of("mff")}
    )

    assert found["sex, reference / probe"].tolist() == ["f / m", "f / m", "f / f"]
    assert len(found) == 1
