"""Labels and conditions of scores, out of protocols and tables."""

from pathlib import Path

import pytest

from bob.learn.pytorch.protocols.trials import DatabaseError
from bob.learn.pytorch.scorefiles import ScoreFileError, read_scores, read_with_metadata

ENROLLING = (
    "path,key,subject_id,template_id,gender\n"
    "wav/ann/1.flac,ann/1,ann,ann,f\n"
    "wav/ann/2.flac,ann/2,ann,ann,f\n"
    "wav/bob/1.flac,bob/1,bob,bob,m\n"
)
PROBING = (
    "path,key,subject_id,template_id,gender,room\n"
    "wav/ann/3.flac,ann/3,ann,p1,f,hall\n"
    "wav/bob/3.flac,bob/3,bob,p2,m,\n"
)
SCORES = {("ann", 1): 2.0, ("ann", 2): 0.5, ("bob", 1): -1.0, ("bob", 2): 3.0}


@pytest.fixture(autouse=True)
def _protocol(tmp_path, monkeypatch):
    """Two references, two probes, all with all; the same of others in eval."""
    monkeypatch.chdir(tmp_path)
    for group, ann, bob in (("dev", "ann", "bob"), ("eval", "eva", "fred")):
        folder = Path("protocol/one", group)
        folder.mkdir(parents=True)
        for name, rows in (("enrolling", ENROLLING), ("probing", PROBING)):
            text = rows.replace("ann", ann).replace("bob", bob)
            (folder / f"for_{name}.csv").write_text(text)


def write(spell):
    """Kaldi's form, with names of probes as they are spelled."""
    lines = [f"{ref} {spell(ref, n)} {score}\n" for (ref, n), score in SCORES.items()]
    Path("scores").write_text("".join(lines))
    return "scores"


PROBES = {1: "ann/3", 2: "bob/3"}


@pytest.mark.parametrize(
    "spell",
    [
        lambda ref, n: PROBES[n],
        lambda ref, n: f"wav/{PROBES[n]}.flac",
        lambda ref, n: f"wav/{PROBES[n]}",
        lambda ref, n: str(Path("protocol/wav", PROBES[n]).resolve()) + ".flac",
    ],
    ids=["key", "path", "no suffix", "absolute"],
)
def test_a_protocol_tells_labels_speakers_and_conditions(spell):
    table, metadata = read_with_metadata(write(spell), trials="protocol")

    assert table.is_target.tolist() == [True, False, False, True]
    assert table.claimed.tolist() == ["ann", "ann", "bob", "bob"]
    assert table.real.tolist() == ["ann", "bob", "ann", "bob"]
    assert {title: column.tolist() for title, column in metadata.items()} == {
        "bio_ref_gender": ["f", "f", "m", "m"],
        "probe_gender": ["f", "m", "f", "m"],
        "probe_room": ["hall", "", "hall", ""],
    }


def test_scores_of_four_columns_find_references_by_subject():
    Path("scores").write_text(
        "ann ann ann/3 2\nann bob bob/3 0\nbob bob bob/3 1\ncid bob x 0\n"
    )

    table, metadata = read_with_metadata("scores", trials="protocol")

    assert table.model is None
    assert metadata["bio_ref_gender"].tolist() == ["f", "f", "m", ""]
    assert metadata["probe_gender"].tolist() == ["f", "m", "m", ""]


def test_columns_of_the_file_itself_come_first():
    Path("scores.csv").write_text(
        "probe_template_id,probe_subject_id,bio_ref_template_id,bio_ref_subject_id,"
        "probe_gender,score\nann/3,ann,ann,ann,own,1\n"
    )

    _, metadata = read_with_metadata("scores.csv", trials="protocol")

    assert metadata["probe_gender"].tolist() == ["own"]
    assert metadata["bio_ref_gender"].tolist() == ["f"]


def test_a_group_has_to_be_scored_whole_and_the_other_need_not_be():
    spelled = write(lambda ref, n: PROBES[n])
    lines = Path(spelled).read_text().splitlines(keepends=True)
    Path("part").write_text("".join(lines[:-1]))

    with pytest.raises(
        ScoreFileError, match=r"no score for 1 trials .* bob with bob/3"
    ):
        read_scores("part", trials="protocol")


def test_references_of_several_recordings_go_by_their_names():
    """Neither ann/1 nor ann/2 is ann, which has both; bob has one."""
    Path("scores").write_text("bob/1 bob/3 1\n")
    with pytest.raises(ScoreFileError, match="no score for 3 trials"):
        read_scores("scores", trials="protocol")
    Path("scores").write_text("ann/1 ann/3 1\n")

    with pytest.raises(ScoreFileError, match="ann/1 with ann/3 is not in"):
        read_scores("scores", trials="protocol")


def test_columns_of_sparse_trials_follow_their_trials():
    """Those of dev have some; eval, all with all, has none."""
    Path("protocol/one/dev/for_matching.csv").write_text(
        "enroll_template_id,probe_template_id,phone\n"
        "bob,p2,same\nann,p1,other\nann,p2,same\n"
    )
    lines = "bob bob/3 3\nann bob/3 0.5\nann ann/3 2\n"
    Path("scores").write_text(lines)

    table, metadata = read_with_metadata("scores", trials="protocol")

    assert table.is_target.tolist() == [True, False, True]
    assert metadata["phone"].tolist() == ["same", "same", "other"]


def test_a_protocol_in_one_file():
    Path("all.csv").write_text(
        "path,subject_id,purpose,age\na.wav,ann,enrol,20\nb.wav,ann,probe,21\n"
        "c.wav,bob,probe,50\n"
    )
    Path("scores").write_text("0.5 ann b\n0.1 ann c.wav\n")

    table, metadata = read_with_metadata("scores", trials="all.csv")

    assert table.is_target.tolist() == [True, False]
    assert metadata["probe_age"].tolist() == ["21", "50"]


def test_a_table_of_nist_has_columns_of_each_trial():
    Path("key.tsv").write_text(
        "modelid\tsegmentid\tside\ttargettype\tphone_num_match\n"
        "m1\ts1.sph\ta\ttarget\tY\nm1\ts2.sph\ta\tnontarget\tN\n"
        "m2\ts1.sph\ta\tnontarget\tN\n"
    )
    Path("scores").write_text("m1 s2 0.1\nm2 s1 0.2\nm1 s1 0.9\n")

    table, metadata = read_with_metadata("scores", trials="key.tsv")

    assert table.is_target.tolist() == [False, False, True]
    assert metadata["phone_num_match"].tolist() == ["N", "N", "Y"]


def test_tables_beside_one_of_nist_describe_both_sides():
    Path("trial_key.tsv").write_text(
        "modelid\tsegmentid\tside\ttargettype\nm1\ts1\ta\ttarget\n"
        "m1\ts2\ta\tnontarget\n"
    )
    Path("enrollment.tsv").write_text("modelid\tsegmentid\tside\nm1\te1\ta\n")
    Path("segment_key.tsv").write_text(
        "segmentid\tsubjectid\tgender\ne1\tann\tf\ns1\tann\tf\ns2\tbob\tm\n"
    )
    Path("scores").write_text("m1 s2 0.1\nm1 s1 0.9\n")

    _, metadata = read_with_metadata("scores", trials="trial_key.tsv")

    assert metadata["bio_ref_gender"].tolist() == ["f", "f"]
    assert metadata["probe_gender"].tolist() == ["m", "f"]


def test_a_pair_with_two_labels_is_refused():
    Path("list").write_text("1 a b\n0 a c\n0 a b\n")
    Path("scores").write_text("0.5 a b\n0.1 a c\n")

    with pytest.raises(DatabaseError, match="list:3: a with b is labelled otherwise"):
        read_scores("scores", trials="list")


def test_a_spelling_that_may_be_either_of_two_is_none():
    Path("list").write_text("1 a x.wav\n0 a x.flac\n")
    Path("scores").write_text("0.5 a x.wav\n0.1 a x.flac\n")
    assert read_scores("scores", trials="list").is_target.tolist() == [True, False]
    Path("scores").write_text("0.5 a x\n")

    with pytest.raises(ScoreFileError, match="a with x is not in list"):
        read_scores("scores", trials="list")
