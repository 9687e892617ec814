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


PAIR = ([3.0, 1.5, 0.5, -2.0], [-2.0, 1.0, -1.0, 0.7])


@pytest.fixture
def store(model):
    Path("trials.txt").write_text("1 a.wav a.wav\n0 a.wav b.wav")
    return speaker.embed(["a.wav", "b.wav"], model=model, into="e.h5")


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda s: speaker.evaluate([1, 2, 3]), "came as list"),
        (lambda s: speaker.evaluate(None), "came as NoneType"),
        (lambda s: speaker.evaluate(s, by=["nonsense"]), "no column nonsense"),
        (lambda s: speaker.evaluate(s, by="nonsense"), "no column nonsense"),
        (lambda s: speaker.evaluate(s, versus=[None]), "versus came as NoneType"),
        (lambda s: speaker.evaluate(s, trials="no"), "list of trials no"),
        (lambda s: speaker.evaluate(PAIR, cost="p_05"), "p_05"),
        (lambda s: speaker.calibrate(s, kind="lin"), "expected linear or isotonic"),
        (lambda s: speaker.calibrate(s, quality="duration"), "duration"),
        (lambda s: speaker.calibrate(s, trials="no"), "list of trials no"),
        (lambda s: speaker.calibrate(7), "came as int"),
        (lambda s: speaker.score("e.h5", "trials.txt", cohort_top=9), "cohort_top"),
        (
            lambda s: speaker.score("e.h5", "trials.txt", normalisation="s-norm"),
            "normalised by a cohort",
        ),
        (lambda s: speaker.embed([], into="n.h5"), "no recording"),
        (lambda s: speaker.embed("no_such", into="n.h5"), "no_such does not exist"),
        (lambda s: speaker.embed([np.ones(3)], into="n.h5"), "recording 0 came as"),
        (lambda s: speaker.load_model(None), "model is None"),
        (lambda s: speaker.compare([], "b.wav"), "first recording: came as list"),
        (lambda s: speaker.compare("a.wav", iter("b")), "second recording: came as"),
        (
            lambda s: speaker.compare("a.wav", "b.wav", p_target=5),
            "takes a calibration",
        ),
        (
            lambda s: speaker.compare("a.wav", "b.wav", calibration="no.json"),
            "no.json cannot be read",
        ),
        (
            lambda s: speaker.run_experiment(grups=["dev"]),
            "no option 'grups'; did you mean 'groups'",
        ),
    ],
)
def test_what_does_not_fit_is_refused(store, call, said):
    scores = speaker.score(store, "trials.txt")

    with pytest.raises(speaker.UserError, match=said):
        call(scores)
    assert not list(Path().glob("n.h5*"))


def test_options_of_a_model_that_is_loaded(model):
    with pytest.raises(speaker.UserError, match="device is 'cuda', and the model is"):
        speaker.compare("a.wav", "b.wav", model=model, device="cuda")
    with pytest.raises(TypeError, match="load_model has no option 'jbs'"):
        speaker.embed("a.wav", into="n.h5", model=model, jbs=2)
    with pytest.raises(speaker.UserError, match="empty list"):
        model.embed([])
    silent = (RATE, np.zeros(RATE))
    with pytest.raises(speaker.UserError, match="the second recording: is silent"):
        speaker.compare("a.wav", silent, model=model)


def test_what_a_function_returns_fits_the_next(store, model):
    scores = speaker.score(store, speaker.read_protocol("trials.txt"))
    other = speaker.evaluate(scores, versus=[scores], cost="p0.05", resamples=0)
    written = speaker.score(store, "trials.txt", output="s.csv", quality=["duration"])

    assert scores.trials == 2
    assert list(other.versus) == ["system 2"]
    assert str(other) == other.as_text()
    with pytest.raises(speaker.UserError, match=r"s.csv has no column nonsense"):
        speaker.evaluate(written, by="nonsense")
    assert speaker.calibrate(PAIR)(np.zeros(1)).shape == (1,)
    assert speaker.calibrate(PAIR, kind="isotonic").provenance["speakers"] == "None"
    entry = speaker.list_models()[0]
    assert repr(entry).startswith("<TrainedModel dltresnet34-voxceleb1: 128")
    assert repr(scores) == "<Scores of 2 trials>"
    assert repr(speaker.calibrate(PAIR)) == (
        "<LinearCalibration of score on 4 target and 4 non-target trials>"
    )
    assert repr(speaker.calibrate(PAIR, kind="isotonic")).startswith("<IsotonicCal")
    protocol = repr(speaker.read_protocol("trials.txt"))
    assert "trials" in protocol
    assert " at 0x" not in protocol
    Path("more.txt").write_text("1 a.wav c.wav")
    with pytest.raises(speaker.UserError, match="fail with allow_missing"):
        speaker.score(store, "more.txt")
    with pytest.raises(speaker.UserError, match="name one of them as group"):
        speaker.score(store, speaker.read_protocol("trials.txt"), group="none")


def test_a_comparison_is_written_and_compared(model):
    comparison = speaker.compare("a.wav", "a.wav", model=model)

    assert format(comparison, ".3f") == "1.000"
    assert comparison > 0.5
    assert not comparison < comparison
    assert repr(comparison) == ("<Comparison: score 1.0000 with dltresnet34-voxceleb1>")


def test_names_of_its_making_are_not_listed():
    assert not {"keep_old_names", "TYPE_CHECKING"} & set(dir(speaker))
