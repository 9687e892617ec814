"""Subjects of trial lists: the proposed ones, or those that target trials join."""

from pathlib import Path

import numpy as np
import pytest

from bob.learn.pytorch.protocols.listed import TrialList
from bob.learn.pytorch.protocols.trials import DatabaseError


def listed(count, *trials):
    """Trials between names 0, 1, …, each on the line of its number."""
    first, second, same = zip(*trials, strict=True)
    names = tuple(map(str, range(count)))
    return TrialList(
        Path("list"), names, names, np.array(first), np.array(second),
        np.array(same, dtype=bool), np.arange(len(trials)),
    )  # fmt: skip


def subjects(found, proposed):
    names = list(zip(found.enrolled, proposed, strict=True))
    enrolled, tested = found.subjects(names, names)
    assert enrolled == tested
    return enrolled


TRIALS = ((0, 1, True), (0, 2, False), (1, 2, False))


def test_subjects_that_explain_every_label_stay():
    proposed = ["ann", "ann", "bob"]

    assert subjects(listed(3, *TRIALS), proposed) == proposed


def test_labels_decide_where_subjects_do_not_explain_them(caplog):
    caplog.set_level("INFO")

    assert subjects(listed(3, *TRIALS), ["ann"] * 3) == ["0", "0", "2"]
    assert "list:1: the label is not what the names suggest" in caplog.text


def test_target_trials_join_names_into_speakers():
    trials = (0, 1, True), (1, 2, True), (3, 4, True), (0, 3, False), (5, 0, False)

    assert subjects(listed(6, *trials), [""] * 6) == ["0", "0", "0", "3", "3", "5"]


def test_a_long_chain_of_target_trials_is_one_speaker():
    count = 3000
    order = np.random.default_rng(0).permutation(count)
    trials = zip(order[:-1], order[1:], [True] * (count - 1), strict=True)
    own = [str(at) for at in range(count)]

    assert set(subjects(listed(count, *trials), own)) == {"0"}


def test_a_contradiction_names_the_shortest_chain():
    same = [(0, 1), (1, 2), (2, 3), (0, 4), (4, 3)]
    trials = *((*pair, True) for pair in same), (3, 0, False)

    with pytest.raises(DatabaseError, match=r"list:5: 3 and 0 .* in line (3, 4|4, 3) "):
        subjects(listed(5, *trials), list("abcde"))
