"""Experiments in which recordings, components or the disk fail."""

import os
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from bob.learn.pytorch.experiment.bob_algorithms import as_algorithm
from bob.learn.pytorch.experiment.components import Preprocessing
from bob.learn.pytorch.experiment.experiment import BadRecordingsError
from bob.learn.pytorch.experiment.stages import run


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
    assert caught.value.remedy == "allow_missing_files"
    assert "go on without them" in str(caught.value)
    assert not damaged.layout.group_scores("dev").exists()
    listed = (damaged.layout.results / "failures.tsv").read_text().splitlines()
    assert len(listed) == 1 + 6


def test_allowed_bad_recordings_have_no_score_and_the_others_theirs(
    experiment, damaged, toys
):
    outcome = run(replace(damaged, allow_missing=True))

    lines = toys.lines_of(outcome.score_files["dev"])
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
        (line[0], line[2]): line[3]
        for line in toys.lines_of(outcome.score_files["dev"])
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

    with pytest.raises(BadRecordingsError, match="is NaN or infinite in"):
        run(wrong)


def test_recordings_that_failed_are_still_known_when_only_scores_are_joined(damaged):
    allowed = replace(damaged, allow_missing=True)
    before = run(allowed)
    every_stage_but = frozenset(
        {"preprocessing", "extraction", "enrollment", "score-computation"}
    )

    outcome = run(replace(allowed, skip=every_stage_but))

    assert outcome.failures == before.failures
    assert outcome.score_files == before.score_files


def test_without_any_usable_recording_the_run_stops_whatever_is_allowed(experiment):
    for path in experiment.database.folder.rglob("*.wav"):
        path.write_bytes(b"not audio")

    with pytest.raises(BadRecordingsError, match="16 of 16") as caught:
        run(replace(experiment, allow_missing=True))

    assert not caught.value.remedy
    assert "go on without" not in str(caught.value)


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


def test_samples_that_load_themselves_give_the_same_scores_and_may_fail(
    experiment, toys
):
    class Samples(toys.Speakers):
        def recording(self, speaker, take):
            known = super().recording(speaker, take)
            return replace(
                known, path=None, source=Loading(known.path), own_loader=True
            )

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


def test_an_embedding_of_zeros_is_a_failure(experiment, toys):
    class Zeros(toys.Bands):
        def __call__(self, data, annotations):
            return super().__call__(data, annotations) * 0

    wrong = replace(
        experiment, preprocessing=Preprocessing(Zeros(), experiment.database)
    )

    with pytest.raises(BadRecordingsError, match="embedding that is all zeros"):
        run(wrong)
