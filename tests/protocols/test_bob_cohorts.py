"""The z- and t-norm lists of Bob's databases, as Bob itself reads them."""

import pytest
from files import write

from bob.learn.pytorch.protocols.cohorts import own_cohort
from bob.learn.pytorch.protocols.opening import as_database

base = pytest.importorskip("bob.bio.base.database")

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


FILE_LISTS = {
    "norm/train_world.lst": "w/1 w\n",
    "dev/for_models.lst": "a/1 A ann\n",
    "dev/for_probes.lst": "a/3 ann\n",
}


def brief(members):
    return [
        (item.id, item.subject, [recording.key for recording in item.recordings])
        for item in members
    ]


def test_file_lists_for_tnorm_and_znorm(tmp_path):
    lists = {
        "dev/for_tnorm.lst": "t/1 T tom\nt/2 T tom\nu/1 U una\n",
        "dev/for_znorm.lst": "z/1 zoe\n",
    }
    folder = write(tmp_path, FILE_LISTS | lists)
    database = as_database(base.FileListBioDatabase(str(folder), "mine"))

    references, probes = own_cohort(database, "dev")

    assert brief(references) == [
        ("T", "tom", ["t/1", "t/2"]),
        ("U", "una", ["u/1"]),
    ]
    assert brief(probes) == [("z/1", "zoe", ["z/1"])]


def test_file_lists_without_them_have_no_cohort(tmp_path):
    database = as_database(
        base.FileListBioDatabase(str(write(tmp_path, FILE_LISTS)), "mine")
    )

    assert own_cohort(database, "dev") == ((), ())
    assert [item.key for item in database.training()] == ["w/1"]


@pytest.fixture
def csv_database(tmp_path, lists_are_closed):
    """`csv_database(files)`: Bob's own, of some more lists."""

    def make(files):
        heading = "path,subject_id,template_id\n"
        lists = {
            "p/dev/for_enrolling.csv": "a/1,ann,ann\n",
            "p/dev/for_probing.csv": "a/2,ann,ann-2\n",
        }
        everything = {name: heading + text for name, text in (lists | files).items()}
        return as_database(
            base.CSVDatabase(
                name="csv",
                dataset_protocols_path=str(write(tmp_path, everything)),
                protocol="p",
            )
        )

    return make


def test_csv_for_tnorm_and_znorm(csv_database):
    database = csv_database(
        {
            "p/train/for_tnorm.csv": "t/1,tom,tom\nt/2,tom,tom\n",
            "p/train/for_znorm.csv": "z/1,zoe,zoe-1\n",
        }
    )

    references, probes = own_cohort(database, "dev")

    assert brief(references) == [("tom", "tom", ["t/1", "t/2"])]
    assert [(item.subject, item.recordings[0].key) for item in probes] == [
        ("zoe", "z/1")
    ]


def test_csv_without_them_has_no_cohort(csv_database):
    assert own_cohort(csv_database({}), "dev") == ((), ())
