"""PLDA in an experiment, against the densities of normal distributions."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from bob.learn.pytorch.errors import ScoringError
from bob.learn.pytorch.experiment.algorithms import plda_at
from bob.learn.pytorch.experiment.bob_algorithms import as_algorithm
from bob.learn.pytorch.experiment.configuration import ConfigurationError
from bob.learn.pytorch.experiment.stages import run
from bob.learn.pytorch.scoring import (
    PldaBackend,
    Projection,
    TwoCovariance,
    train_plda,
)


@pytest.fixture
def backend():
    """Two-covariance, of eight numbers, as they are: no projection, no length."""
    random = np.random.default_rng(0)
    factors = random.normal(size=(2, 8, 8))
    between, within = (part @ part.T + np.eye(8) for part in factors)
    model = TwoCovariance(random.normal(size=8), between, within)
    return PldaBackend(Projection(np.zeros(8), np.eye(8)), model, "none")


def joint(model, rows):
    """log p(rows of one speaker): one normal distribution of all rows at once."""
    count = len(rows)
    covariance = np.kron(np.ones((count, count)), model.between) + np.kron(
        np.eye(count), model.within
    )
    mean = np.tile(model.mean, count)
    return multivariate_normal.logpdf(np.ravel(rows), mean, covariance)


def test_scores_are_ratios_of_the_joint_densities(toys, experiment, backend):
    """Two enrolment recordings and a probe: one speaker, or two?"""
    outcome = run(replace(experiment, algorithm=as_algorithm(backend)))

    folder = experiment.database.folder
    for line in outcome.score_files["dev"].read_text().splitlines():
        claimed, _, probe, score = line.split()
        enrolled = [toys.bands_of(folder / claimed / f"take{i}.wav") for i in (0, 1)]
        tested = [toys.bands_of(folder / f"{probe}.wav")]
        together = joint(backend.model, [*enrolled, *tested])
        apart = joint(backend.model, enrolled) + joint(backend.model, tested)
        assert float(score) == pytest.approx(together - apart, abs=1e-5)


def test_listed_trials_have_the_same_scores(toys, experiment, backend):
    pairs = tuple(np.array([index, 7 - index]) for index in range(4))
    algorithm = as_algorithm(backend)
    whole = run(replace(experiment, algorithm=algorithm)).score_files["dev"].read_text()
    database = toys.Speakers(experiment.database.folder, pairs)

    listed = run(replace(experiment, database=database, algorithm=algorithm))

    lines = listed.score_files["dev"].read_text().splitlines()
    assert len(lines) == 8
    assert set(lines) <= set(whole.splitlines())


def test_a_model_of_another_size_is_refused(experiment):
    random = np.random.default_rng(0)
    speakers = np.repeat(np.arange(20), 4)
    rows = random.normal(size=(20, 3))[speakers] + random.normal(size=(80, 3))
    other = as_algorithm(train_plda(rows, speakers))

    with pytest.raises(ScoringError, match="of 3 dimensions, and these have 8"):
        run(replace(experiment, algorithm=other))


def test_a_file_is_an_algorithm_by_its_ending(backend, tmp_path):
    path = tmp_path / "plda.npz"
    backend.save(path)

    assert as_algorithm(plda_at(str(path))).scoring() == (
        as_algorithm(backend).scoring()
    )
    assert plda_at("cosine") is None
    path.write_bytes(b"no archive")
    with pytest.raises(ConfigurationError, match=r"plda\.npz is no file of a PLDA"):
        plda_at(str(path))
    with pytest.raises(ConfigurationError, match=r"absent\.npz"):
        plda_at("absent.npz")


def test_another_model_makes_other_scores_and_the_same_references(backend):
    model = replace(backend.model, mean=backend.model.mean + 1)
    other = as_algorithm(replace(backend, model=model))

    assert other.scoring() != as_algorithm(backend).scoring()
    assert other.fingerprint() == as_algorithm(backend).fingerprint()
