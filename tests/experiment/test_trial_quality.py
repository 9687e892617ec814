"""Quality measures of references and probes, and calibrations that weigh them."""

import csv
import math
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from files import from_json
from given import GIVEN
from scipy.optimize import minimize
from textbook import cosine

from bob.learn.pytorch.calibration import CalibrationError, load_calibration
from bob.learn.pytorch.errors import ScoringError
from bob.learn.pytorch.experiment.cohort import normalisation_of
from bob.learn.pytorch.experiment.configuration import ConfigurationError
from bob.learn.pytorch.experiment.dev_calibration import calibration_of
from bob.learn.pytorch.experiment.experiment import DevCalibration
from bob.learn.pytorch.experiment.options import settle
from bob.learn.pytorch.experiment.stages import run
from bob.learn.pytorch.metrics import ScoreTable
from bob.learn.pytorch.protocols.trials import Probe, Recording, Reference, Trials
from bob.learn.pytorch.scorefiles import quality

ALL = ("duration", "magnitude", "cohort_mean")
OTHERS = frozenset(
    {"preprocessing", "extraction", "enrollment", "score-computation", "concatenation"}
)


@pytest.fixture
def uneven(experiment, toys):
    """Recordings of 0.3 to 1.5 s; take0 and take1 enrol together."""
    random = np.random.default_rng(3)
    for speaker in range(4):
        for take in range(4):
            toys.tone(
                experiment.database.folder / f"speaker{speaker}" / f"take{take}.wav",
                300 + 90 * speaker,
                seconds=random.uniform(0.3, 1.5),
                seed=100 + 10 * speaker + take,
            )
    return experiment


@pytest.fixture
def strangers(tmp_path, toys):
    for speaker in range(5):
        path = tmp_path / "strangers" / f"stranger{speaker}" / "0.wav"
        toys.tone(path, 260 + 310 * speaker, seed=1000 + speaker)
    return tmp_path / "strangers"


def weighing(experiment, *quality, cohort=None, method="as-norm"):
    """The experiment with a calibration by these measures."""
    normalisation = None
    if cohort is not None:
        chosen = {"score_normalisation": method, "cohort_top": 3}
        settled = settle({}, {**GIVEN, **chosen})
        normalisation = normalisation_of(settled, experiment.database, cohort)
    how = DevCalibration(0.5, 0.01, quality)
    return replace(experiment, calibration=how, normalisation=normalisation)


def rows(path):
    with path.open(newline="") as file:
        return {(row["side"], row["id"]): row for row in csv.DictReader(file)}


@pytest.mark.parametrize("method", ["z-norm", "t-norm", "zt-norm", "as-norm"])
def test_measures_are_those_of_loops_over_recordings(uneven, strangers, toys, method):
    run(weighing(uneven, *ALL, cohort=strangers, method=method))

    folder, top = uneven.database.folder, 3 if method == "as-norm" else 5
    others = [toys.bands_of(path) for path in sorted(strangers.rglob("*.wav"))]
    for kind in (uneven.layout, uneven.layout.of_normalised()):
        found = rows(kind.measures("dev"))
        assert len(found) == 4 + 8
        for (side, name), row in found.items():
            takes = (
                [f"{name}/take{i}" for i in (0, 1)] if side == "reference" else [name]
            )
            paths = [folder / f"{take}.wav" for take in takes]
            vectors = [toys.bands_of(path) for path in paths]
            seconds = sum(soundfile.info(path).duration for path in paths)
            mean = np.mean(vectors, axis=0)
            against = sorted(cosine(mean, other) for other in others)[-top:]
            lengths = [np.sqrt(vector @ vector) for vector in vectors]
            assert float(row["duration"]) == pytest.approx(seconds, rel=1e-5)
            assert float(row["magnitude"]) == pytest.approx(np.mean(lengths), rel=1e-5)
            assert float(row["cohort_mean"]) == pytest.approx(
                np.mean(against), rel=1e-5
            )


def test_ratios_weigh_the_smaller_and_the_larger_side(uneven):
    """Penalised logistic loss on these five columns, written down anew, by BFGS."""
    outcome = run(weighing(uneven, "duration", "magnitude"))

    layout = uneven.layout
    lines = [
        line.split() for line in outcome.score_files["dev"].read_text().split("\n")
    ]
    measures = rows(layout.measures("dev"))
    columns = []
    for claimed, _, probe, score in filter(None, lines):
        sides = measures["reference", claimed], measures["probe", probe]
        seconds = sorted(math.log(float(side["duration"])) for side in sides)
        lengths = sorted(float(side["magnitude"]) for side in sides)
        columns.append([float(score), *seconds, *lengths])
    inputs = np.array(columns)
    target = np.array([line[0] == line[1] for line in filter(None, lines)])
    weights = np.where(target, 0.5 / target.sum(), 0.5 / (~target).sum())
    spread = inputs.std(axis=0)

    def loss(values):
        odds = inputs @ values[:-1] + values[-1]
        fit = weights @ np.logaddexp(0, np.where(target, -odds, odds))
        return fit + 0.01 * np.sum((values[:-1] * spread) ** 2) / 2

    expected = minimize(loss, np.zeros(6), tol=1e-14).x
    text = layout.calibrated_scores("dev").read_text()
    found = [float(line.split()[-1]) for line in text.splitlines()]

    assert found == pytest.approx(inputs @ expected[:-1] + expected[-1], abs=1e-2)
    assert load_calibration(layout.calibration()).columns == (
        "score",
        "smaller log duration",
        "larger log duration",
        "smaller magnitude",
        "larger magnitude",
    )


def test_a_recording_that_failed_has_no_measure_and_no_ratio(damaged, toys):
    for take, seconds in (("take2", 0.8), ("take3", 0.3)):
        path = damaged.database.folder / "speaker2" / f"{take}.wav"
        toys.tone(path, 1100, seconds=seconds)
    allowed = replace(weighing(damaged, "duration"), allow_missing=True)

    run(allowed)

    found = rows(damaged.layout.measures("dev"))
    assert found["reference", "speaker3"]["duration"] == ""
    assert float(found["reference", "speaker0"]["duration"]) == pytest.approx(0.5)
    assert float(found["reference", "speaker1"]["duration"]) == pytest.approx(1.0)
    lines = damaged.layout.calibrated_scores("dev").read_text().splitlines()
    scores = damaged.layout.group_scores("dev").read_text().splitlines()
    assert [line.endswith(" nan") for line in lines] == [
        line.endswith(" nan") for line in scores
    ]


def test_a_measure_that_says_nothing_is_named(experiment):
    said = "scores-dev: smaller log duration is -0.693147 in all 32 trials"
    with pytest.raises(CalibrationError, match=said):
        run(weighing(experiment, "duration"))


def test_the_calibration_can_run_alone_and_again_gives_the_same(uneven):
    asked = weighing(uneven, "duration", "magnitude")
    run(asked)
    layout = uneven.layout
    paths = [layout.calibration(), layout.calibrated_scores("dev")]
    before = [path.read_bytes() for path in paths]
    for path in paths:
        path.unlink()

    run(replace(asked, skip=OTHERS))

    assert [path.read_bytes() for path in paths] == before


def test_scores_may_stay_when_fewer_measures_are_weighed(uneven):
    run(weighing(uneven, "duration", "magnitude"))

    run(replace(weighing(uneven, "magnitude"), skip=frozenset({"score-computation"})))

    columns = load_calibration(uneven.layout.calibration()).columns
    assert columns == ("score", "smaller magnitude", "larger magnitude")


@pytest.mark.parametrize(
    ("first", "message"),
    [((), "quality-dev.csv is not there"), (("magnitude",), "does not tell duration")],
)
def test_measures_that_were_not_made_are_asked_for_and_results_stay(
    uneven, first, message
):
    run(weighing(uneven, *first))
    before = uneven.layout.calibrated_scores("dev").read_bytes()
    skip = frozenset({"score-computation"})

    with pytest.raises(ScoringError, match=message) as caught:
        run(replace(weighing(uneven, "duration"), skip=skip))

    assert "without --skip-score-computation" in str(caught.value)
    assert uneven.layout.calibrated_scores("dev").read_bytes() == before


def test_measures_of_an_earlier_run_do_not_stay(uneven):
    run(weighing(uneven, "duration"))
    assert uneven.layout.measures("dev").exists()

    run(uneven)

    assert not uneven.layout.measures("dev").exists()


def test_listed_pairs_in_any_order_get_the_measures_of_their_own_sides():
    items = [("b", 3.0), ("a", 5.0)]
    references = tuple(
        Reference(n, n, (Recording(f"r{n}", None, n),)) for n, _ in items
    )
    probes = tuple(Probe(n, n, (Recording(f"p{n}", None, n),)) for n, _ in items)
    pairs = (np.array([1]), np.array([1, 0]))
    trials = Trials(references, probes, pairs)
    seconds = {f"{side}{name}": s for name, s in items for side in "rp"}
    vectors = {key: np.ones((1, 2)) for key in seconds}
    table = ScoreTable.from_trials(
        [0.1, 0.2, 0.3],
        trials=([1, 1, 0], [1, 0, 1]),
        references=["b", "a"],
        reference_subjects=["b", "a"],
        probes=["b", "a"],
        probe_subjects=["b", "a"],
    )

    found = quality.measure(trials, ["duration"], vectors=vectors, seconds=seconds)
    of_reference, of_probe = quality.of_trials(found, table, trials, path="scores-dev")[
        "duration"
    ]

    assert of_reference.tolist() == [5, 5, 3]
    assert of_probe.tolist() == [5, 3, 5]


def test_a_score_file_of_other_trials_is_refused(uneven):
    asked = weighing(uneven, "magnitude")
    path = run(asked).score_files["dev"]
    path.write_text("\n".join(path.read_text().splitlines()[::-1]) + "\n")

    with pytest.raises(ScoringError, match="not of the trials of the database"):
        run(replace(asked, skip=OTHERS))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"calibrate_scores": False, "calibration_quality": "duration"}, "nothing is"),
        ({"calibration_quality": ["cohort_mean"]}, "set score_normalisation"),
        ({"calibration_quality": ["length"]}, "expected some of: duration, magnitude"),
    ],
)
def test_measures_that_cannot_be_are_refused_before_anything_runs(given, message):
    with pytest.raises(ConfigurationError, match=message):
        calibration_of(settle({}, {**GIVEN, "calibrate_scores": True, **given}))


def test_each_measure_counts_once():
    given = {"calibrate_scores": True, "calibration_quality": ["duration", "duration"]}

    assert calibration_of(settle(given, GIVEN)).quality == ("duration",)


def test_both_kinds_of_scores_say_what_made_them(uneven, strangers):
    asked = weighing(uneven, "duration", cohort=strangers)

    run(replace(asked, algorithm=asked.algorithm))

    for layout, normalisation in (
        (uneven.layout, "none"),
        (uneven.layout.of_normalised(), "as, top 3"),
    ):
        said = from_json(layout.scores / "scores-dev.json")
        assert said["normalisation"] == normalisation
        assert said.get("cohort_size") == (None if normalisation == "none" else "5")
        calibrated = from_json(layout.scores / "calibrated-dev.json")
        assert calibrated["measure"].startswith("log-likelihood ratio (natural) of ")
        assert calibrated["calibration"] == "calibration.json"
