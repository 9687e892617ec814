"""Who computes features, and what need not be computed."""

from dataclasses import replace

import cloudpickle
import numpy as np
import pytest

from bob.learn.pytorch.extractor import CallableExtractor
from bob.learn.pytorch.preprocessor.audio import DltResNetExtractor, EmbeddingExtractor
from bob.learn.pytorch.storage.store import EmbeddingStore
from bob.learn.pytorch.verification.components import Extraction, Preprocessing
from bob.learn.pytorch.verification.configuration import ConfigurationError
from bob.learn.pytorch.verification.experiment import run
from bob.learn.pytorch.verification.layout import lay_out
from bob.learn.pytorch.verification.making import Workers

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


def test_a_store_needs_an_extractor_of_ours(experiment, tmp_path):
    with pytest.raises(ConfigurationError, match="the preprocessor is a Bands"):
        run(replace(experiment, store=tmp_path / "store.h5"))
