"""Normalised scores of whole experiments, against loops over the embeddings."""

import logging
import shutil
from dataclasses import replace

import numpy as np
import pytest
from given import GIVEN
from textbook import cosine

from bob.learn.pytorch.errors import ScoringError
from bob.learn.pytorch.experiment.algorithms import NAMED
from bob.learn.pytorch.experiment.bob_algorithms import as_algorithm
from bob.learn.pytorch.experiment.cohort import normalisation_of
from bob.learn.pytorch.experiment.configuration import ConfigurationError
from bob.learn.pytorch.experiment.experiment import BadRecordingsError
from bob.learn.pytorch.experiment.options import settle
from bob.learn.pytorch.experiment.stages import run
from bob.learn.pytorch.protocols.trials import Recording


@pytest.fixture
def strangers(tmp_path, toys):
    """Six speakers of pitches between those of the trials, with two takes each."""
    return toys.strangers(tmp_path / "strangers")


def normalised(experiment, folder, **options):
    """The experiment with a cohort, as verify.py would put it together."""
    settled = settle({}, {**GIVEN, **options})
    found = normalisation_of(settled, experiment.database, folder)
    return replace(experiment, normalisation=found)


def written(path):
    """{(claimed, probe): score}."""
    fields = [line.split() for line in path.read_text().splitlines()]
    return {(claimed, probe): float(score) for claimed, _, probe, score in fields}


@pytest.fixture
def by_hand(textbook, toys):
    """Every normalised score, one cosine at a time, as the textbooks have it."""
    bands = toys.bands_of

    def scores(experiment, folder, *, method, top=None, single=False):
        strangers = {
            speaker.name: [bands(path) for path in sorted(speaker.iterdir())]
            for speaker in sorted(folder.iterdir())
        }
        cohort = textbook.cohort(
            [
                row
                for rows in strangers.values()
                for row in (rows if single else [np.mean(rows, axis=0)])
            ],
            [who for who, rows in strangers.items() for _ in (rows if single else [0])],
        )
        corpus, found = experiment.database.folder, {}
        for claimed in range(4):
            takes = [bands(corpus / f"speaker{claimed}/take{i}.wav") for i in (0, 1)]
            reference = np.mean(takes, axis=0)
            for key in (
                f"speaker{real}/take{take}" for real in range(4) for take in (2, 3)
            ):
                found[f"speaker{claimed}", key] = textbook.normalised(
                    method, cosine, reference, bands(corpus / f"{key}.wav"), cohort,
                    top=top,
                )  # fmt: skip
        return found

    return scores


@pytest.mark.parametrize("method", ["z-norm", "t-norm", "s-norm", "zt-norm", "as-norm"])
@pytest.mark.parametrize("single", [False, True])
def test_normalised_scores_are_those_of_a_loop(
    by_hand, experiment, strangers, method, single
):
    top = 4 if method == "as-norm" else None
    options = {"cohort_recordings": single, "cohort_top": top or 300}

    outcome = run(
        normalised(experiment, strangers, score_normalisation=method, **options)
    )

    expected = by_hand(experiment, strangers, method=method, top=top, single=single)
    found = written(outcome.normalised_files["dev"])
    assert outcome.normalised_files["dev"].parent.name == "ztnorm"
    assert len(found) == 4 * 8
    assert found == pytest.approx(expected, abs=1e-7)


def test_the_scores_themselves_are_those_of_a_run_without_a_cohort(
    experiment, strangers
):
    plain = run(experiment).score_files["dev"].read_bytes()

    outcome = run(normalised(experiment, strangers, zt_norm=True))

    assert outcome.score_files["dev"].read_bytes() == plain


def test_an_algorithm_of_the_old_interface_is_normalised_like_any_other(
    toys, experiment, strangers
):
    """Its negative distance to the mean of one vector is that of ``euclidean``."""
    ours = replace(experiment, algorithm=NAMED["distance-euclidean"])
    theirs = replace(experiment, algorithm=as_algorithm(toys.Distance()))

    first, second = (
        written(
            run(
                normalised(each, strangers, zt_norm=True, cohort_recordings=True)
            ).normalised_files["dev"]
        )
        for each in (ours, theirs)
    )

    assert first == pytest.approx(second, abs=1e-7)


def test_trials_that_are_listed_are_normalised_alone(
    by_hand, toys, experiment, strangers
):
    pairs = tuple(np.array([index, 7 - index]) for index in range(4))
    sparse = replace(
        experiment, database=toys.Speakers(experiment.database.folder, pairs)
    )

    outcome = run(normalised(sparse, strangers, score_normalisation="s-norm"))

    expected = by_hand(experiment, strangers, method="s-norm")
    found = written(outcome.normalised_files["dev"])
    assert len(found) == 4 * 2
    assert found == pytest.approx({key: expected[key] for key in found}, abs=1e-7)


def test_blocks_of_any_size_give_the_same(experiment, strangers, monkeypatch):
    whole = normalised(experiment, strangers, zt_norm=True)
    first = run(whole).normalised_files["dev"].read_bytes()

    monkeypatch.setattr("bob.learn.pytorch.scoring.similarity.SCORES_AT_ONCE", 13)

    assert run(whole).normalised_files["dev"].read_bytes() == first


def test_failed_recordings_are_nan_and_the_others_are_as_they_were(
    toys, damaged, strangers
):
    """The probe of speaker 1 fails, and so do both recordings of a stranger."""
    (strangers / "stranger2" / "0.wav").write_bytes(b"not audio")
    (strangers / "stranger2" / "1.wav").write_bytes(b"not audio")
    asked = normalised(damaged, strangers, score_normalisation="s-norm")

    with pytest.raises(BadRecordingsError, match="stranger2"):
        run(asked)
    outcome = run(replace(asked, allow_missing=True))

    shutil.rmtree(strangers / "stranger2")
    found = written(outcome.normalised_files["dev"])
    raw = written(outcome.score_files["dev"])
    assert {key for key, score in found.items() if np.isnan(score)} == {
        key for key, score in raw.items() if np.isnan(score)
    }
    assert "cohort/stranger2/0" in outcome.failures
    fewer = normalised(damaged, strangers, score_normalisation="s-norm")
    again = run(replace(fewer, allow_missing=True)).normalised_files["dev"]
    assert written(again) == pytest.approx(found, nan_ok=True)


def test_a_cohort_of_which_nothing_is_left_stops_the_run(experiment, strangers):
    for path in strangers.rglob("*.wav"):
        path.write_bytes(b"not audio")
    asked = normalised(experiment, strangers, score_normalisation="s-norm")

    with pytest.raises(BadRecordingsError, match="12 of 28 recordings"):
        run(replace(asked, allow_missing=True))


def test_a_cohort_that_is_too_small_is_refused_with_what_to_set(experiment, strangers):
    with pytest.raises(ConfigurationError, match=r"a number from 2 to 6.*--cohort-top"):
        normalised(experiment, strangers, score_normalisation="as-norm", cohort_top=7)
    with pytest.raises(ConfigurationError, match="2 scores or more"):
        normalised(experiment, strangers, score_normalisation="as-norm", cohort_top=1)


@pytest.mark.parametrize("method", ["z-norm", "t-norm", "s-norm", "zt-norm", "as-norm"])
def test_copies_of_one_recording_are_no_cohort(experiment, tmp_path, toys, method):
    toys.tone(tmp_path / "same" / "one" / "0.wav", 300, seed=5)
    for speaker in ("two", "three"):
        shutil.copytree(tmp_path / "same" / "one", tmp_path / "same" / speaker)

    asked = normalised(
        experiment, tmp_path / "same", score_normalisation=method, cohort_top=2
    )
    with pytest.raises(ScoringError, match=r"^same: the scores of .* do not dif"):
        run(asked)


def test_one_speaker_is_no_cohort_and_no_range_is_upside_down(experiment, strangers):
    for speaker in range(1, 6):
        shutil.rmtree(strangers / f"stranger{speaker}")

    for method in ("s-norm", "as-norm"):
        with pytest.raises(ConfigurationError, match="has one member, and a spread"):
            normalised(experiment, strangers, score_normalisation=method)


def test_speakers_of_the_trials_in_the_cohort_are_warned_of(experiment, caplog):
    with caplog.at_level(logging.WARNING):
        normalised(experiment, experiment.database.folder, zt_norm=True)

    assert "4 of the cohort's speakers are also compared (speaker0" in caplog.text


def test_a_cohort_without_a_normalisation_is_warned_of(experiment, strangers, caplog):
    with caplog.at_level(logging.WARNING):
        assert normalised(experiment, strangers).normalisation is None

    assert "set score_normalisation" in caplog.text


def test_a_second_run_computes_no_embedding_of_the_cohort_again(experiment, strangers):
    asked = normalised(experiment, strangers, zt_norm=True)

    first, second = run(asked), run(asked)

    assert first.computed["extraction"] == 16 + 12
    assert second.computed["extraction"] == 0
    assert second.reused["extraction"] == 16 + 12


@pytest.mark.parametrize(
    "changed", [{"score_normalisation": "s-norm"}, {"cohort_recordings": True}]
)
def test_scores_of_another_normalisation_do_not_stand_in(
    experiment, strangers, changed
):
    asked = {"score_normalisation": "as-norm", "cohort_top": 3}
    run(normalised(experiment, strangers, **asked))
    skip = frozenset({"score-computation"})

    run(replace(normalised(experiment, strangers, **asked), skip=skip))
    other = normalised(experiment, strangers, **{**asked, **changed})
    with pytest.raises(ConfigurationError, match="score-computation is left out"):
        run(replace(other, skip=skip))


def test_a_folder_of_nothing_but_recordings_is_one_speaker_each(
    experiment, strangers, tmp_path
):
    flat = tmp_path / "flat"
    flat.mkdir()
    for path in strangers.rglob("*.wav"):
        shutil.copy(path, flat / f"{path.parent.name}-{path.name}")

    found = [
        run(normalised(experiment, folder, **options)).normalised_files["dev"]
        for folder, options in (
            (flat, {"score_normalisation": "s-norm"}),
            (strangers, {"score_normalisation": "s-norm", "cohort_recordings": True}),
        )
    ]

    assert len(set(found)) == 1
    cohort = normalised(experiment, flat, zt_norm=True).normalisation.cohorts["dev"]
    assert str(cohort) == "12 speakers from flat"


def test_lists_for_z_and_t_norm_of_a_database_are_its_cohort(
    experiment, tmp_path, toys
):
    """Bob's CSV protocol: t-norm references of several takes, z-norm probes of one."""
    folder = tmp_path / "recordings"
    for name in ("dev", "train"):
        (tmp_path / "lists" / "p" / name).mkdir(parents=True)
    for file, speakers, takes in (
        ("dev/for_enrolling.csv", (0, 1), (0, 1)),
        ("dev/for_probing.csv", (0, 1), (2,)),
        ("train/for_tnorm.csv", (2, 3), (0, 1)),
        ("train/for_znorm.csv", (2, 3), (2, 3)),
    ):
        rows = [
            f"speaker{s}/take{t}.wav,speaker{s},speaker{s}"
            + (f"-{t}" if file.endswith("znorm.csv") else "")
            for s in speakers
            for t in takes
        ]
        text = "\n".join(["path,subject_id,template_id", *rows]) + "\n"
        (tmp_path / "lists" / "p" / file).write_text(text)
    from bob.learn.pytorch.protocols.opening import as_database

    database = as_database(tmp_path / "lists", original_directory=folder)
    own = replace(
        experiment,
        database=database,
        preprocessing=type(experiment.preprocessing)(toys.Bands(), database),
    )

    asked = normalised(own, None, zt_norm=True)
    found = written(run(asked).normalised_files["dev"])

    def bands(speaker, *takes):
        paths = [folder / f"speaker{speaker}/take{take}.wav" for take in takes]
        return np.mean([toys.bands_of(path) for path in paths], axis=0)

    t_rows = {speaker: bands(speaker, 0, 1) for speaker in (2, 3)}
    z_rows = [(speaker, bands(speaker, take)) for speaker in (2, 3) for take in (2, 3)]
    reference, probe = bands(0, 0, 1), bands(1, 2)
    b = [cosine(reference, row) for _, row in z_rows]
    z = (cosine(reference, probe) - np.mean(b)) / np.std(b)
    others = []
    for speaker, row in t_rows.items():
        d = [cosine(row, other) for who, other in z_rows if who != speaker]
        others.append((cosine(row, probe) - np.mean(d)) / np.std(d))
    expected = (z - np.mean(others)) / np.std(others)
    assert found["speaker0", "speaker1/take2.wav"] == pytest.approx(expected, abs=1e-6)
    assert asked.normalisation.cohorts["dev"].name.startswith("the database")


def test_training_recordings_are_a_cohort_that_groups_share(
    by_hand, toys, experiment, strangers
):
    class WithTraining(toys.Speakers):
        def groups(self):
            return ("dev", "eval")

        def training(self):
            return tuple(
                Recording(
                    f"train/{path.parent.name}/{path.stem}", path, path.parent.name
                )
                for path in sorted(strangers.rglob("*.wav"))
            )

    database = WithTraining(experiment.database.folder)
    both = replace(experiment, database=database, groups=("dev", "eval"))
    options = {"score_normalisation": "s-norm", "groups": ["dev", "eval"]}

    outcome = run(normalised(both, None, **options))

    expected = by_hand(experiment, strangers, method="s-norm")
    for group in ("dev", "eval"):
        found = written(outcome.normalised_files[group])
        assert found == pytest.approx(expected, abs=1e-7)
    assert outcome.computed["extraction"] == 16 + 12
    assert outcome.reused["extraction"] == 0
