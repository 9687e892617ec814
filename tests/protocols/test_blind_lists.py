"""Trials without labels, as challenges hand them out."""

import numpy as np
import pytest
from commands import done, refused, run
from files import write
from stores import store

from bob.learn.pytorch.protocols.checking import check
from bob.learn.pytorch.protocols.formats.trial_list import read_trial_list
from bob.learn.pytorch.protocols.opening import as_database
from bob.learn.pytorch.protocols.sources import read_trial_source
from bob.learn.pytorch.protocols.trials import DatabaseError
from bob.learn.pytorch.scorefiles import read_score_file

TABLE = "modelid\tsegmentid\tside\nm1\ta2\ta\nm1\tb2\ta\nm2\tb2\ta\n"
ENROLMENT = "modelid\tsegmentid\tside\nm1\ta1\ta\nm2\tb1\ta\n"
SEGMENTS = "segmentid\tsubjectid\na1\tann\na2\tann\nb1\tbob\nb2\tbob\n"
DATA = "a1 a1.wav\na2 a2.wav\nb1 b1.wav\nb2 b2.wav\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A store of four recordings of two speakers, and blind lists of three forms."""
    monkeypatch.chdir(tmp_path)
    vectors = {"a1": (3, 4), "a2": (4, 3), "b1": (0, 2), "b2": (0, -1)}
    store("s.h5", vectors)
    files = {
        "list.txt": "a1 a2\na1 b2\nb1 b2\n",
        "kaldi/list": "a1 a2\na1 b2\nb1 b2\n",
        "kaldi/wav.scp": DATA,
        "kaldi/utt2spk": DATA.replace(".wav", ""),
        "sre/trials.tsv": TABLE,
        "sre/enrollment.tsv": ENROLMENT,
    }
    return write(tmp_path, files)


@pytest.mark.parametrize("blank", ["", "\n"])
def test_two_names_a_line_are_a_list_without_labels(tmp_path, blank):
    """Long lists are read in one go, those with a blank line one by one."""
    (tmp_path / "list.txt").write_text(f"a b\n{blank}a c\n")

    listed = read_trial_list(tmp_path / "list.txt")

    assert not listed.is_labelled
    assert (listed.enrolled, listed.tested) == (("a",), ("b", "c"))
    assert listed.target.tolist() == [False, False]


@pytest.mark.parametrize("name", ["list.txt", "kaldi/list", "sre/trials.tsv"])
def test_nobody_speaks_in_a_blind_list(folder, name):
    database = as_database(folder / name, blind=True)

    trials = database.trials("dev")

    assert trials.count() == 3
    assert not trials.is_labelled
    assert {item.subject for item in trials.recordings()} == {""}
    for source in (folder / name, database):
        with pytest.raises(DatabaseError, match="has no labels, so nothing says"):
            as_database(source)


@pytest.mark.parametrize("name", ["list.txt", "kaldi/list", "sre/trials.tsv"])
def test_a_blind_list_says_nothing_of_scores(folder, name):
    with pytest.raises(DatabaseError, match=r"labels|targettype"):
        read_trial_source(folder / name)


@pytest.mark.parametrize(
    ("name", "models"),
    [("list.txt", "a1 a1 b1"), ("kaldi/list", "a1 a1 b1"),
     ("sre/trials.tsv", "m1 m1 m2")],
)  # fmt: skip
def test_a_blind_list_is_scored_without_labels(folder, name, models):
    """Of (3, 4) with (4, 3) the cosine is 24/25."""
    done("score", "s.h5", name, "-o", "out.txt")

    rows = [line.split() for line in (folder / "out.txt").read_text().splitlines()]
    assert [row[1] for row in rows] == models.split()
    assert [row[2] for row in rows] == ["a2", "b2", "b2"]
    assert [float(row[0]) for row in rows] == pytest.approx([0.96, -0.8, -1])


def test_a_form_with_labels_is_refused(folder):
    assert "these trials have no labels, and the form 'wespeaker'" in refused(
        "score", "s.h5", "list.txt", "-o", "out.txt", "--form", "wespeaker", status=1
    )
    assert not (folder / "out.txt").exists()


@pytest.mark.parametrize("output", ["blind.txt", "blind.csv"])
def test_a_blind_list_is_calibrated_by_what_was_fitted_on_another(folder, output):
    (folder / "dev.txt").write_text("1 a1 a2\n0 a1 b2\n0 b1 b2\n1 a2 a1\n0 a2 b1\n")
    for name, scores in (("dev.txt", "dev.scores"), ("list.txt", output)):
        assert run("score", "s.h5", name, "-o", scores).exit_code == 0
    fit = run("calibrate", "dev.scores", "-o", "c.json", "--penalty", "1")
    assert fit.exit_code == 0, fit.output

    used = run("calibrate", "--use", "c.json", output, "--into", "submitted")

    assert used.exit_code == 0, used.output
    calibrated = read_score_file(folder / "submitted" / output, unlabelled=True)
    assert not calibrated.is_labelled
    assert calibrated.table.probe.tolist() == ["a2", "b2", "b2"]
    assert np.all(np.diff(calibrated.table.score) < 0)


def test_speakers_of_all_segments_are_labels(folder):
    (folder / "sre/segment_key.tsv").write_text(SEGMENTS)

    assert run("score", "s.h5", "sre/trials.tsv", "-o", "out.txt").exit_code == 0

    lines = (folder / "out.txt").read_text().splitlines()
    assert [line.split()[:4] for line in lines] == [
        ["ann", "m1", "ann", "a2"],
        ["ann", "m1", "bob", "b2"],
        ["bob", "m2", "bob", "b2"],
    ]


def test_speakers_of_some_segments_are_no_labels(folder):
    (folder / "sre/segment_key.tsv").write_text(SEGMENTS.replace("b2\tbob", "b2\t"))

    trials = as_database(folder / "sre/trials.tsv", blind=True).trials("dev")

    assert not trials.is_labelled


def test_a_table_of_enrolment_is_no_list_of_trials(folder):
    with pytest.raises(DatabaseError, match="which segments enrol a model; give the t"):
        as_database(folder / "sre/enrollment.tsv", blind=True)


def test_speakers_of_a_data_folder_are_no_list_of_trials(folder):
    with pytest.raises(DatabaseError, match="part of a data folder of Kaldi"):
        as_database(folder / "kaldi/utt2spk", blind=True)


def test_two_blind_lists_share_no_speaker(folder):
    """What is not known is not the same."""
    (folder / "eval.txt").write_text("c1 c2\n")
    databases = {
        name: as_database(folder / name, blind=True)
        for name in ("list.txt", "eval.txt")
    }

    report = check(databases)

    assert {item.kind for item in report.findings} == {"labels", "missing"}
    summary = report.groups["list.txt dev"].summary
    assert (summary.speakers, summary.unlabelled_trials) == (0, 3)
    assert (summary.target_trials, summary.non_target_trials) == (0, 0)
