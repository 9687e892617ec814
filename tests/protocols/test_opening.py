import numpy as np
import pytest
from files import touch, write
from programs import printed_by

from bob.learn.pytorch.protocols.formats.bob_csv import CsvProtocolDatabase
from bob.learn.pytorch.protocols.formats.csv_file import CsvFileDatabase
from bob.learn.pytorch.protocols.formats.folder import FolderDatabase
from bob.learn.pytorch.protocols.formats.kaldi import KaldiFolderDatabase
from bob.learn.pytorch.protocols.formats.kaldi_trials import KaldiTrialDatabase
from bob.learn.pytorch.protocols.formats.trial_list import TrialListDatabase
from bob.learn.pytorch.protocols.opening import as_database
from bob.learn.pytorch.protocols.speakers import SpeakerRule
from bob.learn.pytorch.protocols.trials import (
    DatabaseError,
    Probe,
    Recording,
    Reference,
    Trials,
)

TEMPLATES = "path,subject_id,template_id\na.wav,a,a\n"
ONE_FILE = "path,subject_id,purpose\na.wav,a,enrol\nb.wav,a,probe\n"


@pytest.mark.parametrize(
    ("files", "source", "kind"),
    [
        ({"a/1.wav": "", "a/2.wav": ""}, ".", FolderDatabase),
        ({"list.txt": "1 a b\n"}, "list.txt", TrialListDatabase),
        ({"list.txt": "a b target\n"}, "list.txt", TrialListDatabase),
        (
            {"l.txt": "a b target\n", "wav.scp": "a a\nb b\n"},
            "l.txt",
            KaldiTrialDatabase,
        ),
        ({"l.txt": "1 a b\n", "wav.scp": "a a\nb b\n"}, "l.txt", TrialListDatabase),
        ({"wav.scp": "a a.wav\n"}, ".", KaldiFolderDatabase),
        ({"wav.scp": "a a\nb b\n", "trials": "a b target\n"}, ".", KaldiTrialDatabase),
        ({"p/dev/for_enrolling.csv": TEMPLATES}, ".", CsvProtocolDatabase),
        ({"dev/for_enrolling.csv": TEMPLATES}, ".", CsvProtocolDatabase),
        ({"all.CSV": ONE_FILE}, "all.CSV", CsvFileDatabase),
    ],
)
def test_what_a_path_holds_decides_how_it_is_read(tmp_path, files, source, kind):
    write(tmp_path, files)

    assert type(as_database(tmp_path / source)) is kind
    assert type(as_database(str(tmp_path / source))) is kind


def test_a_database_stays_what_it_is(tmp_path):
    database = FolderDatabase(tmp_path)

    assert as_database(database) is database


def test_the_protocol_of_a_database_can_be_changed(tmp_path):
    touch(tmp_path / "a", "m1/1.wav", "m1/2.wav", "m2/1.wav")
    database = FolderDatabase(tmp_path)
    assert len(database.trials("dev").references[0].recordings) == 2

    as_database(database, protocol="recording")

    assert database.protocol == "recording"
    assert len(database.trials("dev").references[0].recordings) == 1


def test_a_path_that_is_not_there_says_what_could_be(tmp_path):
    with pytest.raises(
        DatabaseError, match=r"nowhere' does not exist .* trial list or"
    ):
        as_database(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("source", "arguments", "message"),
    [
        (
            "list.txt",
            {"rule": SpeakerRule()},
            "are for folders of speakers: leave them",
        ),
        (".", {"original_directory": "/x"}, "leave out the original directory '/x'"),
        (
            None,
            {"original_directory": "/x"},
            "FolderDatabase has its own recordings",
        ),
        (
            None,
            {"rule": SpeakerRule()},
            "FolderDatabase has its own recordings",
        ),
    ],
)
def test_arguments_without_effect_are_refused(tmp_path, source, arguments, message):
    (tmp_path / "list.txt").write_text("1 a b\n")
    given = FolderDatabase(tmp_path) if source is None else tmp_path / source

    with pytest.raises(DatabaseError, match=message):
        as_database(given, **arguments)


def test_databases_of_ones_own_have_neither_training_nor_annotations(tmp_path):
    database = FolderDatabase(tmp_path)

    assert database.training() == ()
    assert database.annotations(Recording("a", None, "a")) is None
    assert database.original_extension is None


def test_trials_are_counted_and_recordings_listed_once():
    def recordings(*keys):
        return tuple(Recording(key, None, "s") for key in keys)

    references = (Reference("r", "s", recordings("a", "b")),)
    probes = (Probe("b", "s", recordings("b")), Probe("c", "s", recordings("c")))

    assert [r.key for r in Trials(references, probes).recordings()] == ["a", "b", "c"]
    assert Trials(references, probes).count() == 2
    assert Trials(references, probes, (np.array([1]),)).count() == 1


def test_recordings_with_metadata_can_be_kept_in_sets():
    recording = Recording("a", None, "s", source=[], metadata={"gender": "f"})

    assert recording in {Recording("a", None, "s")}


def test_importing_costs_nothing():
    code = (
        "import sys, bob.learn.pytorch.protocols.trials\n"
        "heavy = {'numpy', 'torch', 'scipy', 'bob.bio', 'bob.pipelines', 'soundfile'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )

    assert printed_by(code) == "[]"


def test_ids_that_stand_for_two_are_refused():
    def recordings(*keys):
        return tuple(Recording(key, None, "s") for key in keys)

    a, b = (Reference("m", "s", recordings(key)) for key in "ab")
    c, d = (Probe("p", "s", recordings(key)) for key in ("c", "defgh"))

    with pytest.raises(
        DatabaseError, match="reference id 'm' stands for two references: a of subj"
    ):
        Trials((a, b), (c,))
    with pytest.raises(DatabaseError, match="reference id 'm' stands for two"):
        Trials((a, a), (c,))
    with pytest.raises(DatabaseError, match="probe id 'p' stands for two probes"):
        Trials((a,), (c, d))
    assert Trials((a,), (c, c)).count() == 2


def test_a_class_in_place_of_an_object_is_refused():
    with pytest.raises(DatabaseError, match=r"call it with .*, FolderDatabase\(…\)"):
        as_database(FolderDatabase)
