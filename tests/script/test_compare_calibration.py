"""`bob pytorch compare --calibration`: a likelihood ratio and a decision."""

import hashlib
import json
from functools import partial
from pathlib import Path

import commands
import numpy as np
import pytest
import soundfile
from recordings import RATE, noise, record

from bob.learn.pytorch.calibration import (
    IsotonicCalibration,
    LinearCalibration,
    TrainingTrials,
    save_calibration,
)
from bob.learn.pytorch.preprocessor.audio import EmbeddingExtractor

pytestmark = pytest.mark.usefixtures("networks_are_kept")

CALIBRATION = Path("calibration.json")
COUNTS = TrainingTrials(targets=40, non_targets=400)


@pytest.fixture(scope="module")
def sha256(weights):
    return hashlib.sha256(weights.read_bytes()).hexdigest()


@pytest.fixture
def said(sha256):
    return {
        "model": "dltresnet34-voxceleb1",
        "weights": sha256,
        "measure": "cosine",
        "normalisation": "none",
        "database": "calls",
        "group": "dev",
    }


@pytest.fixture
def compare(weights):
    """Two recordings of noise and the command with more options."""
    record("a.wav", noise(2))
    record("b.wav", noise(2)[::-1])

    return partial(commands.run, "compare", "a.wav", "b.wav", "--model", weights)


def line_through(score, *, ratio, weight=12.0, said=None):
    """A calibration that gives a score this log-likelihood ratio."""
    offset = ratio - weight * score
    return LinearCalibration(("score",), (weight,), offset, 0.5, COUNTS, said or {})


def score_of(compare):
    return json.loads(compare("--json").stdout)["score"]


@pytest.mark.parametrize(
    ("options", "decision", "threshold"),
    [
        ((), "one speaker", 0.0),
        (("--p-target", "0.05"), "two speakers", np.log(19)),
        (("--p-target", "0.05", "--c-miss", "10"), "one speaker", np.log(1.9)),
        (("--c-fa", "20"), "two speakers", np.log(20)),
    ],
)
def test_the_answer_is_a_ratio_and_a_decision_at_the_stated_costs(
    compare, said, options, decision, threshold
):
    """The ratio is 10 by construction."""
    score = score_of(compare)
    save_calibration(line_through(score, ratio=np.log(10), said=said), CALIBRATION)

    text = compare("--calibration", CALIBRATION.name, *options).stdout
    report = json.loads(
        compare("--calibration", CALIBRATION.name, *options, "--json").stdout
    )

    assert report["score"] == score
    assert report["likelihood_ratio"] == pytest.approx(10)
    assert report["decision"] == decision
    assert report["threshold"]["log_likelihood_ratio"] == pytest.approx(threshold)
    moved = score + (threshold - np.log(10)) / 12
    assert report["threshold"]["score"] == pytest.approx(moved)
    assert report["calibration"]["provenance"] == said
    assert "likelihood ratio 10 (log 2.3026)" in text
    assert f"decision: {decision}, since the log is" in text
    assert "threshold from calibration.json: 40 target and 400 non-target" in text
    assert "database calls, group dev" in text


@pytest.mark.parametrize("measure", ["duration", "magnitude"])
def test_the_quality_of_both_recordings_is_weighed(compare, said, measure, weights):
    """One recording is made longer; the weights are of the shorter and the longer."""
    soundfile.write("b.wav", np.tile(soundfile.read("b.wav")[0], 2), RATE)
    name = "log duration" if measure == "duration" else measure
    columns = ("score", f"smaller {name}", f"larger {name}")
    measured = LinearCalibration(columns, (12.0, 2.0, 0.5), 1.0, 0.5, COUNTS, said)
    save_calibration(measured, CALIBRATION)

    report = json.loads(
        compare("--calibration", CALIBRATION.name, "--p-target", "0.05",
                "--json").stdout
    )  # fmt: skip

    if measure == "duration":
        sides = [2.0, 4.0]
        low, high = np.log(sides)
    else:
        extractor = EmbeddingExtractor(str(weights))
        sides = [float(np.linalg.norm(extractor.embed(name)))
                 for name in ("a.wav", "b.wav")]  # fmt: skip
        low, high = sorted(sides)
    ratio = 1 + 12 * report["score"] + 2 * low + 0.5 * high
    assert report["quality"] == {measure: pytest.approx(sides, rel=1e-5)}
    assert report["log_likelihood_ratio"] == pytest.approx(ratio, rel=1e-5)
    threshold = report["threshold"]
    assert threshold["log_likelihood_ratio"] == pytest.approx(np.log(19))
    assert threshold["score"] == pytest.approx(
        report["score"] + (np.log(19) - ratio) / 12, rel=1e-5
    )
    told = compare("--calibration", CALIBRATION.name).stdout
    assert f", with the {measure}s" in told
    assert "for such recordings" in told


def test_a_duration_beyond_training_counts_as_the_nearest_there(compare, said):
    """Both last 2 s, and 3 to 5 s trained it: a line would go on climbing."""
    columns = ("score", "smaller log duration", "larger log duration")
    ends = (float(np.log(3)), float(np.log(5)))
    line = LinearCalibration(
        columns, (12.0, -3.0, 0.0), 1.0, 0.5, COUNTS, said,
        ranges=dict.fromkeys(columns[1:], ends), plain=(12.0, -20.0),
    )  # fmt: skip
    save_calibration(line, CALIBRATION)

    report = json.loads(compare("--calibration", CALIBRATION.name, "--json").stdout)
    told = " ".join(compare("--calibration", CALIBRATION.name).stdout.split())

    score = report["score"]
    ratio = 1 + 12 * score - 3 * np.log(3)
    assert report["log_likelihood_ratio"] == pytest.approx(ratio, rel=1e-5)
    assert report["without_quality"] == {
        "log_likelihood_ratio": pytest.approx(12 * score - 20),
        "likelihood_ratio": pytest.approx(np.exp(12 * score - 20)),
        "decision": "two speakers",
    }
    beyond = "the smaller duration is 2 s, outside of 3 s to 5 s where the calibration"
    assert any(note.startswith(beyond) for note in report["notes"])
    assert beyond in told
    assert "by the score alone: likelihood ratio 1/" in told
    assert "shorter recordings counts more for one speaker" in told


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (("score", "smaller cohort_mean", "larger cohort_mean"),
         "also weighs cohort_mean, and of two recordings there is a score"),
        (("one", "two"), "it is a fusion of one, two"),
    ],
)  # fmt: skip
def test_what_two_recordings_do_not_tell_is_refused(compare, said, columns, message):
    weights = (1.0,) * len(columns)
    save_calibration(
        LinearCalibration(columns, weights, 0.0, 0.5, COUNTS, said), CALIBRATION
    )

    result = compare("--calibration", CALIBRATION.name)

    assert result.exit_code == 1
    assert message in result.stderr.replace("\n", " ")


def test_a_ratio_below_one_is_a_fraction_of_one(compare, said):
    line = line_through(score_of(compare), ratio=-np.log(4), said=said)
    save_calibration(line, CALIBRATION)

    text = compare("--calibration", "calibration.json").stdout

    assert "likelihood ratio 1/4 (log -1.3863)" in text
    assert "two speakers, since the log is not at or above 0.0000" in text


def test_steps_that_are_certain_have_no_ratio_in_json(compare, said):
    steps = IsotonicCalibration((-2.0,), (-np.inf, np.inf), COUNTS, said)
    save_calibration(steps, CALIBRATION)

    report = json.loads(compare("--calibration", "calibration.json", "--json").stdout)
    text = compare("--calibration", "calibration.json").stdout

    assert report["likelihood_ratio"] is None
    assert report["decision"] == "one speaker"
    assert "likelihood ratio over a million (log inf)" in text


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"weights": "0" * 64}, "the weights is '0000"),
        ({"model": "campplus-zh-en"}, "the model is 'campplus-zh-en'"),
        ({"normalisation": "as-norm"}, "the normalisation is 'as-norm'"),
    ],
)
def test_a_calibration_of_other_scores_is_refused(compare, said, changed, message):
    save_calibration(line_through(0, ratio=0, said={**said, **changed}), CALIBRATION)

    result = compare("--calibration", "calibration.json")

    assert result.exit_code == 1
    assert result.stdout == ""
    assert f"calibration.json: the calibration is of other scores: {message}" in (
        result.stderr
    )


def test_of_normalised_scores_the_plain_calibration_beside_is_named(compare, said):
    """As verify.py with score_normalisation lays them out."""
    normalised, plain = (Path(f"r/{name}/c.json") for name in ("ztnorm", "nonorm"))
    for path, kind in ((normalised, "as, top 300"), (plain, "none")):
        path.parent.mkdir(parents=True)
        line = line_through(0, ratio=0, said={**said, "normalisation": kind})
        save_calibration(line, path)

    found = compare("--calibration", str(normalised))
    assert found.exit_code == 1
    assert f"not 'none' as here; take {plain}" in found.stderr
    assert compare("--calibration", str(plain)).exit_code == 0
    plain.unlink()
    alone = compare("--calibration", str(normalised)).stderr
    assert "train one with verify.py --calibrate-scores, without normal" in alone


@pytest.mark.parametrize(
    ("options", "message", "status"),
    [
        (("--p-target", "0.5"), "which takes --calibration", 2),
        (("--calibration", "absent.json"), "does not exist", 2),
        (("--calibration", "a.wav"), "a.wav: ", 1),
        (("--calibration", "c.json", "--p-target", "1"), "for '--p-target'", 2),
        (("--calibration", "c.json", "--c-fa", "0"), "for '--c-fa'", 2),
    ],
)
def test_what_makes_no_decision_is_refused(compare, said, options, message, status):
    save_calibration(line_through(0, ratio=0, said=said), Path("c.json"))

    result = compare(*options)

    assert result.exit_code == status
    assert message in result.stderr.replace("\n", " ")
    assert "Traceback" not in result.stderr
