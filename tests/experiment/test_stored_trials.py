"""Trials of any kind among stored embeddings, with what is known of each."""

import numpy as np
import pytest

from bob.learn.pytorch.errors import ScoringError
from bob.learn.pytorch.experiment.named_embeddings import FAILED
from bob.learn.pytorch.experiment.stored_trials import Side, StoredTrials, stored_trials
from bob.learn.pytorch.metrics import Names
from bob.learn.pytorch.store import read_embeddings
from bob.learn.pytorch.store.store import EmbeddingStore, Record

KEY = """\
modelid\tsegmentid\tside\ttargettype\tphone_match
m2\tt2.sph\ta\ttarget\tY
m1\tt1.sph\ta\ttarget\tY
m2\tt1.sph\ta\tnontarget\tN
"""
ENROLMENT = """\
modelid\tsegmentid\tside
m1\te1.sph\ta
m1\te2.sph\ta
m2\te3.sph\ta
"""
SEGMENTS = "segmentid\tgender\ne1.sph\tf\ne2.sph\tf\ne3.sph\tm\nt1.sph\tf\nt2.sph\tm\n"


@pytest.fixture
def embeddings(tmp_path):
    with EmbeddingStore.open(tmp_path / "s.h5", fingerprint={"model": "x"}) as store:
        store.append(
            [
                Record(f"/data/{name}.sph", np.float32([at, 1]), 2.0)
                for at, name in enumerate(["t1", "t2", "e1", "e2", "e3"])
            ]
        )
        store.append([Record("/data/lost.sph", None, reason="is silent")])
    return read_embeddings(tmp_path / "s.h5")


@pytest.fixture
def table(tmp_path):
    for name, text in (
        ("key.tsv", KEY), ("enrol.tsv", ENROLMENT), ("segments.tsv", SEGMENTS),
    ):  # fmt: skip
        (tmp_path / name).write_text(text)
    return tmp_path / "key.tsv"


def columns(trials):
    found = trials.metadata(*trials.pairs)
    return {title: column.tolist() for title, column in found.items()}


def test_a_table_of_sre_brings_its_columns(table, embeddings):
    trials = stored_trials(table, embeddings)

    assert trials.references.rows == [[4], [2, 3]]
    names = [
        (trials.references.names[one], trials.probes.names[other])
        for one, other in zip(*trials.pairs, strict=True)
    ]
    assert names == [("m2", "t2"), ("m2", "t1"), ("m1", "t1")]
    assert columns(trials) == {
        "bio_ref_gender": ["m", "m", "f"],
        "probe_gender": ["m", "f", "f"],
        "phone_match": ["Y", "N", "Y"],
    }


def test_some_trials_in_another_order_keep_their_columns():
    names = Side(["a", "b"], ["a", "b"], [[0], [1]])
    pairs = (np.array([1, 0, 1]), np.array([0, 1, 1]))
    known = Names.of(["b a", "a b", "b b"])
    trials = StoredTrials(names, names, pairs, columns={"who": known})

    found = trials.metadata(np.array([1, 0]), np.array([1, 1]))

    assert found["who"].tolist() == ["b b", "a b"]


def test_a_list_keeps_its_order_and_its_names(tmp_path, embeddings):
    path = tmp_path / "list.txt"
    path.write_text("0 t1.sph t2.sph\n1 e1.sph e2.sph\n0 t1.sph e2.sph\n")

    trials = stored_trials(path, embeddings)

    assert [side.names for side in (trials.references, trials.probes)] == [
        ("t1.sph", "e1.sph"), ("t2.sph", "e2.sph"),
    ]  # fmt: skip
    assert [list(rows) for rows in trials.references.rows] == [[0], [2]]
    assert [side.tolist() for side in trials.pairs] == [[0, 1, 0], [0, 1, 1]]
    assert (len(trials), columns(trials)) == (3, {})


def test_a_blind_list_names_nobody(tmp_path, embeddings):
    path = tmp_path / "list.txt"
    path.write_text("t1.sph t2.sph\nt1.sph e1.sph\n")

    trials = stored_trials(path, embeddings)

    assert not trials.is_labelled
    table = trials.table(np.zeros(2), *trials.pairs)
    assert [table.claimed.tolist(), table.real.tolist()] == [["", ""]] * 2
    assert trials.form(tmp_path / "a.txt", None) == "voxsrc"
    assert trials.form(tmp_path / "a.csv", None) == "csv"
    with pytest.raises(ScoringError, match=r"'five' has a place.*voxsrc, kaldi, csv"):
        trials.form(tmp_path / "a.txt", "five")


def test_recordings_that_are_missing_are_refused_unless_allowed(tmp_path, embeddings):
    path = tmp_path / "list.txt"
    path.write_text("1 t1.sph lost.sph\n0 t1.sph gone.sph\n")

    with pytest.raises(ScoringError, match=r"no embedding of 1 recording .*'gone.sph'"):
        stored_trials(path, embeddings)
    trials = stored_trials(path, embeddings, allow_missing=True)

    assert [list(rows) for rows in trials.probes.rows] == [[FAILED], [FAILED]]
    assert [note[:40] for note in trials.notes] == [
        "1 recording could not be embedded, such ",
        "1 recording not in the store, such as go",
    ]


def test_one_of_several_groups_has_to_be_named(tmp_path, embeddings):
    path = tmp_path / "p.csv"
    path.write_text(
        "path,subject_id,purpose,group\n"
        "t1.sph,t1,enrol,dev\nt2.sph,t2,probe,dev\n"
        "e1.sph,e1,enrol,eval\ne2.sph,e2,probe,eval\n"
    )

    with pytest.raises(ScoringError, match="the groups dev, eval, and none was chosen"):
        stored_trials(path, embeddings)
    with pytest.raises(ScoringError, match="and not 'test'"):
        stored_trials(path, embeddings, group="test")
    assert len(stored_trials(path, embeddings, group="eval")) == 1
