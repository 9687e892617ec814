"""Score files with a label in a column, and Bob's, which have none."""

import itertools

import numpy as np
import pytest
from score_tables import trials_in

from bob.learn.pytorch.protocols import columns
from bob.learn.pytorch.scorefiles import (
    ScoreFileError,
    labelled_scores,
    read_score_file,
    read_scores,
    write_scores,
)

TRIALS = [
    ("ann/1.wav", "ann/2.wav", True, 0.5),
    ("ann/1.wav", "bob/1.wav", False, -1.0),
    ("bob/3.wav", "bob/1.wav", True, 2.0),
    ("ann/2.wav", "bob/3.wav", False, 1.0),
]
ORDERS = [
    ("label", "enrolled", "tested", "score"),
    ("enrolled", "tested", "label", "score"),
    ("enrolled", "tested", "score", "label"),
    ("label", "score", "enrolled", "tested"),
    ("score", "label", "enrolled", "tested"),
    ("score", "enrolled", "tested", "label"),
]
WORDS = {
    "digits": ("0", "1"),
    "words": ("nontarget", "target"),
    "SITW": ("imp", "tgt"),
    "capitals": ("NONTARGET", "Target"),
    "pandas": ("False", "True"),
}


def lines(order, words=("0", "1"), trials=TRIALS):
    for enrolled, tested, target, score in trials:
        fields = {
            "enrolled": enrolled,
            "tested": tested,
            "label": words[target],
            "score": str(score),
        }
        yield " ".join(fields[name] for name in order) + "\n"


@pytest.mark.parametrize("words", WORDS.values(), ids=WORDS)
@pytest.mark.parametrize("order", ORDERS, ids=" ".join)
def test_the_label_is_used_wherever_it_stands(write, order, words):
    table = read_scores(write("".join(lines(order, words))))

    assert trials_in(table) == TRIALS
    assert table.claimed.tolist() == ["ann", "ann", "bob", "ann"]


@pytest.mark.parametrize("order", ORDERS, ids=" ".join)
def test_the_label_is_used_in_bounded_memory_too(write, order):
    ((scores, is_target),) = labelled_scores(write("".join(lines(order))))

    assert scores.tolist() == [score for *_, score in TRIALS]
    assert is_target.tolist() == [target for *_, target, _ in TRIALS]


@pytest.mark.parametrize("order", ORDERS, ids=" ".join)
def test_long_files_are_read_as_short_ones_are(write, order, monkeypatch):
    monkeypatch.setattr(columns, "SMALLEST_FILE", 0)

    assert trials_in(read_scores(write("".join(lines(order))))) == TRIALS


@pytest.mark.parametrize("order", ORDERS, ids=" ".join)
def test_changed_scores_are_written_in_the_same_form(write, tmp_path, order):
    text = "".join(lines(order))
    file = read_score_file(write(text))

    again = write_scores(tmp_path / "again", file.table, form=file.form)

    rows = [line.split() for line in again.read_text().splitlines()]
    assert [row[order.index("label")] for row in rows] == ["1", "0", "1", "0"]
    assert trials_in(read_scores(again)) == TRIALS


@pytest.mark.parametrize(
    "spoiled",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: "\ufeff" + text,
        lambda text: text.replace("\n", "  \n"),
        lambda text: "\n" + text.replace("\n", "\n\n"),
        lambda text: text.replace(" ", "\t"),
        lambda text: text.replace(" ", "   ").rstrip("\n"),
    ],
    ids=["CRLF", "BOM", "blanks at ends", "blank lines", "tabs", "aligned"],
)
def test_white_space_changes_nothing(write, spoiled):
    text = "".join(lines(ORDERS[1]))

    assert trials_in(read_scores(write(spoiled(text)))) == TRIALS


def test_digits_and_words_may_be_mixed(write):
    text = "a/1 a/2 1 0.5\na/1 b/1 nontarget 0.1\nb/2 b/1 target 0.5\na/1 b/2 0 0.3\n"

    table = read_scores(write(text))

    assert table.is_target.tolist() == [True, False, True, False]


def test_speakers_called_0_and_1_are_those_of_bob(write):
    """Each of four probes against both references: two are of one speaker."""
    text = "".join(
        f"{claimed} {real} {real}-{take} 0.5\n"
        for claimed, real, take in itertools.product("01", "01", "ab")
    )

    table = read_scores(write(text))

    assert table.model is None
    assert np.flatnonzero(table.is_target).tolist() == [0, 1, 6, 7]


def test_speakers_called_0_and_1_among_others_are_those_of_bob(write):
    """References of two speakers, probes of five."""
    text = "".join(
        f"{claimed} {real} {real}-{take} 0.5\n"
        for claimed, real, take in itertools.product("01", "01234", "ab")
    )

    assert read_scores(write(text)).is_target.sum() == 4


@pytest.mark.parametrize(
    ("text", "readings"),
    [
        (
            "1 1 x 0.5\n0 5 y 0.1\n1 6 z 0.4\n",
            "'label a b score' and as 'claimed real probe score'",
        ),
        (
            "1 ann x 0.5\n1 bob y 0.1\n",
            "'label a b score' and as 'claimed real probe score'",
        ),
        (
            "1 a b 0\n0 c d 1\n",
            "'label a b score' and as 'score a b label'",
        ),
    ],
)
def test_what_can_be_read_in_two_ways_is_refused(write, text, readings):
    with pytest.raises(ScoreFileError, match=readings):
        read_scores(write(text))


@pytest.mark.parametrize("order", ORDERS, ids=" ".join)
@pytest.mark.parametrize("target", [True, False])
def test_labels_of_one_kind_are_labels_where_names_are_those_of_files(
    write, order, target
):
    one_kind = [trial for trial in TRIALS if trial[2] == target]

    assert trials_in(read_scores(write("".join(lines(order, trials=one_kind))))) == (
        one_kind
    )


def test_a_word_that_is_no_label_is_named(write):
    text = "".join(lines(ORDERS[0], ("nontarget", "target")))

    with pytest.raises(ScoreFileError, match="'nontraget' is no label"):
        read_scores(write(text.replace("nontarget", "nontraget", 1)))


def test_labels_among_five_columns_are_named(write):
    text = "".join(f"{line.strip()} x\n" for line in lines(ORDERS[0]))
    text = "".join(
        " ".join((*fields[:3], fields[4], fields[3])) + "\n"
        for fields in map(str.split, text.splitlines())
    )

    with pytest.raises(ScoreFileError, match="column 1 holds labels"):
        read_scores(write(text))


def test_a_list_of_trials_with_the_label_last_is_no_score_file(write):
    with pytest.raises(ScoreFileError, match="its last column is always 0 or 1"):
        read_scores(write("a b 1\na c 0\n"))


@pytest.mark.parametrize("text", ["a b 0,5\n", "ann ann x 0.5\nann bob y 0,5\n"])
def test_a_decimal_comma_is_named(write, text):
    with pytest.raises(ScoreFileError, match="write 0,5 with a point"):
        read_scores(write(text))


def test_both_labels_are_waited_for(write):
    """Sorted by label, a block may hold one of them only."""
    many = 30_000
    text = "".join(f"1 a/{at} a/x{at} 0.5\n" for at in range(many)) + "".join(
        f"0 a/{at} b/{at} 0.1\n" for at in range(many)
    )

    table = read_scores(write(text))

    assert np.bincount(table.is_target).tolist() == [many, many]
