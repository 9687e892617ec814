"""Which columns beside scores become tables."""

from collections import Counter

import pytest

from bob.learn.pytorch.metrics import Names
from bob.learn.pytorch.metrics.conditions import trial_conditions


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


def counted(title, values):
    return Counter(classes(title, [str(value) for value in values]))


def test_numbers_of_many_values_are_cut_at_the_quartiles_of_the_trials():
    assert counted("seconds", range(1, 101)) == {
        "below 26": 25, "26 to 51": 25, "51 to 76": 25, "76 and more": 25,
    }  # fmt: skip


def test_values_of_many_trials_weigh_more_than_those_of_few():
    """Quartiles of distinct values would put 1960 of 2020 trials into the first."""
    often = [number / 10 for number in range(10, 30) for _ in range(98)]
    rare = range(100, 160)

    found = counted("seconds", [*often, *rare])

    assert len(found) == 4
    assert min(found.values()) >= 450


def test_trials_of_one_value_stay_together():
    most = [1.0] * 1800

    assert counted("seconds", [*most, *range(2, 202)]) == {
        "below 2": 1800, "2 and more": 200,
    }  # fmt: skip
    less = [number / 200 for number in range(100)]
    assert counted("seconds", [*less, *most, *range(2, 102)]) == {
        "below 1": 100, "1 to 2": 1800, "2 and more": 100,
    }  # fmt: skip


def test_ends_of_classes_are_as_exact_as_the_values_need():
    values = [1.00001 + number * 1e-5 for number in range(16)]

    assert sorted(counted("seconds", [f"{v:.5f}" for v in values]).values()) == [4] * 4


@pytest.mark.parametrize("title", ["session", "probe_session", "bio_ref_chapter"])
def test_numbers_that_tell_sessions_apart_are_no_quantities(title):
    """Such as the chapters of LibriSpeech; of few, each is a class."""
    assert classes(title, [str(number) for number in range(1000, 1100)]) is None
    assert classes(title, ["1089", "134691"]) == ["1089", "134691"]


@pytest.mark.parametrize(
    "title",
    [
        "distance_to_microphone",
        "turns_per_call",
        "age_of_speaker",
        "probe_words_in_utterance",
    ],
)
def test_quantities_that_are_measured_of_these_are_cut(title):
    assert len(counted(title, range(1, 101))) == 4


@pytest.mark.parametrize("title", ["session", "probe_id", "take"])
def test_a_column_that_is_asked_for_is_taken_whatever_its_title(title):
    column = Names.of(f"{number:03}" for number in range(1, 101))

    assert trial_conditions({title: column}) == {}
    found = trial_conditions({title: column}, by_name=True)

    assert sorted(Counter(found[title].tolist()).values()) == [25, 25, 25, 25]


def test_numbers_with_a_zero_in_front_are_names():
    assert classes("take", [f"{number:03}" for number in range(100)]) is None


def test_words_of_many_kinds_are_no_condition():
    assert classes("note", [f"word{number}" for number in range(13)]) is None


def test_a_column_of_both_sides_becomes_pairs_in_either_order():
    found = trial_conditions(
        {"bio_ref_sex": Names.of("fmf"), "probe_sex": Names.of("mff")}
    )

    assert found["sex, reference / probe"].tolist() == ["f / m", "f / m", "f / f"]
    assert len(found) == 1
