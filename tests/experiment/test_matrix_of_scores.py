"""All against all in a file, with names beside it that are never those of another."""

from pathlib import Path

import numpy as np
import pytest

from bob.learn.pytorch.experiment import stored_scores
from bob.learn.pytorch.experiment.stored_scores import score_everything
from bob.learn.pytorch.store.reading import StoredEmbeddings


def stored(count):
    names = tuple(f"of {count}: {at}" for at in range(count))
    rows = np.random.default_rng(count).normal(size=(count, 3))
    ones = np.ones(count)
    return StoredEmbeddings(
        names, np.float32(rows), ones, ones, names, {}, {}, Path("store.h5")
    )


def test_no_moment_shows_a_matrix_with_the_names_of_another(tmp_path, monkeypatch):
    path, names = tmp_path / "all.npy", tmp_path / "all.npy.names"
    replace, moments = Path.replace, []

    def watched(place, target):
        for move in (False, True):
            if move:
                replace(place, target)
            if path.exists() and names.exists():
                moments.append((len(np.load(path)), len(names.read_text().split("\n"))))

    score_everything(stored(4), path)
    monkeypatch.setattr(Path, "replace", watched)

    score_everything(stored(5), path)

    assert set(moments) == {(4, 5), (5, 6)}  # the text ends with a new line
    assert names.read_text().startswith("of 5: 0\n")


def test_an_error_leaves_the_old_matrix_with_its_names(tmp_path, monkeypatch):
    path = tmp_path / "all.npy"
    score_everything(stored(4), path)
    before = {item: item.read_bytes() for item in tmp_path.iterdir()}

    def fail(*_, **__):
        raise MemoryError

    monkeypatch.setattr(stored_scores, "score_into_file", fail)
    with pytest.raises(MemoryError):
        score_everything(stored(5), path)

    assert {item: item.read_bytes() for item in tmp_path.iterdir()} == before
