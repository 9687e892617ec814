"""NIST's tables: what is known of trials, models and segments goes along."""

import gzip
from pathlib import Path

import pytest

from bob.learn.pytorch.protocols import columns
from bob.learn.pytorch.protocols.formats import sre, sre_tables
from bob.learn.pytorch.protocols.formats.sre import read_sre_trials
from bob.learn.pytorch.protocols.formats.sre_tables import (
    read_segment_table,
    read_table,
)
from bob.learn.pytorch.protocols.opening import as_database
from bob.learn.pytorch.protocols.trials import DatabaseError, trial_columns

KEY = """\
modelid\tsegmentid\tside\ttargettype\tphone_num_match\tsource type
m2\tt2.sph\ta\ttarget\tY\tcts
m1\tt1.sph\ta\ttarget\tY\tcts
m2\tt1.sph\ta\tnontarget\tN\tafv
m1\tt2.sph\ta\tnontarget\tN\t
"""
ENROLMENT = """\
modelid\tsegmentid\tside\tlanguage
m1\te1.sph\ta\tara
m1\te2.sph\ta\tara
m2\te3.sph\ta\tyue
"""
SEGMENTS = """\
segmentid\tsubjectid\tgender\tlanguage
e1.sph\tann\tf\teng
e2.sph\tann\tf\teng
e3.sph\tbob\tm\teng
t1.sph\tann\tf\tara
t2\tbob\tm\t
unused.sph\tcid\tm\teng
"""


@pytest.fixture
def tables(tmp_path):
    """The three tables of a set, and those of another beside them."""

    def write(key=KEY, enrolment=ENROLMENT, segments=SEGMENTS):
        for name, text in {
            "x_dev_trial_key.tsv": key,
            "x_dev_enrollment.tsv": enrolment,
            "x_dev_segment_key.tsv": segments,
            "x_eval_enrollment.tsv": "modelid\tsegmentid\tside\nz\tz.sph\ta\n",
            "x_eval_segment_key.tsv": "segmentid\tsubjectid\nt1.sph\tzoe\n",
        }.items():
            if text is not None:
                (tmp_path / name).write_text(text)
        return tmp_path / "x_dev_trial_key.tsv"

    return write


def values_of(metadata):
    return {title: column.tolist() for title, column in metadata.items()}


def test_everything_known_of_a_trial_is_there_in_the_order_of_the_table(tables):
    listed = read_sre_trials(tables())

    assert [listed.enrolled[at] for at in listed.enrolled_at] == ["m2", "m1"] * 2
    assert values_of(listed.metadata) == {
        "phone_num_match": ["Y", "Y", "N", "N"],
        "source type": ["cts", "cts", "afv", ""],
        "bio_ref_gender": ["m", "f", "m", "f"],
        # What enrolment says comes before what the segments say in general.
        "bio_ref_language": ["yue", "ara", "yue", "ara"],
        "probe_gender": ["m", "f", "f", "m"],
        "probe_language": ["", "ara", "ara", ""],
    }


def test_a_key_without_other_tables_tells_what_it_knows(tmp_path):
    (tmp_path / "key.tsv").write_text(KEY)

    listed = read_sre_trials(tmp_path / "key.tsv")

    assert list(listed.metadata) == ["phone_num_match", "source type"]


def test_a_database_knows_speakers_recordings_and_trials(tables):
    database = as_database(tables())

    trials = database.trials("dev")
    assert [item.subject for item in trials.references] == ["bob", "ann"]
    assert [item.subject for item in trials.probes] == ["bob", "ann"]
    assert dict(trials.references[1].recordings[0].metadata) == {
        "gender": "f", "language": "ara",
    }  # fmt: skip
    # By reference, as trials are: m2 with t2 and t1, then m1 with t1 and t2.
    assert values_of(trial_columns(database, "dev")) == {
        "phone_num_match": ["Y", "N", "Y", "N"],
        "source type": ["cts", "afv", "cts", ""],
    }
    with pytest.raises(DatabaseError, match="no group 'eval'"):
        database.trial_metadata("eval")


def test_labels_come_before_a_table_of_segments_that_is_wrong(tables):
    database = as_database(tables(segments=SEGMENTS.replace("t1.sph\tann", "t1\tbob")))

    trials = database.trials("dev")

    assert trials.references[1].subject == trials.probes[1].subject
    assert trials.references[0].subject == trials.probes[0].subject
    assert trials.references[0].subject != trials.references[1].subject


def test_other_tables_may_be_named(tables, tmp_path):
    path = tables()
    (tmp_path / "mine.tsv").write_text("segmentid\tsubjectid\tage\nt1.sph\tann\t30\n")

    database = sre.read(path, segments=tmp_path / "mine.tsv")

    probe = database.trials("dev").probes[1]
    assert dict(probe.recordings[0].metadata) == {"age": "30"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"key": KEY.replace("source type", "side")},
            "x_dev_trial_key.tsv:1: two columns say the side",
        ),
        (
            {"key": KEY.replace("source type", "score")},
            "x_dev_trial_key.tsv:1: a column 'score', as score files call one",
        ),
        (
            {"segments": SEGMENTS + "e1.sph\tann\tm\teng\n"},
            "key.tsv:8: segment 'e1.sph' is described otherwise in line 2",
        ),
        (
            {"segments": SEGMENTS.replace("e2.sph\tann", "e2.sph\tbob")},
            "x_dev_enrollment.tsv:3: model 'm1' is enrolled with segments of 'ann' and",
        ),
        (
            {"key": KEY.replace("m2\tt1.sph", "\tt1.sph")},
            "x_dev_trial_key.tsv:4: the model or the segment is empty",
        ),
    ],
)
def test_what_does_not_fit_together_has_its_line(tables, change, message):
    with pytest.raises(DatabaseError, match=message):
        as_database(tables(**change)).trials("dev")


def test_which_table_describes_segments_must_be_clear(tables, tmp_path):
    path = tables()
    (tmp_path / "x_dev_segment_more.tsv").write_text(SEGMENTS)

    with pytest.raises(DatabaseError, match=r"cannot be seen from the names x_dev_seg"):
        read_sre_trials(path)


def test_a_segment_that_is_described_twice_alike_is_fine(tmp_path):
    (tmp_path / "s.tsv").write_text(SEGMENTS + "e1.sph\tann\tf\teng\n")

    assert len(read_segment_table(tmp_path / "s.tsv")) == 7


@pytest.mark.parametrize(
    "text",
    [
        "\n" + KEY,
        "\ufeff" + KEY,
        KEY.replace("\n", "\r\n"),
        KEY.replace("\n", "  \n"),
        KEY.replace("modelid", "MODELID").replace("side", "channel", 1),
        KEY.replace("nontarget", "imp").replace("target\t", "tgt\t"),
    ],
)
def test_spellings_of_a_table(tables, text):
    trials = as_database(tables(key=text)).trials("dev")

    assert [item.id for item in trials.references] == ["m2", "m1"]
    assert [item.tolist() for item in trials.pairs] == [[0, 1], [1, 0]]


def test_a_line_tells_the_first_trial_of_a_name_beyond_blank_lines(tmp_path):
    path = tmp_path / "key.tsv"
    path.write_text("\n" + KEY.replace("m1\tt1", "\nm1\tt1"))

    table = read_table(path, label=True)

    assert table.lines.tolist() == [3, 5, 6, 7]
    assert table.listed().where("t1.sph") == f"{path}:5"


def test_compressed_tables_are_refused_with_what_to_do(tables):
    path = tables()
    (path.parent / "x_dev_enrollment.tsv").write_bytes(gzip.compress(b"x"))

    with pytest.raises(DatabaseError, match=r"compressed by gzip.*`gunzip -k .*tsv`"):
        as_database(path)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("modelid segmentid side", True),
        ("segmentid subjectid gender", False),
        ("m1 s1 a", True),
        ("m1 s1 a nontarget", True),
        ("a.wav b.wav target", False),
        ("1 a.wav a", False),
        ("", False),
    ],
)
def test_a_table_is_told_by_its_first_line(tmp_path, line, expected):
    (tmp_path / "x").write_text(f"{line}\n")

    assert sre.is_it(tmp_path / "x") is expected


def test_long_tables_are_read_the_same(tables, monkeypatch):
    path = tables(
        key=KEY.replace("source type", "source").replace("N\t\n", "N\tx\n"),
        segments=SEGMENTS.replace("m\t\n", "m\teng\n"),
    )
    slow = values_of(read_sre_trials(path).metadata)

    monkeypatch.setattr(columns, "SMALLEST_FILE", 0)
    monkeypatch.setattr(columns, "BLOCK_BYTES", 64)
    monkeypatch.setattr(sre_tables, "_rows", lambda *_, **__: iter([None]))
    listed = read_sre_trials(path)

    assert values_of(listed.metadata) == slow
    assert listed.lines.tolist() == [2, 3, 4, 5]
    assert Path(listed.path) == path
