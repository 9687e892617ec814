"""Whitening and linear discriminant analysis."""

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from bob.learn.pytorch.scoring import (
    TrainingError,
    cosine,
    lda,
    scaled_to_dimensions,
    whitening,
)


@pytest.fixture
def recordings():
    """(90, 6) of 12 speakers with different counts, correlated and off centre."""
    random = np.random.default_rng(0)
    speakers = np.sort(random.integers(0, 12, 90))
    mixing = random.normal(size=(6, 6))
    rows = random.normal(size=(12, 6))[speakers] * [3, 2, 1, 1, 0.5, 0.1]
    return (rows + random.normal(size=(90, 6))) @ mixing + 5, speakers


def test_whitened_embeddings_have_mean_zero_and_covariance_identity(recordings):
    rows, _ = recordings

    white = whitening(rows)(rows)

    np.testing.assert_allclose(white.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(np.cov(white.T, ddof=0), np.eye(6), atol=1e-10)


@pytest.mark.parametrize("dimensions", [1, 3, 6])
def test_lda_finds_the_directions_of_scikit_learn(recordings, dimensions):
    rows, speakers = recordings
    theirs = LinearDiscriminantAnalysis(solver="eigen", n_components=dimensions)
    expected = theirs.fit(rows, speakers).transform(rows)

    found = lda(rows, speakers, dimensions=dimensions)(rows)

    # Axis by axis the same, but for the sign and the scale.
    directions = cosine(
        found.T - found.T.mean(axis=1, keepdims=True),
        (expected - expected.mean(axis=0)).T,
    )
    np.testing.assert_allclose(np.abs(np.diag(directions)), 1, atol=1e-9)


def test_after_lda_a_speaker_varies_by_one_in_every_direction(recordings):
    rows, speakers = recordings

    projected = lda(rows, speakers, dimensions=4)(rows)

    scatter = sum(
        np.cov(projected[speakers == s].T, ddof=0) * (speakers == s).sum()
        for s in set(speakers.tolist())
    )
    np.testing.assert_allclose(scatter / 90, np.eye(4), atol=1e-10)


def test_scaled_rows_have_the_length_of_standard_normal_ones(recordings):
    rows = scaled_to_dimensions(recordings[0])

    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), np.sqrt(6))


def test_directions_without_variance_are_left_out(recordings):
    """A constant number, and one that repeats another, change nothing."""
    rows, speakers = recordings
    more = np.column_stack([np.full(90, 7.0), rows, rows[:, 2]])

    assert whitening(more).matrix.shape == (8, 6)
    np.testing.assert_allclose(
        np.cov(whitening(more)(more).T, ddof=0), np.eye(6), atol=1e-9
    )
    expected = lda(rows, speakers, dimensions=3)(rows)
    found = lda(more, speakers, dimensions=3)(more)
    np.testing.assert_allclose(np.abs(found), np.abs(expected), atol=1e-8)
    with pytest.raises(TrainingError, match=r"8 dimensions .*allow 1 to 6"):
        lda(more, speakers, dimensions=8)


def test_what_does_not_determine_a_projection_is_refused(recordings):
    rows, speakers = recordings
    with pytest.raises(TrainingError, match="allow 1 to 6"):
        lda(rows, speakers, dimensions=7)
    with pytest.raises(TrainingError, match="allow 1 to 1"):
        lda(rows[:9], [1, 1, 1, 1, 1, 2, 2, 2, 2], dimensions=2)
    with pytest.raises(TrainingError, match="more recordings per speaker"):
        lda(rows[:5], [1, 1, 1, 2, 2], dimensions=1)
    with pytest.raises(TrainingError, match="cannot be whitened"):
        whitening(rows[:6])
    with pytest.raises(TrainingError, match="all 6 embeddings are the same"):
        whitening(np.ones((6, 6)))
    with pytest.raises(TrainingError, match="several recordings"):
        lda(rows[:5], [1, 2, 3, 4, 5], dimensions=1)
    with pytest.raises(TrainingError, match="1 of 90 embeddings"):
        whitening(np.where(np.arange(90)[:, None] == 3, np.nan, rows))
    with pytest.raises(ValueError, match="one name per embedding"):
        lda(rows, speakers[:-1], dimensions=1)
    with pytest.raises(ValueError, match="trained on"):
        whitening(rows)(rows[:, :3])
    with pytest.raises(ValueError, match="expected"):
        whitening(rows[0])
