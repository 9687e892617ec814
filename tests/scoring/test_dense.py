"""All against all, in blocks and into files."""

import tracemalloc

import numpy as np
import pytest

from bob.learn.pytorch.scoring import (
    cosine,
    dense,
    euclidean,
    inner,
    score_into_file,
    score_rows,
)


@pytest.fixture
def sides():
    random = np.random.default_rng(0)
    probes = random.normal(size=(31, 6))
    probes[4] = 0
    return random.normal(size=(23, 6)), probes


@pytest.mark.parametrize("score", [cosine, euclidean, inner])
@pytest.mark.parametrize("at_once", [1, 100, 10**6])
def test_blocks_together_are_the_matrix(sides, score, at_once, monkeypatch):
    monkeypatch.setattr(dense, "TILE", 7)
    found = np.full((23, 31), -9.0)

    for rows, scores in score_rows(*sides, score=score, at_once=at_once):
        assert scores.size <= max(at_once, 31)
        found[rows] = scores

    np.testing.assert_allclose(found, score(*sides), rtol=0, atol=1e-14)


@pytest.mark.parametrize("score", [cosine, euclidean])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_file_holds_the_matrix(sides, score, dtype, tmp_path, monkeypatch):
    monkeypatch.setattr(dense, "TILE", 7)
    path = tmp_path / "new" / "scores.npy"

    written = score_into_file(*sides, path=path, score=score, dtype=dtype)

    assert written.dtype == dtype
    exact = 1e-6 if dtype == "float32" else 1e-14
    np.testing.assert_allclose(np.load(path), score(*sides), rtol=exact, atol=exact)
    assert not written.flags.writeable
    assert [file.name for file in path.parent.iterdir()] == ["scores.npy"]


def test_a_file_needs_the_memory_of_blocks_and_not_of_the_matrix(tmp_path, monkeypatch):
    monkeypatch.setattr(dense, "SCORES_AT_ONCE", 100_000)
    rows = np.random.default_rng(0).normal(size=(3000, 4))
    tracemalloc.start()

    score_into_file(rows, rows, path=tmp_path / "scores.npy")

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (tmp_path / "scores.npy").stat().st_size > 36e6
    assert peak < 8e6


def test_what_fails_leaves_the_old_file(sides, tmp_path):
    path = tmp_path / "scores.npy"
    score_into_file(*sides, path=path)
    before = path.read_bytes()

    with pytest.raises(ZeroDivisionError):
        score_into_file(*sides, path=path, score=lambda *_: 1 / 0)

    assert path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


def test_embeddings_that_do_not_match_are_refused(sides, tmp_path):
    left, right = sides
    with pytest.raises(ValueError, match="one trained model"):
        list(score_rows(left[:, :3], right))
    with pytest.raises(ValueError, match="give no scores"):
        score_into_file(left[:0], right, path=tmp_path / "scores.npy")
