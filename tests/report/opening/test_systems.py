"""Result folders and score files become systems of a report."""

import json
import shutil

import numpy as np
import pytest

from bob.learn.pytorch.calibration.origin import write_provenance
from bob.learn.pytorch.report.opening import ReportError, input_files, read_systems
from bob.learn.pytorch.scorefiles import write_scores


def test_references_of_four_columns_come_from_the_files_of_each(
    tmp_path, scores, results
):
    """So that systems can be compared trial by trial."""
    folder = results(tmp_path / "first")

    (system,) = read_systems([str(folder)])

    assert system.group == "eval"
    assert system.table.model.tolist() == scores(1).model.tolist()
    assert system.dev is not None


def test_files_that_do_not_make_the_score_file_name_nothing(tmp_path, results):
    folder = results(tmp_path / "first")
    (folder / "session/nonorm/eval/ann-1.txt").write_text("other\n")

    (system,) = read_systems([str(folder)])

    assert system.table.model is None


def test_calibrated_scores_are_taken_where_they_are(tmp_path, results, calibrated):
    folder = calibrated(results(tmp_path / "first"))

    (taken,) = read_systems([str(folder)])
    (left,) = read_systems([str(folder)], calibrated=False)

    np.testing.assert_allclose(taken.table.score, 2 * left.table.score + 1, atol=1e-7)
    assert taken.table.model.tolist() == left.table.model.tolist()
    assert taken.dev.score.max() > left.dev.score.max()
    titles = [title for title, _ in taken.provenance]
    assert titles[:6] == [
        "Scores, eval", "Calibrated, eval", "Trial list, eval",
        "Scores, dev", "Calibrated, dev", "Trial list, dev",
    ]  # fmt: skip


def test_calibrated_scores_of_other_trials_are_refused(tmp_path, scores, results):
    folder = results(tmp_path / "first")
    for group in ("dev", "eval"):
        found = scores(0)
        write_scores(
            folder / f"session/nonorm/calibrated-{group}",
            found.take(np.arange(len(found) - 1)),
        )

    with pytest.raises(ReportError, match="not of the same trials"):
        read_systems([str(folder)])


def test_a_folder_of_experiments_becomes_a_system_of_each(tmp_path, results):
    results(tmp_path / "results" / "first")
    results(tmp_path / "results" / "second")

    found = read_systems([str(tmp_path / "results")])

    assert [system.name for system in found] == ["first", "second"]


def test_a_name_is_given_with_an_equals_sign(tmp_path, scores):
    path = write_scores(tmp_path / "a=b.csv", scores(0), form="csv")

    named, unnamed = read_systems([f"mine={path}", str(path)])

    assert named.name == "mine"
    assert unnamed.name == "a=b"


def test_two_systems_of_one_name_are_refused(tmp_path, scores):
    path = write_scores(tmp_path / "a.csv", scores(0), form="csv")

    with pytest.raises(ReportError, match="several systems are called a"):
        read_systems([f"a={path}", f"a={path}"])


def test_raw_and_calibrated_scores_stand_side_by_side(tmp_path, results, calibrated):
    folder = calibrated(results(tmp_path / "first"))
    other = calibrated(results(tmp_path / "second"))

    systems = read_systems([str(folder), f"Other={other}"], both=True)

    assert [system.name for system in systems] == [
        "raw", "calibrated", "Other raw", "Other calibrated",
    ]  # fmt: skip
    assert [system.scores for system in systems[:2]] == ["raw", "calibrated on dev"]
    assert [system.calibrated for system in systems[:2]] == [False, True]


def test_a_score_file_of_a_result_folder_stands_for_the_folder(
    tmp_path, results, calibrated
):
    """With dev beside it, references and provenance."""
    place = calibrated(results(tmp_path / "first")) / "session" / "nonorm"

    raw, better, dev = read_systems(
        [str(place / name) for name in ("scores-eval", "calibrated-eval", "scores-dev")]
    )

    np.testing.assert_allclose(better.table.score, 2 * raw.table.score + 1, atol=1e-7)
    assert [one.name for one in (raw, better, dev)] == [
        "raw/eval", "calibrated/eval", "raw/dev",
    ]  # fmt: skip
    assert raw.dev is not None
    assert raw.table.model is not None
    assert (dev.group, dev.dev) == ("dev", None)
    assert ("Calibration", "none") not in better.provenance


def test_a_file_is_called_after_its_folder_only_if_that_is_named(
    tmp_path, monkeypatch, told, scores
):
    """`scores-dev` beside files of other systems would be called as where one is."""
    told("asnorm", normalisation="as, top 50")
    told(".", normalisation="none")
    write_scores(tmp_path / "other.csv", scores(2), form="csv")
    monkeypatch.chdir(tmp_path)

    def names(*results):
        return [system.name for system in read_systems(results)]

    assert names("scores-dev") == names("./scores-dev") == ["scores-dev"]
    assert names("asnorm/scores-dev") == ["asnorm"]
    assert names("scores-dev", "asnorm/scores-dev", "other.csv") == [
        "scores-dev", "asnorm", "other",
    ]  # fmt: skip
    assert names("scores-dev", "scores-eval") == ["scores-dev", "scores-eval"]
    monkeypatch.chdir("asnorm")
    assert names("../scores-dev") == ["scores-dev"]
    assert names("../asnorm/scores-dev") == ["asnorm"]


def test_a_score_file_elsewhere_is_only_itself(tmp_path, scores):
    for name in ("scores-dev", "scores-eval"):
        write_scores(tmp_path / name, scores(0))

    (plain,) = read_systems([str(tmp_path / "scores-eval")])

    assert plain.calibrated is None
    assert plain.scores == ""


def test_normalised_scores_are_called_by_their_method(tmp_path, results):
    folder = results(tmp_path / "first")
    place = folder / "session" / "nonorm"
    normalised = folder / "session" / "ztnorm"
    shutil.copytree(place, normalised)
    said = {"normalisation": "as-norm, top 100, cohort 251 speakers from there"}
    (normalised / "report.json").write_text(json.dumps(said))

    plain, better = read_systems([f"Mine={folder}"])

    assert [plain.name, better.name] == ["Mine nonorm", "Mine as-norm"]
    assert [plain.scores, better.scores] == ["raw", "as-norm, top 100"]
    assert dict(plain.provenance)["Normalisation"] == "none"
    assert dict(better.provenance)["Normalisation"] == said["normalisation"]


def test_systems_on_the_same_trials_have_the_same_trial_list(tmp_path, scores, results):
    first = results(tmp_path / "first")
    table = write_scores(tmp_path / "a.csv", scores(7), form="csv")

    one, other = read_systems([str(first), str(table)])

    assert (
        dict(one.provenance)["Trial list, eval"] == dict(other.provenance)["Trial list"]
    )


def test_what_lies_beside_a_score_file_tells_of_it_until_it_changes(tmp_path, scores):
    path = write_scores(tmp_path / "a.csv", scores(0), form="csv")
    write_provenance(
        path,
        {
            "measure": "log-likelihood ratio of cosine",
            "normalisation": "as, top 100",
            "meaning": "natural log-likelihood ratios",
        },
    )

    (told,) = read_systems([str(path)])
    path.write_text(path.read_text().replace("0.", "1."))
    (changed,) = read_systems([str(path)])

    assert told.scores == "as-norm, top 100, calibrated"
    assert told.calibrated
    assert ("Measure", "log-likelihood ratio of cosine") in told.provenance
    assert changed.scores == ""
    assert changed.calibrated is None
    assert "Measure" not in dict(changed.provenance)


def test_a_broken_report_beside_the_scores_is_an_error(tmp_path, results):
    folder = results(tmp_path / "first")
    (folder / "session/nonorm/report.json").write_text("{")

    with pytest.raises(ReportError, match=r"report\.json is no JSON"):
        read_systems([str(folder)])


@pytest.fixture
def told(tmp_path, scores):
    """Makes scores-dev and scores-eval as `bob pytorch score` does."""

    def make(folder, *, eval_too=None, **origin):
        for group, seed in (("dev", 0), ("eval", 1)):
            path = write_scores(tmp_path / folder / f"scores-{group}", scores(seed))
            more = eval_too if eval_too and group == "eval" else {}
            write_provenance(path, {"made_by": {"model": "m"}, **origin, **more})
        return str(tmp_path / folder / "scores-eval")

    return make


def test_what_lies_beside_scores_of_a_group_tells_of_them_without_verify(told):
    """The names that the manual gives them are those of verify.py's files."""
    raw, normalised, better = read_systems(
        [
            told("r", measure="cosine", normalisation="none"),
            told("n", measure="cosine", normalisation="as, top 50"),
            told("c", measure="log-likelihood ratio", meaning="natural ones"),
        ]
    )

    assert [one.scores for one in (raw, normalised, better)] == [
        "raw", "as-norm, top 50", "calibrated",
    ]  # fmt: skip
    assert [one.calibrated for one in (raw, normalised, better)] == [False, False, True]
    for one in (raw, normalised, better):
        assert ("Made by", "model: m") in one.provenance
        assert one.dev is not None


def test_dev_of_another_making_gives_no_threshold(told):
    (alike,) = read_systems([told("a", normalisation="none")])
    (other,) = read_systems(
        [told("b", normalisation="none", eval_too={"normalisation": "as, top 50"})]
    )

    assert alike.dev is not None
    assert other.dev is None
    assert "made in another way" in dict(other.provenance)["Threshold of dev"]


def test_what_verify_wrote_beside_its_scores_is_told_once(
    tmp_path, results, calibrated
):
    folder = calibrated(results(tmp_path / "first"))
    place = folder / "session" / "nonorm"
    for kind in ("scores", "calibrated"):
        for group in ("dev", "eval"):
            origin = {"measure": kind, "normalisation": "none", "store": "s.h5"}
            write_provenance(place / f"{kind}-{group}", origin)

    raw, better = read_systems([str(folder)], both=True)

    assert [raw.scores, better.scores] == ["raw", "calibrated on dev"]
    assert [raw.calibrated, better.calibrated] == [False, True]
    assert dict(raw.provenance)["Measure"] == "scores"
    assert dict(better.provenance)["Measure"] == "calibrated"
    titles = [title for title, _ in better.provenance]
    assert len(set(titles)) == len(titles)
    assert raw.dev is not None


def test_files_that_are_read_are_listed(tmp_path, results, calibrated, scores):
    place = calibrated(results(tmp_path / "first")) / "session" / "nonorm"
    alone = write_scores(tmp_path / "a.csv", scores(0), form="csv")
    every = {
        *(place / f"{kind}-{g}" for kind in ("scores", "calibrated")
          for g in ("dev", "eval")),
        *place.glob("*/*.txt"),
    }  # fmt: skip

    assert every < set(input_files([str(tmp_path / "first")]))
    assert every < set(input_files([f"x={place / 'scores-eval'}"]))
    assert input_files([f"x={alone}"]) == [alone, tmp_path / "a.csv.json"]
    with pytest.raises(ReportError, match="is not there"):
        input_files(["none"])
