"""Several recordings, one reference."""

import statistics

import numpy as np
import pytest

from bob.learn.pytorch.scoring import cosine, fuse_scores, mean_embeddings

GROUPS = [[0, 2, 5], [1], [4, 3], [5, 0]]


@pytest.fixture
def rows():
    return np.random.default_rng(0).normal(size=(6, 8))


def test_a_reference_is_the_mean_of_its_recordings(rows):
    expected = [
        [statistics.fmean(rows[i, d] for i in group) for d in range(8)]
        for group in GROUPS
    ]

    np.testing.assert_allclose(mean_embeddings(rows, GROUPS), expected)


def test_length_normalised_recordings_count_the_same(rows):
    """A recording a thousand times as long in embedding space turns nothing."""
    longer = rows * np.array([[1000], [1], [1], [1], [1], [1]])

    plain = mean_embeddings(rows, GROUPS, length_normalised=True)

    np.testing.assert_allclose(
        mean_embeddings(longer, GROUPS, length_normalised=True), plain
    )
    hand = [rows[i] / np.linalg.norm(rows[i]) for i in GROUPS[0]]
    np.testing.assert_allclose(plain[0], sum(hand) / 3)


@pytest.mark.parametrize(
    ("fusion", "by_hand"),
    [
        ("mean", statistics.fmean),
        ("max", max),
        ("min", min),
        ("median", statistics.median),
    ],
)
def test_scores_are_fused_column_by_column(rows, fusion, by_hand):
    expected = [
        [by_hand([rows[i, p] for i in group]) for p in range(8)] for group in GROUPS
    ]

    found = fuse_scores(rows, GROUPS, fusion=fusion)

    np.testing.assert_allclose(found, expected)


def test_averaging_embeddings_and_averaging_scores_differ(rows):
    """Why the choice must be stated."""
    of_means = cosine(mean_embeddings(rows, GROUPS), rows)
    means_of = fuse_scores(cosine(rows, rows), GROUPS)

    assert np.abs(of_means - means_of).max() > 0.01


@pytest.mark.parametrize("fusion", ["mean", "max", "min", "median"])
def test_a_missing_score_is_not_ignored(fusion):
    scores = [[1.0, np.nan], [3.0, 2.0]]

    np.testing.assert_array_equal(
        np.isnan(fuse_scores(scores, [[0, 1]], fusion=fusion)), [[False, True]]
    )


def test_a_reference_without_recordings_is_nan(rows):
    assert np.isnan(mean_embeddings(rows, [[], [1]])).all(axis=1).tolist() == [1, 0]
    assert np.isnan(fuse_scores(rows, [np.array([])])).all()


def test_an_unknown_fusion_is_refused(rows):
    with pytest.raises(ValueError, match="choose one of mean, max, min, median"):
        fuse_scores(rows, GROUPS, fusion="product")


def test_a_single_vector_is_refused():
    with pytest.raises(ValueError, match="one row per recording"):
        mean_embeddings([1.0, 2.0], [[0]])
