import numpy as np
import pytest

from bob.learn.pytorch.protocols.identities import (
    ContradictionError,
    LabelledPairs,
    first_disagreement,
    speakers_from_labels,
)


def pairs(*trials):
    first, second, same = zip(*trials, strict=True)
    return LabelledPairs(np.array(first), np.array(second), np.array(same, dtype=bool))


def test_speakers_that_explain_every_label_agree():
    trials = pairs((0, 1, True), (0, 2, False), (1, 2, False))

    assert first_disagreement(trials, ["ann", "ann", "bob"]) is None


def test_the_first_label_that_speakers_do_not_explain_is_found():
    trials = pairs((0, 1, True), (0, 2, False), (1, 2, False))

    assert first_disagreement(trials, ["ann", "ann", "ann"]) == 1


def test_target_trials_join_names_into_speakers():
    trials = pairs(
        (0, 1, True), (1, 2, True), (3, 4, True), (0, 3, False), (5, 0, False)
    )

    assert speakers_from_labels(trials, list("abcdef")) == [
        "a",
        "a",
        "a",
        "d",
        "d",
        "f",
    ]


def test_a_long_chain_of_target_trials_is_one_speaker():
    count = 3000
    order = np.random.default_rng(0).permutation(count)
    trials = LabelledPairs(order[:-1], order[1:], np.ones(count - 1, dtype=bool))

    assert set(speakers_from_labels(trials, [str(i) for i in range(count)])) == {"0"}


def test_a_contradiction_names_the_shortest_chain():
    same = [(0, 1), (1, 2), (2, 3), (0, 4), (4, 3)]
    trials = pairs(*((*pair, True) for pair in same), (3, 0, False))

    with pytest.raises(ContradictionError) as caught:
        speakers_from_labels(trials, list("abcde"))

    assert caught.value.pair == 5
    assert sorted(caught.value.chain) == [3, 4]
