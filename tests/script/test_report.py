"""`bob pytorch report` over result folders and score files."""

import csv
import io
import json
import shutil

import numpy as np
import pytest
from click.testing import CliRunner

from bob.learn.pytorch.metrics import ScoreTable
from bob.learn.pytorch.report import figure_tables
from bob.learn.pytorch.script import report as command
from bob.learn.pytorch.script.pytorch import pytorch
from bob.learn.pytorch.script.reporting import ReportError, read_systems
from bob.learn.pytorch.verification.score_writing import write_provenance
from bob.learn.pytorch.verification.scorefiles import write_scores

SPEAKERS = ["ann", "bob", "cid"]
REFERENCES = [f"{name}-{number}" for name in SPEAKERS for number in (1, 2)]
OWNERS = [name for name in SPEAKERS for _ in (1, 2)]


def scores(seed):
    """Two references for each speaker, which four columns cannot tell apart."""
    random = np.random.default_rng(seed)
    probes = [f"{name}/{take}" for name in SPEAKERS for take in range(4)]
    subjects = [name for name in SPEAKERS for _ in range(4)]
    same = np.equal.outer(OWNERS, subjects)
    return ScoreTable.from_matrix(
        5.0 * same + random.standard_normal(same.shape),
        references=REFERENCES,
        reference_subjects=OWNERS,
        probes=probes,
        probe_subjects=subjects,
    )


def results(folder, *, seed=0):
    """As verify.py lays them out: a file of each reference, and all together."""
    place = folder / "session" / "nonorm"
    for group in ("dev", "eval"):
        found = scores(seed + (group == "eval"))
        write_scores(place / f"scores-{group}", found)
        for reference in REFERENCES:
            chosen = [name == reference for name in found.model.tolist()]
            write_scores(place / group / f"{reference}.txt", found.take(chosen))
        (place / group / ".made-by").write_text(f"{seed}-fingerprint")
    (folder / "session" / "Experiment.info").write_text(
        "Command line:\nverify.py x.py\n\nHost:\nsecret-host\n\n"
    )
    (folder / "session" / "failures.tsv").write_text(
        "recording\tpath\tstage\treason\nann/9\t/c/ann/9.wav\textraction\tit is empty\n"
    )
    (place / "report.json").write_text(
        json.dumps({"dev": {"eer": 0.1}, "failed_recordings": 1})
    )
    return folder


def calibrated(folder):
    """Twice the scores and one more, beside them."""
    for group, seed in (("dev", 0), ("eval", 1)):
        found = scores(seed)
        found.score[:] = 2 * found.score + 1
        write_scores(folder / f"session/nonorm/calibrated-{group}", found)
    return folder


def run(*words):
    return CliRunner().invoke(pytorch, ["report", *map(str, words)])


def test_the_command_offers_the_tables_that_there_are():
    assert command.TABLES == figure_tables.KEYS


def test_two_result_folders_become_a_page_a_picture_and_tables(tmp_path):
    first = results(tmp_path / "results" / "first")
    second = results(tmp_path / "results" / "second", seed=4)
    outputs = [
        tmp_path / f"out.{kind}" for kind in ("html", "png", "csv", "tex", "txt")
    ]

    done = run(
        first, second, "--resamples", 20,
        *(word for path in outputs for word in ("-o", path)),
    )  # fmt: skip

    assert done.exit_code == 0, done.output
    assert all(path.stat().st_size for path in outputs)
    page = outputs[0].read_text()
    for words in ("verify.py x.py", "0-fingerprint", "4-fingerprint", "it is empty"):
        assert words in page
    assert "secret-host" not in page
    assert "HTER" in page  # the threshold of dev, applied to eval
    rows = list(csv.DictReader(io.StringIO(outputs[2].read_text())))
    assert [row["system"] for row in rows] == ["first", "second"]
    assert outputs[4].read_text() in done.output


def test_columns_of_a_score_csv_become_conditions(tmp_path):
    lines = (
        write_scores(tmp_path / "a.csv", scores(0), form="csv").read_text().splitlines()
    )
    room = [
        "probe_room",
        *(["kitchen", "hall"][number % 2] for number in range(len(lines) - 1)),
    ]
    text = "\n".join(
        f"{word},{line}" for word, line in zip(room, lines, strict=True)
    )  # fmt: skip
    (tmp_path / "a.csv").write_text(text + "\n")

    done = run(tmp_path / "a.csv", "--table", "conditions", "--csv", "--resamples", 0)

    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [row["condition"] for row in rows] == ["hall", "kitchen"]
    refused = run(tmp_path / "a.csv", "--by", "probe_colour")
    assert refused.exit_code == 1
    assert "the columns beside names and scores are probe_room" in refused.output


def test_one_system_of_a_file_prints_a_table(tmp_path):
    path = write_scores(tmp_path / "a.csv", scores(0), form="csv")

    done = run(path, "--resamples", 5, "--cost", "sre16")

    assert done.exit_code == 0
    assert done.stdout.startswith("Figures\n")
    assert "mean of" not in done.stdout.splitlines()[2]


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (["missing"], 1, "missing is not there"),
        (["."], 1, "holds no scores-dev"),
        (["-o", "a.gif", "."], 2, "ends in none of .html"),
        (["--cost", "x", "."], 2, "is no detection cost"),
    ],
)
def test_mistakes_are_explained(tmp_path, monkeypatch, words, status, says):
    monkeypatch.chdir(tmp_path)

    done = run(*words)

    assert done.exit_code == status
    assert says in " ".join(done.output.split())


def test_a_group_that_is_not_there_is_refused(tmp_path):
    done = run(results(tmp_path / "a"), "--group", "test")

    assert done.exit_code == 1
    assert "it has dev, eval" in done.output


def test_nothing_is_left_where_the_page_cannot_be_written(tmp_path):
    path = write_scores(tmp_path / "a.csv", scores(0), form="csv")
    (tmp_path / "file").write_text("")

    done = run(path, "--resamples", 0, "-o", tmp_path / "file" / "page.html")

    assert done.exit_code == 1
    assert "cannot be written" in done.output


def test_references_of_four_columns_come_from_the_files_of_each(tmp_path):
    """So that systems can be compared trial by trial."""
    folder = results(tmp_path / "first")

    (system,) = read_systems([str(folder)])

    assert system.group == "eval"
    assert system.table.model.tolist() == scores(1).model.tolist()
    assert system.dev is not None


def test_files_that_do_not_make_the_score_file_name_nothing(tmp_path):
    folder = results(tmp_path / "first")
    (folder / "session/nonorm/eval/ann-1.txt").write_text("other\n")

    (system,) = read_systems([str(folder)])

    assert system.table.model is None


def test_calibrated_scores_are_taken_where_they_are(tmp_path):
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


def test_calibrated_scores_of_other_trials_are_refused(tmp_path):
    folder = results(tmp_path / "first")
    for group in ("dev", "eval"):
        found = scores(0)
        write_scores(
            folder / f"session/nonorm/calibrated-{group}",
            found.take(np.arange(len(found) - 1)),
        )

    with pytest.raises(ReportError, match="not of the same trials"):
        read_systems([str(folder)])


def test_a_folder_of_experiments_becomes_a_system_of_each(tmp_path):
    results(tmp_path / "results" / "first")
    results(tmp_path / "results" / "second")

    found = read_systems([str(tmp_path / "results")])

    assert [system.name for system in found] == ["first", "second"]


def test_a_name_is_given_with_an_equals_sign(tmp_path):
    path = write_scores(tmp_path / "a=b.csv", scores(0), form="csv")

    named, unnamed = read_systems([f"mine={path}", str(path)])

    assert named.name == "mine"
    assert unnamed.name == "a=b"


def test_two_systems_of_one_name_are_refused(tmp_path):
    path = write_scores(tmp_path / "a.csv", scores(0), form="csv")

    with pytest.raises(ReportError, match="several systems are called a"):
        read_systems([f"a={path}", f"a={path}"])


def test_raw_and_calibrated_scores_stand_side_by_side(tmp_path):
    folder = calibrated(results(tmp_path / "first"))
    other = calibrated(results(tmp_path / "second"))

    systems = read_systems([str(folder), f"Other={other}"], both=True)

    assert [system.name for system in systems] == [
        "raw", "calibrated", "Other raw", "Other calibrated",
    ]  # fmt: skip
    assert [system.scores for system in systems[:2]] == ["raw", "calibrated on dev"]
    assert [system.calibrated for system in systems[:2]] == [False, True]
    done = run(folder, "--both", "--uncalibrated")
    assert done.exit_code == 2
    assert "exclude each other" in done.output


def test_a_score_file_of_a_result_folder_stands_for_the_folder(tmp_path):
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


def test_a_score_file_elsewhere_is_only_itself(tmp_path):
    for name in ("scores-dev", "scores-eval"):
        write_scores(tmp_path / name, scores(0))

    (plain,) = read_systems([str(tmp_path / "scores-eval")])

    assert plain.calibrated is None
    assert plain.scores == ""


def test_normalised_scores_are_called_by_their_method(tmp_path):
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


def test_systems_on_the_same_trials_have_the_same_trial_list(tmp_path):
    first = results(tmp_path / "first")
    table = write_scores(tmp_path / "a.csv", scores(7), form="csv")

    one, other = read_systems([str(first), str(table)])

    assert (
        dict(one.provenance)["Trial list, eval"] == dict(other.provenance)["Trial list"]
    )


def test_what_lies_beside_a_score_file_tells_of_it_until_it_changes(tmp_path):
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


def test_a_broken_report_beside_the_scores_is_an_error(tmp_path):
    folder = results(tmp_path / "first")
    (folder / "session/nonorm/report.json").write_text("{")

    with pytest.raises(ReportError, match=r"report\.json is no JSON"):
        read_systems([str(folder)])
