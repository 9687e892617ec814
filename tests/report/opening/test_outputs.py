"""Figures of systems in files of every kind."""

import csv
import io

import pytest

from bob.learn.pytorch.report.opening import read_systems
from bob.learn.pytorch.report.outputs import ENDINGS, tables_as, write_output
from bob.learn.pytorch.report.systems import evaluate_systems


@pytest.fixture
def evaluation(tmp_path, results):
    return evaluate_systems(
        read_systems([str(results(tmp_path / "first"))]), resamples=10
    )


@pytest.mark.parametrize(
    ("ending", "begins"),
    [
        (".html", b"<!DOCTYPE html>"),
        (".PDF", b"%PDF"),
        (".png", b"\x89PNG"),
        (".csv", b"number,system"),
        (".tex", b"% Figures"),
        (".txt", b"Figures"),
    ],
)
def test_the_ending_of_a_name_says_what_is_written(
    tmp_path, evaluation, ending, begins
):
    assert ending.lower() in ENDINGS

    write_output(tmp_path / f"out{ending}", evaluation)

    assert (tmp_path / f"out{ending}").read_bytes().startswith(begins)


def test_other_endings_are_refused(tmp_path, evaluation):
    with pytest.raises(ValueError, match=r"ends in none of \.html, \.pdf"):
        write_output(tmp_path / "out.gif", evaluation)
    assert not (tmp_path / "out.gif").exists()


def test_the_page_tells_what_made_the_scores_and_not_where(tmp_path, evaluation):
    write_output(
        tmp_path / "out.html", evaluation, title="Mine", made_by=[("Command line", "x")]
    )

    page = (tmp_path / "out.html").read_text()
    for words in ("verify.py x.py", "0-fingerprint", "it is empty", "<title>Mine"):
        assert words in page
    assert "secret-host" not in page


def test_tables_are_chosen_by_their_keys(evaluation):
    every = tables_as("text", evaluation)
    points = tables_as("csv", evaluation, ["points"])

    assert "Operating points" in every
    assert {row["system"] for row in csv.DictReader(io.StringIO(points))} == {"first"}
    assert "threshold" in points.splitlines()[0]
    assert "threshold" not in tables_as("csv", evaluation).splitlines()[0]
