"""Files for `bob bio pipeline simple`: where it looks, as it reads, and never stale."""

import functools
import os
from pathlib import Path

import h5py
import numpy as np
import pytest
import soundfile

from bob.learn.pytorch.audio import UnreadableRecording
from bob.learn.pytorch.experiment.checkpoints import (
    CheckpointError,
    failures_of,
    fill,
    named_database,
    plan,
)
from bob.learn.pytorch.experiment.configuration import ConfigurationError
from bob.learn.pytorch.experiment.fingerprint import of_step
from bob.learn.pytorch.inference.batching import Result
from bob.learn.pytorch.parallel.sharing import Workers
from bob.learn.pytorch.protocols.formats.bob_csv import write_csv_protocol
from bob.learn.pytorch.protocols.opening import as_database
from bob.learn.pytorch.protocols.trials import DatabaseError
from bob.learn.pytorch.store import arrays
from bob.learn.pytorch.store.store import EmbeddingStore, Record

STEP = "parts"


class Parts:
    """An embedding of four numbers, each the loudness of a part of the recording."""

    def __init__(self, scale=1.0):
        self.scale = scale

    def prepare(self, *, progress=True):
        pass

    def fingerprint(self):
        return {"extractor": "Parts", "scale": str(self.scale)}

    def embed_many(self, recordings, /, *, workers=1):
        return (self.result(key, path) for key, path in recordings)

    def result(self, key, path):
        try:
            return Result(key, self.embed(path), seconds=1.0, sample_rate=8000)
        except soundfile.LibsndfileError:
            error = UnreadableRecording("is not audio", recording=path)
            return Result(key, None, error)

    def embed(self, path):
        parts = np.array_split(soundfile.read(path)[0], 4)
        return np.float32([self.scale * part.std() for part in parts])


pytestmark = pytest.mark.usefixtures("bob_is_loaded")


@pytest.fixture
def recordings(tmp_path):
    """Four speakers with three recordings each, by formula."""
    random = np.random.default_rng(0)
    for speaker in ("ann", "bob", "cid", "dan"):
        (tmp_path / "recordings" / speaker).mkdir(parents=True)
        for take in range(3):
            path = tmp_path / "recordings" / speaker / f"{take}.wav"
            soundfile.write(path, 0.1 * random.standard_normal(800), 8000)
    return tmp_path / "recordings"


@pytest.fixture
def database(recordings, tmp_path):
    """Bob's own CSVDatabase of the recordings."""
    root = write_csv_protocol(as_database(recordings), tmp_path / "csv")
    return named_database(str(root / "bob_database.py"))


@pytest.fixture
def filled(database, tmp_path):
    """`filled()`: the plan, and what was done."""

    def run(*, scale=1.0, store="parts.h5", given=database):
        planned = plan(given, tmp_path / "results", step=STEP)
        workers = Workers()
        done = fill(planned, Parts(scale), store=tmp_path / store, workers=workers)
        return planned, done

    return run


def samples_of(database):
    """Every sample of Bob's database."""
    bobs = database.wrapped
    return [
        sample
        for group in ("dev", "eval")
        for of_set in (*bobs.references(group=group), *bobs.probes(group=group))
        for sample in of_set.samples
    ]


def states(planned):
    """When each file was written, and its number, which a replacement changes."""
    found = {}
    for item in planned.checkpoints.values():
        status = item.file.stat()
        found[item.file] = (status.st_mtime_ns, status.st_ino)
    return found


def test_files_from_before_recordings_had_hashes_stay_and_references_too(
    filled, tmp_path
):
    planned, _ = filled()
    store = tmp_path / "parts.h5"
    before = EmbeddingStore.read(store)
    store.unlink()
    with EmbeddingStore.open(store, fingerprint=Parts().fingerprint()) as old:
        for row, name in enumerate(before.names):
            item = planned.checkpoints[name]
            status = Path(item.path).stat()
            source = f"{status.st_size} {status.st_mtime_ns}"
            old.append([Record(name, before.embeddings[row], source=source)])
            arrays.write(before.embeddings[row], item.file)
            with h5py.File(item.file, "r+") as file:
                file.attrs["bob.learn.pytorch.fingerprint"] = of_step(
                    Parts().fingerprint(), source
                )
    reference = planned.output / "biometric_references" / f"ann.{STEP}.h5"
    reference.parent.mkdir(parents=True)
    reference.touch()

    for _ in range(2):
        _, done = filled()
        assert (done.run.computed, done.written) == (0, 0)
    assert reference.exists()


def test_a_damaged_file_is_written_again(filled):
    planned, _ = filled()
    path = next(iter(planned.checkpoints.values())).file
    content = bytearray(path.read_bytes())
    content[content.index(arrays.read(path).tobytes())] ^= 1
    path.write_bytes(content)

    _, done = filled()

    assert (done.run.computed, done.written) == (0, 1)


@pytest.mark.parametrize("hash_fn", [None, lambda key: f"{len(key)}/x"])
def test_bob_itself_finds_every_file_and_reads_what_was_computed(
    database, filled, hash_fn
):
    from bob.bio.base.algorithm import Distance
    from bob.bio.base.pipelines import (
        CSVScoreWriter,
        PipelineSimple,
        checkpoint_pipeline_simple,
    )
    from bob.pipelines import wrap
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import FunctionTransformer

    if hash_fn is not None:
        database.wrapped.hash_fn = hash_fn
    planned, done = filled()
    step = wrap(["sample"], FunctionTransformer())
    writer = CSVScoreWriter("results/tmp")
    simple = PipelineSimple(Pipeline([(STEP, step)]), Distance(), writer)
    bobs = checkpoint_pipeline_simple(simple, str(planned.output), hash_fn=hash_fn)
    wrapper = bobs.transformer.steps[0][1]

    samples = samples_of(database)

    assert done.written == len(samples) == 12
    for sample in samples:
        loaded = wrapper.load_func(wrapper.make_path(sample))
        assert loaded.dtype == np.float64
        np.testing.assert_array_equal(loaded, Parts().embed(sample.data))


def test_files_that_are_right_stay(filled):
    planned, first = filled()
    before = states(planned)

    _, again = filled()

    assert (first.run.computed, first.written) == (12, 12)
    assert (again.run.computed, again.run.reused, again.written) == (0, 12, 0)
    assert states(planned) == before


def empty(file):
    file.write_bytes(b"")


def cut_off(file):
    file.write_bytes(file.read_bytes()[:700])


def of_another_model_by_bob(file):
    arrays.write(np.ones(4), file)


@pytest.mark.parametrize("spoil", [empty, cut_off, of_another_model_by_bob, os.unlink])
def test_a_file_that_is_not_right_is_made_anew_and_no_other(filled, spoil):
    planned, _ = filled()
    spoilt = planned.checkpoints["cid/1"].file
    before = states(planned)
    spoil(spoilt)

    _, done = filled()

    assert (done.run.computed, done.written) == (0, 1)
    expected = Parts().embed(planned.checkpoints["cid/1"].path)
    np.testing.assert_array_equal(arrays.read(spoilt), expected)
    after = states(planned)
    assert {file for file in after if after[file] != before[file]} == {spoilt}


def test_a_recording_that_changed_is_embedded_anew_and_no_other(filled, recordings):
    planned, _ = filled()
    soundfile.write(recordings / "bob" / "2.wav", np.linspace(0, 0.5, 900), 8000)

    _, done = filled()

    assert (done.run.computed, done.written) == (1, 1)
    expected = Parts().embed(recordings / "bob" / "2.wav")
    stored = arrays.read(planned.checkpoints["bob/2"].file)
    np.testing.assert_array_equal(stored, expected)


def test_other_weights_replace_every_file(filled):
    planned, _ = filled()

    _, done = filled(scale=2.0, store="other.h5")

    assert done.written == 12
    item = planned.checkpoints["ann/0"]
    np.testing.assert_array_equal(arrays.read(item.file), Parts(2.0).embed(item.path))


def test_references_enrolled_from_files_of_before_are_removed(filled):
    """Bob would score with them; those of another model stay."""
    planned, _ = filled()
    folder = planned.output / "biometric_references"
    for name in (f"template_ann.{STEP}.h5", "template_ann.other.h5"):
        arrays.write(np.ones(4), folder / name)
    _, unchanged = filled()
    planned.checkpoints["ann/0"].file.unlink()

    _, done = filled()

    assert unchanged.references_removed == 0
    assert done.references_removed == 1
    assert [file.name for file in folder.iterdir()] == ["template_ann.other.h5"]


def test_a_recording_that_cannot_be_used_leaves_no_file(filled, recordings):
    planned, _ = filled()
    (recordings / "dan" / "1.wav").write_bytes(b"no sound")

    _, done = filled()

    path = recordings / "dan" / "1.wav"
    assert failures_of(planned, done) == {"dan/1": f"{path}: is not audio"}
    assert done.removed == (planned.checkpoints["dan/1"].file,)
    assert not done.removed[0].exists()
    assert done.written == 0


def test_recordings_that_are_gone_keep_their_embeddings(filled, recordings):
    planned, _ = filled()
    recordings.rename(recordings.with_name("elsewhere"))
    planned.checkpoints["ann/0"].file.unlink()

    _, done = filled()

    assert (done.run.failures, done.written) == ({}, 1)


@pytest.mark.parametrize("key", ["/data/a", "../a", "a/../b", "a..b"])
def test_a_key_that_bob_refuses_is_refused_with_the_reason(database, key, tmp_path):
    from bob.pipelines import CheckpointWrapper, wrap
    from sklearn.preprocessing import FunctionTransformer

    sample = samples_of(database)[0]
    sample.key = key
    (reference, *_) = database.wrapped.references(group="dev")
    reference.samples[0].key = key
    database.wrapped.references = lambda group: [reference]
    wrapper = wrap(["sample", "checkpoint"], FunctionTransformer(), features_dir="x")
    assert isinstance(wrapper, CheckpointWrapper)

    with pytest.raises(CheckpointError, match=r"refuses the key .* relative keys"):
        plan(database, tmp_path, step=STEP)
    with pytest.raises(ValueError, match="relative paths"):
        wrapper.make_path(sample)


def test_blanks_in_keys_of_bobs_stay_in_the_names_of_files(database, tmp_path):
    (reference, *_) = database.wrapped.references(group="dev")
    reference.samples[0].key = "Ann Lee/0"
    database.wrapped.references = lambda group: [reference]

    planned = plan(database, tmp_path, step=STEP, groups=["dev"])

    file = planned.checkpoints["Ann%20Lee/0"].file
    assert file == tmp_path / STEP / "Ann Lee/0.h5"


def test_a_key_of_two_recordings_in_two_groups_is_refused(tmp_path):
    rows = ["path,key,subject_id,purpose,group"]
    for group in ("dev", "eval"):
        rows += [f"{group}1.wav,{group}1,ann,enrol,{group}"]
        rows += [f"{group}2.wav,same,ann,probe,{group}"]
    (tmp_path / "list.csv").write_text("\n".join(rows) + "\n")
    listed = named_database(str(tmp_path / "list.csv"))

    with pytest.raises(CheckpointError, match=r"'same' is of .*dev2.* of .*eval2"):
        plan(listed, tmp_path, step=STEP)

    assert len(plan(listed, tmp_path, step=STEP, groups=["dev"]).checkpoints) == 2


def test_what_only_the_database_can_load_is_left_to_bob(database, tmp_path):
    from bob.pipelines import DelayedSample

    (reference, *_) = database.wrapped.references(group="dev")
    first = reference.samples[0]
    load = functools.partial(lambda path: soundfile.read(path)[0] / 2, first.data)
    reference.samples[0] = DelayedSample(load, key="halved", subject_id="ann")
    database.wrapped.references = lambda group: [reference]

    planned = plan(database, tmp_path, step=STEP, groups=["dev"])

    assert planned.left_to_bob == ("halved",)
    assert not any("halved" in name for name in planned.checkpoints)


def test_a_folder_that_cannot_be_written_is_said_and_embeddings_are_kept(
    filled, tmp_path
):
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / STEP).write_text("a file where a folder should be")

    with pytest.raises(CheckpointError, match=r"All embeddings are in .*parts\.h5"):
        filled()

    (tmp_path / "results" / STEP).unlink()
    _, done = filled()
    assert (done.run.computed, done.written) == (0, 12)


def test_a_database_is_named_as_bob_or_as_verify_take_it(
    database, recordings, tmp_path, monkeypatch
):
    """By file (see `database`), by module, or by the path of recordings."""
    monkeypatch.syspath_prepend(tmp_path / "csv")
    keys = {
        frozenset(plan(named, tmp_path, step=STEP).checkpoints)
        for named in (
            database,
            named_database("bob_database"),
            named_database(str(tmp_path / "csv")),
            named_database(str(recordings)),
        )
    }

    assert len(keys) == 1


def test_a_database_that_is_none_is_refused(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "without_any.py").write_text("data = 1\n")

    with pytest.raises(ConfigurationError, match="without_any defines no variable"):
        named_database("without_any")
    with pytest.raises(ConfigurationError, match="nor an entry point of group bob"):
        named_database("no_such_thing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatabaseError, match="empty"):
        plan(named_database(str(tmp_path / "empty")), tmp_path, step=STEP)
