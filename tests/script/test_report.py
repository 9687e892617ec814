"""`bob pytorch report` over result folders and score files."""

import csv
import io
from functools import partial

import commands
import pytest
from score_tables import takes_of_three as scores

from bob.learn.pytorch.calibration.origin import write_provenance
from bob.learn.pytorch.scorefiles import write_scores


def results(folder, *, seed=0):
    for group in ("dev", "eval"):
        write_scores(folder / f"scores-{group}", scores(seed + (group == "eval")))
    return folder


run = partial(commands.run, "report")
refused = partial(commands.refused, "report")


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
def test_mistakes_are_explained(words, status, says):

    done = run(*words)

    assert done.exit_code == status
    assert says in " ".join(done.output.split())


def test_a_group_that_is_not_there_is_refused(tmp_path):
    assert "it has dev, eval" in refused(
        results(tmp_path / "a"), "--group", "test", status=1
    )


def test_nothing_is_left_where_the_page_cannot_be_written(tmp_path):
    path = write_scores(tmp_path / "a.csv", scores(0), form="csv")
    (tmp_path / "file").write_text("")

    assert "cannot be written" in refused(
        path, "--resamples", 0, "-o", tmp_path / "file" / "page.html", status=1
    )


def test_raw_and_calibrated_scores_are_one_or_the_other(tmp_path):
    assert "exclude each other" in refused(
        results(tmp_path / "a"), "--both", "--uncalibrated", status=2
    )


@pytest.mark.parametrize(
    "output", ["a.csv", "link.csv", "trials.txt", "r/scores-dev.csv"]
)
def test_what_is_read_is_never_written(tmp_path, output):
    read = write_scores(tmp_path / "a.csv", scores(0), form="csv")
    (tmp_path / "link.csv").symlink_to(read)
    (tmp_path / "trials.txt").write_text("")
    for group in ("dev", "eval"):
        write_scores(tmp_path / f"r/scores-{group}.csv", scores(1), form="csv")
    before = (tmp_path / output).read_bytes()

    assert "would be overwritten" in refused(
        read,
        tmp_path / "r",
        "-o",
        tmp_path / output,
        "--trials",
        tmp_path / "trials.txt",
        "--resamples",
        0,
        status=2,
    )
    assert (tmp_path / output).read_bytes() == before


@pytest.mark.parametrize("output", ["calibrated-report.html", "dev/report.txt"])
def test_a_report_may_replace_its_own_earlier_output(tmp_path, output):
    folder = results(tmp_path / "t3")
    (folder / "dev").mkdir()

    for _ in range(2):
        done = run(folder, "--resamples", 0, "-o", folder / output)
        assert done.exit_code == 0, done.output


def test_a_column_that_is_asked_for_is_shown_whatever_its_title(tmp_path):
    path = write_scores(tmp_path / "a.csv", scores(0), form="csv")
    first, *lines = path.read_text().splitlines()
    rows = [f"{number},{line}" for number, line in enumerate(lines)]
    path.write_text("\n".join([f"session,{first}", *rows]) + "\n")
    words = (path, "--table", "conditions", "--resamples", 0)

    assert "below" not in run(*words).stdout
    assert "below" in run(*words, "--by", "session").stdout


def test_a_threshold_of_dev_that_is_left_out_is_told(tmp_path):
    folder = results(tmp_path / "t1")
    for group, normalisation in (("dev", "none"), ("eval", "as, top 50")):
        said = {"normalisation": normalisation}
        write_provenance(folder / f"scores-{group}", said)

    done = run(folder, "--resamples", 0)

    assert "whose scores were made in another way" in " ".join(done.stdout.split())
