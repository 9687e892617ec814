"""`import bob.learn.pytorch as speaker`: the face of the package."""

import json
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import soundfile
from commands import run
from programs import printed_by

import bob.learn.pytorch as speaker

pytestmark = pytest.mark.usefixtures("networks_are_kept")

RATE = 16_000


@pytest.fixture
def recordings(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    noise = 0.1 * np.random.default_rng(5).standard_normal(RATE)
    soundfile.write("a.wav", noise, RATE)
    soundfile.write("b.wav", noise[::-1], RATE)
    return noise


@pytest.fixture
def model(recordings, weights):
    return speaker.load_model(weights)


def test_its_import_takes_no_time_and_loads_no_library():
    code = (
        "import sys, time; at = time.process_time(); import bob.learn.pytorch; "
        "print(time.process_time() - at, *sys.modules)"
    )

    seconds, *modules = printed_by(code).split()
    assert float(seconds) < 0.05
    assert not {"numpy", "torch", "click", "h5py", "importlib.metadata"} & set(modules)


def test_every_name_is_there_and_says_what_it_does():
    for name in speaker.__all__:
        assert name in dir(speaker)
        assert name == "__version__" or getattr(speaker, name).__doc__
    assert speaker.__version__ == version("bob.learn.pytorch")


def test_a_name_that_it_does_not_have():
    with pytest.raises(AttributeError, match="no attribute 'enrol'"):
        _ = speaker.enrol


@pytest.mark.parametrize("room", ["architectures", "audio", "features", "scoring"])
def test_a_room_is_still_imported_as_a_module(room):
    module = import_module(f"bob.learn.pytorch.{room}")

    assert getattr(speaker, room) is module


def test_a_model_embeds_paths_arrays_and_lists(model, recordings):
    alone = model.embed("a.wav")
    samples, _ = soundfile.read("a.wav")

    assert (alone.shape, alone.dtype) == ((128,), np.float32)
    np.testing.assert_array_equal(model.embed(samples, rate=RATE), alone)
    np.testing.assert_array_equal(model.embed((RATE, samples)), alone)
    np.testing.assert_allclose(
        model.embed(["a.wav", "a.wav"]), [alone, alone], atol=1e-6
    )


def test_a_comparison_is_that_of_the_command(model, weights):
    comparison = speaker.compare("a.wav", "b.wav", model=model)

    told = run("compare", "a.wav", "b.wav", "--model", weights, "--json")
    assert float(comparison) == json.loads(told.stdout)["score"]
    assert comparison.likelihood_ratio is None
    assert f"score <b>{comparison.score:.4f}</b>" in comparison._repr_html_()


def test_steps_from_recordings_to_a_decision(model, recordings):
    lines = ["1 a.wav a.wav", "1 b.wav b.wav", "0 a.wav b.wav", "0 b.wav a.wav"]
    Path("trials.txt").write_text("\n".join(lines))

    store = speaker.embed(["a.wav", "b.wav"], model=model, into="e.h5")
    scores = speaker.score(store, "trials.txt")
    calibration = speaker.calibrate(scores, penalty=0.1)
    comparison = speaker.compare(
        "a.wav", "a.wav", model=model, calibration=calibration, p_target=0.01
    )

    assert speaker.read_protocol("trials.txt").trials("dev").count() == 4
    assert store.names == ("a.wav", "b.wav")
    assert speaker.evaluate(scores).eer == 0
    assert calibration.provenance["model"] == "dltresnet34-voxceleb1"
    assert comparison.decision.threshold.p_target == 0.01
    assert comparison.likelihood_ratio > 1
    assert "decision: <b>" in comparison._repr_html_()


@pytest.mark.parametrize(
    "call",
    [
        lambda: speaker.load_model("campplus"),
        lambda: speaker.compare("missing.wav", "a.wav"),
        lambda: speaker.embed("missing.txt", into="e.h5"),
        lambda: speaker.embed("a.wav", into="e.doc"),
        lambda: speaker.read_protocol("missing.txt"),
        lambda: speaker.calibrate("missing.txt"),
        lambda: speaker.run_experiment("missing.py"),
    ],
)
def test_faults_of_its_user_have_one_base(recordings, call):
    with pytest.raises((speaker.UserError, FileNotFoundError)):
        call()


def test_other_files_than_stores_are_written(model):
    stored = speaker.embed({"one": "a.wav"}, model=model, into="x.npz")

    with np.load("x.npz") as file:
        np.testing.assert_array_equal(file["embeddings"], stored.embeddings)
