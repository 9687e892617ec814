import os
import runpy
from pathlib import Path

import numpy as np
import pytest
from files import touch

from bob.learn.pytorch.metrics import Names
from bob.learn.pytorch.protocols.formats.bob_csv import write_csv_protocol
from bob.learn.pytorch.protocols.opening import as_database
from bob.learn.pytorch.protocols.trials import (
    DatabaseError,
    Probe,
    Recording,
    Reference,
    Trials,
    WithoutExtras,
)


@pytest.fixture
def speakers(tmp_path):
    """Four speakers with names that need care, two sessions each."""
    folder = tmp_path / "corpus"
    for speaker in ("Ann Lee", "bob,jr", 'c"d', "dan"):
        touch(folder, *(f"{speaker}/{m}/{i}.wav" for m in ("m1", "m2") for i in (1, 2)))
    return folder


@pytest.fixture
def trial_list(tmp_path):
    path = tmp_path / "vox" / "list.txt"
    touch(path.parent, "id1/x/1.wav")
    path.write_text(
        "1 id1/x/1.wav id1/y/1.wav\n0 id1/x/1.wav id2/x/1.wav\n"
        "1 id2/y/2.wav id2/x/1.wav\n1 id1/x/1.wav id1/y/1.wav\n"
    )
    return path


def in_full(side):
    recordings = tuple((x.key, x.path, x.subject) for x in side.recordings)
    return side.id, side.subject, recordings


def unfolded(database):
    """Every trial in full: group, reference and probe with their recordings."""
    found = []
    for group in database.groups():
        trials = database.trials(group)
        everything = range(len(trials.probes))
        for index, reference in enumerate(trials.references):
            for probe in everything if trials.pairs is None else trials.pairs[index]:
                probed = trials.probes[probe]
                sides = [reference, probed]
                found.append((group, *(in_full(side) for side in sides)))
    return sorted(found)


def test_a_folder_written_is_the_folder_read(speakers, tmp_path):
    database = as_database(speakers)

    root = write_csv_protocol(database, tmp_path / "out")

    again = as_database(root)
    assert unfolded(again) == unfolded(database)
    assert (again.protocol, again.groups()) == ("session", ("dev", "eval"))


def test_a_list_written_is_the_list_read_with_each_trial_once(trial_list, tmp_path):
    database = as_database(trial_list)

    again = as_database(write_csv_protocol(database, tmp_path / "out", protocol="vox"))

    assert len(unfolded(database)) == 4
    assert unfolded(again) == sorted(set(unfolded(database)))
    assert again.protocol == "vox"


# Bob calls what it has deprecated and leaves its CSV files open.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("source", ["speakers", "trial_list"])
def test_bob_reads_the_same_trials(source, tmp_path, request):
    pytest.importorskip("bob.bio.base.database")
    root = write_csv_protocol(
        as_database(request.getfixturevalue(source)), tmp_path / "out"
    )

    bobs = runpy.run_path(str(root / "bob_database.py"))["database"]

    assert unfolded(as_database(bobs)) == unfolded(as_database(root))
    assert sorted(bobs.groups()) == list(as_database(root).groups())
    sample = bobs.probes("dev")[0].samples[0]
    assert Path(sample.data) == unfolded(as_database(root))[0][-1][-1][0][1]


class Made(WithoutExtras):
    name = "made"
    protocol = None
    original_directory = None

    def __init__(self, **trials):
        self._trials = trials

    def groups(self):
        return tuple(self._trials)

    def trials(self, group):
        return self._trials[group]


def one(key, path="/x/{}.wav"):
    return Recording(key, path and Path(path.format(key)), "ann")


def trials(reference, enrolled, probed):
    probe = Probe(probed.key, "ann", (probed,))
    return Trials((Reference(reference, "ann", (enrolled,)),), (probe,))


class Described(Made):
    def trial_metadata(self, group):
        return {"match": Names.of(["yes", "no", "yes"])}


@pytest.fixture
def described():
    """Two references and two probes, with metadata of recordings and of trials."""
    items = [
        Recording(name, Path(f"/x/{name}.wav"), name[0], metadata=metadata)
        for name, metadata in (
            ("a1", {"gender": "f"}), ("b1", {"gender": "m", "age": "30"}),
            ("a2", {}), ("b2", {"gender": "m"}),
        )
    ]  # fmt: skip
    made = Trials(
        tuple(Reference(f"m-{item.key}", item.subject, (item,)) for item in items[:2]),
        tuple(Probe(item.key, item.subject, (item,)) for item in items[2:]),
        (np.array([1, 0, 1]), np.array([], dtype=np.int64)),
    )
    return Described(dev=made)


def test_metadata_of_recordings_and_trials_are_columns(described, tmp_path):
    root = write_csv_protocol(described, tmp_path / "out")

    assert (root / "default/dev/for_enrolling.csv").read_text() == (
        "path,key,subject_id,template_id,gender,age\n"
        "a1.wav,a1,a,m-a1,f,\nb1.wav,b1,b,m-b1,m,30\n"
    )
    again = as_database(root)
    known = again.trials("dev").references[1].recordings[0].metadata
    assert known == {"gender": "m", "age": "30"}
    # A trial that comes twice is written once.
    assert again.trial_metadata("dev")["match"].tolist() == ["yes", "no"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_bob_has_the_metadata_of_templates(described, tmp_path):
    pytest.importorskip("bob.bio.base.database")
    root = write_csv_protocol(described, tmp_path / "out")

    bobs = runpy.run_path(str(root / "bob_database.py"))["database"]

    assert [(item.gender, item.age) for item in bobs.references("dev")] == [
        ("f", ""), ("m", "30"),
    ]  # fmt: skip


def test_metadata_called_like_a_column_of_its_own_cannot_be_written(tmp_path):
    item = Recording("a", Path("/x/a.wav"), "ann", metadata={"group": "1"})

    with pytest.raises(DatabaseError, match="metadata called group, as a CSV protocol"):
        write_csv_protocol(Made(dev=trials("m", item, one("b"))), tmp_path / "out")


def test_groups_never_share_a_reference(tmp_path):
    """Bob keeps templates by id alone: eval would be scored with those of dev."""
    database = Made(
        dev=trials("m", one("a"), one("b")), eval=trials("m", one("c"), one("d"))
    )

    again = as_database(write_csv_protocol(database, tmp_path / "out"))

    ids = [again.trials(group).references[0].id for group in ("dev", "eval")]
    assert ids == ["dev-m", "eval-m"]
    assert again.protocol == "default"


def test_an_earlier_list_of_pairs_does_not_outlive_its_protocol(
    trial_list, speakers, tmp_path
):
    write_csv_protocol(as_database(trial_list), tmp_path / "out", protocol="p")

    root = write_csv_protocol(as_database(speakers), tmp_path / "out", protocol="p")

    assert as_database(root).trials("dev").pairs is None


def test_recordings_without_a_path_cannot_be_written(tmp_path):
    database = Made(dev=trials("m", one("a", path=None), one("b")))

    with pytest.raises(DatabaseError, match="'a' has no path"):
        write_csv_protocol(database, tmp_path / "out")


def test_one_key_for_two_recordings_cannot_be_written(tmp_path):
    database = Made(dev=trials("m", one("a"), one("a", path="/y/{}.wav")))

    with pytest.raises(DatabaseError, match=r"'a' is both /x/a.wav and /y/a.wav"):
        write_csv_protocol(database, tmp_path / "out")


def test_one_key_for_a_recording_in_each_group_cannot_be_written(tmp_path):
    other = one("a", path="/y/{}.wav")
    database = Made(
        dev=trials("m", one("a"), one("b")), eval=trials("n", other, one("c"))
    )

    with pytest.raises(DatabaseError, match=r"'a' is both /y/a.wav and /x/a.wav"):
        write_csv_protocol(database, tmp_path / "out")


def test_an_empty_database_cannot_be_written(tmp_path):
    with pytest.raises(DatabaseError, match="nothing to write"):
        write_csv_protocol(Made(), tmp_path / "out")


def test_training_recordings_are_written(tmp_path):
    database = Made(dev=trials("m", one("a"), one("b")))
    database.training = lambda: (one("c"),)

    again = as_database(write_csv_protocol(database, tmp_path / "out"))

    assert [recording.key for recording in again.training()] == ["c"]


def test_nothing_temporary_is_left(speakers, tmp_path):
    root = write_csv_protocol(as_database(speakers), tmp_path / "out")

    assert sorted(str(p.relative_to(root)) for p in root.rglob("*") if p.is_file()) == [
        "bob_database.py",
        "session/dev/for_enrolling.csv",
        "session/dev/for_probing.csv",
        "session/dev/protocol.json",
        "session/eval/for_enrolling.csv",
        "session/eval/for_probing.csv",
        "session/eval/protocol.json",
    ]


def test_file_names_that_are_not_utf_8_are_written_and_read(tmp_path):
    speaker = os.fsdecode(b"n\xe9")
    touch(tmp_path / "corpus", *(f"{speaker}/\udcff{take}.wav" for take in (1, 2)))
    database = as_database(tmp_path / "corpus")

    again = as_database(write_csv_protocol(database, tmp_path / "out"))

    assert unfolded(again) == unfolded(database)
    reference = again.trials("dev").references[0]
    assert (reference.id, reference.recordings[0].key) == ("n%E9", "n%E9/%FF1")
    assert reference.recordings[0].path.is_file()


def test_a_probe_that_is_there_twice_is_written_once(tmp_path):
    made = trials("m", one("a"), one("b"))
    twice = Trials(made.references, made.probes * 2)

    again = as_database(write_csv_protocol(Made(dev=twice), tmp_path / "out"))

    assert len(again.trials("dev").probes[0].recordings) == 1
