import pytest
from files import write

from bob.learn.pytorch.protocols.cohorts import read_cohort, speakers_in_both
from bob.learn.pytorch.protocols.formats.bob_csv import write_csv_protocol
from bob.learn.pytorch.protocols.opening import as_database
from bob.learn.pytorch.protocols.trials import DatabaseError


@pytest.fixture
def protocol(tmp_path):
    """A CSV protocol of Bob with cohorts."""
    files = {
        "dev/for_enrolling.csv": "path,subject_id,template_id\na/1.wav,ann,ann\n",
        "dev/for_probing.csv": "path,subject_id,template_id\na/2.wav,ann,p1\n",
        "train/for_background_model.csv": "path,subject_id\nw/1.wav,wim\n",
        "train/for_znorm.csv": "path,subject_id,template_id\nz/1.wav,zoe,z1\n",
        "train/for_tnorm.csv": "path,subject_id,template_id\n"
        "t/1.wav,tom,t1\nt/2.wav,tom,t1\n",
    }
    return write(tmp_path / "protocols" / "main", files).parent


def test_cohorts_of_a_bob_protocol(protocol):
    database = as_database(protocol)

    assert [item.id for item in database.z_cohort()] == ["z/1.wav"]
    (reference,) = database.t_cohort()
    assert (reference.id, len(reference.recordings)) == ("t1", 2)


def test_cohorts_are_written_again(protocol, tmp_path):
    database = as_database(protocol)

    write_csv_protocol(database, tmp_path / "copy")

    copy = as_database(tmp_path / "copy")
    assert copy.t_cohort() == database.t_cohort()
    assert copy.z_cohort() == database.z_cohort()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_bob_reads_the_cohorts_that_are_written(protocol, tmp_path):
    write_csv_protocol(as_database(protocol), tmp_path / "copy")
    database = pytest.importorskip("bob.bio.base.database").CSVDatabase(
        name="copy", protocol="main", dataset_protocols_path=str(tmp_path / "copy")
    )

    (reference,) = database.treferences()
    assert (reference.template_id, len(reference.samples)) == ("t1", 2)
    assert [probe.subject_id for probe in database.zprobes()] == ["zoe"]


def test_a_cohort_is_what_a_protocol_says_or_else_its_training_set(protocol):
    keys = [item.key for item in read_cohort(protocol)]
    assert keys == ["z/1.wav", "t/1.wav", "t/2.wav"]

    for name in ("z", "t"):
        (protocol / f"main/train/for_{name}norm.csv").unlink()

    assert [item.subject for item in read_cohort(protocol)] == ["wim"]


def test_a_cohort_from_a_folder_of_speakers(tmp_path):
    for speaker in ("1", "2"):
        (tmp_path / speaker).mkdir()
        (tmp_path / speaker / "x.wav").touch()

    cohort = read_cohort(str(tmp_path))

    assert [(item.key, item.subject) for item in cohort] == [("1/x", "1"), ("2/x", "2")]


def test_a_cohort_from_a_table_and_a_list(tmp_path, protocol):
    (tmp_path / "c.csv").write_text(
        "path,subject_id\na.wav,ann\nb.wav,bob\na.wav,ann\n"
    )
    (tmp_path / "list").write_text("1 x/1.wav x/2.wav\n0 x/1.wav y/1.wav\n")

    cohort = read_cohort(tmp_path / "c.csv")

    assert [(str(item.path), item.subject) for item in cohort] == [
        (str(tmp_path / "a.wav"), "ann"),
        (str(tmp_path / "b.wav"), "bob"),
    ]
    assert speakers_in_both(cohort, as_database(protocol)) == ("ann",)
    assert len(read_cohort(tmp_path / "list")) == 3


def test_a_cohort_of_nobody_is_refused(tmp_path):
    (tmp_path / "c.csv").write_text("path,subject_id\n")

    with pytest.raises(DatabaseError, match="has no recordings for a cohort"):
        read_cohort(tmp_path / "c.csv")
