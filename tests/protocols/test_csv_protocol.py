import json
import logging

import pytest

from bob.learn.pytorch.protocols.opening import as_database
from bob.learn.pytorch.protocols.trials import DatabaseError

ENROLLING = """\
path,subject_id,template_id,gender
ann/1.wav,ann,t1,f
ann/2.wav,ann,t1,f
bob/1.wav,bob,t2,m
"""
PROBING = """\
path,key,subject_id,template_id
ann/3.wav,ann/three,ann,p1
bob/2.wav,bob/two,bob,p2
bob/3.wav,bob/three,bob,p2
"""
MATCHING = """\
enroll_template_id,probe_template_id
t2,p1
t1,p2
t1,p1
t1,p2
"""


@pytest.fixture
def protocol(tmp_path):
    def write(group="dev", name="default", **files):
        folder = tmp_path / name / group
        folder.mkdir(parents=True, exist_ok=True)
        for stem, text in {
            "for_enrolling": ENROLLING,
            "for_probing": PROBING,
            **files,
        }.items():
            (folder / f"{stem}.csv").write_text(text)
        return tmp_path

    return write


def test_rows_of_one_template_belong_together(protocol, tmp_path):
    trials = as_database(protocol()).trials("dev")

    assert [
        (r.id, r.subject, [x.key for x in r.recordings]) for r in trials.references
    ] == [
        ("t1", "ann", ["ann/1.wav", "ann/2.wav"]),
        ("t2", "bob", ["bob/1.wav"]),
    ]
    assert [
        (p.id, p.subject, [x.key for x in p.recordings]) for p in trials.probes
    ] == [
        ("ann/three", "ann", ["ann/three"]),
        ("p2", "bob", ["bob/two", "bob/three"]),
    ]
    assert trials.pairs is None
    assert trials.references[0].recordings[1].path == tmp_path / "ann/2.wav"
    assert trials.references[0].recordings[1].metadata == {"gender": "f"}


def test_listed_pairs_are_compared_once_each(protocol):
    trials = as_database(protocol(for_matching=MATCHING)).trials("dev")

    assert [listed.tolist() for listed in trials.pairs] == [[1, 0], [0]]


def test_a_list_of_pairs_that_bob_would_ignore_is_followed_aloud(protocol, caplog):
    protocol()
    root = protocol("eval", for_matching=MATCHING)

    with caplog.at_level(logging.WARNING):
        trials = as_database(root).trials("eval")

    assert trials.count() == 3
    assert "bob bio pipeline would ignore it" in caplog.text


def test_the_folder_of_one_protocol_will_do(protocol):
    database = as_database(protocol(name="mine") / "mine")

    assert (database.protocol, database.groups()) == ("mine", ("dev",))


def test_one_of_several_protocols_must_be_named(protocol):
    protocol(name="one")
    root = protocol(name="two")

    assert as_database(root, protocol="two").protocol == "two"
    with pytest.raises(
        DatabaseError, match=r"no protocol was named; it has .* one, two"
    ):
        as_database(root)
    with pytest.raises(
        DatabaseError, match="no 'three'; it has the protocols one, two"
    ):
        as_database(root, protocol="three")


def test_recordings_are_where_the_user_or_else_the_protocol_says(protocol):
    root = protocol()
    (root / "protocol.json").write_text(json.dumps({"original_directory": "/stated"}))

    stated = as_database(root).trials("dev").probes[0].recordings[0]
    given = as_database(root, original_directory="/given").trials("dev")

    assert str(stated.path) == "/stated/ann/3.wav"
    assert str(given.probes[0].recordings[0].path) == "/given/ann/3.wav"


def test_training_recordings_are_read(protocol):
    root = protocol()
    assert as_database(root).training() == ()

    protocol("train")
    (root / "default/train/for_enrolling.csv").unlink()
    (root / "default/train/for_background_model.csv").write_text(
        "path,subject_id\ncid/1.wav,cid\n"
    )

    assert [r.subject for r in as_database(root).training()] == ["cid"]
    assert as_database(root).groups() == ("dev",)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"for_enrolling": "path,subject\na.wav,a\n"},
            r"for_enrolling.csv:1: no column subject_id, template_id; it has path",
        ),
        (
            {"for_enrolling": ENROLLING + "bob/2.wav,bob,t1,m\n"},
            r"for_enrolling.csv:5: template 't1' is of subject 'bob' here and of 'ann'",
        ),
        (
            {"for_enrolling": ENROLLING + "bob/2.wav,bob\n"},
            r"for_enrolling.csv:5: 2 fields, expected 4: path, subject_id",
        ),
        (
            {"for_probing": PROBING + "bob/4.wav,,,p3\n"},
            r"for_probing.csv:5: column 'subject_id' is empty",
        ),
        (
            {"for_enrolling": ENROLLING.replace(",", ";")},
            r"csv:1: no column .* are parted by ';': save it with commas",
        ),
        (
            {"for_enrolling": ENROLLING.replace(",", "\t")},
            r"csv:1: no column .* are parted by .*t': save it with commas",
        ),
        (
            {"for_enrolling": "\0".join(ENROLLING)},
            "for_enrolling.csv is not a CSV file in UTF-8",
        ),
        (
            {"for_enrolling": ENROLLING + "c/1.wav,cid,t 3,f\nd/1.wav,dan,t%203,m\n"},
            "template_ids 't 3' and 't%203' are both written as 't%203'",
        ),
        (
            {"for_enrolling": ENROLLING + "c/1.wav,c d,t3,f\nd/1.wav,c%20d,t4,m\n"},
            "subject_ids 'c d' and 'c%20d' are both written as 'c%20d'",
        ),
        (
            {"for_probing": PROBING + "cid/1.wav,ann/three,cid,p3\n"},
            "probe id 'ann/three' stands for two probes: ann/three of subject 'ann'",
        ),
        (
            {"for_probing": PROBING.split("\n")[0]},
            "protocol default of .* has no trials in group dev: found 2 references and"
            " 0 probes; complete the CSV files in .*/default/dev",
        ),
        (
            {"for_enrolling": ENROLLING.split("\n")[0]},
            "found 0 references and 2 probes; complete",
        ),
        (
            {"for_matching": MATCHING.split("\n")[0]},
            "found 2 references and 2 probes that are never compared",
        ),
        (
            {"for_matching": MATCHING + "t9,p1\n"},
            r"for_matching.csv:6: reference 't9' is not in for_enrolling.csv",
        ),
        (
            {"for_matching": MATCHING + "t1,p9\n"},
            r"for_matching.csv:6: probe 'p9' is not in for_probing.csv",
        ),
    ],
)
def test_what_is_wrong_in_a_file_is_said_with_its_line(protocol, files, message):
    database = as_database(protocol(**files))

    with pytest.raises(DatabaseError, match=message):
        database.trials("dev")


def test_missing_parts_are_named(protocol):
    root = protocol()
    (root / "default/dev/for_probing.csv").unlink()

    with pytest.raises(DatabaseError, match=r"for_probing\.csv does not exist"):
        as_database(root).trials("dev")
    with pytest.raises(DatabaseError, match="no group 'eval'; it has dev"):
        as_database(root).trials("eval")


def test_a_broken_companion_is_refused(protocol):
    root = protocol()
    (root / "protocol.json").write_text("{")

    with pytest.raises(
        DatabaseError, match="expected a JSON object with 'original_dir"
    ):
        as_database(root)


ONE_FILE = """\
group,purpose,path,subject_id,template_id
dev,enrol,a/1.wav,ann,
dev,enroll,a/2.wav,ann,
dev,probe,a/3.wav,ann,
dev,probe,b/1.wav,bob,both
dev,probe,b/2.wav,bob,both
,train,c/1.wav,cid,
eval,enrol,d/1.wav,dan,dan-1
eval,probe,d/2.wav,dan,
"""


def test_one_file_says_it_all(tmp_path):
    (tmp_path / "mine.csv").write_text(ONE_FILE)

    database = as_database(tmp_path / "mine.csv")

    dev, eval_ = database.trials("dev"), database.trials("eval")
    assert (database.groups(), database.protocol) == (("dev", "eval"), "mine")
    assert [(r.id, len(r.recordings)) for r in dev.references] == [("ann", 2)]
    assert [(p.id, len(p.recordings)) for p in dev.probes] == [
        ("a/3.wav", 1),
        ("both", 2),
    ]
    assert eval_.references[0].id == "dan-1"
    assert [r.subject for r in database.training()] == ["cid"]
    assert dev.probes[0].recordings[0].path == tmp_path / "a/3.wav"


def test_one_file_needs_no_groups_or_templates(tmp_path):
    (tmp_path / "mine.csv").write_text(
        "path,subject_id,purpose\n1.wav,ann,enrol\n2.wav,ann,probe\n"
    )

    trials = as_database(tmp_path / "mine.csv", original_directory="/x").trials("dev")

    assert trials.count() == 1
    assert str(trials.probes[0].recordings[0].path) == "/x/2.wav"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            ONE_FILE + "dev,test,z.wav,ann,\n",
            ":10: purpose 'test'; expected enrol, probe",
        ),
        ("path,subject_id\n", ":1: no column purpose; it has path, subject_id"),
        ("", ":1: no column path, subject_id, purpose; it has none"),
        (
            "path,subject_id,purpose\na.wav,a,enrol\n",
            "1 rows that enrol and 0 that probe",
        ),
    ],
)
def test_one_file_with_mistakes_is_refused(tmp_path, text, message):
    (tmp_path / "mine.csv").write_text(text)

    with pytest.raises(DatabaseError, match=message):
        as_database(tmp_path / "mine.csv").trials("dev")


def test_byte_order_marks_are_passed_over(protocol):
    files = {"for_enrolling": ENROLLING, "for_probing": PROBING}
    root = protocol(**{name: "\ufeff" + text for name, text in files.items()})
    (root / "protocol.json").write_text('\ufeff{"original_directory": "/stated"}')

    database = as_database(root)

    assert (database.original_directory, database.trials("dev").count()) == (
        "/stated",
        4,
    )


def test_a_probe_under_two_templates_may_meet_others(protocol):
    """One recording, two rows, each with its own references: no two probes."""
    probing = PROBING + "ann/3.wav,ann/three,ann,p3\n"
    matching = "enroll_template_id,probe_template_id\nt1,p1\nt2,p3\n"

    trials = as_database(protocol(for_probing=probing, for_matching=matching)).trials(
        "dev"
    )

    assert [listed.tolist() for listed in trials.pairs] == [[0], [2]]
    assert trials.probes[0] == trials.probes[2]
