"""A cohort out of a store of embeddings, in place of its recordings."""

from dataclasses import replace

import pytest
from given import GIVEN

from bob.learn.pytorch.experiment.cohort import normalisation_of
from bob.learn.pytorch.experiment.components import Preprocessing
from bob.learn.pytorch.experiment.configuration import ConfigurationError
from bob.learn.pytorch.experiment.options import settle
from bob.learn.pytorch.experiment.stages import run
from bob.learn.pytorch.inference.extract import extract_into
from bob.learn.pytorch.preprocessor.audio import EmbeddingExtractor

pytestmark = pytest.mark.usefixtures("networks_are_kept")


def asked(experiment, cohort, **options):
    settled = settle({}, {**GIVEN, "score_normalisation": "s-norm", **options})
    found = normalisation_of(settled, experiment.database, cohort)
    return replace(experiment, normalisation=found)


@pytest.fixture
def strangers(tmp_path, toys):
    return toys.corpus(tmp_path / "strangers", speakers=3, recordings=2)


def filled(path, extractor, folder):
    """A store with names like those of a folder of speakers."""
    files = {
        f"{item.parent.name}/{item.stem}": str(item)
        for item in sorted(folder.rglob("*.wav"))
    }
    speakers = {name: name.split("/")[0] for name in files}
    extract_into(path, extractor, files, speakers=speakers)
    return path


def test_embeddings_of_a_store_give_the_scores_of_the_recordings(
    experiment, strangers, weights, tmp_path
):
    extractor = EmbeddingExtractor(str(weights))
    preprocessing = Preprocessing(extractor, experiment.database)
    ours = replace(experiment, preprocessing=preprocessing)
    store = filled(tmp_path / "strangers.h5", extractor, strangers)

    texts = [
        run(asked(ours, cohort)).normalised_files["dev"].read_text()
        for cohort in (strangers, store, str(store))
    ]

    assert texts[0] == texts[1] == texts[2]
    cohort = asked(ours, store).normalisation.cohorts["dev"]
    assert str(cohort) == "3 speakers from strangers.h5"
    single = asked(ours, store, cohort_recordings=True).normalisation.cohorts["dev"]
    assert str(single) == "6 recordings from strangers.h5"


def test_folders_in_names_of_a_store_are_no_speakers(
    experiment, strangers, weights, tmp_path, caplog
):
    """Two folders of recordings of three speakers: neither folder is a speaker."""
    extractor = EmbeddingExtractor(str(weights))
    preprocessing = Preprocessing(extractor, experiment.database)
    ours = replace(experiment, preprocessing=preprocessing)
    files = {
        f"{'ab'[at % 2]}/{item.parent.name}-{item.stem}.wav": str(item)
        for at, item in enumerate(sorted(strangers.rglob("*.wav")))
    }
    store = tmp_path / "two.h5"
    extract_into(store, extractor, files)

    unknown = asked(ours, store)

    assert str(unknown.normalisation.cohorts["dev"]) == "6 recordings from two.h5"
    assert [text for text in caplog.messages if "does not say who speaks" in text]
    alone = asked(ours, strangers, cohort_recordings=True)
    texts = [
        run(cohort).normalised_files["dev"].read_text() for cohort in (unknown, alone)
    ]
    assert texts[0] == texts[1]

    # Said later, nothing is computed again, and three speakers are three speakers.
    speakers = {name: item.split("/")[-2] for name, item in files.items()}
    assert extract_into(store, extractor, files, speakers=speakers).computed == 0
    known = asked(ours, store)
    assert str(known.normalisation.cohorts["dev"]) == "3 speakers from two.h5"
    texts = [
        run(cohort).normalised_files["dev"].read_text()
        for cohort in (known, asked(ours, strangers))
    ]
    assert texts[0] == texts[1]


def test_a_store_of_another_model_is_refused_with_what_differs(
    experiment, strangers, weights, tmp_path
):
    made_by = EmbeddingExtractor(str(weights), precision="float64")
    store = filled(tmp_path / "strangers.h5", made_by, strangers)
    preprocessing = Preprocessing(EmbeddingExtractor(str(weights)), experiment.database)

    with pytest.raises(ConfigurationError, match="they differ in precision; embed"):
        run(asked(replace(experiment, preprocessing=preprocessing), store))


def test_a_store_needs_an_extractor_that_makes_embeddings(
    experiment, strangers, weights, tmp_path
):
    store = filled(
        tmp_path / "strangers.h5", EmbeddingExtractor(str(weights)), strangers
    )

    with pytest.raises(ConfigurationError, match="the preprocessor is a Bands"):
        run(asked(experiment, store))
