"""Experiments of which stages are left out."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from bob.learn.pytorch.experiment.algorithms import NAMED
from bob.learn.pytorch.experiment.components import Preprocessing
from bob.learn.pytorch.experiment.configuration import ConfigurationError
from bob.learn.pytorch.experiment.stages import run, tasks


def test_embeddings_of_two_sizes_are_refused(experiment, toys):
    run(experiment)
    mixed = replace(
        experiment,
        skip=frozenset({"preprocessing", "extraction"}),
    )
    path = experiment.layout.stored(experiment.layout.extracted, "speaker0/take0")
    import h5py

    with h5py.File(path, "w") as file:
        file["array"] = np.arange(5.0)[None]

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


def test_a_refused_run_leaves_the_results_before_it_as_they_are(experiment):
    earlier = run(experiment).score_files["dev"]
    text = earlier.read_text()
    (earlier.parent / "report.json").write_text("{}")
    other = replace(
        experiment, algorithm=NAMED["euclidean"], skip=EVERYTHING_BUT_JOINING
    )

    with pytest.raises(ConfigurationError):
        run(other)

    assert earlier.read_text() == text
    assert (earlier.parent / "report.json").exists()
    assert not list(earlier.parent.glob("*.previous"))


def test_scores_of_another_algorithm_are_not_reported_as_if_of_this_one(experiment):
    run(experiment)
    skip = EVERYTHING_BUT_JOINING | {"concatenation"}
    other = replace(experiment, algorithm=NAMED["euclidean"], skip=skip)

    with pytest.raises(ConfigurationError, match="another algorithm"):
        run(other)


def test_nobody_else_runs_while_the_outcome_is_reported(experiment):
    from filelock import FileLock, Timeout

    lock = FileLock(experiment.layout.temporary / ".lock")

    def report(outcome):
        with pytest.raises(Timeout):
            lock.acquire(timeout=0)

    run(experiment, finish=report)

    lock.acquire(timeout=0)


def test_scores_of_a_run_that_was_killed_among_them_are_not_joined(
    experiment, monkeypatch
):
    class KilledError(Exception):
        pass

    def write_two(path, text, *, seen=[]):  # noqa: B006 - counts the calls
        seen.append(path)
        if len(seen) > 2:
            raise KilledError
        path.write_text(text)

    run(experiment)
    with monkeypatch.context() as patch:
        patch.setattr("bob.learn.pytorch.experiment.scores.write_text", write_two)
        with pytest.raises(KilledError):
            run(replace(experiment, algorithm=NAMED["euclidean"]))

    with pytest.raises(ConfigurationError, match="not to the end"):
        run(replace(experiment, skip=EVERYTHING_BUT_JOINING))
