"""Calibrations of whole experiments: trained on dev, applied to dev and eval."""

import math
from dataclasses import replace

import numpy as np
import pytest
from files import from_json
from given import GIVEN
from scipy.optimize import minimize

from bob.learn.pytorch.calibration import (
    CalibrationError,
    fit_calibration,
    load_calibration,
)
from bob.learn.pytorch.experiment.algorithms import NAMED
from bob.learn.pytorch.experiment.components import Extraction
from bob.learn.pytorch.experiment.configuration import ConfigurationError
from bob.learn.pytorch.experiment.dev_calibration import (
    calibrate_from_dev,
    calibration_of,
)
from bob.learn.pytorch.experiment.experiment import DevCalibration
from bob.learn.pytorch.experiment.options import settle
from bob.learn.pytorch.experiment.stages import run
from bob.learn.pytorch.extractor import CallableExtractor

HOW = DevCalibration(p_target=0.5, penalty=0.0)


class TwoGroups:
    """The trials of `Speakers`, in both groups."""

    def __init__(self, wrapped):
        self._wrapped = wrapped

    def __getattr__(self, name):
        return getattr(self._wrapped, name)

    def groups(self):
        return ("dev", "eval")


def write(path, targets, non_targets, *, five=False):
    model = " m" if five else ""
    lines = [f"a{model} a t{i} {score:.8f}" for i, score in enumerate(targets)]
    lines += [f"a{model} b n{i} {score:.8f}" for i, score in enumerate(non_targets)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


def scores(path):
    return np.array([float(line.split()[-1]) for line in path.read_text().splitlines()])


@pytest.fixture
def files(experiment):
    """Overlapping scores of dev and of eval, normal with one deviation."""
    random, layout = np.random.default_rng(1), experiment.layout
    found = {group: layout.group_scores(group) for group in ("dev", "eval")}
    for path in found.values():
        write(path, random.normal(2, 1, 60), random.normal(0, 1, 240))
    return found


@pytest.mark.parametrize(("p_target", "penalty"), [(0.5, 0.0), (0.1, 0.05)])
def test_ratios_are_those_of_a_general_optimiser(experiment, files, p_target, penalty):
    """Prior-weighted logistic loss and penalty, written down anew, by SciPy's BFGS."""
    how = DevCalibration(p_target, penalty)
    dev = scores(files["dev"])
    target = np.arange(300) < 60
    weights = np.where(target, p_target / 60, (1 - p_target) / 240)
    spread = dev.std()

    def loss(values):
        odds = values[0] * dev + values[1] + math.log(p_target / (1 - p_target))
        fit = weights @ np.logaddexp(0, np.where(target, -odds, odds))
        return fit + penalty * (values[0] * spread) ** 2 / 2

    expected = minimize(loss, [1, 0], tol=1e-12).x

    calibrate_from_dev(experiment, files, how)

    for group in ("dev", "eval"):
        found = scores(experiment.layout.scores / f"calibrated-{group}")
        raw = scores(files[group])
        assert found == pytest.approx(expected[0] * raw + expected[1], abs=2e-4)


def test_eval_has_no_say(experiment, files):
    first = calibrate_from_dev(experiment, files, HOW)
    write(files["eval"], [9.0, math.nan], [8.0, -8.0])

    second = calibrate_from_dev(experiment, files, HOW)

    assert first.weights == second.weights
    ratios = scores(experiment.layout.calibrated_scores("eval"))
    assert ratios[0] == pytest.approx(9 * first.weights[0] + first.offset)
    assert math.isnan(ratios[1])


@pytest.mark.parametrize("five", [False, True])
def test_calibrated_files_are_the_score_files_with_other_scores(
    experiment, files, five
):
    random = np.random.default_rng(0)
    for path in files.values():
        write(path, random.normal(1, 1, 40), random.normal(0, 1, 40), five=five)

    calibrate_from_dev(experiment, files, HOW)

    for group, path in files.items():
        calibrated = experiment.layout.calibrated_scores(group)
        before, after = (
            [line.rsplit(" ", 1)[0] for line in file.read_text().splitlines()]
            for file in (path, calibrated)
        )
        assert before == after


def test_the_file_says_where_the_calibration_comes_from(experiment, files):
    experiment = unchanged(experiment)

    calibrate_from_dev(experiment, files, DevCalibration(0.5, 0.01))

    content = from_json(experiment.layout.scores / "calibration.json")
    said = content["provenance"]
    assert content["trained_on"] == {"targets": 60, "non_targets": 240, "failures": 0}
    assert (said["database"], said["protocol"], said["group"]) == (
        "tones",
        "all",
        "dev",
    )
    assert (said["measure"], said["normalisation"]) == ("cosine", "none")
    assert said["enrolment recordings"] == "2"
    assert said["penalty"] == "0.01"
    assert len(said["sha256"]) == 64


def unchanged(experiment):
    return replace(experiment, extraction=Extraction(CallableExtractor(lambda x: x)))


def test_other_measures_are_not_called_cosine(experiment, files):
    experiment = unchanged(experiment)
    for name in ("distance-cosine", "euclidean"):
        other = replace(experiment, algorithm=NAMED[name])

        said = calibrate_from_dev(other, files, HOW).provenance["measure"]

        assert said.startswith("Similarity(measure=")


def test_what_an_extractor_makes_of_embeddings_is_not_compared_as_they_are(
    experiment, files
):
    for function, expected in (
        (lambda x: 2 * x, "cosine of what CallableExtractor(callable="),
        (np.negative, "cosine of what CallableExtractor(callable="),
        (lambda x: x, "cosine"),
    ):
        other = replace(experiment, extraction=Extraction(CallableExtractor(function)))

        said = calibrate_from_dev(other, files, HOW).provenance["measure"]

        assert said.startswith(expected)
        assert (said == "cosine") == (expected == "cosine")
        assert "0x" not in said


def test_scores_that_separate_perfectly_get_a_penalty_unless_it_is_set(
    experiment, files, caplog
):
    write(files["dev"], [3.0, 4.0], [1.0, 2.0])

    with pytest.raises(CalibrationError, match=r"scores-dev: .* separate perfectly"):
        calibrate_from_dev(experiment, files, HOW)
    found = calibrate_from_dev(experiment, files, DevCalibration(0.5))

    assert found.penalty == 0.001
    assert found.weights == fit_calibration([3, 4], [1, 2], penalty=0.001).weights
    assert "it was fitted with the penalty 0.001" in caplog.text


def test_scores_that_are_upside_down_are_refused(experiment, files):
    write(files["dev"], [1.0, 2.0, 3.5], [3.0, 4.0])

    with pytest.raises(CalibrationError, match="check the labels"):
        calibrate_from_dev(experiment, files, HOW)


def test_without_scores_of_dev_there_is_no_calibration(experiment, files):
    with pytest.raises(ConfigurationError, match="no scores of dev"):
        calibrate_from_dev(experiment, {"eval": files["eval"]}, HOW)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"groups": ["eval"]}, "trained on dev, and the groups are eval"),
        ({"calibration_p_target": 1}, "a probability between 0 and 1"),
        ({"calibration_penalty": -1}, "it is 0 or more"),
        ({"calibration_penalty": math.nan}, "it is 0 or more"),
    ],
)
def test_options_that_make_no_calibration_are_refused(options, message):
    with pytest.raises(ConfigurationError, match=message):
        calibration_of(settle({}, {**GIVEN, "calibrate_scores": True, **options}))


def test_nothing_is_calibrated_unless_asked():
    assert calibration_of(settle({}, GIVEN)) is None


def test_an_experiment_leaves_the_calibration_beside_the_scores(experiment):
    both = replace(
        experiment,
        database=TwoGroups(experiment.database),
        groups=("dev", "eval"),
        calibration=DevCalibration(0.5, 0.001),
    )

    outcome = run(both)

    folder = both.layout.scores
    line = load_calibration(folder / "calibration.json")
    for group in ("dev", "eval"):
        raw = scores(outcome.score_files[group])
        calibrated = scores(folder / f"calibrated-{group}")
        assert calibrated == pytest.approx(
            line.weights[0] * raw + line.offset, abs=1e-6
        )


def test_no_calibration_of_an_earlier_run_is_left(experiment):
    asked = replace(experiment, calibration=DevCalibration(0.5, 0.001))
    run(asked)
    assert experiment.layout.calibration().exists()

    run(experiment)

    left = [path.name for path in experiment.layout.scores.iterdir() if path.is_file()]
    assert sorted(left) == ["scores-dev", "scores-dev.json"]


def test_the_stage_can_be_left_out_or_run_alone(experiment):
    asked = replace(experiment, calibration=DevCalibration(0.5, 0.001))
    run(replace(asked, skip=frozenset({"calibration"})))
    assert not experiment.layout.calibration().exists()
    others = ("preprocessing", "extraction", "enrollment", "score-computation")

    run(replace(asked, skip=frozenset({*others, "concatenation"})))

    assert experiment.layout.calibration().exists()
