"""One engine, two doors: verify.py and stores give the same scores of the same data."""

from dataclasses import replace

import numpy as np
import pytest

from bob.learn.pytorch.experiment.bob_algorithms import as_algorithm
from bob.learn.pytorch.experiment.cohort import normalisation_of
from bob.learn.pytorch.experiment.configuration import ConfigurationError
from bob.learn.pytorch.experiment.options import settle
from bob.learn.pytorch.experiment.stages import run
from bob.learn.pytorch.experiment.stored_scores import score
from bob.learn.pytorch.experiment.stored_speakers import cohort_of
from bob.learn.pytorch.experiment.stored_trials import Side, StoredTrials
from bob.learn.pytorch.scoring import (
    NORMALISATIONS as SCORING_NORMALISATIONS,
)
from bob.learn.pytorch.scoring import train_plda
from bob.learn.pytorch.store.reading import StoredEmbeddings

TOP = 4


@pytest.fixture
def strangers(tmp_path, toys):
    """Six speakers with two takes each; the takes of the last are copies."""
    return toys.strangers(tmp_path / "strangers", copies=True)


def settings(**options):
    names = ("database", "preprocessor", "extractor", "algorithm", "sub_directory")
    return settle({}, {**dict.fromkeys(names, "x"), **options})


@pytest.fixture
def through_verify(experiment):
    def scores(algorithm, cohort, **options):
        asked = settings(cohort_top=TOP, **options)
        found = normalisation_of(asked, experiment.database, cohort)
        outcome = run(
            replace(experiment, algorithm=as_algorithm(algorithm), normalisation=found)
        )
        lines = outcome.normalised_files["dev"].read_text().splitlines()
        return {(line.split()[0], line.split()[2]): line.split()[-1] for line in lines}

    return scores


@pytest.fixture
def through_stores(experiment, toys):
    """`bob pytorch score-norm`, of the same embeddings in two stores."""

    def store(folder, **changed):
        paths = sorted(folder.rglob("*.wav"))
        ones = np.ones(len(paths))
        names = tuple(f"{path.parent.name}/{path.stem}" for path in paths)
        rows = np.array([toys.bands_of(path) for path in paths])
        speakers = tuple(path.parent.name for path in paths)
        return StoredEmbeddings(
            names, rows, ones, ones, names, speakers=speakers, **changed
        )

    def scores(backend, cohort, normalisation, *, recordings=False):
        trials = store(experiment.database.folder)
        rows = {name: row for row, name in enumerate(trials.names)}
        speakers = sorted(set(trials.speakers))
        probes = [name for name in trials.names if name[-1] in "23"]
        both = StoredTrials(
            Side(
                speakers,
                speakers,
                [[rows[f"{name}/take{take}"] for take in (0, 1)] for name in speakers],
            ),
            Side(probes, [name.split("/")[0] for name in probes],
                 [[rows[name]] for name in probes]),
            None,
        )  # fmt: skip
        table = score(
            trials,
            both,
            backend=backend,
            cohort=cohort_of(
                store(cohort),
                normalisation=normalisation,
                top=TOP,
                recordings=recordings,
            ),
        ).table
        return dict(
            zip(
                zip(table.claimed.tolist(), table.probe.tolist(), strict=True),
                table.score.tolist(),
                strict=True,
            )
        )

    return scores


@pytest.fixture(scope="module")
def plda():
    random = np.random.default_rng(0)
    speakers = np.repeat(np.arange(40), 4)
    rows = 5 + random.normal(size=(40, 8))[speakers] + random.normal(size=(160, 8)) / 3
    return train_plda(rows, speakers, dimensions=6)


@pytest.mark.parametrize("word", [*SCORING_NORMALISATIONS, "zt", "as"])
@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize("backend", ["cosine", "euclidean", "plda"])
def test_both_doors_give_the_same_normalised_scores(
    through_verify, through_stores, strangers, plda, backend, word, single
):
    """In zt-norm both leave out other recordings of a speaker of the cohort."""
    from bob.learn.pytorch.experiment.algorithms import NAMED

    algorithm = NAMED.get(backend, plda)

    found = through_verify(
        algorithm, strangers, score_normalisation=word, cohort_recordings=single
    )

    expected = through_stores(
        plda if backend == "plda" else backend, strangers, word, recordings=single
    )
    assert found.keys() == expected.keys()
    assert len(found) == 4 * 8
    for trial, text in found.items():
        assert float(text) == pytest.approx(expected[trial], abs=6e-9)


def test_short_names_are_the_same_normalisations(experiment, strangers):
    found = [
        normalisation_of(
            settings(score_normalisation=word, cohort_top=TOP),
            experiment.database,
            strangers,
        )
        for word in ("as", "as-norm")
    ]

    assert found[0] == found[1]
    assert str(found[0]).startswith("as-norm, top 4")
    with pytest.raises(ConfigurationError, match=r"is 'asnorm'.* z-norm, t-norm"):
        normalisation_of(
            settings(score_normalisation="asnorm"), experiment.database, strangers
        )
