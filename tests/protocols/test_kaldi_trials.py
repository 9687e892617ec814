import pytest

from bob.learn.pytorch.protocols.opening import as_database
from bob.learn.pytorch.protocols.trials import DatabaseError


@pytest.fixture
def data(tmp_path):
    def write(files, folder="."):
        (tmp_path / folder).mkdir(exist_ok=True)
        for name, text in files.items():
            (tmp_path / folder / name).write_text(text)
        return tmp_path

    return write


WAV = "a1 a1.wav\na2 a2.wav\nb1 b1.wav\n"
SPEAKERS = "a1 ann\na2 ann\nb1 bob\n"


def as_triples(trials):
    return [
        (reference.id, trials.probes[i].id, reference.subject, trials.probes[i].subject)
        for reference, listed in zip(trials.references, trials.pairs, strict=True)
        for i in listed
    ]


def test_utterances_against_utterances(data):
    folder = data(
        {
            "wav.scp": WAV,
            "utt2spk": SPEAKERS,
            "trials": "a1 a2 target\na1 b1 nontarget\n",
        }
    )

    database = as_database(folder)

    trials = database.trials("dev")
    assert as_triples(trials) == [
        ("a1", "a2", "ann", "ann"),
        ("a1", "b1", "ann", "bob"),
    ]
    assert trials.references[0].recordings[0].path == folder / "a1.wav"
    assert database.protocol == "trials"


def test_a_list_beside_wav_scp_names_utterances(data):
    folder = data({"wav.scp": WAV, "veri.kaldi": "a1 a2 target\n"})

    trials = as_database(folder / "veri.kaldi").trials("dev")

    assert trials.probes[0].recordings[0].path == folder / "a2.wav"


def test_speakers_enrol_with_all_utterances_of_the_enrolment_folder(data):
    data({"wav.scp": WAV, "utt2spk": SPEAKERS}, "enroll")
    data({"wav.scp": "t1 t1.wav\nt2 t2.wav\n", "utt2spk": "t1 ann\nt2 bob\n"}, "test")
    folder = data({"trials.txt": "ann t1 target\nann t2 nontarget\nbob t2 target\n"})

    trials = as_database(folder / "trials.txt").trials("dev")

    assert [r.key for r in trials.references[0].recordings] == ["a1", "a2"]
    assert as_triples(trials) == [
        ("ann", "t1", "ann", "ann"),
        ("ann", "t2", "ann", "bob"),
        ("bob", "t2", "bob", "bob"),
    ]


def test_labels_decide_where_utt2spk_knows_only_utterances(data):
    """As in NIST evaluations: model ids on one side, segments on the other."""
    data({"wav.scp": WAV, "utt2spk": "a1 m1\na2 m1\nb1 m2\n"}, "enrol")
    data({"wav.scp": "t1 t1.wav\nt2 t2.wav\n", "utt2spk": "t1 t1\nt2 t2\n"}, "eval")
    folder = data({"trials": "m1 t1 target\nm1 t2 nontarget\nm2 t1 nontarget\n"})

    trials = as_database(folder / "trials").trials("dev")

    same = [(r, p, rs == ps) for r, p, rs, ps in as_triples(trials)]
    assert same == [("m1", "t1", True), ("m1", "t2", False), ("m2", "t1", False)]
    assert {item.subject for item in trials.references[0].recordings} == {
        trials.references[0].subject
    }


@pytest.mark.parametrize(
    ("trials", "message"),
    [
        ("a1 x9 target\n", r"trials:1: 'x9' is not in .*wav.scp"),
        ("a1 a2 target\nzoe a2 target\n", "trials:2: 'zoe' is neither an utterance of"),
        (
            "ann b1 nontarget\nann a2 target\n",
            "'ann' is enrolled with all its utterances, 'a2'",
        ),
        ("a1 a2 target\na1 a2 nontarget\n", "trials:2: a1 and a2 are labelled as diff"),
    ],
)
def test_trials_that_cannot_be_are_refused_with_their_line(data, trials, message):
    folder = data({"wav.scp": WAV, "utt2spk": SPEAKERS, "trials": trials})

    with pytest.raises(DatabaseError, match=message):
        as_database(folder).trials("dev")


def test_one_id_for_two_recordings_is_refused(data):
    data({"wav.scp": "u x.wav\n"}, "enroll")
    data({"wav.scp": "u y.wav\n"}, "test")
    folder = data({"trials": "u u target\n"})

    with pytest.raises(DatabaseError, match="'u' is another recording in"):
        as_database(folder / "trials").trials("dev")


def test_only_dev_is_there(data):
    folder = data({"wav.scp": WAV, "trials": "a1 a2 target\n"})

    database = as_database(folder)

    assert database.groups() == ("dev",)
    with pytest.raises(DatabaseError, match="no group 'eval'"):
        database.trials("eval")


@pytest.mark.parametrize(
    ("enrol", "test"), [("enroll", "test"), ("eval_enroll", "eval_test")]
)
@pytest.mark.parametrize("given", ["folder", "list"])
def test_the_enrolment_folder_beside_the_test_folder_enrols(data, given, enrol, test):
    """The trials lie in the test folder, where the same speakers have recordings."""
    data({"wav.scp": WAV, "utt2spk": SPEAKERS}, enrol)
    folder = data(
        {
            "wav.scp": "t1 t1.wav\nt2 t2.wav\n",
            "utt2spk": "t1 ann\nt2 bob\n",
            "trials": "ann t1 target\nann t2 nontarget\nbob t2 target\n",
        },
        test,
    )

    place = folder / test / ("trials" if given == "list" else "")
    trials = as_database(place).trials("dev")

    assert [r.path for r in trials.references[0].recordings] == [
        folder / enrol / "a1.wav", folder / enrol / "a2.wav",
    ]  # fmt: skip
    assert trials.probes[0].recordings[0].path == folder / test / "t1.wav"


def test_a_test_folder_enrols_itself_where_another_has_not_its_names(data):
    data({"wav.scp": "x1 x1.wav\n", "utt2spk": "x1 xena\n"}, "enroll")
    folder = data(
        {"wav.scp": WAV, "utt2spk": SPEAKERS, "trials": "a1 a2 target\n"}, "test"
    )

    trials = as_database(folder / "test").trials("dev")

    assert trials.references[0].recordings[0].path == folder / "test" / "a1.wav"


def test_a_name_that_neither_folder_has_is_looked_for_where_it_should_be(data):
    data({"wav.scp": "x1 x1.wav\n", "utt2spk": "x1 xena\n"}, "enroll")
    folder = data(
        {
            "wav.scp": WAV,
            "utt2spk": SPEAKERS,
            "trials": "xena a2 nontarget\nyan a1 target\n",
        },
        "test",
    )

    with pytest.raises(
        DatabaseError, match=r"'yan' is neither an utterance of .*enroll"
    ):
        as_database(folder / "test").trials("dev")
