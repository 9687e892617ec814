"""Who computes features, and what need not be computed."""

import logging
import shutil
from dataclasses import replace

import cloudpickle
import numpy as np
import pytest

from bob.learn.pytorch.experiment.components import Extraction, Preprocessing
from bob.learn.pytorch.experiment.configuration import ConfigurationError
from bob.learn.pytorch.experiment.experiment import lay_out
from bob.learn.pytorch.experiment.stages import run
from bob.learn.pytorch.extractor import CallableExtractor
from bob.learn.pytorch.inference.extract import extract_into
from bob.learn.pytorch.parallel.sharing import Workers
from bob.learn.pytorch.preprocessor.audio import DltResNetExtractor, EmbeddingExtractor
from bob.learn.pytorch.store.store import EmbeddingStore

pytestmark = pytest.mark.usefixtures("networks_are_kept")


@pytest.fixture
def embedding(experiment, toys, weights):
    """The experiment with embeddings of DltResNet, in folders of any name."""
    # Other processes cannot import what the import mode of pytest hides.
    cloudpickle.register_pickle_by_value(toys)
    database = experiment.database

    def in_folder(name, **changes):
        folder = database.folder.parent / name
        return replace(
            experiment,
            preprocessing=Preprocessing(DltResNetExtractor(weights), database),
            extraction=Extraction(CallableExtractor(lambda x: x)),
            layout=lay_out(folder, folder, sub_directory="s", protocol="all"),
            **changes,
        )

    yield in_folder
    cloudpickle.unregister_pickle_by_value(toys)


def scores(toys, outcome):
    return np.array(
        [float(line[3]) for line in toys.lines_of(outcome.score_files["dev"])]
    )


@pytest.mark.slow
def test_processes_give_the_scores_and_failures_of_one(embedding, toys):
    folder = embedding("one").database.folder
    (folder / "speaker0" / "take1.wav").write_bytes(b"not audio")

    one = run(embedding("one", allow_missing=True))
    two = run(embedding("two", allow_missing=True, workers=Workers(jobs=2)))

    np.testing.assert_allclose(scores(toys, two), scores(toys, one), atol=1e-6)
    assert two.failures == one.failures
    assert list(two.failures) == ["speaker0/take1"]


def test_with_nothing_to_do_nothing_is_loaded(embedding, monkeypatch):
    run(embedding("one"))
    monkeypatch.setattr(EmbeddingExtractor, "prepare", None)

    outcome = run(embedding("one"))

    assert outcome.computed == {"preprocessing": 0, "extraction": 0}


def test_a_store_is_filled_by_one_experiment_and_serves_the_next(
    embedding, toys, tmp_path, monkeypatch
):
    store = tmp_path / "store.h5"
    plain = run(embedding("plain"))
    first = run(embedding("first", store=store))
    monkeypatch.setattr(EmbeddingExtractor, "embed_many", None)

    second = run(embedding("second", store=store))

    assert len(EmbeddingStore.read(store).names) == 16
    for outcome in (first, second):
        np.testing.assert_allclose(
            scores(toys, outcome), scores(toys, plain), atol=1e-6
        )


@pytest.mark.parametrize("named_by", ["path", "suffix", "list"])
def test_what_was_embedded_under_other_names_is_found(
    embedding, experiment, weights, tmp_path, monkeypatch, caplog, named_by
):
    """16 of 16 were computed again, and the store doubled without a word."""
    store, extractor = tmp_path / "store.h5", DltResNetExtractor(weights)
    files = sorted(str(path) for path in experiment.database.folder.rglob("*.wav"))
    if named_by == "suffix":  # a copy of the corpus elsewhere, under longer paths
        shutil.copytree(experiment.database.folder, tmp_path / "copy")
        files = [path.replace("/recordings/", "/copy/") for path in files]
    names = [f"utt{n}" for n in range(len(files))] if named_by == "list" else files
    extract_into(store, extractor, dict(zip(names, files, strict=True)))
    monkeypatch.setattr(EmbeddingExtractor, "embed_many", None)

    with caplog.at_level(logging.INFO, "bob.learn.pytorch.progress"):
        run(embedding("first", store=store))

    assert f"16 of 16 embeddings from the store {store}, 0 computed" in caplog.text
    assert len(EmbeddingStore.read(store).names) == 16


def test_another_recording_of_a_name_is_not_taken_for_this_one(
    embedding, experiment, weights, toys, tmp_path, caplog
):
    """Another corpus has the same names below another folder, and other voices."""
    other = toys.corpus(tmp_path / "other" / "recordings")
    for path in other.rglob("*.wav"):
        toys.tone(path, 900, seed=len(str(path)))
    store, extractor = tmp_path / "store.h5", DltResNetExtractor(weights)
    files = {str(path): str(path) for path in sorted(other.rglob("*.wav"))}
    extract_into(store, extractor, files)

    with caplog.at_level(logging.INFO, "bob.learn.pytorch.progress"):
        run(embedding("first", store=store))

    assert "0 of 16 embeddings from the store" in caplog.text
    assert EmbeddingStore.read(store).names[:16] == tuple(files)
    assert len(EmbeddingStore.read(store).names) == 32


def test_a_store_needs_an_extractor_of_ours(experiment, tmp_path):
    with pytest.raises(ConfigurationError, match="the preprocessor is a Bands"):
        run(replace(experiment, store=tmp_path / "store.h5"))
