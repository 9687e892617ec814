"""Normalisation by a cohort of stored embeddings, one trial at a time."""

import csv
import logging
import statistics
import tracemalloc
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from bob.learn.pytorch.experiment import normalising
from bob.learn.pytorch.experiment.algorithms import as_algorithm
from bob.learn.pytorch.experiment.cohort_scores import AgainstCohort, Cohort, cohort_of
from bob.learn.pytorch.experiment.comparer import Comparer
from bob.learn.pytorch.experiment.stored_scores import score_trials
from bob.learn.pytorch.experiment.stored_trials import Side, StoredTrials
from bob.learn.pytorch.scoring import PldaBackend, Projection, TwoCovariance, dense
from bob.learn.pytorch.store.reading import StoredEmbeddings

DIMENSIONS, TOP = 3, 4
SPEAKERS = ["a", "a", "b", "c", "c", "d", "e"]
LEFT, RIGHT = "xyz", "pqrs"


def stored(rows, name="c"):
    names = tuple(f"{name}{at}" for at in range(len(rows)))
    ones = np.ones(len(rows))
    return StoredEmbeddings(
        names, np.float32(rows), ones, ones, names, {}, {}, Path(f"{name}.h5")
    )


@pytest.fixture
def model():
    random = np.random.default_rng(0)
    between, within = (
        root @ root.T + 0.3 * np.eye(DIMENSIONS)
        for root in random.normal(size=(2, DIMENSIONS, DIMENSIONS))
    )
    return TwoCovariance(random.normal(size=DIMENSIONS), between, within)


@pytest.fixture
def sides():
    """References of one to three recordings, probes, and recordings of a cohort."""
    random = np.random.default_rng(1)
    references = [random.normal(size=(n, DIMENSIONS)) for n in (1, 3, 2)]
    probes, others = (random.normal(size=(n, DIMENSIONS)) for n in (4, len(SPEAKERS)))
    return references, probes, others


def ratio(model, enrolled, probe):
    """log p(all | one) - log p(enrolled) - log p(probe), by joint densities."""

    def log_density(rows):
        count = len(rows)
        covariance = np.kron(np.ones((count, count)), model.between)
        covariance += np.kron(np.eye(count), model.within)
        mean = np.tile(model.mean, count)
        return multivariate_normal.logpdf(np.ravel(rows), mean, covariance)

    together = log_density([*enrolled, probe])
    return together - log_density(enrolled) - log_density([probe])


def above(score, others, top=None):
    others = sorted(others, reverse=True)[:top]
    return (score - statistics.fmean(others)) / statistics.pstdev(others)


def textbook(model, kind, enrolled, probe, members):
    """Of a cohort's members the mean is a probe, and all recordings enrol."""
    raw = ratio(model, enrolled, probe)
    ours = [ratio(model, enrolled, np.mean(rows, axis=0)) for rows in members]
    theirs = [ratio(model, rows, probe) for rows in members]
    if kind == "zt":
        relative = [
            above(
                score,
                [
                    ratio(model, rows, np.mean(other, axis=0))
                    for other in members
                    if other is not rows
                ],
            )
            for rows, score in zip(members, theirs, strict=True)
        ]
        return above(above(raw, ours), relative)
    top = TOP if kind == "as" else None
    z, t = above(raw, ours, top), above(raw, theirs, top)
    return {"z": z, "t": t}.get(kind, (z + t) / 2)


def mean_scores(model, references, probes, members, *, top):
    """Of each reference with the cohort as probes, and of each probe with it enrolled.

    This is so whatever the normalisation is.
    """

    def highest(scores):
        return statistics.fmean(sorted(scores, reverse=True)[:top])

    return [
        [
            highest(ratio(model, enrolled, np.mean(rows, axis=0)) for rows in members)
            for enrolled in references
        ],
        [highest(ratio(model, rows, probe) for rows in members) for probe in probes],
    ]


@pytest.mark.parametrize("at_once", [1, 10**6])
@pytest.mark.parametrize("kind", ["z", "t", "s", "zt", "as"])
@pytest.mark.parametrize("by_speaker", [False, True])
def test_ratios_of_plda_are_normalised_as_in_the_textbook(
    model, sides, kind, by_speaker, at_once, monkeypatch
):
    monkeypatch.setattr(dense, "SCORES_AT_ONCE", at_once)
    references, probes, others = sides
    members = [row[np.newaxis] for row in np.float32(others).astype(float)]
    known = None
    if by_speaker:
        known = np.arange(len(SPEAKERS)), SPEAKERS
        members = [
            np.concatenate(
                [
                    row
                    for row, name in zip(members, SPEAKERS, strict=True)
                    if name == who
                ]
            )
            for who in sorted(set(SPEAKERS))
        ]
    backend = PldaBackend(
        Projection(np.zeros(DIMENSIONS), np.eye(DIMENSIONS)), model, "none"
    )
    comparer = Comparer(plda=backend)
    ends = np.cumsum([0, *map(len, references)])
    groups = [range(*span) for span in pairwise(ends)]
    left = comparer.references(np.concatenate(references), groups)
    right = comparer.probes(probes, [[at] for at in range(len(probes))])
    cohort = Cohort(stored(others), kind, TOP, known)

    against = AgainstCohort(comparer, left, right, cohort, (LEFT, RIGHT))
    found = against.normaliser()(comparer.dense(left, right), None)

    expected = [
        [textbook(model, kind, enrolled, probe, members) for probe in probes]
        for enrolled in references
    ]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)
    for means, expected in zip(
        against.means,
        mean_scores(model, references, probes, members, top=cohort.adaptive_top),
        strict=True,
    ):
        np.testing.assert_allclose(means, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("at_once", [1, 10**6])
def test_zt_norm_takes_copies_of_a_recording_for_no_strangers(
    sides, at_once, monkeypatch
):
    monkeypatch.setattr(dense, "SCORES_AT_ONCE", at_once)
    _, probes, others = sides
    comparer = Comparer()
    models = comparer.probes(probes, [[at] for at in range(len(probes))])

    def statistics_of(rows):
        cohort = Cohort(stored(rows), "zt")
        names = (RIGHT, RIGHT)
        return AgainstCohort(comparer, models, models, cohort, names).normalised_probes

    once, twice = statistics_of(others), statistics_of([*others, *others])

    np.testing.assert_allclose(twice.mean, once.mean, rtol=0, atol=1e-9)
    np.testing.assert_allclose(twice.deviation, once.deviation, rtol=0, atol=1e-9)


@pytest.fixture
def by_speaker(model, sides):
    """A comparer by PLDA, both sides, and a cohort with some of two recordings."""
    references, probes, others = sides
    backend = PldaBackend(
        Projection(np.zeros(DIMENSIONS), np.eye(DIMENSIONS)), model, "none"
    )
    ends = np.cumsum([0, *map(len, references)])
    embeddings = stored([*np.concatenate(references), *probes])
    trials = StoredTrials(
        Side("xyz", "xyz", [range(*span) for span in pairwise(ends)]),
        Side("stuv", "stuv", [[ends[-1] + at] for at in range(len(probes))]),
        None,
    )
    cohort = Cohort(stored(others), "as", TOP, (np.arange(len(SPEAKERS)), SPEAKERS))
    rows = embeddings.embeddings.astype(float)
    members = [
        np.float32(others)[[name == who for name in SPEAKERS]].astype(float)
        for who in sorted(set(SPEAKERS))
    ]
    expected = mean_scores(
        model, np.split(rows[: ends[-1]], ends[1:-1]), rows[ends[-1] :], members,
        top=TOP,
    )  # fmt: skip
    return SimpleNamespace(
        backend=backend, trials=trials, embeddings=embeddings, cohort=cohort,
        members=members, expected=expected,
    )  # fmt: skip


def test_mean_cohort_scores_in_a_file_have_the_cohort_enrolled_against_probes(
    by_speaker, tmp_path
):
    score_trials(
        by_speaker.trials,
        by_speaker.embeddings,
        tmp_path / "out.csv",
        comparer=Comparer(plda=by_speaker.backend),
        cohort=by_speaker.cohort,
        quality=["cohort_mean"],
    )

    with (tmp_path / "out.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    of_references, of_probes = by_speaker.expected
    found = [float(line["bio_ref_cohort_mean"]) for line in lines[:: len(of_probes)]]
    assert found == pytest.approx(of_references, rel=1e-5)
    found = [float(line["probe_cohort_mean"]) for line in lines[: len(of_probes)]]
    assert found == pytest.approx(of_probes, rel=1e-5)


def test_mean_cohort_scores_of_verify_are_the_same(by_speaker):
    rows, trials = by_speaker.embeddings.embeddings.astype(float), by_speaker.trials
    algorithm = as_algorithm(by_speaker.backend)
    models, probes = (
        [rows[list(index)] for index in side.rows]
        for side in (trials.references, trials.probes)
    )
    strangers = dict(zip("abcde", ([part] for part in by_speaker.members), strict=True))

    against = normalising.AgainstCohort(
        "as-norm",
        TOP,
        normalising.KnownCohort(
            strangers,
            tuple(strangers),
            tuple(normalising.averaged(part) for part in strangers.values()),
            tuple(strangers),
        ),
        algorithm,
        dict(zip("xyz", (algorithm.enrol([part]) for part in models), strict=True)),
        algorithm.against([[part] for part in probes]),
        np.ones(len(probes), dtype=bool),
        RIGHT,
        "others",
    )

    found = against.references.mean, against.probes.mean
    for means, expected in zip(found, by_speaker.expected, strict=True):
        np.testing.assert_allclose(means, expected, rtol=0, atol=1e-9)


def test_recordings_of_trials_in_the_cohort_are_warned_of(model, sides, caplog):
    references, probes, others = sides
    backend = PldaBackend(
        Projection(np.zeros(DIMENSIONS), np.eye(DIMENSIONS)), model, "none"
    )
    for comparer in (Comparer(), Comparer(plda=backend)):
        left = comparer.references(references[0], [[0]])
        right = comparer.probes(np.float32(probes), [[0], [1], [2], [-1]])
        names = (LEFT, RIGHT)
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            AgainstCohort(comparer, left, right, Cohort(stored(others), "s"), names)
        assert not caplog.messages

        shared = Cohort(stored([*others, *probes[1:3]]), "s")
        AgainstCohort(comparer, left, right, shared, names).normaliser()

        (message,) = caplog.messages
        assert "2 recordings of the trials are in the cohort" in message


def test_recordings_of_unknown_speakers_are_left_out_with_a_warning(
    sides, tmp_path, caplog
):
    (tmp_path / "utt2spk").write_text("c0 ann\nc3 bob\nc4 ann\n")

    cohort = cohort_of(stored(sides[2]), speakers=tmp_path / "utt2spk")

    assert cohort.groups() == [[0, 4], [3]]
    assert "who speaks in 4 of the cohort's 7 recordings" in caplog.text


def test_a_cohort_needs_the_memory_of_blocks_and_not_of_the_matrix(model, monkeypatch):
    """Scores of 200 x 20,000 would take 32 MB, and the rows take less than one."""
    monkeypatch.setattr(dense, "SCORES_AT_ONCE", 100_000)
    random = np.random.default_rng(3)
    backend = PldaBackend(
        Projection(np.zeros(DIMENSIONS), np.eye(DIMENSIONS)), model, "none"
    )
    comparer = Comparer(plda=backend)
    probes = comparer.probes(
        random.normal(size=(20_000, DIMENSIONS)), np.arange(20_000)[:, np.newaxis]
    )
    cohort = Cohort(stored(random.normal(size=(200, DIMENSIONS))), "zt")
    tracemalloc.start()

    names = ["a"], range(20_000)
    AgainstCohort(comparer, probes.take(0, 1), probes, cohort, names).normaliser()

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 16e6
