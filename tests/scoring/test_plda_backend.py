"""From embeddings to log-likelihood ratios, and files of models."""

import pickle
import re

import numpy as np
import pytest

from bob.learn.pytorch.metrics import equal_error_rate
from bob.learn.pytorch.scoring import PldaBackend, TrainingError, cosine, train_plda

SPEAKERS, EACH, DIMENSIONS = 60, 5, 12


def recordings(seed):
    """Speakers differ in half of the directions; the others only disturb."""
    random = np.random.default_rng(seed)
    speakers = np.repeat(np.arange(SPEAKERS), EACH)
    rows = random.normal(size=(SPEAKERS, DIMENSIONS))[speakers]
    rows *= np.repeat([1.0, 0.2], 6)
    rows += random.normal(size=rows.shape) * np.repeat([0.5, 3.0], 6)
    mixing = np.random.default_rng(99).normal(size=(DIMENSIONS, DIMENSIONS))
    return rows @ mixing + 3, speakers


@pytest.fixture(params=["none", "unit", "kaldi"])
def backend(request):
    return train_plda(*recordings(0), dimensions=8, length_normalisation=request.param)


def test_it_beats_the_cosine_on_what_it_was_made_for(backend):
    rows, speakers = recordings(1)
    first, second = np.triu_indices(len(rows), k=1)
    same = speakers[first] == speakers[second]
    projected = backend.project(rows)

    ratios = backend.score_pairs(projected, projected, pairs=(first, second))

    ours = equal_error_rate(ratios[same], ratios[~same])
    plain = cosine(rows - rows.mean(axis=0), rows - rows.mean(axis=0))[first, second]
    assert ours < 0.5 * equal_error_rate(plain[same], plain[~same])
    assert np.median(ratios[same]) > 0 > np.median(ratios[~same])


def test_more_recordings_make_a_better_reference(backend):
    rows, speakers = recordings(1)
    probes = backend.project(rows[4::5])
    same = np.eye(SPEAKERS, dtype=bool)
    rates = []
    for count in (1, 4):
        groups = [range(s * 5, s * 5 + count) for s in range(SPEAKERS)]
        references, counts = backend.enrol(rows, groups)
        assert counts.tolist() == [count] * SPEAKERS
        scores = backend.score(references, probes, counts=counts)
        rates.append(equal_error_rate(scores[same], scores[~same]))

    assert rates[1] < rates[0]
    del speakers


def test_a_reference_without_recordings_scores_nan(backend):
    rows, _ = recordings(1)

    references, counts = backend.enrol(rows, [[], [0, 1]])

    scores = backend.score(references, backend.project(rows[:3]), counts=counts)
    assert np.isnan(scores).all(axis=1).tolist() == [True, False]


def test_whitening_decides_what_length_normalisation_does():
    rows, speakers = recordings(0)

    projected = train_plda(rows, speakers, whitened=True).project(rows)

    np.testing.assert_allclose((projected**2).sum(axis=1), DIMENSIONS)
    white = train_plda(rows, speakers, whitened=True, length_normalisation="none")
    np.testing.assert_allclose(
        np.cov(white.project(rows).T, ddof=0), np.eye(DIMENSIONS), atol=1e-9
    )


def test_without_length_normalisation_whitening_changes_no_score():
    rows, speakers = recordings(0)
    scores = []
    for whitened in (False, True):
        backend = train_plda(
            rows, speakers, whitened=whitened, length_normalisation="none"
        )
        projected = backend.project(rows[:20])
        scores.append(backend.score(projected, projected))

    np.testing.assert_allclose(*scores, rtol=0, atol=1e-8)


def test_a_stored_model_scores_to_the_last_bit(backend, tmp_path):
    path = tmp_path / "models" / "plda.npz"
    rows = backend.project(recordings(1)[0][:9])

    backend.save(path)
    loaded = PldaBackend.load(path)

    assert loaded.length_normalisation == backend.length_normalisation
    np.testing.assert_array_equal(loaded.score(rows, rows), backend.score(rows, rows))


def changed(path, **changes):
    with np.load(path) as stored:
        fields = {**stored, **changes}
    np.savez(path, **{name: v for name, v in fields.items() if v is not None})


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"within": None}, "it has .*expected .*within"),
        ({"more": np.ones(1)}, "it has .*more"),
        ({"format": np.array("other")}, "its format is 'other'"),
        ({"length_normalisation": np.array("l2")}, "choose one of none, unit, kaldi"),
        ({"mean": np.full(12, np.nan)}, "mean .*not all finite"),
        ({"mean": np.zeros(12, np.float32)}, "mean .*not all finite float64"),
        ({"mean": np.zeros(11)}, "does not lead"),
        ({"between": np.ones((3, 3))}, "do not make a model"),
        ({"between": -np.eye(8)}, "between is no covariance"),
        ({"within": np.zeros((8, 8))}, "within is no covariance"),
        ({"within": np.triu(np.ones((8, 8)))}, "not symmetric"),
    ],
)
def test_a_changed_file_is_refused(changes, why, tmp_path):
    path = tmp_path / "plda.npz"
    train_plda(*recordings(0), dimensions=8).save(path)
    changed(path, **changes)

    with pytest.raises(ValueError, match=rf"plda\.npz is no file of a PLDA.*{why}"):
        PldaBackend.load(path)


class Harmful:
    def __reduce__(self):
        return exec, ("raise SystemExit('code in a file was run')",)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", pickle.dumps(Harmful())])
def test_no_other_file_is_taken_for_a_model_and_no_code_is_run(content, tmp_path):
    path = tmp_path / "plda.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"or not all of one .* plda train`"):
        PldaBackend.load(path)

    np.savez(path, format=np.array(Harmful(), dtype=object))
    with pytest.raises(ValueError, match="no file of a PLDA model"):
        PldaBackend.load(path)
    np.save(tmp_path / "array.npy", np.ones(3))
    with pytest.raises(ValueError, match="no file of a PLDA model"):
        PldaBackend.load(tmp_path / "array.npy")


def test_numbers_that_never_change_need_whitening_or_lda():
    """As of a network whose last layer has dead units."""
    rows, speakers = recordings(0)
    more = np.column_stack([rows, np.zeros(len(rows))])

    for options in ({"whitened": True}, {"dimensions": 8}):
        scores = []
        for some in (rows, more):
            backend = train_plda(some, speakers, **options)
            projected = backend.project(some[:20])
            scores.append(backend.score(projected, projected))
        np.testing.assert_allclose(*scores, rtol=0, atol=1e-7)
    with pytest.raises(TrainingError, match="12 directions only of 13; whiten them"):
        train_plda(more, speakers)


def test_a_recording_without_a_direction_cannot_train():
    """It equals the mean of all: whole numbers and their negatives add up to 0."""
    rows, speakers = recordings(0)
    whole = np.round(100 * rows)
    balanced = np.concatenate([whole, -whole, np.zeros((1, DIMENSIONS))])

    with pytest.raises(TrainingError, match="1 of 601 embeddings are the mean of all"):
        train_plda(balanced, [*speakers, *speakers, 0])


@pytest.mark.parametrize(
    ("options", "of_lda"),
    [
        ({}, ""),
        ({"whitened": True}, ""),
        ({"dimensions": 3}, ""),
        ({"dimensions": 5}, ", and for LDA to 5 dimensions 6 speakers"),
    ],
)
def test_how_many_recordings_it_takes_is_said_at_once(options, of_lda):
    """15 recordings of 5 speakers show 10 directions in which one speaker varies."""
    rows = np.random.default_rng(12).normal(size=(15, DIMENSIONS))
    text = (
        "15 recordings of 5 speakers cannot train a model of embeddings of 12 "
        "dimensions, with LDA or without: it takes at least 12 recordings more than "
        f"speakers (here 10){of_lda}, and some hundreds"
    )

    with pytest.raises(TrainingError, match=re.escape(text)):
        train_plda(rows, np.repeat(np.arange(5), 3), **options)


def test_a_direction_in_which_nothing_varies_needs_no_recordings():
    rows, speakers = np.random.default_rng(13).normal(size=(16, 10)), [0, 1, 2, 3] * 4
    more = np.column_stack([rows, np.zeros((16, 3))])

    assert train_plda(more, speakers, dimensions=2).model.mean.size == 2


def test_a_packed_file_which_may_grow_a_lot_is_no_model(tmp_path, backend):
    backend.save(tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz") as stored:
        np.savez_compressed(tmp_path / "b.npz", **stored)

    with pytest.raises(
        ValueError, match=r"b\.npz is no file of a PLDA model.*compressed"
    ):
        PldaBackend.load(tmp_path / "b.npz")


@pytest.mark.parametrize("at", [30, -20])
def test_a_file_with_other_bytes_is_named(tmp_path, backend, at):
    """zipfile has many errors for damage, and some name no file."""
    backend.save(tmp_path / "a.npz")
    content = bytearray((tmp_path / "a.npz").read_bytes())
    content[at] ^= 0xFF
    (tmp_path / "a.npz").write_bytes(content)

    with pytest.raises(ValueError, match=r"a\.npz is no file of a PLDA model"):
        PldaBackend.load(tmp_path / "a.npz")
