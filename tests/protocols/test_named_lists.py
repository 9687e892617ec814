"""SRE's tables, ESPnet's and WeSpeaker's folders, and VoxCeleb's lists by name."""

from functools import partial

import files
import numpy as np
import pytest
from protocols import triples

from bob.learn.pytorch.protocols import columns
from bob.learn.pytorch.protocols.formats import sre
from bob.learn.pytorch.protocols.listed import TrialList, about
from bob.learn.pytorch.protocols.opening import as_database
from bob.learn.pytorch.protocols.trials import DatabaseError

KEY = """\
modelid\tsegmentid\tside\ttargettype\tgender
1001_sre18\ttest1.sph\ta\ttarget\tf
1001_sre18\ttest2.sph\ta\tnontarget\tf
1002_sre18\ttest2.sph\ta\ttarget\tm
"""
ENROLMENT = """\
modelid\tsegmentid\tside
1001_sre18\tenrol1.sph\ta
1001_sre18\tenrol2.sph\ta
1002_sre18\tenrol3.sph\ta
"""


@pytest.fixture
def write(tmp_path):
    return partial(files.write, tmp_path)


@pytest.fixture
def sre_tables(write):
    return write(
        {
            "docs/sre18_dev_trial_key.tsv": KEY,
            "docs/sre18_dev_enrollment.tsv": ENROLMENT,
            "docs/sre18_eval_enrollment.tsv": ENROLMENT,
            "data/enrollment/enrol1.sph": "",
            "data/test/test1.sph": "",
        }
    )


def test_a_table_of_sre_with_models_of_several_segments(sre_tables):
    database = as_database(sre_tables / "docs/sre18_dev_trial_key.tsv")

    trials = database.trials("dev")
    assert triples(trials) == [
        ("1001_sre18", "test1", True),
        ("1001_sre18", "test2", False),
        ("1002_sre18", "test2", True),
    ]
    first = trials.references[0].recordings
    assert [item.key for item in first] == ["enrol1", "enrol2"]
    assert first[0].path == sre_tables / "data/enrollment/enrol1.sph"
    assert trials.probes[0].recordings[0].path == sre_tables / "data/test/test1.sph"
    assert database.protocol == "sre18_dev_trial_key"


def test_a_table_without_a_headline(write):
    folder = write(
        {"trials": "m1 s2 a target\nm1 s3 A nontarget\n", "enrolled": "m1 s1 a\n"}
    )

    trials = as_database(folder / "trials").trials("dev")

    assert triples(trials) == [("m1", "s2", True), ("m1", "s3", False)]


@pytest.mark.parametrize(
    ("key", "enrolment", "message"),
    [
        ("modelid\tsegmentid\tside\nm\ts\ta\n", "m s a\n",
         "key.tsv has no labels, so nothing says which"),
        (KEY.replace("test2.sph\ta\tnon", "test2.sph\tb\tnon"), ENROLMENT,
         "key.tsv:3: side b of 'test2.sph' is the second channel"),
        (KEY.replace("a\tnontarget", "c\tnontarget"), ENROLMENT,
         "key.tsv:3: side 'c'; expected a or b"),
        (KEY.replace("nontarget", "perhaps"), ENROLMENT,
         "key.tsv:3: targettype 'perhaps'"),
        (KEY + "1001_sre18\tx.sph\n", ENROLMENT, "key.tsv:5: 2 fields, expected 5"),
        (KEY + "\tx.sph\ta\ttarget\tf\n", ENROLMENT, "key.tsv:5: the model or the"),
        (KEY, "modelid segmentid side\n1001_sre18 enrol1.sph a\n",
         "key.tsv:4: model '1002_sre18' is not in .*enrol.tsv"),
        (KEY, "modelid segmentid\n", "enrol.tsv is empty"),
    ],
)  # fmt: skip
def test_mistakes_in_tables_of_sre_have_their_line(write, key, enrolment, message):
    folder = write({"key.tsv": key, "enrol.tsv": enrolment})

    with pytest.raises(DatabaseError, match=message):
        as_database(folder / "key.tsv").trials("dev")


def test_which_table_enrols_must_be_clear(write):
    folder = write({"key.tsv": KEY, "a_enrol.tsv": "", "b_enrol.tsv": ""})

    with pytest.raises(DatabaseError, match=r"there is a_enrol\.tsv, b_enrol\.tsv"):
        as_database(folder / "key.tsv")

    (folder / "c.tsv").write_text(ENROLMENT)
    database = sre.read(folder / "key.tsv", enrolment=folder / "c.tsv")
    assert len(database.trials("dev").references) == 2


@pytest.fixture
def espnet(write):
    pairs = ["id1-v-1*id1-w-1", "id1-v-1*id2-v-1", "id2-v-1*id1-w-1"]
    return (
        write(
            {
                "test/trial.scp": "".join(
                    f"{pair} wav/{pair.split('*')[0]}.wav\n" for pair in pairs
                ),
                "test/trial2.scp": "".join(
                    f"{pair} wav/{pair.split('*')[1]}.wav\n" for pair in pairs
                ),
                "test/trial_label": "".join(
                    f"{pair} {label}\n"
                    for pair, label in zip(pairs, "100", strict=True)
                ),
                "test/utt2spk": "id1-v-1 id1\nid1-w-1 id1\nid2-v-1 id2\n",
            }
        )
        / "test"
    )


def test_a_folder_of_espnet(espnet):
    database = as_database(espnet, original_directory="/data")

    trials = database.trials("dev")
    assert triples(trials) == [
        ("id1-v-1", "id1-w-1", True),
        ("id1-v-1", "id2-v-1", False),
        ("id2-v-1", "id1-w-1", False),
    ]
    assert [item.subject for item in trials.references] == ["id1", "id2"]
    assert str(trials.probes[0].recordings[0].path) == "/data/wav/id1-w-1.wav"
    assert database.protocol == "test"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "trial_label",
            "a*b 1\n",
            r"trial_label:1: trial 'a\*b' is not in .*trial.scp",
        ),
        ("trial_label", "id1-v-1*id1-w-1 yes\n", "trial_label:1: label 'yes'"),
        ("trial_label", "", "holds no trial"),
        ("trial.scp", "ab x.wav\n", "trial.scp:1: 'ab'; expected two names"),
        ("trial.scp", "a*b sox x.wav |\n", "trial.scp:1: .* is a command"),
        ("trial.scp", "a*b x.wav\na*c y.wav\n", "trial.scp:2: 'a' is y.wav here and x"),
    ],
)
def test_mistakes_in_a_folder_of_espnet_have_their_line(espnet, name, text, message):
    (espnet / name).write_text(text)

    with pytest.raises(DatabaseError, match=message):
        as_database(espnet).trials("dev")


def test_long_folders_of_espnet_are_read_the_same(espnet, monkeypatch):
    (espnet / "trial_label").write_text(
        "".join(reversed((espnet / "trial_label").read_text().splitlines(True)))
    )
    slow = triples(as_database(espnet).trials("dev"))

    monkeypatch.setattr(columns, "SMALLEST_FILE", 0)
    monkeypatch.setattr(columns, "BLOCK_BYTES", 40)
    fast = triples(as_database(espnet).trials("dev"))

    assert fast == slow
    assert sorted(fast) == [
        ("id1-v-1", "id1-w-1", True),
        ("id1-v-1", "id2-v-1", False),
        ("id2-v-1", "id1-w-1", False),
    ]


@pytest.fixture
def wespeaker(write):
    names = ["id10270/v/00001.wav", "id10270/w/00001.wav", "id10300/v/00001.wav"]
    one, two, three = names
    return (
        write(
            {
                "vox1/wav.scp": "".join(f"{name} /data/{name}\n" for name in names),
                "vox1/utt2spk": "".join(f"{name} {name[:7]}\n" for name in names),
                "vox1/trials/vox1_O_cleaned.kaldi": f"{one} {two} target\n"
                f"{one} {three} nontarget\n",
            }
        )
        / "vox1"
    )


def test_a_folder_of_wespeaker(wespeaker):
    for source in (wespeaker, wespeaker / "trials/vox1_O_cleaned.kaldi"):
        database = as_database(source)

        assert database.protocol == "vox1_O_cleaned"
        trials = database.trials("dev")
        assert [same for _, _, same in triples(trials)] == [True, False]
        assert trials.references[0].subject == "id10270"


def test_one_of_several_lists_of_wespeaker(wespeaker):
    (wespeaker / "trials/other.kaldi").write_text(
        "id10270/v/00001.wav id10300/v/00001.wav nontarget\n"
    )

    with pytest.raises(DatabaseError, match="it has the lists other, vox1_O_cleaned"):
        as_database(wespeaker)

    assert as_database(wespeaker, protocol="other").trials("dev").count() == 1


def voxceleb_list(tmp_path, name, count):
    names = (f"id10270/{'v' * 11}/00001.wav", f"id10300/{'w' * 11}/00002.wav")
    zeros = np.zeros(count, dtype=np.int64)
    return TrialList(
        tmp_path / name, names[:1], names[1:], zeros, zeros, zeros.astype(bool),
        zeros,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "count", "expected"),
    [
        ("list.txt", 37_611, ["VoxCeleb1-O, cleaned: 37611 trials"]),
        ("veri_test.txt", 37_720, ["VoxCeleb1-O, original: 37720 trials"]),
        ("vox1_H_cleaned.kaldi", 550_894, ["VoxCeleb1-H, cleaned: 550894 trials"]),
        ("list.txt", 1000, []),
        (
            "list_test_all2.txt",
            581_480,
            [
                "VoxCeleb1-E, original: 581480 trials",
                "list_test_all2.txt is the name of VoxCeleb1-E, cleaned, which has "
                "579818 trials; this list has 581480",
            ],
        ),
    ],
)
def test_lists_of_voxceleb_are_called_by_what_they_are(tmp_path, name, count, expected):
    assert list(about(voxceleb_list(tmp_path, name, count))) == expected


def test_other_lists_of_the_same_length_are_not_voxceleb(tmp_path):
    listed = voxceleb_list(tmp_path, "list.txt", 37_611)

    named = listed.renamed({name: name[8:] for name in listed.enrolled + listed.tested})

    assert about(named) == ()
