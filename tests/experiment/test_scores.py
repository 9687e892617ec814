"""Scores of trials in memory, and how those of a group are written."""

import numpy as np
import pytest

from bob.learn.pytorch.experiment import scores
from bob.learn.pytorch.experiment.algorithms import Similarity
from bob.learn.pytorch.experiment.scores import score_trials
from bob.learn.pytorch.protocols.formats.folder import FolderDatabase
from bob.learn.pytorch.protocols.trials import (
    DatabaseError,
    Probe,
    Recording,
    Reference,
    Trials,
)


def test_blocks_of_references_give_the_same_rows_as_one_product(monkeypatch):
    random = np.random.default_rng(0)
    references = tuple(Reference(f"r{i}", "s", ()) for i in range(7))
    probes = tuple(
        Probe(f"p{i}", "s", (Recording(f"p{i}", None, "s"),)) for i in range(5)
    )
    models = {f"r{i}": random.normal(size=(1, 4)) for i in range(7) if i != 2}
    vectors = {f"p{i}": random.normal(size=(1, 4)) for i in range(5) if i != 2}
    trials = Trials(references, probes)

    def rows():
        sides = scores._sides(Similarity(), trials, models, vectors)
        return {
            reference.id: row
            for part, block, _ in scores._scored(Similarity(), trials, sides)
            for reference, _, row in scores._rows(trials, part, block)
        }

    whole = rows()
    monkeypatch.setattr(scores, "_SCORES_AT_ONCE", 11)
    parts = rows()

    assert whole.keys() == {f"r{i}" for i in range(7)}
    for name, values in whole.items():
        np.testing.assert_allclose(parts[name], values, atol=1e-15, equal_nan=True)
        assert np.isnan(values[2])
        assert np.isnan(values).all() == (name == "r2")


@pytest.mark.parametrize("chosen", [range(2), [1, 0]])
def test_names_are_written_as_they_are(experiment, chosen):
    """Names of which parts are escaped have percent signs, and lines are templates."""
    ann = Reference("ann%20lee/%d", "ann%20lee", ())
    probes = (Probe("x%d", "%s", ()), Probe("y", "ann%20lee", ()))
    writer = scores._Writer(experiment, "dev", Trials((ann,), probes))

    writer.write(ann, chosen, np.array([0.5, np.nan]))

    said = ["ann%20lee %s x%d", "ann%20lee ann%20lee y"]
    written = experiment.layout.model_scores("dev", ann.id).read_text()
    assert written == f"{said[chosen[0]]} 0.50000000\n{said[chosen[1]]} nan\n"


def recording(key):
    return Recording(key, None, key[0])


def reference(name, *keys):
    return Reference(name, name[0], tuple(map(recording, keys)))


def probe(name, *keys):
    return Probe(name, name[0], tuple(map(recording, keys)))


EMBEDDINGS = {"a1": [1, 0], "a2": [0, 1], "a3": [1, 1], "b1": [-1, 0], "b2": [0, 2]}


def test_several_recordings_enrol_by_their_mean_and_probe_by_mean_score():
    """By hand: the mean of a1 and a2 points like a3; b1 and b2 are at -1 and +1."""
    trials = Trials(
        (reference("a", "a1", "a2"), reference("b", "b1")),
        (probe("a", "a3"), probe("b", "b1", "b2")),
    )

    table = score_trials(trials, EMBEDDINGS)

    half = np.sqrt(0.5)
    assert table.score == pytest.approx([1, 0, -half, 0.5])
    assert table.is_target.tolist() == [True, False, False, True]


def test_listed_pairs_only():
    trials = Trials(
        (reference("a", "a1"), reference("b", "b1")),
        (probe("a", "a2"), probe("b", "b1")),
        (np.array([1]), np.array([], dtype=np.int64)),
    )

    table = score_trials(trials, EMBEDDINGS)

    assert table.score.tolist() == [-1]
    assert table.model.tolist() == ["a"]
    assert table.probe.tolist() == ["b"]


def test_what_has_no_embedding_scores_nan():
    trials = Trials(
        (reference("a", "a1", "missing"), reference("b", "missing")),
        (probe("m", "missing"), probe("a", "a1"), probe("b", "b2")),
    )

    table = score_trials(trials, EMBEDDINGS)

    assert table.score.tolist()[:3] == pytest.approx([np.nan, 1, 0], nan_ok=True)
    assert np.isnan(table.score[3:]).all()


def test_nothing_at_all_has_an_embedding():
    trials = Trials((reference("a", "a1"),), (probe("a", "a2"),))

    assert np.isnan(score_trials(trials, {}).score).all()


def folder(place, *names):
    for name in names:
        (place / name).parent.mkdir(exist_ok=True)
        (place / name).touch()
    return FolderDatabase(place, protocol="all-pairs")


def test_every_pair_of_recordings_once(tmp_path):
    trials = folder(tmp_path, "a/1.wav", "a/2.wav", "b/1.wav").trials("dev")

    assert [item.id for item in trials.references] == ["a/1", "a/2"]
    assert [item.id for item in trials.probes] == ["a/2", "b/1"]
    assert [pairs.tolist() for pairs in trials.pairs] == [[0, 1], [1]]
    assert trials.count() == 3
    assert len(trials.recordings()) == 3


@pytest.mark.parametrize("names", [["a/1.wav", "a/2.wav"], ["a/1.wav", "b/1.wav"]])
def test_pairs_of_one_kind_are_no_protocol(tmp_path, names):
    with pytest.raises(DatabaseError, match="take two speakers, and two recordings"):
        folder(tmp_path, *names).trials("dev")
