"""Score files as verify.py and Bob 8 know them."""

import csv
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bob.learn.pytorch.metrics import ScoreTable
from bob.learn.pytorch.scorefiles import (
    ScoreFileError,
    read_scores,
    reading,
    write_scores,
    writing,
)


@pytest.fixture
def table():
    return ScoreTable.from_matrix(
        [[0.5, -1.25], [np.nan, 1 / 3]],
        references=["ann-1", "100%_bob"],
        reference_subjects=["ann", "bob"],
        probes=["ann/2", "bob/ü_3"],
        probe_subjects=["ann", "bob"],
    )


def columns(table):
    names = [table.claimed, table.real, table.probe]
    names += [table.model] if table.model is not None else []
    return [column.tolist() for column in names]


def test_four_columns_are_written_as_verify_py_wrote_them(table, tmp_path):
    path = write_scores(tmp_path / "new" / "scores-dev", table)

    assert path.read_text(encoding="utf-8") == (
        "ann ann ann/2 0.50000000\n"
        "ann bob bob/ü_3 -1.25000000\n"
        "bob ann ann/2 nan\n"
        "bob bob bob/ü_3 0.33333333\n"
    )
    assert [entry.name for entry in path.parent.iterdir()] == ["scores-dev"]


def test_five_columns_have_the_reference_second(table, tmp_path):
    path = write_scores(tmp_path / "scores-dev", table, form="five")

    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[2] == "bob 100%_bob ann ann/2 nan"


@pytest.mark.parametrize("form", ["four", "five", "csv"])
def test_what_was_written_is_read_again(table, tmp_path, form, monkeypatch):
    monkeypatch.setattr(writing, "BLOCK_TRIALS", 3)
    monkeypatch.setattr(reading, "BLOCK_CHARACTERS", 20)
    monkeypatch.setattr(reading, "BLOCK_ROWS", 3)

    read = read_scores(write_scores(tmp_path / "scores", table, form=form))

    assert columns(read) == columns(table)[: 3 if form == "four" else 4]
    np.testing.assert_allclose(
        read.score, table.score, rtol=0, atol=0 if form == "csv" else 5e-9
    )


def test_csv_holds_any_name(tmp_path):
    table = ScoreTable.from_matrix(
        [[1e-12]],
        references=['say "a, b"'],
        reference_subjects=["two words"],
        probes=["line\nbreak"],
        probe_subjects=["50 %r"],
    )

    path = write_scores(tmp_path / "scores.csv", table, form="csv")

    assert columns(read_scores(path)) == columns(table)
    with path.open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert row == {
        "probe_template_id": "line\nbreak",
        "probe_subject_id": "50 %r",
        "bio_ref_template_id": 'say "a, b"',
        "bio_ref_subject_id": "two words",
        "score": "1e-12",
    }


def test_csv_of_bob_is_read_with_its_other_columns(tmp_path):
    """As CSVScoreWriter of bob.bio.base 8.1.1 writes them, metadata included."""
    path = tmp_path / "scores-dev.csv"
    path.write_text(
        "probe_template_id,probe_subject_id,probe_gender,bio_ref_subject_id,"
        "bio_ref_template_id,bio_ref_gender,score\r\n"
        "p1,ann,f,bob,t7,m,-0.25\r\n"
        '"p,2",bob,m,bob,t7,m,nan\r\n'
    )

    table = read_scores(path)

    assert columns(table) == [["bob", "bob"], ["ann", "bob"], ["p1", "p,2"], ["t7"] * 2]
    np.testing.assert_array_equal(table.score, [-0.25, np.nan])


def test_blank_lines_tabs_and_a_missing_last_newline_do_no_harm(tmp_path):
    path = tmp_path / "scores"
    path.write_text("\n  \na b  c\t0.5\n\nd e f -inf\r\n\n g h i 1e3")

    table = read_scores(path)

    assert columns(table) == [["a", "d", "g"], ["b", "e", "h"], ["c", "f", "i"]]
    assert table.score.tolist() == [0.5, -np.inf, 1000]


def test_names_that_are_not_utf8_come_through_unchanged(tmp_path):
    path = tmp_path / "scores"
    path.write_bytes(b"a a caf\xe9 0.50000000\n")

    copy = write_scores(tmp_path / "copy", read_scores(path))

    assert copy.read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a b c 1\na b c\n", "line 2: 3 columns where 4 are expected"),
        ("a b c 1\n\na b c 1 d\n", "line 3: 5 columns where 4 are expected"),
        ("a b c 1\na b c\nd a b c 1\n", "line 2: 3 columns where 4"),
        ("a m b c 1\na m b c 1,5\n", "line 2: the score '1,5' is not a number"),
        ("a b c \n", "begins with 'a b c'"),
        ("", "holds no trial"),
        ("\n\n", "holds no trial"),
        ("probe_template_id,score\np,1\n", "no column probe_subject_id"),
        (
            "probe_template_id,probe_subject_id,bio_ref_subject_id,score\np,a,b,x\n",
            "line 2: the score 'x' is not a number",
        ),
        (
            "probe_template_id,probe_subject_id,bio_ref_subject_id,score\np,a,b\n",
            "line 2: 3 columns where 4 are expected",
        ),
        (
            "probe_template_id,probe_subject_id,bio_ref_subject_id,score\n",
            "holds no trial",
        ),
    ],
)
def test_a_bad_line_is_named_by_its_number(tmp_path, text, message):
    path = tmp_path / "scores"
    path.write_text(text)

    with pytest.raises(ScoreFileError, match=message) as raised:
        read_scores(path)

    assert str(path) in str(raised.value)


@given(st.lists(st.integers(0, 8), min_size=1, max_size=6), st.integers(4, 5))
def test_a_line_of_another_width_is_never_taken(widths, width):
    """Blank lines aside, whatever the widths add up to."""
    lines = ["1 " * count + "\n" for count in [width, *widths]]
    fits = {0, width}.issuperset(widths)

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scores"
        path.write_text("".join(lines))
        if fits:
            assert len(read_scores(path)) == 1 + widths.count(width)
        else:
            line = 2 + next(i for i, n in enumerate(widths) if n not in {0, width})
            with pytest.raises(ScoreFileError, match=f"line {line}: "):
                read_scores(path)


def test_line_numbers_count_over_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "BLOCK_CHARACTERS", 30)
    path = tmp_path / "scores"
    path.write_text("a b c 1\n" * 99 + "a b c x\n")

    with pytest.raises(ScoreFileError, match="line 100"):
        read_scores(path)


@pytest.mark.parametrize("name", ["two words", "", " a", "non\u00a0breaking", "a\n"])
def test_names_that_would_break_the_columns_are_refused(tmp_path, name):
    table = ScoreTable.from_matrix(
        [[1.0]],
        references=["r"],
        reference_subjects=["s"],
        probes=[name],
        probe_subjects=["s"],
    )

    with pytest.raises(ScoreFileError, match="or write the scores as CSV"):
        write_scores(tmp_path / "scores", table)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", ["five", "csv"])
def test_a_table_without_references_is_refused(table, tmp_path, form):
    four = read_scores(write_scores(tmp_path / "four", table))

    with pytest.raises(ScoreFileError, match="write four columns"):
        write_scores(tmp_path / "other", four, form=form)


def test_an_unknown_form_is_refused(table, tmp_path):
    with pytest.raises(ScoreFileError, match="choose one of four, five, csv"):
        write_scores(tmp_path / "scores", table, form="six")


def test_a_failed_write_leaves_the_old_file(table, tmp_path):
    path = write_scores(tmp_path / "scores", table)
    before = path.read_bytes()
    four = read_scores(path)

    with pytest.raises(ScoreFileError):
        write_scores(path, four, form="five")

    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("form", "name"), [("four", "s"), ("five", "s"), ("csv", "s.csv")]
)
def test_bob_reads_what_was_written(tmp_path, form, name):
    load = pytest.importorskip("bob.bio.base.score.load")
    random = np.random.default_rng(0)
    table = ScoreTable.from_matrix(
        random.normal(size=(3, 30)),
        references=[f"r{i}" for i in range(3)],
        reference_subjects=[f"s{i}" for i in range(3)],
        probes=[f"p{i}" for i in range(30)],
        probe_subjects=[f"s{i % 5}" for i in range(30)],
    )

    path = write_scores(tmp_path / name, table, form=form)
    negatives, positives = load.split(str(path))

    np.testing.assert_allclose(negatives, table.non_targets, atol=5e-9)
    np.testing.assert_allclose(positives, table.targets, atol=5e-9)


@pytest.mark.parametrize("form", ["four", "five", "csv"])
def test_a_byte_order_mark_is_no_part_of_a_name(table, tmp_path, form):
    path = write_scores(tmp_path / "scores", table, form=form)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())

    assert read_scores(path).claimed.tolist() == table.claimed.tolist()
