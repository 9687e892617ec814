"""Listed pairs, against one product at a time."""

import numpy as np
import pytest

from bob.learn.pytorch.scoring import (
    cosine,
    cosine_of_pairs,
    inner_of_pairs,
    similarity,
)


@pytest.fixture
def rows():
    return np.random.default_rng(0).normal(size=(9, 5)).astype(np.float32)


@pytest.mark.parametrize("block", [1, 12, 10**6])
def test_products_are_those_of_one_pair_at_a_time(rows, block, monkeypatch):
    monkeypatch.setattr(similarity, "BLOCK_NUMBERS", block)
    first, second = [0, 8, 8, 3, 1, 1, 2], [8, 0, 0, 3, 7, 1, 5]
    expected = [
        sum(float(a) * float(b) for a, b in zip(rows[i], rows[j], strict=True))
        for i, j in zip(first, second, strict=True)
    ]

    found = inner_of_pairs(rows, rows, pairs=(first, second))

    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("pairs", "named"),
    [
        (([0, 9], [0, 0]), "reference 9"),
        (([0, 0], [9, 0]), "probe 9"),
        (([-1], [0]), "reference -1"),
    ],
)
def test_a_pair_outside_is_refused_and_never_taken_for_another(rows, pairs, named):
    with pytest.raises(IndexError, match=named):
        cosine_of_pairs(rows, rows, pairs=pairs)


def test_lists_of_other_lengths_are_refused(rows):
    with pytest.raises(ValueError, match="no list of pairs"):
        inner_of_pairs(rows, rows, pairs=([0, 1], [0]))


def test_no_pairs_have_no_scores(rows):
    assert inner_of_pairs(rows, rows, pairs=([], [])).shape == (0,)
    assert cosine_of_pairs(np.zeros((0, 5)), rows, pairs=([], [])).shape == (0,)


def test_a_mean_is_subtracted_from_both_sides(rows):
    mean = rows.mean(axis=0)
    expected = cosine(rows - mean.astype(float), rows[:4] - mean.astype(float))

    np.testing.assert_allclose(cosine(rows, rows[:4], mean=mean), expected, atol=1e-12)
    found = cosine_of_pairs(rows, rows, pairs=([3, 8], [2, 0]), mean=mean)
    np.testing.assert_allclose(found, expected[[3, 8], [2, 0]], atol=1e-12)


def test_a_mean_of_another_model_is_refused(rows):
    with pytest.raises(ValueError, match="same model"):
        cosine(rows, rows, mean=np.zeros(1))
