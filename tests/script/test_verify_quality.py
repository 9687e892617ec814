"""`verify.py --calibration-quality`, as a user types it."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import toy_experiment
from commands import run
from files import from_json
from recordings import record

from bob.learn.pytorch.script.verify import main

RATE = 8000
FOLDER = Path("results/toy/session/nonorm")
CONFIGURATION = f"""{toy_experiment.CONFIGURATION}
groups = ["dev", "eval"]
calibrate_scores = True
calibration_penalty = 0.01
"""


@pytest.fixture
def toy():
    """Four speakers in two sessions of recordings of many lengths."""
    random = np.random.default_rng(0)
    for speaker in range(4):
        for session in "ab":
            for take in range(3):
                count = int(random.uniform(0.3, 1.5) * RATE)
                pitch = 2 * np.pi * (300 + 400 * speaker) * np.arange(count) / RATE
                path = Path(f"corpus/speaker{speaker}/{session}/{take}.wav")
                record(path, 0.3 * np.sin(pitch) + random.normal(0, 0.05, count), RATE)
    Path("config.py").write_text(CONFIGURATION)
    return "config.py"


def test_measures_are_given_one_by_one_and_told_in_the_report(toy, capsys):
    given = ["--calibration-quality", "duration", "--calibration-quality", "magnitude"]

    assert main([*given, toy]) == 0

    calibration = from_json(FOLDER / "calibration.json")
    assert calibration["columns"] == [
        "score",
        "smaller log duration",
        "larger log duration",
        "smaller magnitude",
        "larger magnitude",
    ]
    report = from_json(FOLDER / "report.json")["calibrated"]
    weights = dict(zip(calibration["columns"], calibration["weights"], strict=True))
    assert report["weights"] == weights
    output = " ".join(capsys.readouterr().out.split())
    assert "To this log-likelihood ratio, quality measures add" in output
    assert f"{weights['larger magnitude']:+.6g} x larger magnitude." in output
    description = Path("results/toy/session/Experiment.info").read_text()
    assert "linear, with duration, magnitude, trained on dev" in description


def test_measures_beyond_those_of_dev_are_said(toy, capsys):
    """Recordings of eval are made short, where those of dev trained it."""
    assert main([toy]) == 0
    found = Path("results/toy/session/nonorm/scores-eval").read_text().split()
    for path in {Path(f"corpus/{name}.wav") for name in found if "/" in name}:
        samples, _ = soundfile.read(path)
        soundfile.write(path, samples[:1200], RATE)

    assert main(["--calibration-quality", "duration", toy]) == 0

    said = capsys.readouterr().err
    assert "scores-eval, in " in said
    assert "trials the smaller duration lies outside of " in said


def test_without_measures_the_report_has_the_score_alone(toy, capsys):
    assert main([toy]) == 0

    report = from_json(FOLDER / "report.json")["calibrated"]
    assert list(report["weights"]) == ["score"]
    assert "quality measures" not in capsys.readouterr().out
    assert not (FOLDER / "quality-dev.csv").exists()


def test_a_configuration_may_list_them(toy):
    with Path(toy).open("a") as file:
        file.write("calibration_quality = ['duration']\n")

    assert main([toy]) == 0

    calibration = from_json(FOLDER / "calibration.json")
    assert len(calibration["columns"]) == 3


def test_a_measure_without_a_cohort_stops_before_anything_is_computed(toy, capsys):
    assert main([toy, "--calibration-quality", "cohort_mean"]) == 1

    assert "set score_normalisation" in capsys.readouterr().err
    assert not Path("temp").exists()
    assert not Path("results").exists()


def test_recordings_below_what_a_model_needs_are_said_by_default(toy, capsys):
    """Counted by the headers: recordings of 0.3 to 1.5 s at 8 kHz."""
    with Path(toy).open("a") as file:
        file.write(
            "from types import SimpleNamespace\n"
            "preprocessor.model = SimpleNamespace(\n"
            "    name='toy', recommended_seconds=1.0, sample_rate=16000)\n"
        )
    lengths = [soundfile.info(path).duration for path in Path("corpus").rglob("*.wav")]
    short = sum(length < 1 for length in lengths)
    note = f"{short} of {len(lengths)} recordings last less than 1 s, below which an"

    assert main([toy]) == 0

    told = capsys.readouterr()
    assert f"WARNING {note}" in told.err
    assert "below the 16000 Hz of toy (8000 Hz)" in told.err
    assert note in " ".join(told.out.split())
    assert from_json(FOLDER / "report.json")["notes"][0].startswith(note)
    page = run("report", FOLDER, "--resamples", "0")
    assert note in " ".join(page.output.split())
