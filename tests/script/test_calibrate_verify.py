"""`bob pytorch calibrate --quality` on what verify.py leaves in its results."""

import shutil

import numpy as np
import pytest
from commands import run
from files import from_json

from bob.learn.pytorch.experiment.experiment import Layout
from bob.learn.pytorch.metrics import ScoreTable
from bob.learn.pytorch.scorefiles import read_scores, write_scores
from bob.learn.pytorch.scorefiles.quality import with_references

PROBES = [f"{name}/{take}" for name in "ab" for take in range(10)]


def calibrate(scores):
    return run("calibrate", scores, "--quality", "duration")


def write(folder, references):
    """Scores of references of a and b in turn, as verify.py lays them out."""
    random = np.random.default_rng(0)
    owners = ["a", "b"] * (len(references) // 2)
    subjects = [name.partition("/")[0] for name in PROBES]
    same = np.equal.outer(owners, subjects)
    table = ScoreTable.from_matrix(
        same + random.normal(size=same.shape),
        references=references,
        reference_subjects=owners,
        probes=PROBES,
        probe_subjects=subjects,
    )
    order = np.argsort(table.model.tolist(), kind="stable")
    table = table.take(order)
    layout = Layout(*[folder] * 5, scores=folder / "nonorm", normalised=folder)
    path = layout.group_scores("dev")
    for form, place in (("four", path), ("five", folder / "five" / path.name)):
        write_scores(place, table, form=form)
    for name in references:
        chosen = [model == name for model in table.model.tolist()]
        write_scores(layout.model_scores("dev", name), table.take(chosen), form="four")
    rows = [("reference", name) for name in references]
    rows += [("probe", name) for name in PROBES]
    lines = [f"{side},{name},{random.uniform(1, 9):.6g}\n" for side, name in rows]
    for place in (path.parent, folder / "five"):
        (place / "quality-dev.csv").write_text("side,id,duration\n" + "".join(lines))
    return path


@pytest.mark.parametrize("second", ["a_2", "z/a.2"])
@pytest.mark.parametrize("first", ["a", "a_1"])
def test_each_reference_has_its_own_duration(tmp_path, first, second):
    """As five columns tell, whether or not a reference is called like its subject."""
    four = write(tmp_path, [first, "b", second, "b_2"])
    weights = []
    for path in (four, tmp_path / "five" / four.name):
        result = calibrate(path)
        assert result.exit_code == 0, result.output
        weights.append(from_json("calibration.json")["weights"])

    assert weights[0] == weights[1]


def test_a_report_among_the_files_of_references_is_left_aside(tmp_path):
    path = write(tmp_path, ["a", "b", "a_2", "b_2"])
    table = read_scores(path)
    named = with_references(table, path, group="dev")
    path.with_name("dev").joinpath("a_1.txt").write_text("EER  2.857 %\n")

    found = with_references(table, path, group="dev")

    assert found.model.tolist() == named.model.tolist()
    assert set(named.model.distinct) == {"a", "b", "a_2", "b_2"}


def test_references_that_nothing_tells_are_refused(tmp_path):
    path = write(tmp_path, ["a", "b", "a_2", "b_2"])
    shutil.rmtree(path.with_name("dev"))

    result = calibrate(path)

    assert result.exit_code == 1
    assert "which reference each score is of is not told" in result.output
    assert "--write-five-column-score-files" in result.output


def test_one_reference_that_is_called_like_its_subject_needs_no_files(tmp_path):
    path = write(tmp_path, ["a", "b"])
    shutil.rmtree(path.with_name("dev"))

    result = calibrate(path)

    assert result.exit_code == 0, result.output
