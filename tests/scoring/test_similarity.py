"""Similarities against SciPy, one pair at a time."""

import numpy as np
import pytest
from scipy.spatial.distance import cosine as cosine_distance

from bob.learn.pytorch.scoring import (
    cosine,
    cosine_of_pairs,
    euclidean,
    inner_of_pairs,
    similarity,
    unit_length,
)


@pytest.fixture(params=[np.float32, np.float64])
def embeddings(request):
    random = np.random.default_rng(0)
    references = random.normal(2, 1, (7, 192)).astype(request.param)
    return references, random.normal(-1, 3, (11, 192)).astype(request.param)


def test_cosine_equals_one_pair_at_a_time(embeddings):
    references, probes = embeddings
    expected = [
        [1 - cosine_distance(r.astype(float), p.astype(float)) for p in probes]
        for r in references
    ]

    found = cosine(references, probes)

    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)


def test_cosine_in_blocks_is_the_same(embeddings, monkeypatch):
    expected = cosine(*embeddings)
    monkeypatch.setattr(similarity, "BLOCK_ROWS", 3)

    np.testing.assert_allclose(cosine(*embeddings), expected, rtol=0, atol=1e-15)


def test_listed_pairs_are_entries_of_the_matrix(embeddings, monkeypatch):
    monkeypatch.setattr(similarity, "BLOCK_ROWS", 3)
    rows, columns = [0, 6, 6, 2, 0], [10, 0, 0, 3, 10]

    found = cosine_of_pairs(*embeddings, pairs=(rows, columns))

    np.testing.assert_allclose(
        found, cosine(*embeddings)[rows, columns], rtol=0, atol=1e-12
    )


def test_euclidean_is_the_negative_length_of_the_difference(embeddings):
    references, probes = (rows.astype(float) for rows in embeddings)
    expected = [[-np.linalg.norm(r - p) for p in probes] for r in references]

    np.testing.assert_allclose(euclidean(*embeddings), expected, rtol=0, atol=1e-9)


def test_euclidean_keeps_the_distance_of_near_twins():
    """|a|² + |b|² - 2ab would give 0 or rubbish here."""
    assert euclidean([[1e4, 1.0]], [[1e4, 1.0 + 1e-6]])[0, 0] == pytest.approx(-1e-6)


def test_an_embedding_equals_itself_and_opposes_its_negative():
    row = np.random.default_rng(1).normal(size=(1, 512))

    assert cosine(row, np.concatenate([row, -row, 2 * row])).tolist() == [
        [pytest.approx(1), pytest.approx(-1), pytest.approx(1)]
    ]
    assert np.abs(cosine(row, row)).max() <= 1


def test_rows_without_a_direction_score_nan_and_spoil_no_other():
    bad = np.array([[0, 0], [np.nan, 1], [np.inf, 1], [3, 4]], dtype=float)

    scores = cosine(bad, bad)

    assert np.isnan(scores[:3]).all()
    assert np.isnan(scores[:, :3]).all()
    assert scores[3, 3] == pytest.approx(1)
    pairs = cosine_of_pairs(bad, bad, pairs=([0, 3, 3], [3, 1, 3]))
    np.testing.assert_allclose(pairs, [np.nan, np.nan, 1])
    distances = euclidean(bad, bad)
    assert np.isnan(distances[1:3]).all()
    assert distances[0, 3] == -5


def test_huge_and_tiny_embeddings_keep_their_direction():
    scores = cosine([[1e300, 1e300], [1e-300, 0]], [[1e-200, 1e-200]])

    np.testing.assert_allclose(scores, [[1], [np.sqrt(0.5)]])


def test_unit_length_has_length_one():
    rows = unit_length([[3, 4], [0, 0]])

    np.testing.assert_allclose(rows, [[0.6, 0.8], [np.nan, np.nan]])


def test_nothing_to_compare_gives_an_empty_matrix():
    assert cosine(np.zeros((0, 4)), np.ones((3, 4))).shape == (0, 3)


def test_the_embeddings_that_came_are_left_as_they_are():
    rows = np.array([[3.0, 4.0]])

    cosine(rows, rows)

    assert rows.tolist() == [[3, 4]]


@pytest.mark.parametrize("similarity", [cosine, euclidean])
@pytest.mark.parametrize("shapes", [((2, 3), (2, 4)), ((3,), (1, 3))])
def test_embeddings_that_do_not_match_are_refused(similarity, shapes):
    with pytest.raises(ValueError, match="embed both with one trained model"):
        similarity(*map(np.ones, shapes))


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
