"""`bob pytorch calibrate` with labels out of a list, for some files, or for none."""

import csv
from pathlib import Path

import numpy as np
import pytest
from commands import done, refused, reported, run
from files import from_json
from score_files import NAMES

BLIND = {
    "voxsrc": ("2 a/1 a/2\n1 a/1 b/1\n", "{0:.8f} a/1 a/2\n{1:.8f} a/1 b/1\n"),
    "kaldi": ("a/1 a/2 2\na/1 b/1 1\n", "a/1 a/2 {0:.8f}\na/1 b/1 {1:.8f}\n"),
    "espnet": ("a/1*a/2 2\na/1*b/1 1\n", "a/1*a/2 {0:.8f}\na/1*b/1 {1:.8f}\n"),
}


@pytest.fixture(autouse=True)
def _dev():
    """Scores with labels, of trials that overlap."""
    rows = np.random.default_rng(0).normal([[0.6], [0.1]], 0.2, (2, 80)).tolist()
    lines = [
        f"ann {who} {who}{number} {score!r}\n"
        for who, scores in zip(("ann", "bob"), rows, strict=True)
        for number, score in enumerate(scores)
    ]
    Path("dev").write_text("".join(lines))


@pytest.mark.parametrize("form", BLIND)
@pytest.mark.parametrize("beside_dev", [False, True])
def test_scores_without_labels_are_calibrated_and_not_measured(form, beside_dev):
    before, after = BLIND[form]
    Path("blind").write_text(before)
    done("calibrate", "dev", "--into", "first")
    fit = from_json("calibration.json")
    ratios = [fit["weights"][0] * score + fit["offset"] for score in (2, 1)]

    files = ["dev", "blind"] if beside_dev else ["--use", "calibration.json", "blind"]
    report = reported("calibrate", *files)

    assert Path("calibrated/blind").read_text() == after.format(*ratios)
    file = report["files"][-1]
    assert file["before"] is file["after"] is None
    assert file["note"] == "no labels: not measured"
    told = done("calibrate", *files)
    assert "calibrated/blind\n  no labels: not measured" in told
    assert ("EER" in told) is beside_dev


@pytest.mark.parametrize("claimed", ["", "a"])
def test_csv_without_speakers_is_calibrated_and_not_measured(claimed):
    header = f"{NAMES},room,score\n"
    text = header + f"a/2,,a/1,{claimed},hall,2.0\nb/1,,a/1,{claimed},attic,1.0\n"
    Path("blind.csv").write_text(text)

    report = reported("calibrate", "dev", "blind.csv")

    fit = from_json("calibration.json")
    ratios = [fit["weights"][0] * score + fit["offset"] for score in (2, 1)]
    with Path("calibrated/blind.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [float(line.pop("score")) for line in lines] == pytest.approx(ratios)
    before = csv.DictReader(text.splitlines())
    assert lines == [{k: v for k, v in b.items() if k != "score"} for b in before]
    assert report["files"][-1]["note"] == "no labels: not measured"
    assert "probe_subject_id or bio_ref_subject_id is empty" in refused(
        "calibrate", "blind.csv", status=1
    )


def test_a_list_of_dev_leaves_other_trials_without_labels():
    Path("list").write_text("1 a/1 a/2\n0 a/1 b/1\n1 b/1 b/2\n0 b/1 a/2\n")
    Path("dev").write_text("2 a/1 a/2\n1 a/1 b/1\n0.5 b/1 b/2\n0 b/1 a/2\n")
    Path("blind").write_text("2 c/1 c/2\n1 c/1 d/1\n")

    report = reported("calibrate", "dev", "blind", "--trials", "list")

    assert [file["after"] is None for file in report["files"]] == [False, True]
    Path("blind").write_text("2 c/1 c/2\n1 a/1 b/1\n")
    mixed = run("calibrate", "dev", "blind", "--trials", "list")
    assert "blind, trial 1: c/1 with c/2 is not in list" in mixed.output


def test_labels_out_of_a_list_and_failed_trials():
    Path("list").write_text("1 a/1 a/2\n0 a/1 b/1\n1 b/1 b/2\n0 b/1 a/2\n1 c/1 c/2\n")
    Path("dev").write_text(
        "2 a/1 a/2\n1 a/1 b/1\n0.5 b/1 b/2\n0 b/1 a/2\nnan c/1 c/2\n"
    )

    done("calibrate", "dev", "--trials", "list")

    fit = from_json("calibration.json")
    assert fit["trained_on"] == {"targets": 2, "non_targets": 2, "failures": 1}
    assert Path("calibrated/dev").read_text().splitlines()[-1] == "nan c/1 c/2"
