"""Against the databases that bob.bio.base 8 ships, and objects that look like them."""

import fileinput
import functools
import gc
from pathlib import Path
from types import SimpleNamespace

import pytest
from files import write as write_files

from bob.learn.pytorch.protocols.opening import as_database
from bob.learn.pytorch.protocols.trials import DatabaseError

base = pytest.importorskip("bob.bio.base.database")
pipelines = pytest.importorskip("bob.pipelines")

# Bob's own databases call what Bob has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def lists(tmp_path):
    """File lists with dev (two models) and eval (one), and training files."""

    def write(**probing):
        files = {
            "norm/train_world.lst": "w/1 w\nw/2 w\n",
            "dev/for_models.lst": "a/1 A ann\na/2 A ann\nb/1 B bob\n",
            "eval/for_models.lst": "c/1 A cid\n",
        }
        for group in ("dev", "eval"):
            files |= {
                f"{group}/{name}.lst": text[group] for name, text in probing.items()
            }
        write_files(tmp_path, files)
        return base.FileListBioDatabase(
            str(tmp_path), "mine", original_directory="/data", original_extension=".wav"
        )

    return write


DENSE = {"dev": "a/3 ann\nb/2 bob\n", "eval": "c/2 cid\n"}
SPARSE = {
    "dev": "a/3 A ann ann\nb/2 A ann bob\nb/2 B bob bob\n",
    "eval": "c/2 A cid cid\n",
}


def test_file_lists_with_all_against_all(lists):
    database = as_database(lists(for_probes=DENSE))

    dev, eval_ = database.trials("dev"), database.trials("eval")
    assert database.groups() == ("dev", "eval")
    assert [
        (r.id, r.subject, [f.key for f in r.recordings]) for r in dev.references
    ] == [
        ("A", "ann", ["a/1", "a/2"]),
        ("B", "bob", ["b/1"]),
    ]
    assert [(p.id, p.subject) for p in dev.probes] == [("a/3", "ann"), ("b/2", "bob")]
    assert dev.pairs is None
    assert (eval_.references[0].subject, eval_.count()) == ("cid", 1)
    assert dev.probes[0].recordings[0].path == Path("/data/a/3.wav")
    assert not dev.probes[0].recordings[0].own_loader


def test_file_lists_of_scores(lists):
    trials = as_database(lists(for_scores=SPARSE)).trials("dev")

    assert [probe.id for probe in trials.probes] == ["a/3", "b/2"]
    assert [listed.tolist() for listed in trials.pairs] == [[0, 1], [1]]
    assert [probe.subject for probe in trials.probes] == ["ann", "bob"]


def test_file_lists_of_both_kinds_say_which_to_take(lists):
    with pytest.raises(
        DatabaseError, match="or the argument use_dense_probe_file_list"
    ):
        as_database(lists(for_scores=SPARSE, for_probes=DENSE)).trials("dev")


def test_training_files_and_annotations(lists):
    database = as_database(lists(for_probes=DENSE))

    recording = database.trials("dev").probes[0].recordings[0]
    assert [item.key for item in database.training()] == ["w/1", "w/2"]
    assert database.annotations(recording) is None


def test_a_protocol_is_passed_on(lists):
    database = as_database(lists(for_probes=DENSE), protocol="other")

    assert database.protocol == "other"
    assert database.groups() == ()
    with pytest.raises(
        DatabaseError,
        match=r"'dev'; it has none \(protocol 'other', .* in /.*/other, which does not",
    ):
        database.trials("dev")


def test_the_folder_of_recordings_can_be_replaced(lists):
    database = as_database(lists(for_probes=DENSE))

    database.original_directory = "/elsewhere"

    probe = database.trials("dev").probes[0]
    assert probe.recordings[0].path == Path("/elsewhere/a/3.wav")
    assert database.wrapped.original_directory == "/elsewhere"


def test_a_group_that_is_not_there_is_named(lists):
    with pytest.raises(
        DatabaseError, match="mine has no group 'test'; it has dev, eval"
    ):
        as_database(lists(for_probes=DENSE)).trials("test")


def test_the_first_suffix_that_exists_is_taken(lists, tmp_path):
    legacy = lists(for_probes=DENSE)
    legacy.original_directory, legacy.original_extension = (
        str(tmp_path),
        [".wav", ".flac"],
    )
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "3.flac").touch()

    probes = as_database(legacy).trials("dev").probes

    assert probes[0].recordings[0].path == tmp_path / "a/3.flac"
    assert probes[1].recordings[0].path == tmp_path / "b/2.wav"


class OwnFile(base.BioFile):
    def load(self, original_directory=None, original_extension=None):
        return 16000, [0.0]


def test_files_that_load_themselves_are_known(lists):
    legacy = lists(for_probes=DENSE)
    legacy.bio_file_class = OwnFile

    recording = as_database(legacy).trials("dev").probes[0].recordings[0]

    assert recording.own_loader
    assert isinstance(recording.source, OwnFile)


class OldDatabase:
    """The interface of the old days, without Bob: numbers as ids, sets of probes."""

    name = "old"
    protocol = None
    original_directory = "/old"
    original_extension = ".sph"

    def model_ids_with_protocol(self, groups, protocol):
        assert protocol is None
        return {"dev": [10, 9], "eval": [11]}[groups]

    def enroll_files(self, model_id, group):
        assert group in ("dev", "eval")
        return [SimpleNamespace(path=f"e/{model_id}", client_id=model_id, id=model_id)]

    def uses_probe_file_sets(self):
        return True

    def probe_files(self, model_id, group):
        raise AssertionError

    def probe_file_sets(self, model_id, group):
        files = [SimpleNamespace(path=f"p/{n}", client_id=9, id=n) for n in (1, 2)]
        sets = [
            SimpleNamespace(path="p/1+p/2", client_id=9, id=100, files=files),
            SimpleNamespace(path="p/1", client_id=9, id=101, files=files[:1]),
        ]
        return sets if model_id == 9 else sets[:1]


def test_objects_of_the_old_interface_need_not_be_bobs():
    database = as_database(OldDatabase())

    trials = database.trials("dev")
    assert database.groups() == ("dev", "eval")
    assert [reference.id for reference in trials.references] == ["9", "10"]
    assert [probe.id for probe in trials.probes] == ["p/1+p/2", "p/1"]
    assert [r.key for r in trials.probes[0].recordings] == ["p/1", "p/2"]
    assert [listed.tolist() for listed in trials.pairs] == [[0, 1], [0]]
    assert trials.probes[1].recordings[0].path == Path("/old/p/1.sph")
    assert database.training() == ()


def never(path):
    raise AssertionError(f"{path} was decoded")


def sample_set(template, subject, samples, **more):
    return pipelines.SampleSet(
        samples, template_id=template, subject_id=subject, **more
    )


def delayed(loader, *arguments, key="k", **more):
    load = functools.partial(loader, *arguments)
    return pipelines.DelayedSample(load, key=key, subject_id="ann", **more)


class TodaysDatabase:
    name = "today"
    protocol = "p"

    def __init__(self, sample, references=("t1",)):
        self._sample, self._references = sample, references

    def references(self, group):
        return [sample_set("t1", "ann", [self._sample])]

    def probes(self, group):
        found = list(self._references)
        return [sample_set("p1", "ann", [self._sample], references=found)]


def recording_of(sample):
    return as_database(TodaysDatabase(sample)).trials("dev").probes[0].recordings[0]


def test_the_path_of_a_sample_is_found_without_decoding(monkeypatch):
    monkeypatch.setattr(never, "__module__", "bob.bio.spear.database")

    recording = recording_of(delayed(never, "/data/./a.wav", gender="f", session=2))

    assert (recording.path, recording.own_loader) == (Path("/data/a.wav"), False)
    assert recording.metadata == {"gender": "f", "session": "2"}


def test_a_path_in_the_sample_is_taken(tmp_path):
    sample = pipelines.Sample("/data/a.wav", key="k", subject_id="ann")

    assert recording_of(sample).path == Path("/data/a.wav")


def test_a_loader_of_the_users_own_is_left_to_the_sample(tmp_path):
    (tmp_path / "a.wav").touch()
    partial = recording_of(delayed(never, "/data/a.wav"))
    closure = recording_of(
        pipelines.DelayedSample(
            lambda: never("a"), key="k", path=str(tmp_path / "a.wav")
        )
    )
    unknown = recording_of(
        pipelines.DelayedSample(lambda: never("a"), key="k", path="a")
    )
    array = recording_of(pipelines.Sample([0.0], key="k", rate=8000))

    assert (partial.path, partial.own_loader) == (Path("/data/a.wav"), True)
    assert (closure.path, closure.own_loader) == (tmp_path / "a.wav", True)
    assert (unknown.path, unknown.own_loader) == (None, True)
    assert (array.path, array.own_loader, array.subject) == (None, True, "ann")


def test_delayed_attributes_are_not_loaded():
    sample = pipelines.DelayedSample(
        functools.partial(str, "/a.wav"),
        key="k",
        delayed_attributes={"rate": lambda: never("a")},
    )

    assert recording_of(sample).metadata == {}


def test_annotations_come_from_the_sample():
    sample = delayed(str, "/a.wav", annotations={"speech": [0, 1]})
    database = as_database(TodaysDatabase(sample))

    recording = database.trials("dev").probes[0].recordings[0]

    assert database.annotations(recording) == {"speech": [0, 1]}


def test_a_probe_for_an_unknown_reference_is_refused():
    database = as_database(TodaysDatabase(delayed(str, "/a.wav"), references=("t2",)))

    with pytest.raises(
        DatabaseError, match="probe p1 is to be compared with 't2', which"
    ):
        database.trials("dev")


def test_listed_references_of_all_against_all_are_no_list():
    database = as_database(TodaysDatabase(delayed(str, "/a.wav")))

    assert database.trials("dev").pairs is None
    assert database.groups() == ("dev", "eval")
    assert database.training() == ()
    assert (database.original_directory, database.original_extension) == (None, None)


def test_a_protocol_that_is_not_there_is_refused(tmp_path):
    (tmp_path / "only" / "dev").mkdir(parents=True)
    database = base.CSVDatabase(
        name="x", protocol="only", dataset_protocols_path=tmp_path
    )

    with pytest.raises(DatabaseError, match="database x has no protocol 'other'"):
        as_database(database, protocol="other")


def test_anything_else_is_refused():
    with pytest.raises(
        DatabaseError, match=r"int object 3 is not a database: expected"
    ):
        as_database(3)


def csv_database(folder, enrolling, probing):
    (folder / "p" / "dev").mkdir(parents=True)
    (folder / "p" / "dev" / "for_enrolling.csv").write_text(enrolling)
    (folder / "p" / "dev" / "for_probing.csv").write_text(probing)
    loader = base.FileSampleLoader(data_loader=str, dataset_original_directory="/x")
    return base.CSVDatabase(
        name="mine", protocol="p", dataset_protocols_path=folder, transformer=loader
    )


ROWS = "path,subject_id,template_id\na.wav,a,t1\n"


# Bob leaves its CSV files open.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    ("enrolling", "message"),
    [
        ("\ufeff" + ROWS, r"references\(\) with ValueError: .*<byte order mark>path"),
        (ROWS.replace(",", ";"), "CSVDatabase mine stops in references.* commas betw"),
        ("path,subject_id\na.wav,a\n", "stops in references.*AttributeError: .*templ"),
        (ROWS.split("\n")[0], "protocol p of mine has no trials in group dev: found 0"),
        (ROWS + "b.wav,b,t 1\nc.wav,c,t%201\n", "reference id 't%201' stands for two"),
        (ROWS + "b.wav,b 1,t2\nc.wav,b%201,t3\n", "subjects 'b 1' and 'b%201' are bo"),
    ],
)
def test_what_bobs_csv_database_trips_over_is_said(tmp_path, enrolling, message):
    database = as_database(csv_database(tmp_path, enrolling, ROWS.replace("t1", "p1")))

    with pytest.raises(DatabaseError, match=message):
        database.trials("dev")
    del database
    gc.collect()  # the open files are complained about here, not in another test


def test_what_bobs_file_lists_trip_over_is_said(lists, tmp_path):
    database = as_database(lists(for_probes=DENSE))
    (tmp_path / "dev" / "for_models.lst").write_text("a/1\n")

    with pytest.raises(DatabaseError, match="FileListBioDatabase mine stops in model_"):
        database.trials("dev")
    fileinput.close()  # Bob leaves it open


def test_groups_of_file_lists_without_trials_are_refused(lists):
    database = as_database(lists(for_probes={**DENSE, "dev": ""}))

    with pytest.raises(
        DatabaseError, match="no trials in group dev: found 2 references and 0 probes"
    ):
        database.trials("dev")


def test_a_reference_without_files_is_refused():
    class Empty(OldDatabase):
        def enroll_files(self, model_id, group):
            return []

    with pytest.raises(DatabaseError, match="database old has no files to enrol 9 of"):
        as_database(Empty()).trials("dev")
