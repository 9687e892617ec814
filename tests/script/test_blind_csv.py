"""CSV of scores whose speakers are empty, with and without the list of its trials."""

import json
from pathlib import Path

import numpy as np
import pytest
from commands import done, refused, run
from score_files import NAMES

from bob.learn.pytorch.scorefiles import UnlabelledError, labelled_scores, read_scores

HEADER = f"{NAMES},room,score\n"
TRIALS = [("a/1", "a/2", 1, 3.0), ("a/1", "b/1", 0, 1.0), ("b/2", "b/1", 1, 0.5),
          ("b/2", "a/2", 0, -1.0)]  # fmt: skip


@pytest.fixture(autouse=True)
def _files():
    Path("blind.csv").write_text(
        HEADER + "".join(f"{p},,{m},,hall,{score}\n" for m, p, _, score in TRIALS)
    )
    Path("list").write_text("".join(f"{kind} {m} {p}\n" for m, p, kind, _ in TRIALS))


@pytest.mark.parametrize("more", [(), ("--stream",)])
def test_labels_are_those_of_the_list(more):
    """One target of two is below the higher of two non-targets."""
    result = run("metrics", "blind.csv", "--trials", "list", "--json", *more)

    found = json.loads(result.stdout)
    assert (found["targets"], found["non_targets"]) == (2, 2)
    assert found["eer"] == 0.5 if not more else found["eer"] == pytest.approx(0.5)


@pytest.mark.parametrize("more", [(), ("--stream",)])
def test_without_a_list_it_is_said(more):
    said = refused("metrics", "blind.csv", *more, status=1)

    assert "bio_ref_subject_id is empty; fill them in, or give" in said
    assert "(--trials)" in said
    with pytest.raises(UnlabelledError, match="the list of its trials"):
        read_scores("blind.csv")


def test_without_names_of_references_no_list_helps():
    text = Path("blind.csv").read_text().replace("bio_ref_template_id", "other")
    Path("blind.csv").write_text(text)

    for read in (read_scores, lambda *_, **more: list(labelled_scores(*_, **more))):
        with pytest.raises(UnlabelledError, match="which needs bio_ref_template_id"):
            read("blind.csv", trials="list")


def test_a_calibration_may_be_fitted_on_it():
    done("calibrate", "blind.csv", "--trials", "list", "--penalty", "0.1")

    table = read_scores("calibrated/blind.csv")
    assert table.is_target.tolist() == [True, False, True, False]
    raw = np.array([score for *_, score in TRIALS])
    assert np.corrcoef(table.score, raw)[0, 1] == pytest.approx(1)
    assert ",hall," in Path("calibrated/blind.csv").read_text()


def test_it_is_fused_with_files_of_names():
    Path("other").write_text("3 a/1 a/2\n3 a/1 b/1\n1.5 b/2 b/1\n-2 b/2 a/2\n")

    done("fuse", "blind.csv", "other", "--trials", "list", "--penalty", "0.1")
