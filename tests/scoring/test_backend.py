"""Backends of embeddings, against one pair of recordings at a time."""

import numpy as np
import pytest
from textbook import cosine

from bob.learn.pytorch.errors import ScoringError
from bob.learn.pytorch.scoring import Cosine, Euclidean, Plda, train_plda
from bob.learn.pytorch.scoring.backend import ENROLMENTS

RANDOM = np.random.default_rng(0)
ROWS = RANDOM.normal(size=(12, 4)).astype(np.float32)
SPEAKERS = np.repeat(np.arange(30), 4)
MODEL = train_plda(
    RANDOM.normal(size=(30, 4))[SPEAKERS] + RANDOM.normal(size=(120, 4)) / 3, SPEAKERS
)
# The second failed; the third of these recordings failed, and the others did not.
REFERENCES = [[0], [-1], [1, -1, 2], [3, 4, 5]]
PROBES = [[6], [7, 8], [-1], [9], [-1, 10]]
LOST = np.array([False, True, False, False]), np.array([0, 0, 1, 0, 0], bool)


def distance(one, other):
    return -np.sqrt(((one - other) ** 2).sum())


@pytest.fixture(params=ENROLMENTS)
def enrolment(request):
    return request.param


@pytest.fixture(params=[Cosine, Euclidean])
def similarity(request):
    return request.param


def fused(how, rows, score):
    """The score of several recordings, by their embeddings or by their scores."""
    if how == "unit-mean":
        rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    if how in ("mean", "unit-mean"):
        return score(rows.mean(axis=0))
    fuse = np.mean if how == "scores" else getattr(np, how)
    return fuse([score(row) for row in rows])


@pytest.mark.parametrize("several_probes", [None, *ENROLMENTS])
@pytest.mark.parametrize("offset", [0, -1])
def test_scores_are_those_of_one_pair_after_the_other(
    similarity, enrolment, several_probes, offset
):
    mean = np.full(4, 0.1)
    backend = similarity(
        enrolment=enrolment, several_probes=several_probes, mean=mean, scale=2,
        offset=offset,
    )  # fmt: skip
    measure = cosine if similarity is Cosine else distance
    of_probes = several_probes or ("unit-mean" if enrolment == "unit-mean" else "mean")

    sides = backend.enrol(ROWS, REFERENCES), backend.probes(ROWS, PROBES)
    found = backend.matrix(*sides)

    rows = ROWS.astype(float) - mean
    for at, reference in enumerate(REFERENCES):
        for to, probe in enumerate(PROBES):
            if LOST[0][at] or LOST[1][to]:
                assert np.isnan(found[at, to])
                continue
            enrolled, tested = (
                rows[[row for row in side if row >= 0]] for side in (reference, probe)
            )
            expected = fused(
                enrolment,
                enrolled,
                lambda one, tested=tested: fused(
                    of_probes,
                    tested,
                    lambda other, one=one: 2 * measure(one, other) + offset,
                ),
            )
            assert found[at, to] == pytest.approx(expected, abs=1e-12)
    for side, lost in zip(sides, LOST, strict=True):
        np.testing.assert_array_equal(side.usable, ~lost)


@pytest.mark.parametrize("backend", [Cosine, Euclidean, Plda])
def test_listed_pairs_and_blocks_are_entries_of_the_matrix(backend, enrolment):
    if backend is Plda:
        if enrolment == "unit-mean":
            pytest.skip("PLDA normalises by itself")
        made = Plda(model=MODEL, enrolment=enrolment)
    else:
        made = backend(enrolment=enrolment)
    sides = made.enrol(ROWS, REFERENCES), made.probes(ROWS, PROBES)
    whole = made.matrix(*sides)
    pairs = np.array([3, 0, 0, 2, 1, 3]), np.array([4, 0, 1, 3, 0, 2])

    for found in (
        made.pairs(*sides, pairs),
        made.listed(ROWS, REFERENCES, PROBES, pairs),
    ):
        np.testing.assert_allclose(found, whole[pairs], atol=1e-12)

    for part, some in made.blocks(*sides, at_once=6):
        np.testing.assert_allclose(some, whole[part], atol=1e-12)
    order = np.array([2, 0, 3])
    np.testing.assert_allclose(
        made.matrix(sides[0].take(order), sides[1]), whole[order], atol=1e-12
    )
    alone = made.listed(ROWS, [[0], [1]], [[2], [3]], (pairs[1][1:3], pairs[1][1:3]))
    each = made.enrol(ROWS, [[0], [1]]), made.probes(ROWS, [[2], [3]])
    np.testing.assert_allclose(alone, made.matrix(*each)[[0, 1], [0, 1]], atol=1e-12)


def test_nothing_usable_scores_nan(similarity):
    made = similarity()
    nothing = made.enrol(np.empty((0, 0)), [[], []])

    scores = made.matrix(nothing, made.probes(ROWS, PROBES))

    assert scores.shape == (2, 5)
    assert np.isnan(scores).all()


def test_settings_that_do_not_fit_are_refused(similarity):
    with pytest.raises(ScoringError, match="'sum'; choose one of mean, unit-mean"):
        similarity(enrolment="sum")
    with pytest.raises(ScoringError, match="brings its own mean and length"):
        Plda(model=MODEL, enrolment="unit-mean")
    with pytest.raises(ScoringError, match="of 4 dimensions, and these have 3"):
        Plda(model=MODEL).enrol(ROWS[:, :3], REFERENCES)
