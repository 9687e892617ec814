import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from bob.learn.pytorch.verification.algorithms import NAMED, as_algorithm
from bob.learn.pytorch.verification.components import Extraction, Preprocessing
from bob.learn.pytorch.verification.configuration import ConfigurationError
from bob.learn.pytorch.verification.database import (
    DatabaseError,
    Probe,
    Recording,
    Reference,
    Trials,
)
from bob.learn.pytorch.verification.experiment import Experiment, run, tasks
from bob.learn.pytorch.verification.layout import lay_out
from bob.learn.pytorch.verification.outcome import BadRecordingsError


class Speakers:
    """take0 and take1 of each speaker enrol; take2 and take3 are the probes."""

    name, protocol = "tones", "all"
    original_directory = original_extension = None

    def __init__(self, folder, pairs=None):
        self.folder = folder
        self.pairs = pairs

    def groups(self):
        return ("dev",)

    def annotations(self, recording):
        return None

    def recording(self, speaker, take):
        key = f"speaker{speaker}/take{take}"
        return Recording(key, self.folder / f"{key}.wav", f"speaker{speaker}")

    def trials(self, group):
        references = tuple(
            Reference(
                f"speaker{i}",
                f"speaker{i}",
                (self.recording(i, 0), self.recording(i, 1)),
            )
            for i in range(4)
        )
        probes = tuple(
            Probe(recording.key, recording.subject, (recording,))
            for i in range(4)
            for recording in (self.recording(i, 2), self.recording(i, 3))
        )
        return Trials(references, probes, self.pairs)


@pytest.fixture
def experiment(tmp_path, toys):
    database = Speakers(toys.corpus(tmp_path / "recordings"))
    return Experiment(
        database=database,
        preprocessing=Preprocessing(toys.Bands(), database),
        extraction=Extraction(toys.Same()),
        algorithm=NAMED["cosine"],
        layout=lay_out(
            tmp_path / "temp", tmp_path / "results", sub_directory="s", protocol="all"
        ),
    )


def lines_of(path):
    return [line.split(" ") for line in path.read_text().splitlines()]


def test_scores_equal_those_of_a_loop_over_all_pairs(experiment, toys):
    outcome = run(experiment)

    lines = lines_of(outcome.score_files["dev"])
    assert len(lines) == 4 * 8
    folder = experiment.database.folder
    for claimed, real, probe, score in lines:
        enrolled = np.mean(
            [toys.bands_of(folder / claimed / f"take{i}.wav") for i in (0, 1)], axis=0
        )
        tested = toys.bands_of(folder / f"{probe}.wav")
        cosine = enrolled @ tested / np.linalg.norm(enrolled) / np.linalg.norm(tested)
        assert float(score) == pytest.approx(cosine, abs=1e-8)
        assert probe.startswith(real)


def test_lines_are_sorted_by_reference_and_then_in_the_order_of_probes(experiment):
    lines = lines_of(run(experiment).score_files["dev"])

    assert [line[0] for line in lines] == sorted(line[0] for line in lines)
    probes = [line[2] for line in lines[:8]]
    assert probes == [f"speaker{i}/take{j}" for i in range(4) for j in (2, 3)]


def test_listed_pairs_have_the_scores_that_they_have_among_all(experiment):
    dense = {
        (line[0], line[2]): line[3]
        for line in lines_of(run(experiment).score_files["dev"])
    }
    experiment.database.pairs = (
        np.array([5, 0]),
        np.array([], dtype=int),
        np.array([3]),
        np.array([7, 6, 1]),
    )

    lines = lines_of(run(experiment).score_files["dev"])

    assert [line[2] for line in lines[:2]] == ["speaker2/take3", "speaker0/take2"]
    assert len(lines) == 6
    assert all(dense[line[0], line[2]] == line[3] for line in lines)


def test_five_columns_carry_the_reference_as_second(experiment):
    four = lines_of(run(experiment).score_files["dev"])

    five = lines_of(run(replace(experiment, five_columns=True)).score_files["dev"])

    assert [[line[0], *line[2:]] for line in five] == four
    assert all(line[1] == line[0] for line in five)


def test_a_second_run_computes_nothing_and_gives_the_same_bytes(experiment):
    first = run(experiment).score_files["dev"].read_bytes()

    again = run(experiment)

    assert again.score_files["dev"].read_bytes() == first
    assert again.computed == {"preprocessing": 0, "extraction": 0}
    assert again.reused == {"preprocessing": 16, "extraction": 16}


def test_force_computes_everything_again(experiment):
    run(experiment)

    outcome = run(replace(experiment, force=True))

    assert outcome.computed == {"preprocessing": 16, "extraction": 16}
    assert outcome.outdated == {"preprocessing": 0, "extraction": 0}


def test_another_setting_makes_what_is_stored_outdated(experiment, toys, caplog):
    run(experiment)
    changed = replace(
        experiment, preprocessing=Preprocessing(toys.Bands(5), experiment.database)
    )

    outcome = run(changed)

    assert outcome.outdated == {"preprocessing": 16, "extraction": 16}
    assert "16 of the files" in caplog.text
    elsewhere = experiment.layout.temporary / "elsewhere"
    fresh = replace(
        changed,
        layout=lay_out(elsewhere, elsewhere, sub_directory="s", protocol="all"),
    )
    expected = run(fresh).score_files["dev"].read_bytes()
    assert outcome.score_files["dev"].read_bytes() == expected


def test_a_changed_recording_is_computed_again_and_the_others_are_not(experiment, toys):
    before = run(experiment).score_files["dev"].read_text()
    path = experiment.database.folder / "speaker1" / "take0.wav"
    toys.tone(path, 2000, seed=99)

    outcome = run(experiment)

    assert outcome.computed == {"preprocessing": 1, "extraction": 1}
    after = outcome.score_files["dev"].read_text()
    changed = {
        old.split(" ")[0]
        for old, new in zip(before.splitlines(), after.splitlines(), strict=True)
        if old != new
    }
    assert changed == {"speaker1"}


def test_a_file_that_another_program_left_is_not_used(experiment):
    expected = run(experiment).score_files["dev"].read_bytes()
    path = experiment.layout.stored(experiment.layout.extracted, "speaker0/take0")
    import h5py

    with h5py.File(path, "w") as file:
        file["array"] = np.ones((1, 8))

    assert run(experiment).score_files["dev"].read_bytes() == expected


@pytest.mark.parametrize("damage", ["empty", "cut"])
def test_a_damaged_stored_file_is_computed_again(experiment, damage):
    expected = run(experiment).score_files["dev"].read_bytes()
    path = experiment.layout.stored(experiment.layout.preprocessed, "speaker0/take0")
    path.write_bytes(b"" if damage == "empty" else path.read_bytes()[:300])

    assert run(experiment).score_files["dev"].read_bytes() == expected


@pytest.fixture
def damaged(experiment):
    """take1 of speaker 0 and take2 of speaker 1 cannot be read; speaker 3 is gone."""
    folder = experiment.database.folder
    (folder / "speaker0" / "take1.wav").write_bytes(b"not audio")
    os.truncate(folder / "speaker1" / "take2.wav", 20)
    shutil.rmtree(folder / "speaker3")
    return experiment


def test_bad_recordings_stop_the_run_before_scoring_with_the_whole_list(damaged):
    with pytest.raises(BadRecordingsError) as caught:
        run(damaged)

    assert {failure.key for failure in caught.value.failures} == {
        "speaker0/take1",
        "speaker1/take2",
        *(f"speaker3/take{i}" for i in range(4)),
    }
    for failure in caught.value.failures:
        assert str(failure.path) in str(caught.value)
    assert "--allow-missing-files" in str(caught.value)
    assert not damaged.layout.group_scores("dev").exists()
    listed = (damaged.layout.results / "failures.tsv").read_text().splitlines()
    assert len(listed) == 1 + 6


def test_allowed_bad_recordings_have_no_score_and_the_others_theirs(
    experiment, damaged
):
    outcome = run(replace(damaged, allow_missing=True))

    lines = lines_of(outcome.score_files["dev"])
    assert len(lines) == 4 * 8
    for claimed, _, probe, score in lines:
        bad = (
            claimed == "speaker3"
            or probe.startswith("speaker3")
            or probe == "speaker1/take2"
        )
        assert (score == "nan") == bad
    assert outcome.weakened == {"dev/speaker0": (1, 2), "dev/speaker3": (0, 2)}
    assert len(outcome.failures) == 6


def test_an_enrolment_uses_its_good_recordings_and_says_so(damaged, toys, caplog):
    outcome = run(replace(damaged, allow_missing=True))

    folder = damaged.database.folder
    enrolled = toys.bands_of(folder / "speaker0" / "take0.wav")
    tested = toys.bands_of(folder / "speaker2" / "take2.wav")
    expected = enrolled @ tested / np.linalg.norm(enrolled) / np.linalg.norm(tested)
    scores = {
        (line[0], line[2]): line[3] for line in lines_of(outcome.score_files["dev"])
    }
    assert float(scores["speaker0", "speaker2/take2"]) == pytest.approx(
        expected, abs=1e-8
    )
    assert "speaker0 of group dev is enrolled from 1 of its 2 recordings" in caplog.text


def test_after_repair_everything_is_as_if_nothing_had_been_wrong(
    experiment, toys, tmp_path
):
    whole = run(experiment).score_files["dev"].read_bytes()
    path = experiment.database.folder / "speaker0" / "take1.wav"
    good, status = path.read_bytes(), path.stat()
    path.write_bytes(b"not audio")
    run(replace(experiment, allow_missing=True))
    path.write_bytes(good)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    outcome = run(experiment)

    assert outcome.score_files["dev"].read_bytes() == whole
    assert not (experiment.layout.results / "failures.tsv").exists()


def test_a_component_that_returns_nothing_is_a_failure_with_that_reason(
    experiment, toys
):
    class Picky(toys.Bands):
        def __call__(self, data, annotations):
            return None

    picky = replace(
        experiment, preprocessing=Preprocessing(Picky(), experiment.database)
    )

    with pytest.raises(BadRecordingsError, match="returned None"):
        run(picky)


def test_a_mistake_in_a_component_is_no_bad_recording(experiment, toys):
    class Mistaken(toys.Bands):
        def __call__(self, data, annotations):
            return self.absent

    wrong = replace(
        experiment, preprocessing=Preprocessing(Mistaken(), experiment.database)
    )

    with pytest.raises(AttributeError):
        run(wrong)


def test_embeddings_that_are_not_finite_are_failures(experiment, toys):
    class Undefined(toys.Bands):
        def __call__(self, data, annotations):
            return super().__call__(data, annotations) * np.nan

    wrong = replace(
        experiment, preprocessing=Preprocessing(Undefined(), experiment.database)
    )

    with pytest.raises(BadRecordingsError, match="not finite"):
        run(wrong)


def test_embeddings_of_two_sizes_are_refused(experiment, toys):
    run(experiment)
    mixed = replace(
        experiment,
        skip=frozenset({"preprocessing", "extraction"}),
    )
    path = experiment.layout.stored(experiment.layout.extracted, "speaker0/take0")
    import h5py

    with h5py.File(path, "w") as file:
        file["array"] = np.ones((1, 5))

    with pytest.raises(ConfigurationError, match="different sizes"):
        run(mixed)


def test_stages_left_out_use_what_is_there(experiment):
    expected = run(experiment).score_files["dev"].read_bytes()
    experiment.layout.group_scores("dev").unlink()

    only = replace(
        experiment,
        skip=frozenset(
            {"preprocessing", "extraction", "enrollment", "score-computation"}
        ),
    )

    assert run(only).score_files["dev"].read_bytes() == expected
    assert tasks(only) == ["concatenation of group dev", "report"]


def test_an_old_algorithm_gives_its_scores(experiment, toys):
    outcome = run(replace(experiment, algorithm=as_algorithm(toys.Distance())))

    folder = experiment.database.folder
    claimed, _, probe, score = lines_of(outcome.score_files["dev"])[0]
    enrolled = [toys.bands_of(folder / claimed / f"take{i}.wav") for i in (0, 1)]
    tested = toys.bands_of(folder / f"{probe}.wav")
    expected = -np.mean([np.linalg.norm(row - tested) for row in enrolled])
    assert float(score) == pytest.approx(expected, abs=1e-8)


def test_a_preprocessor_that_writes_nothing_is_run_by_the_extraction(experiment, toys):
    expected = run(experiment).score_files["dev"].read_bytes()
    quiet = toys.Bands()
    quiet.writes_data = False
    shutil.rmtree(experiment.layout.temporary)

    outcome = run(
        replace(experiment, preprocessing=Preprocessing(quiet, experiment.database))
    )

    assert outcome.score_files["dev"].read_bytes() == expected
    assert not experiment.layout.preprocessed.exists()


def test_one_key_for_two_recordings_in_two_groups_is_refused(experiment):
    class Two(Speakers):
        def groups(self):
            return ("dev", "eval")

        def trials(self, group):
            self.folder = self.folder.parent / group
            return super().trials(group)

    database = Two(experiment.database.folder)

    with pytest.raises(DatabaseError, match=r"'speaker0/take0'.*different keys"):
        run(replace(experiment, database=database, groups=("dev", "eval")))


def test_enrolment_left_out_without_its_files_is_refused(experiment):
    skip = frozenset({"enrollment"})

    with pytest.raises(ConfigurationError, match="run without --skip-enrollment"):
        run(replace(experiment, skip=skip))


def test_left_out_stages_whose_files_do_not_fit_are_refused(experiment, toys):
    run(experiment)
    changed = replace(
        experiment, preprocessing=Preprocessing(toys.Bands(5), experiment.database)
    )

    with pytest.raises(ConfigurationError, match=r"16 stored files .* --skip-extract"):
        run(replace(changed, skip=frozenset({"extraction"})))
    with pytest.raises(ConfigurationError, match="enrolled from other embeddings"):
        run(replace(changed, skip=frozenset({"enrollment"})))

    run(changed)
    assert run(replace(changed, skip=frozenset({"extraction", "enrollment"})))


def test_recordings_that_failed_are_still_known_when_only_scores_are_joined(damaged):
    allowed = replace(damaged, allow_missing=True)
    before = run(allowed)
    every_stage_but = frozenset(
        {"preprocessing", "extraction", "enrollment", "score-computation"}
    )

    outcome = run(replace(allowed, skip=every_stage_but))

    assert outcome.failures == before.failures
    assert outcome.score_files == before.score_files


def test_existing_scores_are_found_when_nothing_is_run(experiment):
    expected = run(experiment).score_files
    everything = frozenset(
        {
            "preprocessing",
            "extraction",
            "enrollment",
            "score-computation",
            "concatenation",
        }
    )

    assert run(replace(experiment, skip=everything)).score_files == expected


def test_without_any_usable_recording_the_run_stops_whatever_is_allowed(experiment):
    for path in experiment.database.folder.rglob("*.wav"):
        path.write_bytes(b"not audio")

    with pytest.raises(BadRecordingsError, match="16 of 16") as caught:
        run(replace(experiment, allow_missing=True))

    assert "--allow-missing-files" not in str(caught.value)


def test_a_device_out_of_memory_is_no_bad_recording(experiment, toys):
    class OutOfMemoryError(RuntimeError):
        pass

    class Greedy(toys.Bands):
        def __call__(self, data, annotations):
            raise OutOfMemoryError("CUDA out of memory")

    greedy = replace(
        experiment, preprocessing=Preprocessing(Greedy(), experiment.database)
    )

    with pytest.raises(OutOfMemoryError):
        run(replace(greedy, allow_missing=True))


def test_a_disk_that_cannot_be_written_is_no_bad_recording(experiment, toys):
    class NoSpace(toys.Bands):
        def write_data(self, data, path):
            raise OSError(28, "No space left on device")

    full = replace(
        experiment, preprocessing=Preprocessing(NoSpace(), experiment.database)
    )

    with pytest.raises(OSError, match="No space left"):
        run(replace(full, allow_missing=True))


class Loading:
    """A sample of today's Bob that decodes when its data is asked for."""

    def __init__(self, path):
        self.path = path

    @property
    def rate(self):
        return 8000

    @property
    def data(self):
        return soundfile.read(self.path)[0] * 32768


class Samples(Speakers):
    def recording(self, speaker, take):
        known = super().recording(speaker, take)
        return replace(known, path=None, source=Loading(known.path), own_loader=True)


def test_samples_that_load_themselves_give_the_same_scores_and_may_fail(
    experiment, toys
):
    expected = run(experiment).score_files["dev"].read_text()
    database = Samples(experiment.database.folder)
    loading = replace(
        experiment,
        database=database,
        preprocessing=Preprocessing(toys.Bands(), database),
        allow_missing=True,
    )
    assert run(loading).score_files["dev"].read_text() == expected
    (experiment.database.folder / "speaker0" / "take2.wav").unlink()

    outcome = run(loading)

    assert set(outcome.failures) == {"speaker0/take2"}
    assert outcome.score_files["dev"].read_text().count("nan") == 4


@pytest.mark.filterwarnings("ignore")
def test_an_algorithm_of_bob_without_a_usable_probe_gives_no_scores(experiment):
    distance = pytest.importorskip("bob.bio.base.algorithm").Distance("cityblock")
    for path in experiment.database.folder.rglob("take[23].wav"):
        path.write_bytes(b"not audio")

    outcome = run(
        replace(experiment, algorithm=as_algorithm(distance), allow_missing=True)
    )

    assert outcome.score_files["dev"].read_text().count("nan") == 32


EVERYTHING_BUT_JOINING = frozenset(
    {"preprocessing", "extraction", "enrollment", "score-computation"}
)


def test_scores_of_another_algorithm_are_not_joined_as_if_of_this_one(experiment):
    run(experiment)
    other = replace(
        experiment, algorithm=NAMED["euclidean"], skip=EVERYTHING_BUT_JOINING
    )

    with pytest.raises(ConfigurationError, match="--skip-score-computation"):
        run(other)


@pytest.mark.parametrize("extracted", ["extracted", "preprocessed"])
def test_preprocessing_left_out_does_not_pass_off_the_files_of_another_setting(
    experiment, toys, extracted
):
    folder = experiment.layout.temporary / extracted
    skip = frozenset({"extraction"} if extracted == "preprocessed" else set())
    usual = replace(
        experiment, layout=replace(experiment.layout, extracted=folder), skip=skip
    )
    expected = run(usual).score_files["dev"].read_bytes()
    again = replace(usual, skip=skip | {"preprocessing"})
    changed = replace(
        again, preprocessing=Preprocessing(toys.Bands(5), experiment.database)
    )

    with pytest.raises(ConfigurationError, match="run without --skip-preprocessing"):
        run(changed)

    assert run(again).score_files["dev"].read_bytes() == expected
    shutil.rmtree(experiment.database.folder)
    assert run(again).score_files["dev"].read_bytes() == expected


def test_a_run_that_fails_leaves_no_earlier_result_in_its_name(experiment):
    earlier = run(experiment).score_files["dev"]
    text = earlier.read_text()
    (earlier.parent / "report.json").write_text("{}")
    bad = experiment.database.folder / "speaker0" / "take0.wav"
    good = bad.read_bytes()
    bad.write_bytes(b"not audio")

    with pytest.raises(BadRecordingsError):
        run(experiment)

    assert not earlier.exists()
    assert earlier.with_name("scores-dev.previous").read_text() == text
    assert not (earlier.parent / "report.json").exists()
    bad.write_bytes(good)
    assert run(experiment).score_files["dev"].read_text() == text
    assert not list(earlier.parent.glob("*.previous"))


def test_a_failure_does_not_remove_what_an_earlier_setting_has_computed(
    experiment, toys
):
    class Picky(toys.Bands):
        def __call__(self, data, annotations):
            raise ValueError

    run(experiment)
    with pytest.raises(BadRecordingsError):
        run(
            replace(
                experiment, preprocessing=Preprocessing(Picky(), experiment.database)
            )
        )

    assert run(experiment).computed == {"preprocessing": 0, "extraction": 0}


def test_scores_of_references_that_are_no_more_vanish(experiment):
    run(experiment)
    stray = experiment.layout.model_scores("dev", "speaker9")
    stray.write_text("speaker9 speaker0 speaker0/take2 0.1\n")

    run(experiment)

    assert not stray.exists()


def test_an_embedding_of_zeros_is_a_failure(experiment, toys):
    class Zeros(toys.Bands):
        def __call__(self, data, annotations):
            return super().__call__(data, annotations) * 0

    wrong = replace(
        experiment, preprocessing=Preprocessing(Zeros(), experiment.database)
    )

    with pytest.raises(BadRecordingsError, match="embedding of zeros"):
        run(wrong)


def test_a_second_run_in_the_same_place_waits_for_the_first(experiment, toys, caplog):
    """Two settings at once: each gets the scores that it gets alone."""

    class Slow(toys.Bands):
        def __call__(self, data, annotations):
            time.sleep(0.01)
            return super().__call__(data, annotations)

    def variant(bands, name):
        layout = replace(
            experiment.layout,
            results=experiment.layout.results / name,
            scores=experiment.layout.scores / name,
        )
        slow = Preprocessing(Slow(bands), experiment.database)
        return replace(experiment, layout=layout, preprocessing=slow)

    expected = [run(variant(n, str(n))).score_files["dev"].read_text() for n in (8, 5)]

    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(run, variant(n, str(n))) for n in (8, 5)]
        outcomes = [future.result() for future in runs]

    texts = [outcome.score_files["dev"].read_text() for outcome in outcomes]
    assert texts == expected
    assert "another run works in" in caplog.text


def test_a_group_without_trials_is_refused_before_anything_is_computed(experiment):
    experiment.database.pairs = (np.array([], dtype=int),) * 4

    with pytest.raises(DatabaseError, match="no trials in group dev"):
        run(experiment)

    assert not experiment.layout.preprocessed.exists()
