"""An experiment that goes well, and one that goes on."""

import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import h5py
import numpy as np
import pytest

from bob.learn.pytorch.experiment.bob_algorithms import as_algorithm
from bob.learn.pytorch.experiment.components import Preprocessing
from bob.learn.pytorch.experiment.configuration import ConfigurationError
from bob.learn.pytorch.experiment.experiment import lay_out
from bob.learn.pytorch.experiment.fingerprint import digest, of_component
from bob.learn.pytorch.experiment.stages import run
from bob.learn.pytorch.protocols.trials import DatabaseError
from bob.learn.pytorch.store import arrays


def test_scores_equal_those_of_a_loop_over_all_pairs(experiment, toys):
    outcome = run(experiment)

    lines = toys.lines_of(outcome.score_files["dev"])
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


def test_recordings_that_are_compared_with_themselves_are_told_of(
    experiment, toys, caplog
):
    folder = experiment.database.folder
    own = folder / "speaker1" / "take2.wav"
    own.unlink()
    own.symlink_to(folder / "speaker1" / "take0.wav")

    run(experiment)

    (told,) = [item for item in caplog.messages if "itself" in item]
    assert told.startswith(
        "group dev: 1 trial compares a recording with itself, such as speaker1 with "
        f"speaker1/take2 ({own})"
    )


def test_lines_are_sorted_by_reference_and_then_in_the_order_of_probes(
    experiment, toys
):
    lines = toys.lines_of(run(experiment).score_files["dev"])

    assert [line[0] for line in lines] == sorted(line[0] for line in lines)
    probes = [line[2] for line in lines[:8]]
    assert probes == [f"speaker{i}/take{j}" for i in range(4) for j in (2, 3)]


def test_listed_pairs_have_the_scores_that_they_have_among_all(experiment, toys):
    dense = {
        (line[0], line[2]): line[3]
        for line in toys.lines_of(run(experiment).score_files["dev"])
    }
    experiment.database.pairs = (
        np.array([5, 0]),
        np.array([], dtype=int),
        np.array([3]),
        np.array([7, 6, 1]),
    )

    lines = toys.lines_of(run(experiment).score_files["dev"])

    assert [line[2] for line in lines[:2]] == ["speaker2/take3", "speaker0/take2"]
    assert len(lines) == 6
    assert all(dense[line[0], line[2]] == line[3] for line in lines)


def test_five_columns_carry_the_reference_as_second(experiment, toys):
    four = toys.lines_of(run(experiment).score_files["dev"])

    five = toys.lines_of(run(replace(experiment, five_columns=True)).score_files["dev"])

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


def in_its_place(path, other):
    """Another recording of the same name, size and time of change."""
    status = path.stat()
    assert other.stat().st_size == status.st_size
    shutil.copyfile(other, path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_another_recording_of_equal_name_size_and_time_is_computed_again(experiment):
    run(experiment)
    folder = experiment.database.folder
    in_its_place(folder / "speaker1" / "take0.wav", folder / "speaker2" / "take0.wav")

    outcome = run(experiment)

    assert outcome.computed == {"preprocessing": 1, "extraction": 1}


def test_a_copy_of_the_recordings_is_not_computed_again(experiment, toys):
    expected = run(experiment).score_files["dev"].read_bytes()
    folder = experiment.database.folder.rename(experiment.database.folder.parent / "o")
    shutil.copytree(folder, experiment.database.folder, copy_function=shutil.copyfile)

    outcome = run(experiment)

    assert outcome.computed == {"preprocessing": 0, "extraction": 0}
    assert outcome.score_files["dev"].read_bytes() == expected


def marked_as_before(experiment):
    """Files as they were marked before recordings had hashes: by size and time."""
    made_by = [of_component(experiment.preprocessing.component)]
    made_by.append([of_component(experiment.extraction.component), None])
    for path in sorted(experiment.database.folder.rglob("*.wav")):
        key = path.relative_to(experiment.database.folder).with_suffix("")
        made_from = [
            {"size": path.stat().st_size, "changed": path.stat().st_mtime_ns},
            None,
        ]
        layout = experiment.layout
        for folder, by in zip(
            (layout.preprocessed, layout.extracted), made_by, strict=True
        ):
            file = layout.stored(folder, str(key))
            arrays.write(arrays.read(file), file)
            made_from = f"{digest(by)}-{digest(made_from)}"
            with h5py.File(file, "r+") as content:
                content.attrs["bob.learn.pytorch.fingerprint"] = made_from


def test_what_was_stored_before_recordings_had_hashes_is_used(experiment):
    expected = run(experiment).score_files["dev"].read_bytes()
    marked_as_before(experiment)

    outcome = run(experiment)
    unchanged = outcome.score_files["dev"].read_bytes()
    folder = experiment.database.folder
    in_its_place(folder / "speaker1" / "take0.wav", folder / "speaker2" / "take0.wav")
    later = run(experiment)

    assert outcome.computed == {"preprocessing": 0, "extraction": 0}
    assert expected == unchanged
    assert later.computed == {"preprocessing": 1, "extraction": 1}


def test_a_stage_is_left_out_though_its_files_were_stored_before(experiment):
    expected = run(experiment).score_files["dev"].read_bytes()
    marked_as_before(experiment)

    outcome = run(replace(experiment, skip=frozenset({"preprocessing", "extraction"})))

    assert outcome.score_files["dev"].read_bytes() == expected


@pytest.mark.parametrize("stage", ["preprocessed", "extracted"])
def test_a_flipped_bit_in_a_stored_feature_changes_no_score(experiment, stage, caplog):
    expected = run(experiment).score_files["dev"].read_bytes()
    path = experiment.layout.stored(getattr(experiment.layout, stage), "speaker0/take2")
    numbers = arrays.read(path).tobytes()
    content = bytearray(path.read_bytes())
    content[content.index(numbers) + 3] ^= 8
    path.write_bytes(content)

    assert run(experiment).score_files["dev"].read_bytes() == expected
    assert f"{path} is damaged" in caplog.text


def test_a_damaged_reference_is_enrolled_again_or_refused(experiment):
    expected = run(experiment).score_files["dev"].read_bytes()
    path = experiment.layout.model("dev", "speaker0")
    content = bytearray(path.read_bytes())
    content[content.index(arrays.read(path).tobytes()) + 3] ^= 8
    path.write_bytes(content)

    with pytest.raises(ConfigurationError, match=r"speaker0\.hdf5 is damaged"):
        run(replace(experiment, skip=frozenset({"enrollment"})))
    assert run(experiment).score_files["dev"].read_bytes() == expected


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


def test_an_old_algorithm_gives_its_scores(experiment, toys):
    outcome = run(replace(experiment, algorithm=as_algorithm(toys.Distance())))

    folder = experiment.database.folder
    claimed, _, probe, score = toys.lines_of(outcome.score_files["dev"])[0]
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


def test_one_key_for_two_recordings_in_two_groups_is_refused(experiment, toys):
    class Two(toys.Speakers):
        def groups(self):
            return ("dev", "eval")

        def trials(self, group):
            self.folder = self.folder.parent / group
            return super().trials(group)

    database = Two(experiment.database.folder)

    with pytest.raises(DatabaseError, match=r"'speaker0/take0'.*different keys"):
        run(replace(experiment, database=database, groups=("dev", "eval")))


def test_scores_of_references_that_are_no_more_vanish(experiment):
    run(experiment)
    stray = experiment.layout.model_scores("dev", "speaker9")
    stray.write_text("speaker9 speaker0 speaker0/take2 0.1\n")

    run(experiment)

    assert not stray.exists()


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
