"""Normalisation by a cohort of stored embeddings, one trial at a time."""

import csv
import logging
import tracemalloc
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from bob.learn.pytorch.experiment.stored_scores import score
from bob.learn.pytorch.experiment.stored_speakers import cohort_of
from bob.learn.pytorch.experiment.stored_trials import Side, StoredTrials
from bob.learn.pytorch.scoring import (
    Cosine,
    Plda,
    PldaBackend,
    Projection,
    TwoCovariance,
    similarity,
)
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


def members_of(textbook, others, *, by_speaker):
    """Of a cohort's speakers the mean is a probe, and all recordings enrol."""
    rows = np.float32(others).astype(float)
    who = np.array(SPEAKERS if by_speaker else [str(at) for at in range(len(rows))])
    return [
        textbook.Member(name, rows[who == name], rows[who == name].mean(axis=0))
        for name in sorted(set(who))
    ]


def cohort_of_rows(others, *, normalisation="as-norm", top=TOP, by_speaker=False):
    """A cohort in a store that names its speakers, or not."""
    speakers = tuple(SPEAKERS) if by_speaker else ()
    return cohort_of(
        replace(stored(others), speakers=speakers), normalisation=normalisation, top=top
    )


def as_is(model):
    """PLDA without projection and length normalisation."""
    return PldaBackend(
        Projection(np.zeros(DIMENSIONS), np.eye(DIMENSIONS)), model, "none"
    )


@pytest.mark.parametrize("at_once", [1, 10**6])
@pytest.mark.parametrize("kind", ["z", "t", "s", "zt", "as"])
@pytest.mark.parametrize("by_speaker", [False, True])
def test_ratios_of_plda_are_normalised_as_in_the_textbook(
    textbook, model, sides, kind, by_speaker, at_once, monkeypatch
):
    monkeypatch.setattr(similarity, "SCORES_AT_ONCE", at_once)
    references, probes, others = sides
    compare = partial(ratio, model)
    members = members_of(textbook, others, by_speaker=by_speaker)
    backend = Plda(model=as_is(model))
    ends = np.cumsum([0, *map(len, references)])
    groups = [range(*span) for span in pairwise(ends)]
    left = backend.enrol(np.concatenate(references), groups)
    right = backend.probes(probes, [[at] for at in range(len(probes))])
    cohort = cohort_of_rows(others, normalisation=kind, by_speaker=by_speaker)

    normaliser = cohort.normaliser(backend, left, right, (LEFT, RIGHT))
    found = normaliser(backend.matrix(left, right))

    expected = [
        [
            textbook.normalised(kind, compare, enrolled, probe, members, top=TOP)
            for probe in probes
        ]
        for enrolled in references
    ]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)
    top = TOP if kind == "as" else None
    for means, expected in zip(
        normaliser.means,
        textbook.mean_scores(compare, references, probes, members, top=top),
        strict=True,
    ):
        np.testing.assert_allclose(means, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("at_once", [1, 10**6])
def test_zt_norm_takes_no_copy_of_a_recording_for_an_impostor(
    sides, at_once, monkeypatch
):
    monkeypatch.setattr(similarity, "SCORES_AT_ONCE", at_once)
    _, probes, others = sides
    backend = Cosine()
    models = backend.probes(probes, [[at] for at in range(len(probes))])

    def statistics_of(rows):
        cohort = cohort_of_rows(rows, normalisation="zt-norm")
        normaliser = cohort.normaliser(backend, models, models, (RIGHT, RIGHT))
        return normaliser.of_probes_after_z_norm

    once, twice = statistics_of(others), statistics_of([*others, *others])

    np.testing.assert_allclose(twice.mean, once.mean, rtol=0, atol=1e-9)
    np.testing.assert_allclose(twice.deviation, once.deviation, rtol=0, atol=1e-9)


@pytest.fixture
def by_speaker(textbook, model, sides):
    """PLDA, both sides of trials, and a cohort with some of two recordings."""
    references, probes, others = sides
    ends = np.cumsum([0, *map(len, references)])
    embeddings = stored([*np.concatenate(references), *probes])
    trials = StoredTrials(
        Side("xyz", "xyz", [range(*span) for span in pairwise(ends)]),
        Side("stuv", "stuv", [[ends[-1] + at] for at in range(len(probes))]),
        None,
    )
    rows = embeddings.embeddings.astype(float)
    expected = textbook.mean_scores(
        partial(ratio, model), np.split(rows[: ends[-1]], ends[1:-1]), rows[ends[-1] :],
        members_of(textbook, others, by_speaker=True), top=TOP,
    )  # fmt: skip
    return SimpleNamespace(
        backend=Plda(model=as_is(model)), trials=trials, embeddings=embeddings,
        cohort=cohort_of_rows(others, by_speaker=True), expected=expected,
    )  # fmt: skip


def test_mean_cohort_scores_in_a_file_have_the_cohort_enrolled_against_probes(
    by_speaker, tmp_path
):
    score(
        by_speaker.embeddings,
        by_speaker.trials,
        output=tmp_path / "out.csv",
        backend=by_speaker.backend,
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


def test_recordings_of_trials_in_the_cohort_are_warned_of(model, sides, caplog):
    references, probes, others = sides
    for backend in (Cosine(), Plda(model=as_is(model))):
        left = backend.enrol(references[0], [[0]])
        right = backend.probes(np.float32(probes), [[0], [1], [2], [-1]])
        names = (LEFT, RIGHT)
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            others_alone = cohort_of_rows(others, normalisation="s", by_speaker=True)
            others_alone.normaliser(backend, left, right, names)
        assert not caplog.messages

        shared = cohort_of(stored([*others, *probes[1:3]]), normalisation="s")
        caplog.clear()
        shared.normaliser(backend, left, right, names)

        (message,) = caplog.messages
        assert "2 recordings of the trials are in the cohort" in message


def test_recordings_of_unknown_speakers_are_left_out_with_a_warning(
    sides, tmp_path, caplog
):
    (tmp_path / "utt2spk").write_text("c0 ann\nc3 bob\nc4 ann\n")

    cohort = cohort_of(stored(sides[2]), speakers=tmp_path / "utt2spk")

    assert cohort.members == [[0, 4], [3]]
    assert cohort.speakers == ["ann", "bob"]
    assert "who speaks in 4 of the cohort's 7 recordings" in caplog.text


def test_a_cohort_needs_the_memory_of_blocks_and_not_of_the_matrix(model, monkeypatch):
    """Scores of 200 x 20,000 would take 32 MB, and the rows take less than one."""
    monkeypatch.setattr(similarity, "SCORES_AT_ONCE", 100_000)
    random = np.random.default_rng(3)
    backend = Plda(model=as_is(model))
    probes = backend.probes(
        random.normal(size=(20_000, DIMENSIONS)), np.arange(20_000)[:, np.newaxis]
    )
    cohort = cohort_of_rows(random.normal(size=(200, DIMENSIONS)), normalisation="zt")
    tracemalloc.start()

    names = ["a"], range(20_000)
    first = probes.take(slice(0, 1))
    normaliser = cohort.normaliser(backend, first, probes, names)
    normaliser(backend.matrix(first, probes))

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 16e6
