"""CSV files of scores in which subjects are empty, throughout or here and there."""

import pytest

from bob.learn.pytorch.scorefiles import (
    ScoreFileError,
    UnlabelledError,
    labelled_scores,
    read_score_file,
    read_scores,
    reading,
)

HEADER = (
    "probe_template_id,probe_subject_id,bio_ref_template_id,bio_ref_subject_id,score\n"
)
FULL = "p0,a,m,a,1\np1,b,m,a,0\n"


@pytest.fixture(params=[1, 2, 8192])
def path(tmp_path, monkeypatch, request):
    """A file, which is read in blocks of so many rows."""
    monkeypatch.setattr(reading, "BLOCK_ROWS", request.param)
    return tmp_path / "scores.csv"


@pytest.mark.parametrize(
    ("rows", "trial"),
    [
        (FULL + "p2,,m,,3\n", 3),
        (FULL + "p2,a,m,,3\n", 3),
        (FULL + "p2,,m,a,3\n", 3),
        ("p2,,m,,3\n" + FULL, 1),
        ("p2,,m,a,3\np3,,m,a,3\n" + FULL, 1),
        ("p2,,m,a,3\np2,a,m,,3\n", 1),
    ],
)
def test_subjects_that_only_some_trials_lack_are_refused(path, rows, trial):
    """Nobody and nobody would be one speaker."""
    path.write_text(HEADER + rows)
    (path.parent / "list").write_text("1 m p0\n0 m p1\n1 m p2\n1 m p3\n")

    for read in (
        lambda: read_scores(path),
        lambda: read_score_file(path, unlabelled=True),
        lambda: list(labelled_scores(path, trials=path.parent / "list")),
    ):
        with pytest.raises(ScoreFileError, match=f"csv, trial {trial}: .* is empty"):
            read()


@pytest.mark.parametrize("claimed", ["", "a"])
def test_a_list_tells_where_one_side_is_empty_throughout(path, claimed):
    path.write_text(HEADER + f"p0,,m,{claimed},1\np1,,m,{claimed},0\np2,,m,a,3\n")
    (path.parent / "list").write_text("1 m p0\n0 m p1\n1 m p2\n")

    blocks = labelled_scores(path, trials=path.parent / "list")

    assert [t for _, targets in blocks for t in targets] == [True, False, True]
    table = read_scores(path, trials=path.parent / "list")
    assert table.is_target.tolist() == [True, False, True]


@pytest.mark.parametrize("unlabelled", [True, False])
def test_a_blind_file_without_references_is_refused(path, unlabelled):
    path.write_text(
        "probe_template_id,probe_subject_id,bio_ref_subject_id,score\np,,,1\n"
    )

    with pytest.raises(UnlabelledError, match="which needs bio_ref_template_id"):
        read_score_file(path, unlabelled=unlabelled)
